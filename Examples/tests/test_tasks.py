"""The same three tasks by jq, Python and Swift: they have to say the same, and what the machine itself said.

The Swift package has to be built before: swift build --package-path Examples/swift --scratch-path .build/examples
"""

import json
import os
import random
import re
import struct
import subprocess
import sys

import pytest
from dumps import TOP

EXAMPLES = TOP / "Examples"
SWIFT = TOP / ".build/examples/debug"

# The commands that solve each task.
RESOLVE_POINTERS = {
    "shell": [EXAMPLES / "shell/resolve-pointers"],
    "python": [sys.executable, EXAMPLES / "python/resolve_pointers.py"],
    "swift": [SWIFT / "ResolvePointers"],
}
MODULE_TEXT = {
    "shell": [EXAMPLES / "shell/module-text"],
    "python": [sys.executable, EXAMPLES / "python/module_text.py"],
    "swift": [SWIFT / "ModuleText"],
}
COMPARE_LAYOUTS = {
    "shell": [EXAMPLES / "shell/compare-layouts"],
    "python": [sys.executable, EXAMPLES / "python/compare_layouts.py"],
    "swift": [SWIFT / "CompareLayouts"],
}


@pytest.fixture
def run(program):
    def run(command, *arguments, text=""):
        environment = dict(os.environ, KVA=str(program))
        done = subprocess.run(
            [*command, *arguments], input=text, capture_output=True, text=True, env=environment, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize("command", RESOLVE_POINTERS.values(), ids=RESOLVE_POINTERS)
@pytest.mark.parametrize("name", ["c61-4k48-nokaslr", "deb612-16k"])
def test_ten_thousand_pointers(run, entry, name, command):
    folder = entry(name)
    page = json.loads((folder.folder / "facts.json").read_text())["page_size"]
    samples = folder.mmu()
    # What is true of an address is true of the others in its page.
    chosen = random.Random(7)
    pointers = []
    while len(pointers) < 10_000:
        address, physical = chosen.choice(samples)
        offset = chosen.randrange(page)
        pointers.append((address - address % page + offset, physical and physical - physical % page + offset))
    file = "vmcore.elf" if name.startswith("c61") else "vmcore.tables.elf"
    lines = run(command, folder.path(file), text="".join(f"{pointer:#x}\n" for pointer, _ in pointers))
    assert len(lines) == 10_000
    for line, (pointer, physical) in zip(lines, pointers):
        if physical is None:
            assert line in (f"{pointer:#x} unmapped", f"{pointer:#x} not-canonical")
        else:
            assert line == f"{pointer:#x} {physical:#x}"


class Core:
    """An ELF dump of 4 KiB pages and 48 bits, to look up and change an entry of its tables."""

    def __init__(self, path):
        self.bytes = bytearray(path.read_bytes())
        offset, count = (
            struct.unpack_from("<Q", self.bytes, 32)[0],
            struct.unpack_from("<H", self.bytes, 56)[0],
        )
        headers = [struct.unpack_from("<IIQQQQ", self.bytes, offset + 56 * number) for number in range(count)]
        self.segments = [(paddr, size, place) for kind, _, place, _, paddr, size in headers if kind == 1]

    def place(self, physical):
        return next(
            place + physical - start
            for start, size, place in self.segments
            if start <= physical < start + size
        )

    def last_entry(self, table, address):
        """Where in the file the entry of the last level is."""
        for shift in (39, 30, 21):
            entry = self.place(table + (address >> shift & 511) * 8)
            table = struct.unpack_from("<Q", self.bytes, entry)[0] & 0xFFFFFFFFF000
        return self.place(table + (address >> 12 & 511) * 8)


@pytest.fixture(scope="module")
def damaged(machine, tmp_path_factory):
    """The machine's dump with one page of the module fuse's text made writable, and the page's address."""
    page = (
        next(int(line.split()[5], 16) for line in machine.lines("modules.txt") if line.startswith("fuse "))
        + 0x1000
    )
    registers = json.loads("".join(machine.lines("gva2gpa.json")))["sets"][0]
    core = Core(machine.path("vmcore.elf"))
    entry = core.last_entry(int(registers["TTBR1_EL1"], 16) & 0xFFFFFFFFF000, page)
    read_only = 1 << 7
    before = struct.unpack_from("<Q", core.bytes, entry)[0]
    assert before & read_only
    struct.pack_into("<Q", core.bytes, entry, before & ~read_only)
    path = tmp_path_factory.mktemp("damaged") / "vmcore"
    path.write_bytes(core.bytes)
    return path, page


@pytest.mark.parametrize("command", MODULE_TEXT.values(), ids=MODULE_TEXT)
def test_writable_text_of_modules(run, machine, damaged, command):
    path, page = damaged
    assert run(command, machine.path("vmcore.elf")) == []
    assert run(command, path) == [f"fuse {page:#x}-{page + 0x1000:#x}"]


def test_layouts_of_two_dumps(run, entry):
    before, after = entry("c612-64k52"), entry("c612-64k52-on48")
    paths = before.path("vmcore.d31-zstd"), after.path("vmcore.tables.elf")
    shell, python, swift = (run(command, *paths) for command in COMPARE_LAYOUTS.values())
    assert shell == python == swift
    # The same kernel on hardware of another width, each at its place by KASLR.
    assert "- user 0x0-0x10000000000000" in shell and "+ user 0x0-0x1000000000000" in shell
    for sign, folder in (("-", before), ("+", after)):
        text = next(line for line in folder.lines("vmcoreinfo.txt") if line.startswith("SYMBOL(_stext)="))
        image = next(line for line in shell if line.startswith(f"{sign} kernel image"))
        start, end = (int(number, 16) for number in image.split()[-1].split("-"))
        assert start <= int(text.split("=")[1], 16) < end
    same = run(COMPARE_LAYOUTS["shell"], paths[0], before.path("vmcore.elf"))
    assert same == []


@pytest.mark.parametrize("task", [RESOLVE_POINTERS, MODULE_TEXT, COMPARE_LAYOUTS])
@pytest.mark.parametrize("way", ["shell", "python"])
def test_a_dump_that_cannot_be_opened(program, machine, task, way):
    paths = ["/nosuch"] if task is not COMPARE_LAYOUTS else [machine.path("vmcore.elf"), "/nosuch"]
    environment = dict(os.environ, KVA=str(program))
    done = subprocess.run(
        [*task[way], *paths], input="", capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode > 0 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "/nosuch" in done.stderr


def test_what_the_tutorial_finds(run, machine, damaged):
    path, page = damaged
    assert run([SWIFT / "WritableExecutable"], machine.path("vmcore.elf")) == []
    lines = run([SWIFT / "WritableExecutable"], path)
    assert [line.split()[:2] for line in lines] == [[f"{page:#x}", "4096"]]


def test_the_tutorial_shows_what_is_built():
    """The tutorial's code is the example's, to the letter."""
    article = (TOP / "Sources/KernelVA/KernelVA.docc/WritableExecutable.md").read_text()
    code = re.findall(r"```swift\n(.*?)```", article, re.DOTALL)
    assert code[0] == (EXAMPLES / "swift/Sources/WritableExecutable/main.swift").read_text()
