"""The guest's own listings, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

ADDRESS_MASK = (1 << 64) - 1


class Vmcoreinfo:
    """The VMCOREINFO note."""

    def __init__(self, text: str):
        self.lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def number(self, key: str, base: int = 0) -> int | None:
        try:
            return int(self.lines[key], base)
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True)
class Symbol:
    address: int
    type: str
    name: str
    module: str
    """Empty for the kernel's own."""


class Listings:
    """The files in an entry's oracle folder; one that is absent is empty."""

    def __init__(self, folder: Path):
        self.folder = folder

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def symbols(self) -> list[Symbol]:
        found = []
        for line in self.text("kallsyms.txt").splitlines():
            words = line.split()
            if len(words) >= 3:
                found.append(Symbol(int(words[0], 16), words[1], words[2], words[3].strip("[]") if len(words) > 3 else ""))
        return found

    def page_tables(self) -> tuple[list[tuple[int, str]], list[tuple[int, int]]]:
        """Of the kernel's own dump: the markers (index of the range that follows, name), and the ranges."""
        marks, ranges = [], []
        for line in self.text("kernel_page_tables.txt").splitlines():
            if mark := re.match(r"---\[ (.*?) \]---", line):
                marks.append((len(ranges), mark[1]))
            elif match := re.match(r"0x([0-9a-f]{16})-0x([0-9a-f]{16})", line):
                ranges.append((int(match[1], 16), int(match[2], 16)))
        return marks, ranges

    def modules(self) -> Iterator[tuple[str, int, int]]:
        """Name, address and size."""
        for line in self.text("modules.txt").splitlines():
            words = line.split()
            yield words[0], int(words[5], 16), int(words[1])

    def module_sections(self) -> Iterator[tuple[str, str, int]]:
        for line in self.text("module_sections.txt").splitlines():
            words = line.split()
            if len(words) == 3 and words[2].startswith("0x"):
                yield words[0], words[1], int(words[2], 16)

    def vmalloc_areas(self) -> Iterator[tuple[int, int, str]]:
        for line in self.text("vmallocinfo.txt").splitlines():
            if match := re.match(r"0x([0-9a-f]+)-0x([0-9a-f]+)\s+\d+ ?(.*)", line):
                yield int(match[1], 16), int(match[2], 16), match[3]

    def holder(self) -> tuple[list[tuple[int, int]], list[int]]:
        """Of the process at EL0: its areas, and the addresses of the pages that its pagemap has entries for."""
        areas, pages = [], []
        for line in self.text("self_pagemap.txt").splitlines():
            if area := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                areas.append((int(area[1], 16), int(area[2], 16)))
            elif page := re.match(r"([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)$", line):
                pages.append(int(page[1], 16))
        return areas, pages
