"""Regions and mapped ranges, against the kernel's own dump of its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator

from .entry import CorpusEntry, Dump
from .result import Result
from .tool import Tool

TOP = 1 << 64
MARKERS = {"linear mapping": "linear map", "kasan shadow": "kasan shadow", "bpf": "bpf jit", "modules": "modules", "vmalloc() area": "vmalloc",
           "vmalloc()": "vmalloc", "vmemmap": "vmemmap", "pci i/o": "pci io", "fixmap": "fixmap", "kernel image": "kernel image"}
"""The kernel's words, which changed with its versions, and the regions' names."""
IN_VMALLOC = {"vmalloc", "kernel image", "modules"}
"""With KASLR the image and the modules lie inside the vmalloc area."""


@dataclass(frozen=True)
class Line:
    start: int
    end: int
    flags: list[str]
    region: str | None

    def attributes(self) -> tuple[bool, bool, bool, bool, bool]:
        return "RW" in self.flags, "x" in self.flags, "UXN" not in self.flags, "AF" in self.flags, "NG" not in self.flags


def page_tables(entry: CorpusEntry) -> Iterator[Line]:
    """The lines of kernel_page_tables; the region is None between markers."""
    region = None
    for line in entry.lines("kernel_page_tables.txt"):
        if marker := re.match(r"---\[ (.*?) \]---", line):
            name = marker[1].lower()
            base = re.sub(r" (start|end)$", "", name)
            region = None if name.endswith(" end") else MARKERS.get(base, base)
        elif match := re.match(r"0x([0-9a-f]+)-0x([0-9a-f]+)\s+\S+ \S+\s*(.*)", line):
            yield Line(int(match[1], 16), int(match[2], 16) or TOP, match[3].split(), region)


def _constants(entry: CorpusEntry) -> Iterator[tuple[int, str]]:
    """Addresses and their regions, at the bounds that old kernels' headers computed."""
    known = {k: int(v, 16) for k, v in (line.split("=") for line in entry.lines("layout_constants.txt") if "=0x" in line)}
    for region, first, end in (("linear map", "PAGE_OFFSET", ""), ("bpf jit", "BPF_JIT_REGION_START", "BPF_JIT_REGION_END"),
                               ("modules", "MODULES_VADDR", "MODULES_END"), ("vmalloc", "VMALLOC_START", "VMALLOC_END"),
                               ("pci io", "PCI_IO_START", "PCI_IO_END"), ("vmemmap", "VMEMMAP_START", "")):
        if known.get(first):
            yield known[first], region
        if known.get(end):
            yield known[end] - 1, region


def regions(tool: Tool, dump: Dump) -> Result:
    """Names of regions against the markers of kernel_page_tables."""
    bits = dump.entry.facts.get("va_bits_actual_from_TCR_T1SZ")
    lowest = TOP - (1 << bits) if bits else 0            # a constant below the width in use is no address
    wanted = [(a, r) for a, r in _constants(dump.entry) if a >= lowest]
    for line in page_tables(dump.entry):
        if line.region and line.end < TOP and line.start >= lowest:
            wanted.append((line.start, line.region))
            if line.flags:                               # a gap's line runs on to the next entry, past the region's end
                wanted += [((line.start + line.end) // 2, line.region), (line.end - 1, line.region)]
    if not wanted:
        return Result("regions", 0, 0)
    got = tool.regions([a for a, _ in wanted])
    differences = [f"{a:#x}: the kernel says {r}, got {g}" for (a, r), g in zip(wanted, got) if g != r and not (r == "vmalloc" and g in IN_VMALLOC)]
    return Result("regions", len(wanted) - len(differences), len(wanted), differences)


def ptdump(tool: Tool, dump: Dump) -> Result:
    """Each range of kernel_page_tables must be covered by the tool's ranges with the same attributes."""
    kernel = [line for line in page_tables(dump.entry) if line.flags and "F" not in line.flags]
    if dump.entry.has("rich/kfence.txt"):                # KFENCE closes and opens single pages of its pool all the time
        kernel = [line for line in kernel if line.end - line.start > 4 * dump.entry.facts["page_size"]]
    if not kernel:
        return Result("ptdump", 0, 0)
    mine = sorted(tool.mapped_ranges(), key=lambda r: (r.start, r.end))
    differences, first = [], 0
    for line in kernel:
        while first < len(mine) and mine[first].end <= line.start:
            first += 1
        at, index, is_same = line.start, first, True
        while at < line.end and index < len(mine) and mine[index].start <= at:
            is_same &= mine[index].attributes == line.attributes()
            at, index = max(at, mine[index].end), index + 1
        if at < line.end or not is_same:
            differences.append(f"{line.start:#x}-{line.end:#x} {' '.join(line.flags)}: covered to {at:#x}, attributes {'same' if is_same else 'differ'}")
    total = sum(line.end - line.start for line in kernel), sum(r.end - r.start for r in mine)
    return Result("ptdump", len(kernel) - len(differences), len(kernel), differences, f"bytes mapped: kernel {total[0]:#x}, got {total[1]:#x}",
                  3 + len(kernel) // 33)
