"""drgn on top of kva: dumps that drgn cannot open, and types without DWARF.

    import kva.drgn

    prog = kva.drgn.program("vmcore")
    for task in for_each_task(prog):
        print(task.pid.value_(), task.comm.string_().decode())

kva reads the memory of the `Program`: of any dump that kva opens, virtual addresses through the kernel's tables. kva
finds the symbols; the types are those of the BTF of the kernel and its modules. The variables that drgn's helpers read
have the types of the kernel's source (kva.drgn.variables). This needs drgn 0.3.0 or later: `pip install 'kva[drgn]'`.
"""

from __future__ import annotations

import os
from typing import Any, Optional, Union

import kva as _kva

try:
    import drgn
except ImportError:
    raise ImportError("kva.drgn needs drgn: pip install 'kva[drgn]'") from None

from . import core, segments, sources
from .objects import ObjectFinder
from .symbols import SymbolFinder
from .types import TypeFinder

__all__ = ["dump_of", "program", "stack_trace"]

#: The name of the finders.
_NAME = "kva"


def program(
    path: Union[str, os.PathLike[str], _kva.Dump],
    *,
    vmlinux: Optional[Union[str, os.PathLike[str]]] = None,
    kva: Optional[Union[str, os.PathLike[str]]] = None,
    **options: Any,
) -> drgn.Program:
    """A `drgn.Program` of the kernel in a dump: a file, any other form of dump that kva(1) accepts, or a `kva.Dump`.

    With `vmlinux`, a kernel with DWARF, drgn itself takes types and variables from there, and kva supplies the memory,
    the registers and the kernel's address.

    `kva` and `options` are those of `kva.Dump`. Raises the errors of `kva.Dump`, and `NotFound` if there is no kernel.
    """
    dump = path if isinstance(path, _kva.Dump) else _kva.Dump(path, kva=kva, **options)
    prog = drgn.Program()
    prog.set_core_dump(_file(_core(dump), dump.path))
    segments.add(prog, dump)
    prog.cache[_NAME] = dump
    symbols = SymbolFinder(dump)
    prog.register_symbol_finder(_NAME, symbols, enable_index=-1)
    if vmlinux is not None:
        _load(prog, os.fspath(vmlinux))
        return prog
    types = TypeFinder(
        prog, lambda: sources.kernel_btf(dump), lambda kernel: sources.module_btf(prog, kernel)
    )
    prog.register_type_finder(_NAME, types, enable_index=-1)
    prog.register_object_finder(_NAME, ObjectFinder(dump, symbols, types), enable_index=-1)
    return prog


def dump_of(prog: drgn.Program) -> _kva.Dump:
    """The dump of a program that `program` made, for queries that drgn does not have."""
    return prog.cache[_NAME]


def stack_trace(prog: drgn.Program, thread: Union[drgn.Object, int]) -> drgn.StackTrace:
    """The stack of a task, a `struct task_struct *` or a PID, as kva(1) follows it.

    Without DWARF, drgn's own unwinder follows frame records: it misses the caller of an interrupted leaf function, and
    ends where one stack leads to another below it. This function handles both. Its frames have a program counter but no
    registers.
    """
    dump = dump_of(prog)
    task = thread.value_() if isinstance(thread, drgn.Object) else thread
    # A PID is written in decimal.
    question = hex(task) if task >> 32 else str(task)
    frames = dump.stack(question)[0]["frames"]
    return prog.stack_trace_from_pcs([frame["pc"] for frame in frames if frame["kind"] != "scanned"])


def _load(prog: drgn.Program, vmlinux: str) -> None:
    """Gives drgn the kernel's DWARF. Raises `DumpError` if the file has none, or is another kernel's."""
    with open(vmlinux, "rb"):
        pass
    for module, _ in prog.loaded_modules():
        if isinstance(module, drgn.MainModule):
            module.try_file(vmlinux)
            if module.debug_file_status == drgn.ModuleFileStatus.HAVE:
                return
            break
    error = _kva.DumpError(f"{vmlinux}: has no DWARF, or is not the vmlinux of the kernel in the dump")
    error.file = vmlinux
    raise error


def _core(dump: _kva.Dump) -> bytes:
    """An ELF core of the notes: from the library if possible, so that no process has to start."""
    if dump._memory is not None:
        try:
            return dump._memory.core()
        except _kva._Refused:
            pass
    return core.core(_kernel(dump))


def _kernel(dump: _kva.Dump) -> _kva.Info:
    """The facts about the kernel. Raises the first problem if there is no kernel."""
    answer = dump.ask("info")
    if not answer.results or answer.results[0].get("swapperPgDir") is None:
        answer._replace(results=[]).checked()
        raise _kva.NotFound(f"{dump.path}: no kernel was found in the dump")
    return answer.results[0]


def _file(content: bytes, path: str) -> int:
    """A file of that content, which drgn closes."""
    descriptor = os.memfd_create(os.path.basename(path) or "core")
    with open(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
