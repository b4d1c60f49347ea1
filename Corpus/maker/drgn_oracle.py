#!/usr/bin/env python3
"""drgn_oracle.py DUMP VMLINUX OUT.json: what drgn, with DWARF, says of the objects in a dump.

An oracle that shares nothing with kva: types from DWARF, not BTF; another reader, another unwinder. It runs in a Python
that has drgn, and needs nothing else of this folder."""

from __future__ import annotations

import json
import random
import sys
from typing import Any, Callable

import drgn
from drgn.helpers.linux import (
    PageSlab, compound_head, compound_order, d_path, decode_page_flags, find_task, for_each_slab_cache, for_each_task,
    for_each_vma, list_first_entry, list_for_each_entry, page_to_virt, per_cpu, pfn_to_page, slab_object_info, task_cpu,
    task_state_to_char,
)

FRAMES, SLAB_FRAMES = 4000, 700
TYPES = """task_struct mm_struct vm_area_struct page folio slab kmem_cache module file inode dentry super_block sk_buff
    net_device sock rq zone pglist_data thread_info pt_regs cpu_context bpf_prog bpf_map work_struct workqueue_struct
    timer_list hrtimer rb_node list_head xarray maple_tree maple_node cred user_namespace pid signal_struct
    sighand_struct files_struct fs_struct nsproxy cgroup css_set block_device gendisk request_queue bio request irq_desc
    device kobject vm_struct vmap_area mem_cgroup printk_ringbuffer perf_event sched_entity kernfs_node address_space
    fwnode_handle device_node tcp_sock ip_tunnel crypto_alg spi_device thermal_zone_device""".split()


def guard(ask: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or the error as an answer: some questions have none on some kernels."""
    try:
        return ask(*arguments)
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {str(error)[:120]}"}


def text(data: bytes) -> str:
    return data.decode("latin1")


class Oracle:
    def __init__(self, dump: str, vmlinux: str):
        self.prog = drgn.Program()
        self.prog.set_core_dump(dump)
        self.prog.load_debug_info([vmlinux])
        self.random = random.Random(20261130)

    def answers(self, dump: str) -> dict[str, Any]:
        tasks = [self.task(t) for t in for_each_task(self.prog, idle=True)]
        low, high = int(self.prog["min_low_pfn"]), int(self.prog["max_pfn"])
        pages = [guard(self.page, pfn) for pfn in self.random.sample(range(low, high), min(high - low, FRAMES))]
        return {
            "dump": dump.rsplit("/", 1)[-1], "drgn": drgn.__version__, "tasks": tasks,
            "caches": [{"cache": hex(c.value_()), "name": text(c.name.string_()), "object_size": c.object_size.value_(),
                        "size": c.size.value_()} for c in for_each_slab_cache(self.prog)],
            "slab": self.slab(pages, tasks), "pages": pages, "values": self.values(low), "layouts": self.layouts(),
            "modules": guard(lambda: [{"name": text(m.name.string_())} for m in
                                      list_for_each_entry("struct module", self.prog["modules"].address_of_(), "list")]),
        }

    def trace(self, task: drgn.Object) -> list[dict[str, Any]]:
        frames = []
        for frame in self.prog.stack_trace(task):
            if frame.is_inline:
                continue
            try:
                symbol = frame.symbol()
                name, offset = symbol.name, frame.pc - symbol.address
            except LookupError:
                name = offset = None
            frames.append({"pc": hex(frame.pc), "symbol": name, "offset": offset, "sp": hex(frame.sp) if frame.sp else None,
                           "interrupted": frame.interrupted})
        return frames

    def areas(self, task: drgn.Object) -> list[dict[str, Any]]:
        found = []
        for area in for_each_vma(task.mm):
            file = area.vm_file
            found.append({"vma": hex(area.value_()), "start": hex(area.vm_start.value_()), "end": hex(area.vm_end.value_()),
                          "flags": hex(area.vm_flags.value_()), "pgoff": area.vm_pgoff.value_(),
                          "file": text(d_path(file.f_path)) if file else None})
        return found

    def task(self, task: drgn.Object) -> dict[str, Any]:
        started = task.start_boottime if hasattr(task, "start_boottime") else task.real_start_time
        described = {
            "task": hex(task.value_()), "pid": task.pid.value_(), "tgid": task.tgid.value_(), "comm": text(task.comm.string_()),
            "state": guard(task_state_to_char, task), "stack": hex(task.stack.value_()), "parent": task.real_parent.pid.value_(),
            "mm": hex(task.mm.value_()) if task.mm else None, "cpu": guard(task_cpu, task), "start_time": started.value_(),
            "trace": guard(self.trace, task),
        }
        if task.mm and task.pid == task.tgid:
            described["vmas"] = guard(self.areas, task)
        return described

    def page(self, pfn: int) -> dict[str, Any]:
        page = pfn_to_page(self.prog, pfn)
        head = compound_head(page)
        flags = page.flags.f if hasattr(page.flags, "f") else page.flags
        return {
            "pfn": pfn, "page": hex(page.value_()), "flags": hex(flags.value_()), "names": decode_page_flags(page),
            "refcount": page._refcount.counter.value_(), "mapcount": page._mapcount.counter.value_(),
            "mapping": hex(page.mapping.value_()), "index": guard(lambda: page.index.value_()), "head": hex(head.value_()),
            "order": guard(lambda: int(compound_order(head))), "slab": guard(PageSlab, head) is True,
        }

    def slab(self, pages: list[dict[str, Any]], tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        addresses = []
        for page in [p for p in pages if p.get("slab")][:SLAB_FRAMES]:
            base = page_to_virt(pfn_to_page(self.prog, page["pfn"])).value_()
            addresses += [base + self.random.randrange(4096) for _ in range(3)]
        for task in tasks:
            addresses.append(int(task["task"], 16) + 64)
            if task["mm"]:
                addresses.append(int(task["mm"], 16) + 8)
        return [{"address": hex(a), "answer": guard(self.object_at, a)} for a in addresses]

    def object_at(self, address: int) -> dict[str, Any] | None:
        info = slab_object_info(self.prog, address)
        return info and {"cache": text(info.slab_cache.name.string_()), "object": hex(info.address), "allocated": bool(info.allocated)}

    def values(self, low: int) -> list[dict[str, Any]]:
        prog = self.prog
        init = find_task(prog, 1)
        wanted: dict[str, Callable[[], drgn.Object]] = {
            "init_task": lambda: prog["init_task"], "pid 1": lambda: init[0], "mm of pid 1": lambda: init.mm[0],
            "init_mm": lambda: prog["init_mm"], "nsproxy of pid 1": lambda: init.nsproxy[0], "cred of pid 1": lambda: init.cred[0],
            "files of pid 1": lambda: init.files[0], "fs of pid 1": lambda: init.fs[0], "signal of pid 1": lambda: init.signal[0],
            "init_uts_ns": lambda: prog["init_uts_ns"], "root cgroup": lambda: prog["init_css_set"],
            "page 0": lambda: pfn_to_page(prog, low)[0], "cache 0": lambda: next(iter(for_each_slab_cache(prog)))[0],
            "node 0": lambda: prog["contig_page_data"], "runqueue of cpu 0": lambda: per_cpu(prog["runqueues"], 0),
            "console_drivers": lambda: prog["console_drivers"][0],
            "first module": lambda: list_first_entry(prog["modules"].address_of_(), "struct module", "list")[0],
            "init_net": lambda: prog["init_net"], "memblock": lambda: prog["memblock"],
            "iomem_resource": lambda: prog["iomem_resource"], "jiffies": lambda: prog["jiffies"],
            "linux_banner": lambda: prog["linux_banner"], "zone_names": lambda: prog["migratetype_names"],
        }

        def value(name: str, ask: Callable[[], drgn.Object]) -> dict[str, Any]:
            found = ask()
            return {"what": name, "type": found.type_.type_name(), "address": hex(found.address_of_().value_()),
                    "value": guard(lambda: plain(found.value_()))}

        return [answer if "error" not in (answer := guard(value, name, ask)) else {"what": name, **answer}
                for name, ask in wanted.items()]

    def layouts(self) -> list[dict[str, Any]]:
        found = []
        for name in TYPES:
            try:
                kind = self.prog.type(f"struct {name}")
            except LookupError:
                continue
            if kind.is_complete():
                members = [{"name": m.name, "bit": m.bit_offset, "bits": m.bit_field_size, "type": m.type.type_name()} for m in kind.members]
                found.append({"type": f"struct {name}", "size": kind.size, "members": members})
            else:
                found.append({"type": name})
        return found


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value.hex() if isinstance(value, bytes) else value


def main() -> None:
    dump, vmlinux, out = sys.argv[1:4]
    answers = Oracle(dump, vmlinux).answers(dump)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(answers, file, indent=0)
    print(", ".join(f"{len(answers[k])} {k}" for k in ("tasks", "pages", "slab", "values", "layouts")))
    for value in answers["values"]:
        if "error" in value:
            print(f"{value['what']}: {value['error']}")


if __name__ == "__main__":
    main()
