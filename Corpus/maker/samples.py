"""Which virtual addresses to ask the emulated MMU about. Needs only the guest's own listings."""

from __future__ import annotations

import random

from .listings import ADDRESS_MASK, Listings, Symbol, Vmcoreinfo

Sample = tuple[int, str]
"""An address, and why it is asked."""

WIDTHS = (36, 39, 42, 47, 48, 52)
BOUNDS = ("MODULES_VADDR", "MODULES_END", "VMALLOC_START", "VMALLOC_END", "VMEMMAP_START", "VMEMMAP_END")
NAMED = frozenset(
    "swapper_pg_dir reserved_pg_dir tramp_pg_dir idmap_pg_dir init_pg_dir _text _stext _etext __start_rodata __end_rodata "
    "__init_begin __init_end _data _edata __bss_start _end vectors tramp_vectors init_task init_mm memstart_addr kimage_voffset "
    "vabits_actual linux_banner empty_zero_page vmemmap bm_pmd bm_pud bm_pte __per_cpu_offset jiffies _sinittext".split())


class Samples:
    """Addresses in the order they were added, each once."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self._chosen: dict[int, str] = {}

    def add(self, address: int, why: str) -> None:
        self._chosen.setdefault(address & ADDRESS_MASK, why)

    def around(self, address: int, step: int, why: str) -> None:
        for offset in (-step, -1, 0, 1, step):
            self.add(address + offset, why)

    def some(self, values: list, count: int) -> list:
        return self.random.sample(values, min(count, len(values)))

    def list(self) -> list[Sample]:
        return list(self._chosen.items())


def kernel_samples(listings: Listings, info: Vmcoreinfo, per_cpu: list[int], ram: list[tuple[int, int]], seed: int) -> list[Sample]:
    """Addresses of the kernel's half. per_cpu are the CPUs' per-CPU offsets, ram the ranges (address, size) of memory."""
    samples = Samples(seed)
    page = info.number("PAGESIZE") or 4096
    width = info.number("NUMBER(VA_BITS)") or 48
    page_offset = -(1 << width) & ADDRESS_MASK
    _page_tables(samples, listings, page)
    for name in BOUNDS:
        if (bound := info.number(f"NUMBER({name})")) is not None:
            samples.around(bound, page, f"vmcoreinfo:{name}")
    samples.around(page_offset, page, "page-offset")
    core = [s for s in listings.symbols() if not s.module and s.address >> 47]
    _symbols(samples, listings.symbols(), core, per_cpu, page)
    _modules(samples, listings, page)
    _vmalloc(samples, listings, page)
    _linear(samples, info, ram, page, page_offset)
    _holes(samples, core, page, page_offset, width)
    return samples.list()


def _page_tables(samples: Samples, listings: Listings, page: int) -> None:
    marks, ranges = listings.page_tables()
    for index, name in marks:
        if index < len(ranges):
            samples.around(ranges[index][0], page, f"marker:{name}")
    if len(ranges) > 700:
        ranges = ranges[:60] + samples.some(ranges[60:-60], 580) + ranges[-60:]
    for start, end in ranges:
        samples.add(start, "ptdump-start")
        samples.add(end - 1, "ptdump-last")
        samples.add(start - 1, "ptdump-before")
        samples.add(end, "ptdump-after")
        samples.add(samples.random.randrange(start, max(end, start + 1)), "ptdump-inside")


def _symbols(samples: Samples, symbols: list[Symbol], core: list[Symbol], per_cpu: list[int], page: int) -> None:
    address = {s.name: s.address for s in core}
    for name in sorted(NAMED & address.keys()):
        for offset in (0, -1, page):
            samples.add(address[name] + offset, f"sym:{name}")
    for types, count in (("tT", 500), ("rR", 250), ("dD", 350), ("bB", 250)):
        for symbol in samples.some([s for s in core if s.type in types], count):
            samples.add(symbol.address, f"kallsyms-{types[0]}")
    for symbol in samples.some([s for s in symbols if s.module], 300):
        samples.add(symbol.address, f"kallsyms-{symbol.module}")
    start, end = address.get("__per_cpu_start"), address.get("__per_cpu_end")
    if start and end:
        for symbol in samples.some([s for s in core if start <= s.address < end], 120):
            samples.add(symbol.address, "percpu-template")
            for cpu, offset in enumerate(per_cpu):
                samples.add(symbol.address + offset, f"percpu-cpu{cpu}")


def _modules(samples: Samples, listings: Listings, page: int) -> None:
    for name, start, size in listings.modules():
        for at in range(start & -page, min(start + size, start + 64 * page), page):
            samples.add(at + samples.random.randrange(page), f"module:{name}")
    for module, section, start in listings.module_sections():
        samples.add(start, f"modsect:{module}{section}")


def _vmalloc(samples: Samples, listings: Listings, page: int) -> None:
    for start, end, what in listings.vmalloc_areas():
        kind = "ioremap" if "ioremap" in what else "vmap" if "vmap" in what else "vmalloc"
        count = max(1, (end - start) // page)
        for i in range(count) if count <= 12 else sorted(samples.some(list(range(count)), 10) + [0, count - 1]):
            samples.add(start + i * page + samples.random.randrange(page), kind)
        samples.add(end, f"{kind}-after")
        samples.add(start - 1, f"{kind}-before")


def _linear(samples: Samples, info: Vmcoreinfo, ram: list[tuple[int, int]], page: int, page_offset: int) -> None:
    physical_offset, vmemmap = info.number("NUMBER(PHYS_OFFSET)"), info.number("NUMBER(VMEMMAP_START)")
    if physical_offset is None:
        return
    for start, size in ram:
        for physical in [start, start + size - 1, start + size, start - 1, start + size - page] + \
                [start + samples.random.randrange(size) for _ in range(400)]:
            linear = physical - physical_offset + page_offset
            samples.add(linear, "linear")
            if vmemmap is not None:
                samples.add(vmemmap + ((linear & ADDRESS_MASK) - page_offset) // page * (info.number("SIZE(page)") or 64), "vmemmap")


def _holes(samples: Samples, core: list[Symbol], page: int, page_offset: int, width: int) -> None:
    """Addresses that are probably unmapped, or no addresses at all, and addresses with tags."""
    pick = samples.random
    for _ in range(150):
        samples.add(page_offset + pick.randrange(1 << width), "kernel-random")
    for bits in WIDTHS:
        for offset in (-1, 0, 1, -page, page, (1 << bits) // 2):
            samples.add(-(1 << bits) + offset, f"minus-2^{bits}")
    for _ in range(60):
        samples.add(-1 - pick.randrange(1 << 32), "top-4g")
    for address in (-1, -1 - page, -page, -1 - 2 * page, -(1 << 21)):
        samples.add(address, "top")
    for _ in range(60):
        samples.add(pick.getrandbits(64), "random64")
    for _ in range(40):
        samples.add(pick.getrandbits(56) | 0x5a << 56, "tagged-random")
    for symbol in samples.some(core, 40):
        samples.add(symbol.address & ((1 << 56) - 1) | pick.randrange(255) << 56, "kernel-wrong-top-byte")
    for symbol in samples.some(core, 20):
        samples.add(symbol.address ^ 1 << 54, "kernel-bit54")


def user_samples(listings: Listings, page: int, seed: int) -> list[Sample]:
    """Addresses of the process that runs at EL0."""
    samples = Samples(seed)
    areas, pages = listings.holder()
    for address in samples.some(pages, 900) if len(pages) > 900 else pages:
        samples.add(address + samples.random.randrange(page), "user-page")
    for start, end in areas:
        for address in (start - 1, start, end - 1, end):
            samples.add(address, "user-vma-edge")
    for address in samples.some(pages, 24):
        samples.add(address + 8 | samples.random.randrange(1, 256) << 56, "user-tagged")
        samples.add(address | 1 << 52, "user-bit52")
        samples.add(address | 1 << 48, "user-bit48")
    for bits in WIDTHS:
        for offset in (-1, 0, 1, page):
            samples.add((1 << bits) + offset, f"plus-2^{bits}")
    samples.add(0, "null")
    samples.add(page, "null-page-1")
    for _ in range(40):
        samples.add(samples.random.getrandbits(47), "user-random")
    return samples.list()
