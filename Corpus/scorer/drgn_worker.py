#!/usr/bin/env python3
"""drgn_worker.py DUMP [VMLINUX]: answers questions with drgn, one JSON object a line. It needs drgn and nothing of this folder."""

from __future__ import annotations

import json
import sys
from typing import Any

import drgn
from drgn.helpers.linux import (
    for_each_slab_cache, for_each_task, get_dmesg, pfn_to_page, slab_cache_usage, slab_object_info,
)
from drgn.helpers.linux.mm import _linux_helper_follow_phys

NEEDS_TYPES = frozenset(("modules", "log", "stacks", "slab", "pages", "caches", "layouts", "value"))


class Unanswered(Exception):
    pass


class Worker:
    def __init__(self, dump: str, vmlinux: str | None):
        self.prog = drgn.Program()
        self.prog.set_core_dump(dump)
        self.has_types = bool(vmlinux)
        if vmlinux:
            self.prog.load_debug_info([vmlinux])
        info = self.prog["VMCOREINFO"].string_().decode()
        self.info_lines = dict(line.split("=", 1) for line in info.splitlines() if "=" in line)

    def answer(self, request: dict[str, Any]) -> Any:
        what = request.pop("what")
        if what in NEEDS_TYPES and not self.has_types:
            raise Unanswered("needs a vmlinux with DWARF")
        return getattr(self, what)(**request)

    def translate(self, addresses: list[int], table: int | None) -> list[int | None]:
        root = int(self.info_lines["SYMBOL(swapper_pg_dir)"], 16)
        if table is not None:                            # the linear map's address of a process's table
            page_offset = -(1 << int(self.info_lines["NUMBER(VA_BITS)"])) & (1 << 64) - 1
            root = table - int(self.info_lines["NUMBER(PHYS_OFFSET)"], 16) + page_offset & (1 << 64) - 1

        def one(address: int) -> int | None:
            try:
                return _linux_helper_follow_phys(self.prog, root, address)
            except drgn.FaultError:
                return None
        return [one(a) for a in addresses]

    def info(self) -> dict[str, int]:
        return {"page_size": int(self.prog["PAGE_SIZE"])}

    def read(self, address: int, size: int) -> str:
        try:
            return self.prog.read(address, size).hex()
        except drgn.FaultError:
            return ""

    def modules(self) -> dict[str, int]:
        from drgn.helpers.linux import for_each_module

        return {m.name.string_().decode(): int(m.mem[0].base if hasattr(m, "mem") else m.core_layout.base) for m in for_each_module(self.prog)}

    def log(self) -> list[str]:
        lines = get_dmesg(self.prog).decode(errors="replace").splitlines()
        return [line.split("] ", 1)[-1] for line in lines]

    def stacks(self) -> list[Any]:
        found = []
        for task in for_each_task(self.prog, idle=True):
            running = bool(task.on_cpu) if hasattr(task, "on_cpu") else False
            try:
                trace = self.prog.stack_trace(task)
            except ValueError:
                trace = ()
            frames = []
            for frame in trace:
                if not frame.is_inline:
                    try:
                        symbol = frame.symbol()
                        frames.append((symbol.name, frame.pc - symbol.address))
                    except LookupError:
                        frames.append((None, None))
            found.append((task.value_(), task.pid.value_(), running, frames))
        return found

    def slab(self, addresses: list[int]) -> list[Any]:
        def one(address: int) -> Any:
            info = slab_object_info(self.prog, address)
            return info and (info.slab_cache.name.string_().decode(), info.address, bool(info.allocated))
        return [one(a) for a in addresses]

    def pages(self, pfns: list[int]) -> list[dict[str, int]]:
        return [{"pfn": pfn, "page": pfn_to_page(self.prog, pfn).value_()} for pfn in pfns]

    def caches(self) -> dict[str, int]:
        return {c.name.string_().decode(): slab_cache_usage(c).num_objs for c in for_each_slab_cache(self.prog)}

    def layouts(self, types: list[str]) -> dict[str, Any]:
        found = {}
        for name in types:
            kind = self.prog.type(name)
            found[name] = (kind.size, [(m.name, m.bit_offset, m.bit_field_size) for m in kind.members])
        return found

    def value(self, kind: str, address: int) -> Any:
        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(inner) for key, inner in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(inner) for inner in value]
            return value.hex() if isinstance(value, bytes) else value
        return plain(drgn.Object(self.prog, kind, address=address).value_())


def main() -> None:
    worker = Worker(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    for line in sys.stdin:
        try:
            answer = {"answer": worker.answer(json.loads(line))}
        except Unanswered as reason:
            answer = {"unanswered": str(reason)}
        except Exception as error:  # noqa: BLE001
            answer = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
