"""drgn, asked in a process of its own: it may be installed in another Python."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

from .entry import Dump
from .tool import Frame, Layout, SlabObject, Stack, Tool, ToolFailure, Translation, Unanswered, UserSpace

WORKER = Path(__file__).with_name("drgn_worker.py")


class Drgn(Tool):
    """Without a vmlinux drgn translates and reads; all that needs types needs DWARF."""

    name = "drgn"

    def __init__(self, dump: Dump, python: str, vmlinux: str | None, timeout: float):
        super().__init__(dump)
        self.timeout = timeout
        self._last: list[str] = []
        symbols = vmlinux or (dump.entry.vmlinux() if dump.entry.has("rich/drgn.json") else None)
        try:
            self._process = subprocess.Popen([python, str(WORKER), str(dump.path), *([str(symbols)] if symbols else [])], stdin=subprocess.PIPE,
                                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise ToolFailure(f"cannot run {python}: {error}") from error

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _ask(self, what: str, **arguments: Any) -> Any:
        timer = threading.Timer(self.timeout, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps({"what": what, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except (BrokenPipeError, ValueError):            # it ended with an earlier question
            line = b""
        finally:
            timer.cancel()
        if not line:
            self._last = self._last or self._process.stderr.read().decode(errors="replace").strip().splitlines()
            raise ToolFailure(f"drgn: {self._last[-1] if self._last else f'no answer in {self.timeout:.0f} s'}")
        answer = json.loads(line)
        if "unanswered" in answer:
            raise Unanswered(f"drgn: {answer['unanswered']}")
        if "error" in answer:
            raise ToolFailure(f"drgn: {answer['error']}")
        return answer["answer"]

    def translate(self, addresses: list[int], space: UserSpace | None = None) -> list[Translation]:
        return [Translation(p) for p in self._ask("translate", addresses=addresses, table=space.table if space else None)]

    def info(self) -> dict[str, int | None]:
        return self._ask("info")

    def read(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self._ask("read", address=address, size=size))

    def modules(self) -> dict[str, int]:
        return self._ask("modules")

    def log(self) -> list[str]:
        return self._ask("log")

    def stacks(self) -> list[Stack]:
        return [Stack(task, pid, running, [Frame(*f) for f in frames]) for task, pid, running, frames in self._ask("stacks")]

    def slab(self, addresses: list[int]) -> list[SlabObject | None]:
        return [s and SlabObject(*s) for s in self._ask("slab", addresses=addresses)]

    def pages(self, pfns: list[int]) -> list[dict[str, int | None]]:
        return self._ask("pages", pfns=pfns)

    def caches(self) -> dict[str, int]:
        return self._ask("caches")

    def layouts(self, types: list[str]) -> dict[str, Layout]:
        return {name: Layout(size, [tuple(m) for m in members]) for name, (size, members) in self._ask("layouts", types=types).items()}

    def value(self, kind: str, address: int) -> Any:
        return self._ask("value", kind=kind, address=address)
