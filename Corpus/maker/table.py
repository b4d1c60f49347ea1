"""The table of entries and custom kernels, entries.toml, checked as it is read: a wrong row fails before any download."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .crashes import CRASHES
from .folders import SOURCE

LEVELS = ("EL0", "EL1", "EL2")
FORMATS = ("few", "all", "tables")
"""QEMU's ELF and kdump; all that QEMU and makedumpfile write; the ELF reduced to the pages of translation tables."""


@dataclass(frozen=True)
class Entry:
    """A row: a machine, its kernel, and the state to stop it in."""

    name: str
    kernel: str
    """SUITE:RELEASE, a package of a Debian suite ("*-FLAVOUR" is the newest), or custom:NAME."""
    cpu: str
    memory: str
    smp: int = 2
    machine: str = "virt,gic-version=3"
    cmdline: str = ""
    nodes: tuple[int, ...] = ()
    """NUMA nodes, by their size in MiB; their sum is the memory."""
    holes: tuple[tuple[int, int], ...] = ()
    """Reserved no-map ranges (address, size) that are added to the device tree."""
    stop: tuple[str, ...] = ()
    """The exception level of each CPU at the stop; the last in user space if not given."""
    rich: bool = False
    """The guest runs the actors and says what it knows of stacks, slabs, pages and processes."""
    crash: str = ""
    """How the kernel dies, a name of crashes.py."""
    kdump: bool = False
    """The crash is captured by a second kernel, from /proc/vmcore."""
    dwarf: bool = False
    """The kernel's debugging information is fetched, and drgn asked."""
    formats: str = "few"
    timeout: int = 900
    """Seconds until the guest must be ready."""
    made: str = ""
    """When the row was last made and scored; empty for a row that was never run."""
    remark: str = ""

    @property
    def suite(self) -> str:
        return self.kernel.split(":", 1)[0]

    @property
    def release(self) -> str:
        return self.kernel.split(":", 1)[1]

    @property
    def is_custom(self) -> bool:
        return self.suite == "custom"

    @property
    def megabytes(self) -> int:
        return int(self.memory[:-1]) << (10 if self.memory.endswith("G") else 0)

    @property
    def levels(self) -> tuple[str, ...]:
        if self.crash and not self.kdump:
            return self.stop or ("EL1",) * self.smp
        return self.stop or ("EL1",) * (self.smp - 1) + ("EL0",)


@dataclass(frozen=True)
class CustomKernel:
    """A kernel built from a linux-source package with fragments of configuration."""

    name: str
    source: str
    """SUITE:linux-source-X.Y"""
    configs: tuple[str, ...]
    compiler: str = "gcc"
    version: str = ""
    """The source package's version; the newest if empty."""


@dataclass(frozen=True)
class Table:
    entries: dict[str, Entry]
    kernels: dict[str, CustomKernel]


class InvalidRow(ValueError):
    pass


def _frozen(value: Any) -> Any:
    return tuple(_frozen(x) for x in value) if isinstance(value, list) else value


def _row(kind: type, name: str, values: dict[str, Any]) -> Any:
    known = {f.name: f for f in fields(kind)}
    for key, value in values.items():
        if key not in known or key == "name":
            raise InvalidRow(f"{name}: {key} is no column of {kind.__name__}")
        wanted = {"str": str, "int": int, "bool": bool}.get(str(known[key].type), list)
        if type(value) is not wanted:
            raise InvalidRow(f"{name}: {key} must be a {wanted.__name__}, not {value!r}")
    try:
        return kind(name=name, **{key: _frozen(value) for key, value in values.items()})
    except TypeError as error:
        raise InvalidRow(f"{name}: {error}") from error


def _check(entry: Entry, kernels: dict[str, CustomKernel]) -> None:
    def need(condition: object, what: str) -> None:
        if not condition:
            raise InvalidRow(f"{entry.name}: {what}")

    need(re.fullmatch(r"[a-z0-9][a-z0-9-]*", entry.name), "a name has lower-case letters, digits and hyphens")
    need(re.fullmatch(r"[a-z-]+:[A-Za-z0-9.+*-]+", entry.kernel), f"kernel {entry.kernel} is not SUITE:RELEASE nor custom:NAME")
    need(not entry.is_custom or entry.release in kernels, f"there is no custom kernel {entry.release}")
    need(re.fullmatch(r"[1-9][0-9]*[MG]", entry.memory), f"memory {entry.memory} is not a number and M or G")
    need(1 <= entry.smp <= 64, "smp is not between 1 and 64")
    need(not entry.nodes or sum(entry.nodes) == entry.megabytes, "the nodes are not as large as the memory")
    need(all(len(h) == 2 and h[1] > 0 for h in entry.holes), "a hole is [address, size]")
    need(len(entry.levels) == entry.smp and set(entry.levels) <= set(LEVELS), "stop does not have an exception level for each CPU")
    need(entry.formats in FORMATS, f"formats is one of {', '.join(FORMATS)}")
    need(not entry.crash or entry.crash in CRASHES, f"there is no way to die called {entry.crash}")
    need(not entry.kdump or "crashkernel=" in entry.cmdline, "kdump needs crashkernel= in cmdline")
    need(not entry.made or re.fullmatch(r"\d{4}-\d\d-\d\d", entry.made), "made is not a date")


def _check_kernel(kernel: CustomKernel, configs: Path) -> None:
    if not re.fullmatch(r"[a-z-]+:linux-source-[0-9.]+", kernel.source):
        raise InvalidRow(f"{kernel.name}: source {kernel.source} is not SUITE:linux-source-X.Y")
    for config in kernel.configs:
        if not (configs / f"{config}.config").exists():
            raise InvalidRow(f"{kernel.name}: there is no configs/{config}.config")
    if kernel.compiler not in ("gcc", "clang"):
        raise InvalidRow(f"{kernel.name}: compiler {kernel.compiler} is neither gcc nor clang")


def read(text: str, configs: Path = SOURCE / "configs") -> Table:
    data = tomllib.loads(text)
    if set(data) - {"entries", "kernels"}:
        raise InvalidRow(f"unknown table {', '.join(set(data) - {'entries', 'kernels'})}")
    kernels = {name: _row(CustomKernel, name, values) for name, values in data.get("kernels", {}).items()}
    entries = {name: _row(Entry, name, values) for name, values in data.get("entries", {}).items()}
    for kernel in kernels.values():
        _check_kernel(kernel, configs)
    for entry in entries.values():
        _check(entry, kernels)
    return Table(entries, kernels)


def load(path: Path = SOURCE / "entries.toml") -> Table:
    return read(path.read_text())
