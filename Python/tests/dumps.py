"""Dumps of TestData, unpacked, and what others say of them. The program is that of KVA, else the release build."""

import json
import os
import pathlib
import signal
import subprocess
import typing

import kva
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def unpacked(path):
    """The contents of a file that may be kept as .zst."""
    if path.exists():
        return path.read_bytes()
    return subprocess.run(["zstd", "-dqc", f"{path}.zst"], check=True, capture_output=True).stdout


@pytest.fixture(autouse=True)
def limit():
    """Two pipes that wait for each other would wait for ever: two minutes are enough for any test."""

    def handler(*_):
        raise TimeoutError("not ended after 120 s")

    before = signal.signal(signal.SIGALRM, handler)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


class Entry:
    """A folder of TestData."""

    def __init__(self, name, scratch):
        self.folder = TOP / "TestData" / name
        self.scratch = scratch

    def path(self, file):
        """A dump, unpacked."""
        if (self.folder / file).exists():
            return self.folder / file
        target = self.scratch / f"{self.folder.name}-{file}"
        if not target.exists():
            target.write_bytes(unpacked(self.folder / file))
        return target

    def lines(self, file):
        """A listing of the guest's own."""
        return unpacked(self.folder / "oracle" / file).decode().splitlines()

    def mmu(self):
        """What the emulated MMU said: kernel addresses without a tag and where they are, None for a fault."""
        answers = json.loads(unpacked(self.folder / "oracle" / "gva2gpa.json"))
        samples = [(int(va, 16), pa and int(pa, 16)) for va, pa, _ in answers["sets"][0]["samples"]]
        return [(va, pa) for va, pa in samples if va >> 56 == 0xFF]

    def memory(self):
        """Bytes that were read through the machine, by virtual address."""
        samples = json.loads(unpacked(self.folder / "oracle" / "gva2gpa.json"))["bytes"]
        return [(int(one["va"], 16), bytes.fromhex(one["bytes"])) for one in samples if one["set"] == 0]

    def physical_memory(self):
        """The same by physical address."""
        samples = json.loads(unpacked(self.folder / "oracle" / "gva2gpa.json"))["bytes"]
        return [(int(one["pa"], 16), bytes.fromhex(one["bytes"])) for one in samples if one["set"] == 0]

    def user(self):
        """The user space that a CPU was in: its root table, and bytes of it read through the machine."""
        answers = json.loads(unpacked(self.folder / "oracle" / "gva2gpa.json"))
        # Without the ASID and CnP.
        root = int(answers["sets"][1]["TTBR0_EL1"], 16) & ((1 << 48) - 2)
        samples = [one for one in answers["bytes"] if one["set"] == 1]
        return User(root, [(int(one["va"], 16), bytes.fromhex(one["bytes"])) for one in samples])


class User(typing.NamedTuple):
    root: int
    memory: list


@pytest.fixture(scope="session")
def program():
    path = pathlib.Path(os.environ.get("KVA") or TOP / ".build/release/kva")
    if not path.exists():
        pytest.fail(f"there is no {path}: build it first, swift build -c release, or say by KVA where it is")
    return path


@pytest.fixture(scope="session")
def entry(tmp_path_factory):
    scratch = tmp_path_factory.mktemp("dumps")
    return lambda name: Entry(name, scratch)


@pytest.fixture(scope="session")
def machine(entry):
    """The entry that most tests ask about: a whole dump, symbols and types in it, no KASLR."""
    return entry("c61-4k48-nokaslr")


@pytest.fixture
def dump(machine, program):
    with kva.Dump(machine.path("vmcore.elf"), kva=program, no_debuginfo=True) as opened:
        yield opened
