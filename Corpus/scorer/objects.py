"""Stacks, slabs and pages, against drgn with DWARF, the guest's listings and the test module."""

from __future__ import annotations

import re
from typing import Callable

from .entry import Dump, number
from .result import Result, compared
from .tool import SlabObject, Stack, Tool

RAM_START = 0x40000000
STABLE_FLAGS = sum(1 << bit for bit in (7, 10, 15, 16, 17, 20, 26))
"""KPF_ bits that do not change by themselves: slab, buddy, head, tail, hugetlb, no page, page table."""


def _contains(whole: list, part: list) -> bool:
    return any(whole[i:i + len(part)] == part for i in range(len(whole)))


def stacks(tool: Tool, dump: Dump) -> Result:
    """All tasks against drgn's unwinder, /proc/PID/stack, the test module's thread and the console's call trace."""
    said = tool.stacks()
    by_task, by_pid = {s.task: s for s in said}, {s.pid: s for s in said}
    running, count = sum(s.is_running for s in said), len(dump.entry.json("sysregs.json")["vcpus"])
    differences, asked, fatal = [] if 0 < running <= count else [f"{running} tasks run on {count} CPUs"], 1, 0

    def check(what: str, wanted: object, got: object, is_right: bool) -> None:
        nonlocal asked
        asked += 1
        if not is_right:
            differences.append(f"{what}: expected {wanted}, got {got}")

    for task in dump.entry.drgn.get("tasks", []) if tool.name != "drgn" else []:
        mine = by_task.get(number(task["task"]))
        if isinstance(task["trace"], list) and not (mine and mine.is_running):
            wanted = [f["symbol"] for f in task["trace"] if f["symbol"]]
            got = [f.symbol for f in mine.frames if f.symbol] if mine else None
            check(f"{task['comm']} {task['pid']}, by drgn", wanted, got, got == wanted)
    for pid, lines in _kernel_stacks(dump).items():
        mine = by_pid.get(pid)
        if mine and not mine.is_running:
            got_lines = [(f.symbol, f.offset) for f in mine.frames]
            check(f"pid {pid}, by /proc", lines[:4], got_lines[:6], got_lines[-len(lines):] == lines)
    for thread in dump.entry.kvatest("thread"):
        wanted = thread["functions"].split(",")
        got = [f.symbol for f in by_pid.get(int(thread["pid"]), Stack(0, 0, False, [])).frames]
        check("the test module's thread", wanted, got, _contains(got, wanted))
    if console := _since_printed(dump.entry.call_trace()):      # the dead task's stack, through exceptions and stacks, holds it in one piece
        got = [f.symbol for f in tool.dead_stack() if not f.is_link]
        fatal = 0 if _contains(got, console) else 1000   # never within the drift
        check("the dead task, by the console", console, got, not fatal)
    # A worker that woke between the listing and the stop differs.
    return Result("stacks", asked - len(differences), asked + fatal, differences[::-1] if fatal else differences, drift=2 + asked // 25)


def _since_printed(trace: list[str]) -> list[str]:
    """The frames that are still there at the stop: those that printed the trace have returned."""
    return trace[trace.index("dump_stack") + 1:] if "dump_stack" in trace else trace


def _kernel_stacks(dump: Dump) -> dict[int, list[tuple[str, int]]]:
    pid, found = 0, {}
    for line in dump.entry.lines("rich/stacks.txt"):
        if match := re.match(r"== \d+ (\d+) ", line):
            pid = int(match[1])
        elif match := re.match(r"\[<0>\] (\S+)\+0x([0-9a-f]+)/", line):
            found.setdefault(pid, []).append((match[1], int(match[2], 16)))
    return found


def slab(tool: Tool, dump: Dump) -> Result:
    """Cache, object and state of addresses, against drgn and the test module."""
    wanted: list[tuple[int, SlabObject | None]] = []
    has_object = _slab_bounds(dump)
    for sample in dump.entry.drgn.get("slab", []) if tool.name != "drgn" else []:
        answer = sample["answer"]
        if not (isinstance(answer, dict) and ("error" in answer or not has_object(answer["cache"], number(answer["object"])))):
            wanted.append((number(sample["address"]), answer and SlabObject(answer["cache"], number(answer["object"]), answer["allocated"])))
    wanted += [(int(x["object"], 16) + 5, SlabObject(x["cache"], int(x["object"], 16), x["state"] == "allocated")) for x in dump.entry.kvatest("slab")]
    got = tool.slab([a for a, _ in wanted]) if wanted else []
    return compared("slab", [(hex(a), expected, g) for (a, expected), g in zip(wanted, got)])


def _slab_bounds(dump: Dump) -> Callable[[str, int], bool]:
    """Whether a slab of a cache has an object at an address: drgn names one that begins in the rest behind the last object."""
    page = dump.entry.facts.get("page_size", 4096)
    lines = [line.split() for line in dump.entry.lines("rich/slabinfo.txt")]
    known = {w[0]: tuple(map(int, w[3:6])) for w in lines if len(w) > 5 and w[5].isdigit()}

    def has_object(cache: str, address: int) -> bool:
        if cache not in known:
            return True
        size, count, pages_each = known[cache]
        return address % (pages_each * page) // size < count

    return has_object


def pages(tool: Tool, dump: Dump) -> Result:
    """struct page of random frames against drgn."""
    wanted = [p for p in dump.entry.drgn.get("pages", []) if "error" not in p] if tool.name != "drgn" else []
    differences = []
    for page, got in zip(wanted, tool.pages([p["pfn"] for p in wanted]) if wanted else []):
        expected = {"pfn": page["pfn"], "page": number(page["page"]), "flags": number(page["flags"]), "refcount": page["refcount"],
                    "mapping": number(page["mapping"]), "head": number(page["head"])}
        if page["mapcount"] >= -1:                       # less is a page type, and no count
            expected["mapcount"] = page["mapcount"] + 1
        if isinstance(page["order"], int):
            expected["order"] = page["order"]
        if wrong := [f"{key} {value}, got {got.get(key)}" for key, value in expected.items() if got.get(key) != value]:
            differences.append(f"pfn {page['pfn']}: {'; '.join(wrong)}")
    return Result("pages", len(wanted) - len(differences), len(wanted), differences)


def frames(tool: Tool, dump: Dump) -> Result:
    """Every frame against /proc/kpageflags and kpagecount, taken some seconds before the stop."""
    flags, counts, first = dump.entry.words("rich/kpageflags.bin"), dump.entry.words("rich/kpagecount.bin"), RAM_START // dump.entry.facts["page_size"]
    got = tool.frames()
    differences = []
    for i, (wanted, count) in enumerate(zip(flags, counts)):
        said, mapped = got.get(first + i, (None, 0))
        if said is None or said & STABLE_FLAGS != wanted & STABLE_FLAGS or mapped != count:
            differences.append(f"pfn {first + i}: flags {wanted:#x} count {count}, got {said} {mapped}")
    drift = len(flags) // (10 if dump.entry.facts.get("crash") else 20)      # more goes on until a crash
    return Result("frames", len(flags) - len(differences), len(flags), differences, drift=drift)


def caches(tool: Tool, dump: Dump) -> Result:
    """Objects of each cache against /proc/slabinfo, taken some seconds before the stop."""
    lines = [line.split() for line in dump.entry.lines("rich/slabinfo.txt")]
    wanted = {words[0]: int(words[2]) for words in lines if len(words) > 5 and words[1].isdigit()}
    got = tool.caches()
    differences = [f"{name}: {count} objects, got {got.get(name)}" for name, count in wanted.items()
                   if name not in got or abs(got[name] - count) > 3 + count // 8]
    return Result("caches", len(wanted) - len(differences), len(wanted), differences, drift=3 + len(wanted) // 8)      # caches were dropped between


def containers(tool: Tool, dump: Dump) -> Result:
    """The test module's list, tree, xarray, per-CPU variables and pages."""
    pairs: list[tuple[str, object, object]] = []
    for line, kind, of in (("list", "list", "kva_object.node"), ("tree", "rbtree", "kva_sample.rb"), ("xarray", "xarray", "kva_object")):
        for x in dump.entry.kvatest(line):
            pairs.append((line, int(x.get("count", 27)), tool.elements(kind, of, int(x.get("head") or x["root"], 16))))
    for x in dump.entry.kvatest("percpu"):
        for name, base in (("static", 0x50), ("dynamic", 0xd0)):
            value = tool.value("unsigned long long", int(x[name], 16))
            pairs.append((f"{name} of CPU {x['cpu']}", base + int(x["cpu"]), number(value)))
    for x in dump.entry.kvatest("pages"):
        pairs.append(("struct page", int(x["page"], 16), tool.pages([int(x["pfn"], 16)])[0]["page"]))
    return compared("containers", pairs)
