"""The memory of a dump as segments of a drgn program.

drgn's library takes a function in C for a segment (`drgn_program_add_memory_segment`, libdrgn/drgn.h), and that of kva
has one: then the interpreter has no part in a read. Python has no name for that, but its `drgn.Program` is libdrgn's
behind the header of every Python object (`Program`, libdrgn/python/drgnpy.h). Where that is not so, or the library is
not there, a callback in Python reads.
"""

from __future__ import annotations

import ctypes
from typing import Any

import drgn
import kva

from . import memory

_LAST = (1 << 64) - 1


def add(prog: drgn.Program, dump: kva.Dump) -> None:
    """Gives `prog`, which has its core, all memory of `dump`, virtual and physical."""
    if _add_native(prog, dump):
        return
    for physical in (False, True):
        # Segments that come later win: drgn's own walk through the tables is for what is left.
        prog.add_memory_segment(0, _LAST, memory.reader(dump, physical=physical), physical)


def _add_native(prog: drgn.Program, dump: kva.Dump) -> bool:
    if dump._memory is None:
        return False
    try:
        library = _libdrgn()
    except (ImportError, OSError, AttributeError):
        return False
    place = id(prog) + object.__basicsize__
    if not _is_program(library, place, prog):
        return False
    fault = ctypes.cast(library.drgn_error_create_fault, ctypes.c_void_p).value
    function, argument = dump._memory.segment(fault or 0)
    # The dump stays open for as long as the program is there.
    prog.cache["kva.memory"] = dump._memory
    for physical in (False, True):
        error = library.drgn_program_add_memory_segment(place, 0, _LAST, function, argument, physical)
        if error:
            library.drgn_error_destroy(error)
            return False
    return True


def _libdrgn() -> Any:
    """drgn's library, which is in its Python module."""
    import _drgn

    # With the interpreter's lock, as drgn calls itself.
    library = ctypes.PyDLL(_drgn.__file__)
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    for name, result, *arguments in (
        ("drgn_program_flags", ctypes.c_int, pointer),
        ("drgn_program_platform", pointer, pointer),
        ("drgn_program_add_memory_segment", pointer, pointer, number, number, pointer, pointer, ctypes.c_bool),
        ("drgn_error_create_fault", pointer, ctypes.c_char_p, number),
        ("drgn_error_destroy", None, pointer),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _is_program(library: Any, place: int, prog: drgn.Program) -> bool:
    """Whether libdrgn's program is at `place`: it says there what Python says, and has its platform in the object."""
    end = id(prog) + type(prog).__basicsize__
    platform = library.drgn_program_platform(place)
    return (
        platform is not None
        and place < platform < end
        and library.drgn_program_flags(place) == prog.flags.value != 0
    )
