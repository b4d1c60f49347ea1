"""kva.drgn: drgn's own helpers on dumps without DWARF."""

import re

import kva
import pytest
from dumps import unpacked

drgn = pytest.importorskip("drgn")

import kva.drgn  # noqa: E402
from drgn.helpers.linux import (  # noqa: E402
    find_task,
    for_each_module,
    for_each_online_cpu,
    for_each_task,
    get_dmesg,
    per_cpu,
)


@pytest.fixture(scope="session")
def prog(machine, program):
    opened = kva.drgn.program(machine.path("vmcore.elf"), kva=program, no_debuginfo=True)
    yield opened
    assert not list(opened.modules()), "debug info of files was loaded"
    kva.drgn.dump_of(opened).close()


def test_it_is_a_kernel_of_arm64(prog):
    assert prog.flags == drgn.ProgramFlags.IS_LINUX_KERNEL
    assert prog.platform == drgn.Platform(drgn.Architecture.AARCH64)


def test_memory_is_what_the_machine_read(machine, prog):
    for address, content in machine.memory():
        # They were read by physical address: what is in the next page is another page's.
        content = content[: 4096 - address % 4096]
        assert prog.read(address, len(content)) == content
    for address, content in machine.physical_memory():
        assert prog.read(address, len(content), physical=True) == content


def test_absent_memory_is_a_fault(prog):
    with pytest.raises(drgn.FaultError) as raised:
        prog.read(0xFFFF_7FFF_FFFF_FFF0, 32)
    assert 0xFFFF_7FFF_FFFF_FFF0 <= raised.value.address < 0xFFFF_8000_0000_0010
    with pytest.raises(drgn.FaultError):
        prog.read(0, 8)


def test_tasks_are_those_of_ps(machine, prog):
    # What ran to write the listing is gone.
    listed = {int(line.split()[0]) for line in machine.lines("ps.txt")[1:] if "kworker" not in line}
    found = {task.pid.value_(): task.comm.string_().decode() for task in for_each_task(prog)}
    assert len(listed & found.keys()) >= len(listed) - 2, listed - found.keys()
    assert found[1] == "init" and found[2] == "kthreadd"


def test_modules_are_those_of_proc(machine, prog):
    listed = [line.split()[0] for line in machine.lines("modules.txt")]
    assert [module.name.string_().decode() for module in for_each_module(prog)] == listed


def test_the_log_is_that_of_dmesg(machine, prog):
    listed = unpacked(machine.folder / "oracle" / "dmesg.txt").decode().splitlines()
    found = [line.split("] ", 1)[1] for line in get_dmesg(prog).decode(errors="replace").splitlines()]
    assert len(listed) > 100
    assert found[: len(listed)] == [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in listed]


def test_symbols_are_those_of_kallsyms(machine, prog):
    listed = [line.split() for line in machine.lines("kallsyms.txt")]
    names = {}
    for address, _, name, *_ in listed:
        names.setdefault(int(address, 16), set()).add(name)
    for address in sorted(names)[:: len(names) // 500]:
        # Per-CPU variables and absolute symbols are in no memory.
        if address >> 48 != 0xFFFF:
            continue
        assert prog.symbol(address).name in names[address]
        assert {symbol.name for symbol in prog.symbols(address)} <= names[address]
    schedule = prog.symbol("schedule")
    assert "schedule" in names[schedule.address] and schedule.kind == drgn.SymbolKind.FUNC
    assert prog.symbol(schedule.address + 4).address == schedule.address
    with pytest.raises(LookupError):
        prog.symbol("no_such_symbol")


def test_each_cpu_has_its_variables(prog):
    cpus = list(for_each_online_cpu(prog))
    assert [per_cpu(prog["runqueues"], cpu).cpu.value_() for cpu in cpus] == cpus


def test_stacks_end_where_tasks_began(prog):
    for task in for_each_task(prog):
        if task.on_cpu:
            continue
        frames = [frame.name for frame in prog.stack_trace(task)]
        assert frames[-1] in ("ret_from_fork", "el0t_64_sync", "el0t_64_irq"), (task.pid, frames)
    assert [frame.name for frame in prog.stack_trace(1)][:3] == ["__switch_to", "__schedule", "schedule"]


def test_what_there_is_not_is_not_found(prog):
    for name in ("no_such_variable", "deadbeef", "init_task+8", "fuse:fuse_init", ""):
        assert name not in prog
    with pytest.raises(LookupError):
        prog.type("struct no_such_struct")
    assert not find_task(prog, 99999)


def test_a_dump_without_a_kernel_says_so(tmp_path, program):
    path = tmp_path / "raw"
    path.write_bytes(bytes(1 << 20))
    with pytest.raises(kva.DumpError, match="no root table was found"):
        kva.drgn.program(f"{path}@0x40000000", kva=program)
