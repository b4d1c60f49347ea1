"""BTF, the kernel's own description of its types, read as it lies in the dump.

See Documentation/bpf/btf.rst. All of it comes from a dump and may be damaged: what does not fit is a `Damaged`.
"""

from __future__ import annotations

import struct
from typing import Iterator, NamedTuple, Optional

#: The kinds, by their numbers.
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)

#: Bytes behind the header of a type: as they are, and for each of its elements.
_SIZES = {
    INT: (4, 0), PTR: (0, 0), ARRAY: (12, 0), STRUCT: (0, 12), UNION: (0, 12), ENUM: (0, 8), FWD: (0, 0),
    TYPEDEF: (0, 0), VOLATILE: (0, 0), CONST: (0, 0), RESTRICT: (0, 0), FUNC: (0, 0), FUNC_PROTO: (0, 8),
    VAR: (4, 0), DATASEC: (0, 12), FLOAT: (0, 0), DECL_TAG: (4, 0), TYPE_TAG: (0, 0), ENUM64: (0, 12),
}  # fmt: skip

#: The kinds that are looked up by name.
_NAMED = frozenset([INT, STRUCT, UNION, ENUM, FWD, TYPEDEF, FUNC, VAR, DATASEC, FLOAT, ENUM64])

_MAGIC = 0xEB9F
_header = struct.Struct("<HBBIIIII").unpack_from
_layout = struct.Struct("<II").unpack_from
_triple = struct.Struct("<III").unpack_from
_word = struct.Struct("<I").unpack_from


class Damaged(Exception):
    """BTF that is not well-formed."""


class Record(NamedTuple):
    """A type."""

    kind: int
    name: str
    #: kind_flag: what it means depends on the kind.
    flag: bool
    #: How many members, parameters, enumerators or variables.
    count: int
    #: The size in bytes, or the number of the type that this one is about.
    size: int
    #: Where in `BTF.data` that begins which only this kind has.
    body: int


class BTF:
    """The types of the kernel; with a `base`, those that a module adds to it."""

    def __init__(self, data: bytes, base: Optional[BTF] = None) -> None:
        self.data = data
        self.base = base
        self._places: dict[str, tuple[int, ...]] = {}
        try:
            magic, version, _, length, types, types_length, strings, strings_length = _header(data)
            if magic != _MAGIC or version != 1 or length < 24:
                raise Damaged("no BTF")
            self._sizes = _SIZES if length < 32 else {**self._described(length), **_SIZES}
            start, end = length + types, length + types + types_length
            self._strings = data[length + strings : length + strings + strings_length]
            if end > len(data) or len(self._strings) != strings_length:
                raise Damaged("BTF is cut short")
            #: The number of the first type, and where in the strings of all its own begin.
            self.first = len(base) if base else 1
            self._first_string = base.strings_length if base else 0
            self._index(start, end)
        except struct.error:
            raise Damaged("BTF is cut short") from None

    def _described(self, header: int) -> dict[int, tuple[int, int]]:
        """The sizes of kinds as the BTF itself gives them (pahole 1.31)."""
        offset, length = _layout(self.data, 24)
        first = header + offset
        entries = self.data[first : first + min(length, 128 * 4)]
        return {kind: (entries[4 * kind], entries[4 * kind + 1]) for kind in range(len(entries) // 4)}

    def _index(self, offset: int, end: int) -> None:
        data, sizes, number = self.data, self._sizes, self.first
        self._offsets: list[int] = []
        #: The types of each name, by the offset of the name.
        self._named: dict[int, list[int]] = {}
        self._enums: list[int] = []
        self._sections: list[int] = []
        self._anonymous: list[int] = []
        self._constants: Optional[dict[int, int]] = None
        self._variables: Optional[dict[int, str]] = None
        #: Whether enumerations say if they are signed.
        self.signs_enums = bool(self.base and self.base.signs_enums)
        while offset < end:
            name, info, _ = _triple(data, offset)
            kind = info >> 24 & 0x7F
            fixed, each = sizes.get(kind) or self._unknown(kind)
            self._offsets.append(offset)
            if kind in _NAMED:
                if name:
                    self._named.setdefault(name, []).append(number)
                elif kind == STRUCT:
                    self._anonymous.append(number)
                if kind == ENUM or kind == ENUM64:
                    self._enums.append(number)
                    if info >> 31 or kind == ENUM64:
                        self.signs_enums = True
                elif kind == DATASEC:
                    self._sections.append(number)
            offset += 12 + fixed + each * (info & 0xFFFFFF)
            number += 1
        if offset != end:
            raise Damaged("BTF ends inside a type")
        self._count = number

    @staticmethod
    def _unknown(kind: int) -> tuple[int, int]:
        raise Damaged(f"BTF has a type of kind {kind}, which is not known")

    def __len__(self) -> int:
        """How many types there are, void and those of the base among them."""
        return self._count

    @property
    def strings_length(self) -> int:
        return self._first_string + len(self._strings)

    def string(self, offset: int) -> str:
        """The string at `offset`."""
        if self.base and offset < self._first_string:
            return self.base.string(offset)
        start = offset - self._first_string
        end = self._strings.find(b"\0", start)
        if not 0 <= start <= end:
            raise Damaged("BTF has a name outside its strings")
        return self._strings[start:end].decode(errors="replace")

    def _string_offsets(self, text: str) -> tuple[int, ...]:
        """The offset of `text` in the strings: each string of a BTF is unique."""
        found = self._places.get(text)
        if found is None:
            place = self._strings.find(b"\0%b\0" % text.encode())
            own = (self._first_string + place + 1,) if place >= 0 else ()
            found = self._places[text] = (self.base._string_offsets(text) if self.base else ()) + own
        return found

    def record(self, number: int) -> Record:
        """The type with that number."""
        if number < self.first and self.base:
            return self.base.record(number)
        if not self.first <= number < self._count:
            raise Damaged(f"BTF has no type {number}")
        offset = self._offsets[number - self.first]
        name, info, size = _triple(self.data, offset)
        return Record(
            info >> 24 & 0x7F, self.string(name) if name else "", info >> 31 == 1, info & 0xFFFFFF, size, offset + 12
        )

    def find(self, name: str) -> list[int]:
        """The types with that name, here and not in the base."""
        numbers = [number for offset in self._string_offsets(name) for number in self._named.get(offset, ())]
        return sorted(numbers)

    def words(self, record: Record, each: int) -> Iterator[tuple[int, int, int]]:
        """The elements of a type: `each` bytes long, 8 or 12; a third word that is not there is 0."""
        for index in range(record.count):
            place = record.body + each * index
            if each == 12:
                yield _triple(self.data, place)
            else:
                yield (*_layout(self.data, place), 0)

    def holder(self, number: int) -> BTF:
        """The BTF whose bytes the type is in."""
        return self.base if self.base and number < self.first else self

    def array(self, record: Record) -> tuple[int, int]:
        """The element type of an array, and the number of elements."""
        element, _, count = _triple(self.data, record.body)
        return element, count

    def word(self, record: Record) -> int:
        """What follows INT (encoding << 24 | offset << 16 | bits), VAR (linkage) and DECL_TAG."""
        return _word(self.data, record.body)[0]

    def enumerators(self, record: Record) -> Iterator[tuple[str, int]]:
        """The constants of an enumeration."""
        words = self._enumerators(record)
        # Before kind_flag came to enumerations (6.0, 6089fb325cf7) a negative constant alone shows the sign.
        signed = record.flag or (not self.signs_enums and any(value >> 31 for _, value in words))
        bits = 64 if record.kind == ENUM64 else 32
        for name, value in words:
            yield self.string(name), value - (1 << bits) if signed and value >> bits - 1 else value

    def _enumerators(self, record: Record) -> list[tuple[int, int]]:
        """The constants of an enumeration: where their names are, and their values without a sign."""
        if record.kind == ENUM64:
            return [(name, low | high << 32) for name, low, high in self.words(record, 12)]
        return [(name, value) for name, value, _ in self.words(record, 8)]

    def enumeration(self, name: str) -> Optional[int]:
        """The first enumeration that has a constant of that name."""
        if self._constants is None:
            self._constants = {}
            for number in self._enums:
                for offset, _ in self._enumerators(self.record(number)):
                    self._constants.setdefault(offset, number)
        for offset in self._string_offsets(name):
            if offset in self._constants:
                return self._constants[offset]
        return None

    def section(self, variable: int) -> Optional[str]:
        """The section of a variable."""
        if self._variables is None:
            self._variables = {}
            for number in self._sections:
                record = self.record(number)
                self._variables.update((each, record.name) for each, _, _ in self.words(record, 12))
        return self._variables.get(variable)

    def anonymous_structs(self) -> list[int]:
        """The structures without a name."""
        return self._anonymous
