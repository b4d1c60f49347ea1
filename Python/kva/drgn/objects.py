"""The kernel's variables, functions and constants for drgn, without DWARF."""

from __future__ import annotations

from typing import Optional

import drgn
import kva
from drgn import FindObjectFlags, Object, Program, Type

from . import btf
from .recognised import Recognised, texts
from .symbols import SymbolFinder, address_of
from .types import Layer, TypeFinder
from .variables import PER_CPU, VARIABLES

_SECTION = ".data..percpu"


class ObjectFinder:
    """Finds objects: register it with `Program.register_object_finder`."""

    def __init__(self, dump: kva.Dump, symbols: SymbolFinder, types: TypeFinder) -> None:
        self._dump = dump
        self._symbols = symbols
        self._types = types
        self._recognised = Recognised(dump)
        self._found: dict[tuple[str, FindObjectFlags], Optional[Object]] = {}

    def __call__(
        self, prog: Program, name: str, flags: FindObjectFlags, filename: Optional[str]
    ) -> Optional[Object]:
        if filename and not (name == "log_buf" and drgn.filename_matches("kernel/printk/printk.c", filename)):
            return None
        kernel = self._types.kernel
        if kernel is None:
            return None
        if (name, flags) not in self._found:
            self._found[name, flags] = self._find(prog, kernel, name, flags)
        return self._found[name, flags]

    def _find(self, prog: Program, kernel: Layer, name: str, flags: FindObjectFlags) -> Optional[Object]:
        found = self._described(prog, kernel, name, flags)
        if found is None and flags & FindObjectFlags.VARIABLE:
            found = self._variable(prog, kernel, name)
        wanted = FindObjectFlags.CONSTANT if name.isupper() else FindObjectFlags.VARIABLE
        if found is None and flags & wanted:
            found = self._recognised.find(prog, name)
        if found is not None:
            return found
        # Modules last: their BTF is read for this alone.
        layers = (layer for layer in self._types.layers() if layer is not kernel)
        return next(
            (each for layer in layers if (each := self._described(prog, layer, name, flags)) is not None), None
        )

    def _described(self, prog: Program, layer: Layer, name: str, flags: FindObjectFlags) -> Optional[Object]:
        """The object as BTF has it: a constant, a function or a variable."""
        source = layer.source
        number = source.enumeration(name) if flags & FindObjectFlags.CONSTANT else None
        if number is not None:
            value = dict(source.enumerators(source.record(number)))[name]
            return Object(prog, layer.type(number), value)
        for number in source.find(name):
            kind, address = source.record(number).kind, None
            if kind == btf.FUNC and flags & FindObjectFlags.FUNCTION:
                address = address_of(self._dump, name)
            elif kind == btf.VAR and flags & FindObjectFlags.VARIABLE:
                address = address_of(self._dump, name)
                if address is None and source.section(number) == _SECTION:
                    address = self._per_cpu(prog, name)
            if address is not None:
                return Object(prog, layer.type(number), address=address)
        return None

    def _variable(self, prog: Program, kernel: Layer, name: str) -> Optional[Object]:
        """The variable as the kernel's source has it."""
        address = address_of(self._dump, name)
        if address is None and name in PER_CPU:
            address = self._per_cpu(prog, name)
        if address is None:
            return None
        if name == "mem_section":
            type = self._mem_section(prog, address)
        elif name == "tk_core":
            type = self._unnamed(kernel, "seq", "timekeeper")
        else:
            text = VARIABLES.get(name) or PER_CPU.get(name)
            if text == "const char * const []":
                return texts(prog, address, self._room(name, 8) or 0)
            if text == "const char []":
                length = len(prog.read_c_string(address, max_size=1 << 12)) + 1
                type = prog.array_type(prog.type("const char"), length)
            else:
                type = None if text is None else self._type(prog, name, text)
        return None if type is None else Object(prog, type, address=address)

    @staticmethod
    def _unnamed(kernel: Layer, *members: str) -> Optional[Type]:
        """The structure without a name that has just these members."""
        source = kernel.source
        for number in source.anonymous_structs():
            record = source.record(number)
            if record.count == len(members):
                if [source.string(name) for name, _, _ in source.words(record, 12)] == [*members]:
                    return kernel.type(number)
        return None

    def _per_cpu(self, prog: Program, name: str) -> Optional[int]:
        """Where the image has a per-CPU variable whose copies alone can be found."""
        answer = self._dump.ask("resolve", f"{name}@cpu0")
        copy = answer.results[0].get("virtual") if answer.results else None
        offsets = address_of(self._dump, "__per_cpu_offset")
        if copy is None or offsets is None:
            return None
        return (copy - prog.read_u64(offsets)) & (1 << 64) - 1

    def _room(self, name: str, each: int) -> Optional[int]:
        """How many elements there is room for up to the next symbol."""
        size = self._symbols.table().size(name)
        return None if size is None else size // each

    def _type(self, prog: Program, name: str, text: str) -> Optional[Type]:
        try:
            if name == "__per_cpu_offset" or not text.endswith("[]"):
                return prog.type(text)
            element = prog.type(text[:-2].rstrip())
        except LookupError:
            return None
        return prog.array_type(element, self._room(name, drgn.sizeof(element)))

    @staticmethod
    def _mem_section(prog: Program, address: int) -> Type:
        """SPARSEMEM_EXTREME, an array that is allocated (4.15, 83e3c48729d9), or one in the image."""
        section = prog.type("struct mem_section")
        # A section begins with its mem_map, whose low bits are flags.
        first = prog.read_u64(address)
        if first and not first & 0x3F:
            return prog.pointer_type(prog.pointer_type(section))
        return prog.array_type(prog.array_type(section, 1))
