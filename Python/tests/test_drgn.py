"""kva.drgn: drgn's own helpers on dumps without DWARF."""

import os
import re
import shutil
import struct
import subprocess

import kva
import pytest
from dumps import TOP, unpacked

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


def test_the_library_reads_for_drgn_without_a_process(machine, program):
    opened = kva.drgn.program(machine.path("vmcore.elf"), kva=program, no_debuginfo=True)
    dump = kva.drgn.dump_of(opened)
    if not dump.fast:
        pytest.skip("there is no library beside the program")
    assert "kva.memory" in opened.cache
    listed = {line.split()[2]: int(line.split()[0], 16) for line in machine.lines("kallsyms.txt")}
    assert opened.symbol("schedule").address == listed["schedule"]
    address, content = machine.memory()[0]
    content = content[: 4096 - address % 4096]
    assert opened.read(address, len(content)) == content
    with pytest.raises(drgn.FaultError, match="no-tables") as raised:
        opened.read(0x10, 8)
    assert raised.value.address == 0x10
    assert dump._started is None
    # The program keeps what it reads.
    dump.close()
    assert opened.read(address, len(content)) == content


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


def test_filtered_and_compressed_dumps_are_the_same_kernels(machine, entry, prog, program):
    filtered = kva.drgn.program(machine.path("vmcore.d31-snappy"), kva=program, no_debuginfo=True)
    # The same machine a moment later: what it ran for good is the same.
    pids = [{task.pid.value_() for task in for_each_task(each)} for each in (prog, filtered)]
    assert {1, 2, 3} <= pids[0] & pids[1]
    assert [each.name.string_() for each in for_each_module(filtered)] == [b"fuse", b"ext2", b"loop"]
    crashed = kva.drgn.program(entry("kdump-61-4k48").path("vmcore.d31-zlib"), kva=program, no_debuginfo=True)
    frames = [frame.name for frame in crashed.crashed_thread().stack_trace()]
    assert frames[:4] == ["__crash_kexec", "panic", "sysrq_handle_crash", "__handle_sysrq"]
    lines = unpacked(entry("kdump-61-4k48").folder / "oracle" / "dmesg.txt").decode().splitlines()
    assert lines[-1].split("] ", 1)[-1] in get_dmesg(crashed).decode(errors="replace")


def ram(path):
    """What the largest segment of an ELF core holds, and where."""
    core = path.read_bytes()
    (headers,) = struct.unpack_from("<Q", core, 32)
    (count,) = struct.unpack_from("<H", core, 56)
    segments = [struct.unpack_from("<IIQQQQQQ", core, headers + 56 * index) for index in range(count)]
    _, _, offset, _, address, size, _, _ = max(segments, key=lambda segment: segment[5])
    return bytearray(core[offset : offset + size]), address


def test_raw_memory_without_vmcoreinfo_is_a_kernel(machine, prog, program, tmp_path):
    memory, start = ram(machine.path("vmcore.elf"))
    while (place := memory.find(b"OSRELEASE=")) >= 0:
        memory[place : place + 10] = bytes(10)
    path = tmp_path / "raw"
    path.write_bytes(memory)
    raw = kva.drgn.program(f"{path}@{start:#x}", kva=program, no_debuginfo=True)
    for helper in (for_each_task, for_each_module):
        assert [each.value_() for each in helper(raw)] == [each.value_() for each in helper(prog)]
    assert [str(raw.stack_trace(pid)) for pid in (1, 2)] == [str(prog.stack_trace(pid)) for pid in (1, 2)]
    assert get_dmesg(raw) == get_dmesg(prog)


def test_without_btf_there_is_memory_and_there_are_symbols(entry, program):
    wide = entry("c612-64k52")
    prog = kva.drgn.program(wide.path("vmcore.d31-zstd"), kva=program, no_debuginfo=True)
    assert prog["PAGE_SIZE"].value_() == 65536
    listed = [line.split() for line in wide.lines("kallsyms.txt")]
    address = next(int(line[0], 16) for line in listed if line[2] == "linux_banner")
    assert prog.symbol("linux_banner").address == address
    assert prog.read_c_string(address).startswith(b"Linux version 6.12")
    with pytest.raises(LookupError):
        prog.type("struct task_struct")
    assert "init_task" not in prog


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


@pytest.mark.skipif(not (shutil.which("clang") and shutil.which("ld.lld")), reason="no clang, or no ld.lld")
def test_with_a_vmlinux_types_are_those_of_its_dwarf(machine, program, tmp_path):
    """Of a file with DWARF and the kernel's build ID; all else in it is not the kernel's."""
    with kva.Dump(machine.path("vmcore.elf"), kva=program) as dump:
        build_id = dump.info()["buildID"]
    source, vmlinux = tmp_path / "vmlinux.c", tmp_path / "vmlinux"
    source.write_text("struct thing { int a; unsigned b : 3; } thing; int get(struct thing *t) { return t->a; }")
    for command in (
        ["clang", "--target=aarch64-linux-gnu", "-g", "-c", source, "-o", f"{vmlinux}.o"],
        ["ld.lld", f"{vmlinux}.o", "-o", vmlinux, f"--build-id=0x{build_id}", "-e", "0"],
    ):
        subprocess.run(command, check=True)
    prog = kva.drgn.program(machine.path("vmcore.elf"), vmlinux=vmlinux, kva=program)
    assert prog.main_module().debug_file_status == drgn.ModuleFileStatus.HAVE
    assert [member.name for member in prog.type("struct thing").members] == ["a", "b"]
    assert prog["thing"].address_ is not None
    assert "init_task" not in prog and "struct task_struct" not in str(prog.enabled_type_finders())
    address, content = machine.memory()[0]
    assert prog.read(address, 8) == content[:8]
    for wrong in (program, f"{vmlinux}.o"):
        with pytest.raises(kva.DumpError, match="no DWARF"):
            kva.drgn.program(machine.path("vmcore.elf"), vmlinux=wrong, kva=program)


def command(program, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": str(TOP / "Python")}
    done = subprocess.run(
        [program, "drgn", *arguments], env=environment, capture_output=True, text=True, check=False, **options
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_runs_code_and_scripts_and_has_a_prompt(machine, program, tmp_path):
    dump = machine.path("vmcore.elf")
    status, output, _ = command(program, dump, "--no-debuginfo", "-e", "print(find_task(1).comm.string_())")
    assert (status, output) == (0, "b'init'\n")
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.argv[1:], prog['init_task'].pid.value_())\nsys.exit(5)\n")
    assert command(program, dump, script, "--", "-x", "y")[:2] == (5, "['-x', 'y'] 0\n")
    status, output, error = command(program, dump, input="print(prog['init_task'].comm.string_())\n")
    assert status == 0 and "b'swapper/0'" in output
    assert "drgn 0." in output + error and "6.1" in output + error


def test_the_command_says_what_is_missing(machine, program, tmp_path):
    status, _, error = command(program, tmp_path / "nothing")
    assert status == 2 and error.startswith("kva: ") and "No such file" in error
    (tmp_path / "drgn.py").write_text("raise ImportError('there is no drgn')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{TOP / 'Python'}"}
    done = subprocess.run(
        [program, "drgn", machine.path("vmcore.elf")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "pip install 'kva[drgn]'" in done.stderr
