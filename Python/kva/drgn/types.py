"""drgn's types from the BTF in a dump: of the kernel, and then of its modules. Each is made when it is asked for."""

from __future__ import annotations

import struct
import warnings
from typing import Callable, Iterator, Optional

import drgn
import kva
from drgn import Object, Program, Qualifiers, Type, TypeEnumerator, TypeKind, TypeMember, TypeParameter

from . import btf
from .btf import BTF, Damaged, Record

_QUALIFIERS = {btf.CONST: Qualifiers.CONST, btf.VOLATILE: Qualifiers.VOLATILE, btf.RESTRICT: Qualifiers.RESTRICT}
#: The kinds of BTF that a kind of drgn's may be, the complete ones first.
_KINDS = {
    TypeKind.INT: (btf.INT,),
    TypeKind.BOOL: (btf.INT,),
    TypeKind.FLOAT: (btf.FLOAT, btf.INT),
    TypeKind.STRUCT: (btf.STRUCT, btf.FWD),
    TypeKind.UNION: (btf.UNION, btf.FWD),
    TypeKind.ENUM: (btf.ENUM, btf.ENUM64),
    TypeKind.TYPEDEF: (btf.TYPEDEF,),
}
#: Floating-point types, which are INT before FLOAT came (5.13, b1828f0b0482).
_FLOATS = frozenset(["float", "double", "long double"])
#: The integer that an enumeration is compatible with, by its size and whether it is signed.
_ENUM_INTEGERS = {
    (1, False): "unsigned char", (1, True): "signed char", (2, False): "short unsigned int", (2, True): "short int",
    (4, False): "unsigned int", (4, True): "int", (8, False): "long unsigned int", (8, True): "long int",
}  # fmt: skip
#: How drgn refuses what can be no type of C.
_REFUSALS = (ValueError, TypeError, OverflowError)
#: Bytes that numbers have.
_SIZES = (1, 2, 4, 8, 16)
#: How many types may hang on each other without a name between them.
_DEPTH = 64


class Layer:
    """The types of one BTF, made from its records."""

    def __init__(self, prog: Program, source: BTF, base: Optional[Layer]) -> None:
        self.prog = prog
        self.source = source
        self.base = base
        self._made: dict[int, Type] = {}
        self._depth = 0

    def find(self, kinds: tuple[int, ...], name: str, accept: Callable[[Type], bool]) -> Optional[Type]:
        """The first type of that name that is `accept`ed, of an earlier one of `kinds` first."""
        records = [(number, self.source.record(number)) for number in self.source.find(name)]
        for kind in kinds:
            for number, record in records:
                if record.kind == kind:
                    found = self.type(number)
                    if accept(found):
                        return found
        return None

    def type(self, number: int) -> Type:
        """The type of that number."""
        if number == 0:
            return self.prog.void_type()
        if self.base and number < self.source.first:
            return self.base.type(number)
        found = self._made.get(number)
        if found is None:
            if self._depth >= _DEPTH:
                raise Damaged(f"BTF: the type {number} does not end")
            self._depth += 1
            try:
                found = self._made[number] = self._make(number, self.source.record(number))
            except (struct.error, *_REFUSALS) as error:
                raise Damaged(f"BTF: the type {number}: {error}") from None
            finally:
                self._depth -= 1
        return found

    def _make(self, number: int, record: Record) -> Type:
        prog, kind, name = self.prog, record.kind, record.name
        if kind in (btf.INT, btf.FLOAT) and record.size not in _SIZES:
            raise Damaged(f"BTF: a number of {record.size} bytes")
        if kind == btf.INT:
            word = self.source.word(record)
            if word >> 26 & 1:
                return prog.bool_type(name, record.size)
            if name in _FLOATS:
                return prog.float_type(name, record.size)
            return prog.int_type(name, record.size, bool(word >> 24 & 1))
        if kind == btf.FLOAT:
            return prog.float_type(name, record.size)
        if kind == btf.PTR:
            return prog.pointer_type(self.type(record.size))
        if kind in _QUALIFIERS:
            inner = self.type(record.size)
            return inner.qualified(inner.qualifiers | _QUALIFIERS[kind])
        if kind == btf.TYPE_TAG:
            return self.type(record.size)
        if kind == btf.TYPEDEF:
            return prog.typedef_type(name, self.type(record.size))
        if kind == btf.ARRAY:
            element, count = self.source.array(record)
            return prog.array_type(self.type(element), count)
        if kind in (btf.STRUCT, btf.UNION):
            make = prog.struct_type if kind == btf.STRUCT else prog.union_type
            return make(name or None, record.size, list(self._members(record)))
        if kind == btf.FWD:
            return (prog.union_type if record.flag else prog.struct_type)(name or None)
        if kind in (btf.ENUM, btf.ENUM64):
            return self._enumeration(record)
        if kind == btf.FUNC_PROTO:
            return self._function(record)
        if kind in (btf.FUNC, btf.VAR):
            return self.type(record.size)
        raise Damaged(f"BTF: {number} is no type")

    def _members(self, record: Record) -> Iterator[TypeMember]:
        last = record.count - 1
        for index, (name, number, place) in enumerate(self.source.words(record, 12)):
            bits, offset = (place >> 24, place & 0xFFFFFF) if record.flag else (0, place)
            yield TypeMember(
                self._member(number, bits, not record.flag, index == last),
                self.source.string(name) if name else None,
                offset if record.flag else offset + self._shift(number),
            )

    def _member(self, number: int, bits: int, may_be_int: bool, is_last: bool) -> Callable[[], Object]:
        def make() -> Object:
            width = bits
            if may_be_int:
                width = self._odd_integer(number)[0]
            if width:
                try:
                    return Object(self.prog, self.type(number), bit_field_size=width)
                except _REFUSALS as error:
                    raise Damaged(f"BTF: a bit field of {width} bits: {error}") from None
            return self._flexible(number) if is_last and self._is_empty_array(number) else self.type(number)

        return make

    def _is_empty_array(self, number: int) -> bool:
        record = self.source.record(number) if number else None
        return record is not None and record.kind == btf.ARRAY and self._array(number, record)[1] == 0

    def _array(self, number: int, record: Record) -> tuple[int, int]:
        return self.source.holder(number).array(record)

    def _flexible(self, number: int) -> Type:
        """An array of no elements as the last member is `[]`, which BTF writes as `[0]`."""
        return self.prog.array_type(self.type(self._array(number, self.source.record(number))[0]))

    def _shift(self, number: int) -> int:
        return self._odd_integer(number)[1]

    def _odd_integer(self, number: int) -> tuple[int, int]:
        """The bits of an INT that is narrower than its bytes, and where they begin: bit fields without kind_flag."""
        for _ in range(_DEPTH):
            if not number:
                break
            record = self.source.record(number)
            if record.kind == btf.INT:
                word = self.source.holder(number).word(record)
                bits, offset = word & 0xFF, word >> 16 & 0xFF
                return (bits, offset) if bits < 8 * record.size or offset else (0, 0)
            if record.kind not in _QUALIFIERS and record.kind not in (btf.TYPEDEF, btf.TYPE_TAG):
                break
            number = record.size
        return 0, 0

    def _enumeration(self, record: Record) -> Type:
        enumerators = [TypeEnumerator(name, value) for name, value in self.source.enumerators(record)]
        if not enumerators:
            return self.prog.enum_type(record.name or None)
        signed = record.flag or any(value < 0 for _, value in enumerators)
        integer = _ENUM_INTEGERS.get((record.size, signed))
        if integer is None:
            raise Damaged(f"BTF: an enumeration of {record.size} bytes")
        return self.prog.enum_type(record.name or None, self.prog.type(integer), enumerators)

    def _function(self, record: Record) -> Type:
        parameters = list(self.source.words(record, 8))
        is_variadic = bool(parameters) and parameters[-1][:2] == (0, 0)
        if is_variadic:
            parameters.pop()
        return self.prog.function_type(
            self.type(record.size),
            [
                TypeParameter(lambda number=number: self.type(number), self.source.string(name) if name else None)
                for name, number, _ in parameters
            ],
            is_variadic,
        )


class TypeFinder:
    """Finds types: register it with `Program.register_type_finder`."""

    def __init__(
        self,
        prog: Program,
        read_kernel: Callable[[], Optional[bytes]],
        read_modules: Callable[[BTF], Iterator[bytes]],
    ) -> None:
        self._prog = prog
        self._read_kernel = read_kernel
        self._read_modules = read_modules
        self._found: dict[tuple[tuple[int, ...], str], Optional[Type]] = {}
        self._kernel: Optional[list[Layer]] = None
        self._modules: Optional[list[Layer]] = None

    def __call__(
        self, prog: Program, kinds: drgn.TypeKindSet, name: str, filename: Optional[str]
    ) -> Optional[Type]:
        if not drgn.filename_matches(None, filename):
            return None
        wanted = tuple(dict.fromkeys(kind for each, some in _KINDS.items() if each in kinds for kind in some))
        if not wanted:
            return None
        if (wanted, name) not in self._found:
            self._found[wanted, name] = self._find(wanted, kinds, name)
        return self._found[wanted, name]

    def _find(self, wanted: tuple[int, ...], kinds: drgn.TypeKindSet, name: str) -> Optional[Type]:
        incomplete = None
        for layer in self.layers():
            found = layer.find(wanted, name, lambda made: made.kind in kinds)
            if found is not None and found.is_complete():
                return found
            incomplete = incomplete or found
        return incomplete

    @property
    def kernel(self) -> Optional[Layer]:
        """The kernel's own types, if it has BTF."""
        if self._kernel is None:
            self._kernel = []
            content = self._read_kernel()
            if content is not None:
                try:
                    self._kernel.append(Layer(self._prog, BTF(content), None))
                except Damaged as error:
                    warnings.warn(f"there are no types: {error}", kva.Incomplete, stacklevel=3)
        return self._kernel[0] if self._kernel else None

    def layers(self) -> Iterator[Layer]:
        """The kernel's types, then those of each module."""
        kernel = self.kernel
        if kernel is None:
            return
        yield kernel
        if self._modules is None:
            # Reading them takes types of the kernel: what is looked up meanwhile is not in modules.
            self._modules = []
            found = []
            for content in self._read_modules(kernel.source):
                try:
                    found.append(Layer(self._prog, BTF(content, kernel.source), kernel))
                except Damaged:
                    continue
            self._modules = found
        yield from self._modules
