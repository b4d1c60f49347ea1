"""A dump reduced to the pages that hold translation tables, and the notes: small, and enough to translate."""

from __future__ import annotations

import struct
from pathlib import Path

from .elfcore import PT_LOAD, PT_NOTE, ElfCore
from .mmu import CPU

GRANULE_BITS = {0b10: 12, 0b01: 14, 0b11: 16}
"""By TCR.TG1."""
GRANULE_BITS_LOW = {0b00: 12, 0b10: 14, 0b01: 16}
"""By TCR.TG0, which is encoded otherwise."""


class Walk:
    """Collects the tables below a root (VMSAv8-64, stage 1)."""

    def __init__(self, core: ElfCore, granule_bits: int, is_wide: bool, pages: set[int]):
        self.core, self.bits, self.is_wide, self.pages = core, granule_bits, is_wide, pages
        self.size = 1 << granule_bits

    def collect(self, table: int, level: int) -> None:
        page = table & -self.size
        data = self.core.read(page, self.size)
        if page in self.pages or data is None:
            return
        self.pages.add(page)
        if level < 3:
            for descriptor, in struct.iter_unpack("<Q", data):
                if descriptor & 3 == 3:
                    self.collect(self._next(descriptor), level + 1)

    def _next(self, descriptor: int) -> int:
        low = descriptor & ((1 << 48) - 1) & -self.size
        if self.is_wide and self.bits == 16:             # 52-bit addresses with 64K pages: bits 15 to 12 are 51 to 48
            return low | (descriptor >> 12 & 0xf) << 48
        if self.is_wide:                                 # TCR.DS: bits 49 and 48 in place, 9 and 8 are 51 and 50
            return descriptor & ((1 << 50) - 1) & -self.size | (descriptor >> 8 & 3) << 50
        return low


def _root(register: int, is_wide: bool) -> int:
    table = register & 0x0000fffffffffffe
    return table & ~0x3f | (table >> 2 & 0xf) << 48 if is_wide else table & -64


def _first_level(size_field: int, granule_bits: int) -> int:
    """The level of the root table, by T0SZ or T1SZ; -1 is the fifth."""
    per_level = granule_bits - 3
    levels = -(-(64 - size_field - granule_bits) // per_level)
    return 4 - levels


def table_pages(core: ElfCore, cpus: list[CPU]) -> set[int]:
    """The physical pages of all tables that the CPUs' TTBRs lead to."""
    pages: set[int] = set()
    for cpu in cpus:
        values = {name: int(text, 16) for name, text in cpu["regs"].items()}
        for level in ("EL1", "EL2"):
            tcr = values.get(f"TCR_{level}", 0)
            # Without HCR_EL2.E2H EL2 has one table, and another TCR format: it is KVM's, and not the kernel's.
            if not tcr or level == "EL2" and not values.get("HCR_EL2", 0) >> 34 & 1:
                continue
            for half, granules, shift in ((0, GRANULE_BITS_LOW, 14), (1, GRANULE_BITS, 30)):
                bits, size_field = granules.get(tcr >> shift & 3), tcr >> 16 * half & 63
                register = values.get(f"TTBR{half}_{level}", 0)
                if bits and size_field and register:
                    is_wide = bool(tcr >> 59 & 1) or bits == 16 and tcr >> 32 & 7 == 6
                    Walk(core, bits, is_wide, pages).collect(_root(register, is_wide), _first_level(size_field, bits))
    return pages


def reduce(source: Path, cpus: list[CPU], target: Path) -> int:
    """Writes the reduced dump; returns the number of pages in it."""
    core = ElfCore(source)
    granule = max((s for s in (4096, 16384, 65536) if f"PAGESIZE={s}\n" in core.vmcoreinfo() + "\n"), default=4096)
    runs: list[list[int]] = []
    pages = sorted(table_pages(core, cpus))
    for page in pages:
        if runs and runs[-1][1] == page:
            runs[-1][1] += granule
        else:
            runs.append([page, page + granule])
    notes = b"".join(core.bytes_of(s) for s in core.segments if s.type == PT_NOTE)
    at = 64 + 56 * (1 + len(runs))
    headers = [struct.pack("<IIQQQQQQ", PT_NOTE, 0, at, 0, 0, len(notes), len(notes), 4)]
    at += len(notes)
    for start, end in runs:
        headers.append(struct.pack("<IIQQQQQQ", PT_LOAD, 7, at, 0, start, end - start, end - start, 1))
        at += end - start
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, 64, 0, 0, 64, 56, len(headers), 0, 0, 0)
    with open(target, "wb") as file:
        file.write(header + b"".join(headers) + notes)
        for start, end in runs:
            for page in range(start, end, granule):
                file.write(core.read(page, granule))
    return len(pages)
