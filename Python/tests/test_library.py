"""The library against the machine and against the process; kva.h by a program in C."""

import ctypes
import os
import shutil
import struct
import subprocess
import threading

import kva
import pytest
from dumps import TOP

HEADER = TOP / "Sources" / "CKva"

# A whole dump of 4 KiB pages and one of 64 KiB, one from which pages were filtered, two with page tables alone.
DUMPS = [
    ("c61-4k48-nokaslr", "vmcore.elf"),
    ("c61-4k48-nokaslr", "vmcore.d31-snappy"),
    ("c612-64k52", "vmcore.elf"),
    ("deb612-16k", "vmcore.tables.elf"),
    ("c612-64k52-on48", "vmcore.tables.elf"),
]
# Codes of kva.h.
NO_TABLES, UNMAPPED, NOT_CANONICAL, NOT_IN_DUMP, FILTERED = 6, 16, 17, 32, 33


@pytest.fixture(scope="session")
def library(program):
    path = os.environ.get("KVA_LIBRARY") or program.parent / "libkva-c.so"
    assert os.path.exists(path), f"there is no {path}: build it first, swift build -c release"
    return str(path)


@pytest.fixture
def both(program, library, monkeypatch):
    """A dump opened twice: with the library and without."""
    opened = []

    def open_both(path, **options):
        for value in (library, ""):
            monkeypatch.setenv("KVA_LIBRARY", value)
            opened.append(kva.Dump(path, kva=program, no_debuginfo=True, **options))
        fast, slow = opened[-2:]
        assert fast.fast and not slow.fast
        return fast, slow

    yield open_both
    for dump in opened:
        dump.close()


def outcome(dump, *question, **options):
    """What a read gives, or how it fails."""
    try:
        return dump.read(*question, **options)
    except kva.KvaError as error:
        # The command adds what to do by its options, which the library does not know.
        text = str(error).removesuffix("; say with --ttbr0 which tables translate it")
        return type(error), text, error.kind, error.address


@pytest.mark.parametrize(("name", "file"), DUMPS)
def test_memory_is_the_machine_s_and_the_process_s(entry, both, name, file):
    machine = entry(name)
    fast, slow = both(machine.path(file))
    page = {"4k": 4096, "16k": 16384, "64k": 65536}[next(size for size in ("16k", "64k", "4k") if size in name)]
    samples = [(va, content[: page - va % page]) for va, content in machine.memory()]
    there = 0
    for address, content in samples:
        answer = outcome(fast, address, len(content))
        assert answer == outcome(slow, address, len(content))
        if isinstance(answer, bytes):
            there += 1
            assert answer == content
    assert there > 300 if file == "vmcore.elf" else there < len(samples)
    for address, content in machine.physical_memory():
        answer = outcome(fast, address, len(content), physical=True)
        assert answer == outcome(slow, address, len(content), physical=True)
        assert answer == content or not isinstance(answer, bytes)
    for address, _ in machine.mmu()[::20]:
        assert outcome(fast, address, 8) == outcome(slow, address, 8)


@pytest.mark.parametrize(("name", "file"), [one for one in DUMPS if one[1] == "vmcore.elf"])
def test_user_memory_is_the_machine_s(entry, both, name, file):
    user = entry(name).user()
    fast, slow = both(entry(name).path(file))
    assert len(user.memory) > 10
    for address, content in user.memory:
        content = content[: 4096 - address % 4096]
        assert fast.read(address, len(content), ttbr0=hex(user.root)) == content
    address = user.memory[0][0]
    for tables in (hex(user.root), "cpu1", 1, 99999, "cpu99", "nonsense", None):
        assert outcome(fast, address, 8, ttbr0=tables) == outcome(slow, address, 8, ttbr0=tables)


def test_long_reads_are_those_of_the_command(machine, program, both):
    path = machine.path("vmcore.elf")
    fast, _ = both(path)
    start = fast.resolve("_text")["virtual"] + 0x10000
    for address, length in ((start, 1 << 16), (start + 1, (1 << 16) - 1), (start + 4093, 70001), (start, 1 << 20)):
        command = [program, "read", path, hex(address), str(length), "--raw", "--no-debuginfo"]
        wanted = subprocess.run(command, check=True, capture_output=True).stdout
        assert len(wanted) == length
        # The second time pages come from caches.
        assert fast.read(address, length) == wanted
        assert fast.read(address, length) == wanted
    assert fast.read(start, 0) == b""


def test_what_cannot_be_read(machine, both):
    fast, slow = both(machine.path("vmcore.d31-snappy"))
    kinds = set()
    for address, _ in machine.user().memory:
        options = {"ttbr0": hex(machine.user().root)}
        kinds |= {"filtered" in str(outcome(fast, address, 8, **options))}
        assert outcome(fast, address, 8, **options) == outcome(slow, address, 8, **options)
    assert True in kinds
    text = fast.resolve("_text")["virtual"]
    for question in (
        (0xFFFF7FFFFFFFF000, 8), (0x0123456789ABCDEF, 8), (0x400000, 8), (2**64 - 4, 8), (-1, 8), (2**64, 8),
        ("init_task+8", 16), ("no_such_symbol", 8), ("fuse:fuse_init", 8), ("a b", 8), ("a\0b", 8), (text, -1),
        (text, 1 << 70), (object(), 8),
    ):  # fmt: skip
        assert outcome(fast, *question) == outcome(slow, *question), question
    for question in ((0, 16), (2**64 - 1, 1), (2**64 - 1, 2), ("0x40000000", 8), ("init_task", 8)):
        assert outcome(fast, *question, physical=True) == outcome(slow, *question, physical=True)
    # The first address of the page that is missing, wherever the read begins.
    last = next(va for va, pa in machine.mmu() if pa is None and va % 4096 == 0)
    before = next(
        va for va, pa in machine.mmu()
        if pa is not None and isinstance(outcome(fast, va | 4095, 1), bytes)
        and not isinstance(outcome(fast, (va | 4095) + 1, 1), bytes)
    )  # fmt: skip
    for address, start in ((last, last), ((before | 4095) + 1, before | 4095)):
        with pytest.raises(kva.NotFound) as caught:
            fast.read(start, 64)
        assert caught.value.address == address


def test_threads(machine, both):
    fast, slow = both(machine.path("vmcore.elf"))
    samples = [(va, content[: 4096 - va % 4096]) for va, content in machine.memory()]
    user = machine.user()
    wrong = []

    def read(start):
        for round in range(20):
            for address, content in samples[start:] + samples[:start]:
                if fast.read(address, len(content)) != content:
                    wrong.append(address)
            for address, content in user.memory:
                content = content[: 4096 - address % 4096]
                if fast.read(address, len(content), ttbr0=hex(user.root)) != content:
                    wrong.append(address)

    threads = [threading.Thread(target=read, args=(start * 20,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_closing_while_threads_read(machine, both):
    fast, _ = both(machine.path("vmcore.elf"))
    address, content = machine.memory()[0]
    ended = []

    def read():
        try:
            while True:
                assert fast.read(address, len(content)) == content
        except kva.Ended:
            ended.append(True)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    fast.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 4


def test_where_the_library_is(machine, program, library, monkeypatch, tmp_path):
    path = machine.path("vmcore.elf")
    monkeypatch.delenv("KVA_LIBRARY", raising=False)
    (tmp_path / "bin").mkdir()
    alone = tmp_path / "bin" / "kva"
    shutil.copy(program, alone)
    with kva.Dump(path, kva=alone) as dump:
        assert not dump.fast
    for folder in ("bin", "lib"):
        (tmp_path / folder).mkdir(exist_ok=True)
        link = tmp_path / folder / "libkva-c.so"
        link.symlink_to(os.path.realpath(library))
        with kva.Dump(path, kva=alone) as dump:
            assert dump.fast
        link.unlink()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "libkva-c.so").write_text("no library")
    other = shutil.copy(program, tmp_path / "other" / "kva")
    with kva.Dump(path, kva=other) as dump:
        assert not dump.fast
    monkeypatch.setenv("KVA_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(kva.ProgramNotFound, match="none.so"):
        kva.Dump(path, kva=alone)


def test_the_library_shows_its_own_functions_only(library):
    loaded = ctypes.CDLL(library)
    assert loaded.kva_abi() == 1
    assert not hasattr(loaded, "swift_retain")


# kva.h


@pytest.fixture(scope="session")
def reader(library, tmp_path_factory):
    """The program in C."""
    compiler = shutil.which("cc") or shutil.which("clang")
    if not compiler:
        pytest.fail("there is no C compiler")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "libkva-c.so").symlink_to(os.path.realpath(library))
    command = [
        compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", HEADER, "-o", folder / "reader",
        TOP / "Python" / "tests" / "reader.c", "-L", folder, "-lkva-c", f"-Wl,-rpath,{folder}",
    ]  # fmt: skip
    subprocess.run(command, check=True)

    def ask(lines, *arguments):
        command = [folder / "reader", *arguments]
        done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()

    return ask


def test_c_reads_what_the_machine_had(machine, reader):
    user = machine.user()
    samples = [(0xFFFFFFFFFFFFFFFF, va, data[: 4096 - va % 4096]) for va, data in machine.memory()]
    samples += [(user.root, va, data[: 4096 - va % 4096]) for va, data in user.memory]
    status, answers = reader(
        [f"read {tables:#x} {va:#x} {len(data)}" for tables, va, data in samples],
        machine.path("vmcore.elf"), "--no-debuginfo", "--cache-size=1M",
    )  # fmt: skip
    assert status == 0
    assert answers == ["= " + data.hex() for _, _, data in samples]


def test_c_translates_as_the_mmu(machine, reader):
    samples = machine.mmu()
    status, answers = reader(
        [f"translate 0xffffffffffffffff {va:#x}" for va, _ in samples], machine.path("vmcore.elf")
    )
    assert status == 0
    for (address, physical), answer in zip(samples, answers):
        if physical is None:
            kind, code, where, _ = answer.split(" ", 3)
            wanted = (UNMAPPED, NOT_CANONICAL) if address >> 55 & 1 else (NO_TABLES, NOT_CANONICAL)
            assert kind == "!" and int(code) in wanted and int(where, 16) == address
        else:
            found, length = struct.unpack("<QQ", bytes.fromhex(answer[2:]))
            # An entry maps 4 KiB at least, and a whole number of pages.
            assert found == physical and 0 < length and (physical + length) % 4096 == 0


def test_c_is_told_what_is_wrong(machine, reader):
    kernel = "0xffffffffffffffff"
    user = machine.user()
    status, answers = reader(
        [
            "null",
            f"read {kernel} 0xffff7ffffffff000 8",
            f"read {kernel} 0x400000 8",
            f"read {kernel} 0xff80800000000000 8",
            f"read {user.root:#x} {user.memory[0][0]:#x} 8",
            "physical 0xffff000 8",
            f"read {kernel} 0xfffffffffffffff0 17",
            "find no_such_symbol",
            "find init_task+zz",
            "tables 99999",
            f"tables {user.root:#x}",
        ],
        machine.path("vmcore.d31-snappy"),
    )
    assert status == 0
    assert answers[0] == "= "
    codes = [int(answer.split()[1]) for answer in answers[1:-1]]
    assert codes == [UNMAPPED, NO_TABLES, NOT_CANONICAL, FILTERED, NOT_IN_DUMP, 1, 5, 1, NO_TABLES]
    assert answers[1].split()[2] == "0xffff7ffffffff000" and "invalid" in answers[1]
    assert int(answers[4].split()[2], 16) == user.memory[0][0] and "filtered out" in answers[4]
    assert answers[5].split()[2] == "0xffff000"
    assert answers[-1] == "= " + struct.pack("<Q", user.root).hex()


def test_c_opens_what_the_command_opens(machine, reader, tmp_path):
    path = machine.path("vmcore.elf")
    for options, code, words in (
        (["--nosuch"], 2, "--nosuch"), (["--va-bits=50"], 2, "'50'"), (["--no-mmap=1"], 2, "--no-mmap"),
        (["--cache-size"], 2, "--cache-size"), (["--vmlinux", "x"], 2, "--vmlinux"),
        ([f"--vmlinux={tmp_path}/none"], 3, "No such file"),
    ):  # fmt: skip
        status, answers = reader([], path, *options)
        assert status == 1 and answers[0].startswith(f"! {code} 0 ") and words in answers[0]
    status, answers = reader([], tmp_path / "none")
    assert status == 1 and answers[0].startswith("! 3 0 ")
    address, content = machine.memory()[0]
    for options in (["--no-mmap"], ["--page-size=4K", "--va-bits=48"], ["--force", "--no-debuginfo"]):
        status, answers = reader([f"read 0xffffffffffffffff {address:#x} {len(content)}"], path, *options)
        assert (status, answers) == (0, ["= " + content.hex()])
    (tmp_path / "raw").write_bytes(bytes(range(256)) * 64)
    status, answers = reader(
        ["physical 0x40000010 4", "read 0xffffffffffffffff 0xffff800008000000 8"], f"{tmp_path}/raw@0x40000000"
    )
    assert status == 0 and answers[0] == "= 10111213" and answers[1].startswith("! 4 0 ")
