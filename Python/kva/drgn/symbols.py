"""The symbols of a dump for drgn: of the kernel, its modules and BPF programs."""

from __future__ import annotations

import bisect
import operator
import re
import struct
from collections.abc import Sequence
from typing import Optional

import kva
from drgn import Program, Symbol, SymbolBinding, SymbolKind

_BINDINGS = {0: SymbolBinding.LOCAL, 1: SymbolBinding.GLOBAL, 2: SymbolBinding.WEAK}
#: Of several symbols the one with the first of these is the best.
_RANK = {1: 0, 2: 1, 0: 2}
_KINDS = {1: SymbolKind.OBJECT, 2: SymbolKind.FUNC, 3: SymbolKind.SECTION, 4: SymbolKind.FILE}
_SHT_SYMTAB = 2

#: What can be the name of a symbol, and no other query of kva.
_is_name = re.compile(r"[A-Za-z_.$][\w.$]*\Z", re.ASCII).match
_is_hex = re.compile(r"[0-9a-fA-F]{8,16}\Z").match


def address_of(dump: kva.Dump, name: str) -> Optional[int]:
    """Where a symbol is; of a per-CPU variable where the kernel's image has it, which is in the memory of no CPU."""
    if not _is_name(name) or _is_hex(name):
        return None
    if dump._memory is not None:
        found = dump._memory.symbol(name)
        if found is not None:
            return found.address
    answer = dump.ask("resolve", name)
    result = answer.results[0] if answer.results else {}
    return result.get("virtual")


class SymbolFinder:
    """Finds symbols: register it with `Program.register_symbol_finder`. It reads them when the first is wanted."""

    def __init__(self, dump: kva.Dump) -> None:
        self._dump = dump
        self._table: Optional[_Table] = None

    def table(self) -> _Table:
        if self._table is None:
            self._table = _Table(self._dump._export("symbols"))
        return self._table

    def __call__(self, prog: Program, name: Optional[str], address: Optional[int], one: bool) -> Sequence[Symbol]:
        if one and name is not None and address is None and self._table is None:
            first = self._first(name)
            if first is not None:
                return [first]
        table = self.table()
        if name is not None:
            found = table.named(name)
            if address is not None:
                containing = set(table.containing(address))
                found = [index for index in found if index in containing]
        elif address is not None:
            found = table.containing(address)
        else:
            found = list(range(len(table)))
        if one and found:
            found = [min(found, key=table.rank)]
        return [table.symbol(index) for index in found]

    def _first(self, name: str) -> Optional[Symbol]:
        """The kernel symbol with that name, from the library, without reading all symbols."""
        memory = self._dump._memory
        found = memory.symbol(name) if memory is not None else None
        # Of several of one name the table knows which is the best.
        if found is None or not found.size or not 0x41 <= found.type <= 0x5A:
            return None
        letter = chr(found.type)
        binding = SymbolBinding.WEAK if letter in "WV" else SymbolBinding.GLOBAL
        kind = SymbolKind.FUNC if letter in "TW" else SymbolKind.OBJECT
        return Symbol(name, found.address, found.size, binding, kind)


class _Table:
    """A symbol table of ELF, by address and by name."""

    def __init__(self, content: bytes) -> None:
        entries, strings = _sections(content)
        self._strings = strings
        # st_name, st_info, st_other, st_shndx, st_value, st_size
        self._entries = [entry for entry in struct.iter_unpack("<IBBHQQ", entries) if entry[0]]
        self._entries.sort(key=operator.itemgetter(4))
        self._addresses = [entry[4] for entry in self._entries]
        self._by_name: Optional[dict[int, list[int]]] = None

    def __len__(self) -> int:
        return len(self._entries)

    def _name(self, index: int) -> bytes:
        start = self._entries[index][0]
        return self._strings[start : self._strings.find(b"\0", start)]

    def symbol(self, index: int) -> Symbol:
        _, info, _, _, address, size = self._entries[index]
        binding = _BINDINGS.get(info >> 4, SymbolBinding.UNKNOWN)
        kind = _KINDS.get(info & 15, SymbolKind.UNKNOWN)
        return Symbol(self._name(index).decode(errors="replace"), address, size, binding, kind)

    def size(self, name: str) -> Optional[int]:
        """The bytes from a symbol to the next one: its size, or more."""
        found = self.named(name)
        return self._entries[min(found, key=self.rank)][5] if found else None

    def rank(self, index: int) -> int:
        return _RANK.get(self._entries[index][1] >> 4, 3)

    def named(self, name: str) -> list[int]:
        if self._by_name is None:
            self._by_name = {}
            for index, entry in enumerate(self._entries):
                self._by_name.setdefault(entry[0], []).append(index)
        text, found = b"\0%b\0" % name.encode(), []
        place = self._strings.find(text)
        while place >= 0:
            found.extend(self._by_name.get(place + 1, ()))
            place = self._strings.find(text, place + 1)
        return found

    def containing(self, address: int) -> list[int]:
        """The symbols at the nearest address below: none that begins before them reaches further."""
        end = bisect.bisect_right(self._addresses, address)
        if not end:
            return []
        start = bisect.bisect_left(self._addresses, self._addresses[end - 1], 0, end)
        past = address - self._addresses[start]
        return [index for index in range(start, end) if past < max(self._entries[index][5], 1)]


def _sections(content: bytes) -> tuple[bytes, bytes]:
    """The contents of .symtab and of its strings."""
    (offset,) = struct.unpack_from("<Q", content, 40)
    count = struct.unpack_from("<H", content, 60)[0]
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, offset + 64 * index) for index in range(count)]
    for section in sections:
        if section[1] == _SHT_SYMTAB:
            strings = sections[section[6]]
            return (
                content[section[4] : section[4] + section[5]],
                content[strings[4] : strings[4] + strings[5]],
            )
    return b"", b""
