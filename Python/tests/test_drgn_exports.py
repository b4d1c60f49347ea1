"""Files that kva exports, opened by drgn's own reader where it refuses what they were made of."""

import os
import pathlib
import struct
import subprocess

import kva
import pytest
from dumps import TOP

drgn = pytest.importorskip("drgn")

import kva.drgn  # noqa: E402
from drgn.helpers.linux import for_each_task  # noqa: E402
from kva.drgn import sources  # noqa: E402
from kva.drgn.objects import ObjectFinder  # noqa: E402
from kva.drgn.symbols import SymbolFinder  # noqa: E402
from kva.drgn.types import TypeFinder  # noqa: E402

CORPUS = pathlib.Path(os.environ.get("KVA_CORPUS") or TOP.parent / "shared" / "corpus")


def raw(core, folder):
    """The memory of an ELF core as files of raw memory, as kva takes them."""
    content = core.read_bytes()
    (start,) = struct.unpack_from("<Q", content, 32)
    (count,) = struct.unpack_from("<H", content, 56)
    parts = []
    for number in range(count):
        kind, _, offset, _, address, length, _, _ = struct.unpack_from("<IIQQQQQQ", content, start + 56 * number)
        if kind == 1:
            path = folder / f"memory{number}"
            path.write_bytes(content[offset : offset + length])
            parts.append(f"{path}@{address:#x}")
    return ",".join(parts)


def opened(path):
    prog = drgn.Program()
    prog.set_core_dump(path)
    return prog


def check(machine, program, dump, whole, folder):
    exported = folder / "exported"
    command = [program, "export", dump, "--no-debuginfo", "--physical", "-o", exported]
    subprocess.run(command, check=True, capture_output=True)
    prog = opened(exported)
    # Types and names are those that kva finds; memory and registers are read by drgn, from the file.
    with kva.Dump(exported, kva=program, no_debuginfo=True) as own:
        symbols = SymbolFinder(own)
        prog.register_symbol_finder("kva", symbols, enable_index=0)
        types = TypeFinder(
            prog, lambda: sources.kernel_btf(own), lambda kernel: sources.module_btf(prog, kernel)
        )
        prog.register_type_finder("kva", types, enable_index=0)
        prog.register_object_finder("kva", ObjectFinder(own, symbols, types), enable_index=0)
        found = {task.pid.value_(): task.comm.string_().decode() for task in for_each_task(prog)}
        listed = {int(line.split()[0]) for line in machine.lines("ps.txt")[1:] if "kworker" not in line}
        assert len(listed & found.keys()) >= len(listed) - 2, listed - found.keys()
        assert found[1] == "init" and found[2] == "kthreadd"
        frames = [frame.name for frame in prog.stack_trace(2)]
        assert "kthreadd" in frames and frames[-1] == "ret_from_fork"
        # Every tenth page, byte for byte.
        content = whole.read_bytes()
        (start,) = struct.unpack_from("<Q", content, 32)
        (count,) = struct.unpack_from("<H", content, 56)
        for number in range(count):
            kind, _, offset, _, address, length, _, _ = struct.unpack_from("<IIQQQQQQ", content, start + 56 * number)
            for place in range(0, length if kind == 1 else 0, 10 * 4096):
                page = prog.read(address + place, 4096, physical=True)
                assert page == content[offset + place : offset + place + 4096]


def test_raw_memory_without_a_note(machine, program, tmp_path):
    memory = raw(machine.path("vmcore.elf"), tmp_path)
    with pytest.raises(ValueError, match="not an ELF core file"):
        opened(memory.partition("@")[0])
    check(machine, program, memory, machine.path("vmcore.elf"), tmp_path)


def test_qemu_s_kdump(machine, program, tmp_path):
    dump = CORPUS / "c61-4k48-nokaslr" / "vmcore.kdump-zlib"
    if not dump.exists():
        pytest.skip("the corpus is not at hand")
    with pytest.raises(Exception, match="KDUMP_ATTR_ARCH_NAME"):
        opened(dump)
    check(machine, program, dump, machine.path("vmcore.elf"), tmp_path)
