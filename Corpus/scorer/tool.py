"""The queries to a tool. A tool overrides those that it can answer; the others are not made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from .entry import Dump


class Unanswered(Exception):
    """The tool has no such answer."""


class ToolFailure(Exception):
    """The tool ended with an error, or said what cannot be read."""


@dataclass(frozen=True)
class Translation:
    physical: int | None
    ignores_tag: bool | None = None
    """Whether the MMU ignores the top byte, as the tool says."""
    user: bool = True
    """Whether EL0 may access the page."""


@dataclass(frozen=True)
class UserSpace:
    cpu: int
    table: int
    """The physical address in the CPU's TTBR0."""


@dataclass(frozen=True)
class Frame:
    symbol: str | None
    offset: int | None = None
    is_link: bool = False
    """A step between stacks, which is no function."""


@dataclass(frozen=True)
class Stack:
    task: int | None
    pid: int
    is_running: bool
    frames: list[Frame]


@dataclass(frozen=True)
class SlabObject:
    cache: str
    address: int
    is_allocated: bool | None


@dataclass(frozen=True)
class MappedRange:
    start: int
    end: int
    attributes: tuple[bool, bool, bool, bool, bool]
    """Writable, executable at EL1, executable at EL0, accessed, global."""


@dataclass(frozen=True)
class Layout:
    size: int | None
    members: list[tuple[str | None, int | None, int | None]]
    """Name, offset in bits, width of a bit field."""


class Tool:
    name = "?"
    most_addresses = 1 << 20
    """A slow tool is asked for this many addresses of an entry at most, from all over it."""

    def __init__(self, dump: Dump):
        self.dump = dump

    def close(self) -> None:
        """Ends the tool's process, if it has one."""

    def _no(self, what: str) -> Any:
        raise Unanswered(f"{self.name} has no {what}")

    # translation
    def translate(self, addresses: list[int], space: UserSpace | None = None) -> list[Translation]: return self._no("translation of these")
    def info(self) -> dict[str, int | None]: return self._no("widths")
    def cpus(self) -> dict[int, dict[str, int | None]]: return self._no("registers of stopped CPUs")
    def regions(self, addresses: list[int]) -> list[str | None]: return self._no("names of regions")
    def mapped_ranges(self) -> list[MappedRange]: return self._no("list of mapped ranges")
    def read(self, address: int, size: int) -> bytes: return self._no("reads")
    def reads(self, ranges: list[tuple[int, int]]) -> list[bytes]: return [self.read(*r) for r in ranges]

    # listings
    def symbols(self) -> Iterable[tuple[int, str, str, str | None]]: return self._no("list of symbols")
    def modules(self) -> dict[str, int]: return self._no("list of modules")
    def vmalloc(self) -> dict[tuple[int, int], str | None]: return self._no("list of vmalloc areas")
    def log(self) -> list[str]: return self._no("log")
    def maps(self, pid: int) -> list[str] | None: return self._no("maps")

    # objects
    def stacks(self) -> list[Stack]: return self._no("stacks of all tasks")
    def dead_stack(self) -> list[Frame]: return self._no("stack of the dead task")
    def slab(self, addresses: list[int]) -> list[SlabObject | None]: return self._no("slab objects")
    def pages(self, pfns: list[int]) -> list[dict[str, int | None]]: return self._no("struct page")
    def frames(self) -> dict[int, tuple[int | None, int]]: return self._no("flags of all frames")
    def caches(self) -> dict[str, int]: return self._no("slab caches")
    def elements(self, kind: str, of: str, root: int) -> int: return self._no("containers")

    # types
    def layouts(self, types: list[str]) -> dict[str, Layout]: return self._no("types")
    def value(self, kind: str, address: int) -> Any: return self._no("values")

    # the crash
    def report(self) -> dict[str, Any]: return self._no("fault of an oops")
