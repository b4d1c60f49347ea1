"""All checks, what each needs besides a dump, and the dumps that it applies to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from . import death, listings, objects, tables, translation, typed
from .entry import Dump
from .result import Result
from .tool import Tool


@dataclass(frozen=True)
class Check:
    ask: Callable[[Tool, Dump], Result]
    needs: str
    """The files of the oracle that it holds answers against, one of which is enough."""
    on_tables: bool = False
    """Asked of dumps of the translation tables alone, too."""
    needs_types: bool = False
    """Asked if the kernel has BTF."""

    needs_module_types: bool = False
    """Asked if the test module has BTF: a kernel's headers without vmlinux make none."""

    @property
    def name(self) -> str:
        return self.ask.__name__

    def applies(self, dump: Dump) -> bool:
        entry = dump.entry
        if not (entry.facts if self.needs == "facts.json" else any(entry.has(name) for name in self.needs.split())):
            return False
        if dump.is_tables and not self.on_tables or self.needs_types and not entry.facts.get("btf"):
            return False
        if self.needs_module_types and not entry.facts.get("kvatest_btf", True):
            return False
        if self.name in ("user", "cpus") and entry.is_earlier:
            return False                                 # the machine has run on since
        return not (self.name == "frames" and dump.is_filtered)


CHECKS = {check.name: check for check in (
    Check(translation.translate, "gva2gpa.json", on_tables=True),
    Check(translation.tagged, "gva2gpa.json", on_tables=True),
    Check(translation.user, "gva2gpa.json", on_tables=True),
    Check(translation.info, "facts.json", on_tables=True),
    Check(translation.cpus, "sysregs.json", needs_types=True),
    Check(tables.regions, "kernel_page_tables.txt", on_tables=True),
    Check(tables.ptdump, "kernel_page_tables.txt", on_tables=True),
    Check(translation.read, "gva2gpa.json"),
    Check(listings.symbols, "kallsyms.txt"),
    Check(listings.modules, "modules.txt", needs_types=True),
    Check(listings.vmalloc, "vmallocinfo.txt", needs_types=True),
    Check(listings.dmesg, "dmesg.txt"),
    Check(objects.stacks, "rich/stacks.txt serial.log"),
    Check(objects.slab, "rich/drgn.json rich/kvatest.txt"),
    Check(objects.pages, "rich/drgn.json"),
    Check(objects.frames, "rich/kpageflags.bin"),
    Check(objects.caches, "rich/slabinfo.txt"),
    Check(listings.maps, "rich/maps.txt"),
    Check(typed.types, "rich/drgn.json"),
    Check(typed.values, "rich/drgn.json"),
    Check(typed.samples, "rich/kvatest.txt", needs_module_types=True),
    Check(objects.containers, "rich/kvatest.txt", needs_module_types=True),
    Check(death.oops, "serial.log"),
)}
