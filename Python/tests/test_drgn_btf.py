"""The types of kva.drgn against BTF that is written here: kinds and forms that the dumps at hand do not have."""

import random
import struct

import pytest

drgn = pytest.importorskip("drgn")

from drgn import Qualifiers, TypeKind  # noqa: E402
from kva.drgn.btf import BTF, Damaged  # noqa: E402
from kva.drgn.types import Layer, TypeFinder  # noqa: E402


class Writer:
    """Writes BTF. (Documentation/bpf/btf.rst)"""

    def __init__(self, strings=b"\0", first=1, start=0):
        self.strings, self.types, self.count, self.start = strings, b"", first, start

    def name(self, text):
        if not text:
            return 0
        place = self.start + len(self.strings)
        self.strings += text.encode() + b"\0"
        return place

    def add(self, kind, name="", size=0, body=b"", count=0, flag=False):
        self.types += struct.pack("<III", self.name(name), flag << 31 | kind << 24 | count, size) + body
        self.count += 1
        return self.count - 1

    def integer(self, name, size, encoding=0, bits=None, offset=0):
        return self.add(1, name, size, struct.pack("<I", encoding << 24 | offset << 16 | (bits or 8 * size)))

    def struct(self, name, size, members, flag=False, kind=4):
        body = b"".join(struct.pack("<III", self.name(text), number, place) for text, number, place in members)
        return self.add(kind, name, size, body, len(members), flag)

    def content(self, layout=b""):
        header = 24 + (8 if layout else 0)
        strings = len(layout) + len(self.types)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, header, len(layout), len(self.types), strings, len(self.strings))
        if layout:
            head += struct.pack("<II", 0, len(layout))
        return head + layout + self.types + self.strings


def program():
    return drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))


def layer(content, base=None):
    return Layer(base.prog if base else program(), BTF(content, base.source if base else None), base)


def test_bit_fields_are_found_with_and_without_kind_flag():
    writer = Writer()
    number = writer.integer("unsigned int", 4)
    odd = writer.integer("unsigned int", 4, bits=5, offset=3)
    new = writer.struct("new", 4, [("a", number, 3 << 24), ("b", number, 5 << 24 | 3)], flag=True)
    old = writer.struct("old", 8, [("plain", number, 0), ("b", odd, 32)])
    types = layer(writer.content())
    for which, wanted in ((new, [("a", 0, 3), ("b", 3, 5)]), (old, [("plain", 0, None), ("b", 35, 5)])):
        found = types.type(which)
        assert [(each.name, each.bit_offset, each.bit_field_size) for each in found.members] == wanted


def test_enumerations_have_their_sign_and_64_bits():
    writer = Writer()
    for name, size, encoding in (("unsigned int", 4, 0), ("int", 4, 1), ("long unsigned int", 8, 0)):
        writer.integer(name, size, encoding)
    plain = writer.add(6, "plain", 4, struct.pack("<II", writer.name("HIGH"), 0x80000000), 1)
    signed = writer.add(6, "signed", 4, struct.pack("<II", writer.name("MINUS"), 0xFFFFFFFF), 1, flag=True)
    wide = writer.add(19, "wide", 8, struct.pack("<III", writer.name("WIDE"), 2, 1), 1)
    types = layer(writer.content())
    finder = TypeFinder(types.prog, writer.content, lambda _: iter(()))
    types.prog.register_type_finder("test", finder, enable_index=0)
    values = [types.type(each).enumerators[0].value for each in (plain, signed, wide)]
    assert values == [0x80000000, -1, 1 << 32 | 2]
    assert types.source.enumeration("WIDE") == wide and types.source.enumeration("NONE") is None
    # Without any that says so (up to 5.19) a constant with the highest bit is negative.
    old = Writer()
    old.integer("int", 4, 1)
    number = old.add(6, "old", 4, struct.pack("<II", old.name("MINUS"), 0xFFFFFFFE), 1)
    source = BTF(old.content())
    assert list(source.enumerators(source.record(number))) == [("MINUS", -2)]


def test_every_other_kind():
    writer = Writer()
    number = writer.integer("int", 4, 1)
    boolean = writer.integer("_Bool", 1, 4)
    double = writer.integer("double", 8)
    real = writer.add(16, "float", 4)
    const = writer.add(10, size=number)
    both = writer.add(9, size=const)
    tagged = writer.add(18, "user", both)
    pointer = writer.add(2, size=tagged)
    array = writer.add(3, body=struct.pack("<III", number, number, 7))
    none = writer.add(3, body=struct.pack("<III", number, number, 0))
    forward = writer.add(7, "later", flag=True)
    alias = writer.add(8, "alias_t", pointer)
    parameters = struct.pack("<IIII", writer.name("first"), number, 0, 0)
    prototype = writer.add(13, size=number, body=parameters, count=2)
    function = writer.add(12, "function", prototype, count=1)
    variable = writer.add(14, "variable", number, struct.pack("<I", 1))
    writer.add(15, ".data..percpu", 4, struct.pack("<III", variable, 64, 4), 1)
    writer.add(17, "tag", function, struct.pack("<i", -1))
    nest = writer.struct("", 4, [("inner", number, 0)], kind=5)
    outer = writer.struct("outer", 8, [("", nest, 0), ("tail", none, 64)])
    types = layer(writer.content())
    assert types.type(boolean).kind == TypeKind.BOOL
    assert {types.type(each).kind for each in (double, real)} == {TypeKind.FLOAT}
    assert types.type(pointer).type.qualifiers == Qualifiers.CONST | Qualifiers.VOLATILE
    assert (types.type(array).length, types.type(none).length) == (7, 0)
    assert types.type(forward).kind == TypeKind.UNION and not types.type(forward).is_complete()
    assert types.type(alias).type.kind == TypeKind.POINTER
    found = types.type(function)
    assert found.is_variadic and [(each.name, each.type.name) for each in found.parameters] == [("first", "int")]
    assert types.source.section(variable) == ".data..percpu"
    found = types.type(outer)
    assert [member.name for member in found.members] == [None, "tail"] and found.has_member("inner")
    assert found.members[1].type.length is None


def test_split_btf_goes_on_and_unknown_kinds_are_skipped():
    kernel = Writer()
    kernel.integer("int", 4, 1)
    base = layer(kernel.content())
    module = Writer(b"", first=2, start=len(kernel.strings))
    number = module.struct("own", 4, [("member", 1, 0)])
    split = layer(module.content(), base)
    assert split.source.find("own") == [number] and split.source.find("int") == []
    assert split.type(number).members[0].type.name == "int"
    later = Writer()
    later.add(25, "unheard", body=bytes(4 + 2 * 6), count=2)
    last = later.integer("int", 4, 1)
    with pytest.raises(Damaged, match="kind 25"):
        BTF(later.content())
    sizes = [(0, 0)] * 25 + [(4, 6)]
    known = BTF(later.content(b"".join(struct.pack("<BBH", *each, 0) for each in sizes)))
    assert known.find("int") == [last]


def test_damaged_btf_is_refused_and_nothing_else_happens():
    writer = Writer()
    number = writer.integer("int", 4, 1)
    loop = writer.add(2, size=3)
    writer.add(10, size=loop)
    for index in range(40):
        last = writer.count - 1 if index else number
        writer.struct(f"s{index}", 16, [("a", number, 0), ("p", number, 64), ("", last, 0)], flag=index % 2)
    content = writer.content()
    with pytest.raises(Damaged):
        layer(content).type(loop)
    chance = random.Random(7)
    refused = made = 0
    for _ in range(500):
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 5)):
            damaged[chance.randrange(8, len(damaged))] = chance.choice([0, 1, 4, 13, 127, 255])
        try:
            types = layer(bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])]))
        except Damaged:
            refused += 1
            continue
        for number in range(len(types.source)):
            try:
                for member in getattr(types.type(number), "members", None) or ():
                    assert member.type is not None
                made += 1
            except Damaged:
                refused += 1
    assert refused > 500 and made > 500, (refused, made)
