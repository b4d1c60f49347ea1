"""Makes an entry from a row: boots the guest, collects its listings, stops it, queries the machine, writes dumps."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from . import dumps, facts, kdump, machine, mmu, tables
from .archive import Archive
from .build import build, test_module
from .console import wait_for
from .elfcore import ElfCore
from .folders import Folders
from .gdbstub import GDBStub
from .guest import initramfs
from .kernels import Kernel, debian
from .listings import Listings, Vmcoreinfo
from .oracle import ask_drgn, drgn_python
from .qmp import QMP
from .table import Entry, Table

DISK_MEGABYTES = 512
BIG = 64 << 10
"""Listings above this size are compressed."""
KEPT_COMPRESSED = 9


class Maker:
    def __init__(self, table: Table, archive: Archive, folders: Folders, formats: str | None = None, drgn: str | None = None):
        self.table, self.archive, self.folders, self.formats, self.drgn = table, archive, folders, formats, drgn

    def make(self, name: str) -> Path:
        entry = self.table.entries[name]
        started = time.monotonic()

        def say(what: str) -> None:
            print(f"{name}: {what} ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)

        kernel = build(self.archive, self.folders, self.table.kernels[entry.release]) if entry.is_custom else \
            debian(self.archive, self.folders, entry)
        say(f"kernel {kernel.release}")
        # The old entry stays until the new one is whole.
        self.folders.output.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.folders.output))
        folder.chmod(0o755)
        try:
            with tempfile.TemporaryDirectory(prefix="kva-corpus-") as scratch:
                self._capture(entry, kernel, folder, machine.Run(Path(scratch)), say)
            target = self.folders.entry(name)
            if target.exists():
                shutil.rmtree(target)
            folder.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        say(f"written to {target}")
        return target

    def _capture(self, entry: Entry, kernel: Kernel, folder: Path, run: machine.Run, say) -> None:
        oracle = folder / "oracle"
        oracle.mkdir()
        module = test_module(self.archive, self.folders, entry, kernel) if entry.rich or entry.crash else None
        image, missing = initramfs(self.archive, self.folders, entry, kernel, kernel.page_size, module)
        if entry.kdump:
            kdump.add_second_kernel(image, self.archive, self.folders, entry, kernel)
            kdump.make_disk(run)
        image.write(run.initramfs)
        if missing:
            say(f"the kernel has no module {', '.join(missing)}")
        with open(run.disk, "wb") as disk:
            disk.truncate(DISK_MEGABYTES << 20)
        command = machine.command(entry, kernel.image, run)
        with open(run.serial, "wb") as serial:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=serial, stderr=subprocess.STDOUT)
        try:
            stop, core = self._stopped(entry, command, process, folder, run, say)
            if entry.kdump:
                core = kdump.finish(QMP(run.qmp), entry, process, folder, run)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(20)
        self._finish(entry, kernel, folder, stop, core, run, module, say)

    def _stopped(self, entry: Entry, command: list[str], process: subprocess.Popen, folder: Path, run: machine.Run, say) -> tuple[facts.Stop, ElfCore]:
        oracle = folder / "oracle"
        wait_for(run.serial, b"CORPUS-READY", process, entry.timeout, entry.name)
        say("guest ready")
        for line in run.serial.read_text(errors="replace").splitlines():
            if line.startswith("CORPUS-WARN"):
                say(f"the guest says: {line.removeprefix('CORPUS-WARN ').strip()}")
        time.sleep(3)
        if entry.crash and not entry.kdump:
            wait_for(run.serial, b"end Kernel panic", process, 180, entry.name)
            time.sleep(1)
        qmp = QMP(run.qmp)
        levels = _stop_at(qmp, entry)
        say(f"stopped at {', '.join(levels)}")
        with tarfile.open(run.disk) as tar:
            tar.extractall(oracle, filter="data")
        stub = GDBStub(run.gdb)
        cpus = mmu.registers(entry.name, stub.registers(), oracle / "sysregs.json")
        stub.close()
        prefix = "precrash-qemu." if entry.kdump else "vmcore."
        formats = self.formats or entry.formats
        core = ElfCore(dumps.qemu_dumps(qmp, folder, formats, prefix))
        (oracle / "qemu_mtree.txt").write_text(qmp.monitor("info mtree -f"))
        (oracle / "qemu_registers.txt").write_text("".join(f"CPU {c}\n{qmp.monitor('info registers', c)}\n" for c in range(entry.smp)))
        answers = mmu.translations(entry.name, qmp, levels, cpus, core, Listings(oracle), oracle / "gva2gpa.json")
        say(f"asked the MMU {sum(len(s['samples']) for s in answers['sets'])} addresses")
        if entry.crash:
            shutil.copy(run.serial, oracle / "serial.log")
        if not entry.kdump:
            qmp.quit()
            process.wait(30)
        else:
            qmp.close()
        return facts.Stop(command, levels, cpus, answers), core

    def _finish(self, entry: Entry, kernel: Kernel, folder: Path, stop: facts.Stop, core: ElfCore, run: machine.Run,
                module: bytes | None, say) -> None:
        oracle = folder / "oracle"
        (oracle / "vmcoreinfo.txt").write_text(core.vmcoreinfo())
        (oracle / "elf_layout.txt").write_text(core.layout())
        (folder / "release").write_text(kernel.release + "\n")
        _system_map(kernel, Listings(oracle), Vmcoreinfo(core.vmcoreinfo()), folder / "System.map")
        if kernel.config:
            shutil.copyfile(kernel.config, folder / "config")
        if kernel.vmlinux:
            shutil.copyfile(kernel.vmlinux, folder / "vmlinux")
            python = drgn_python(self.drgn)
            if python:
                ask_drgn(python, folder / "vmcore.elf", folder / "vmlinux", oracle)
                say("asked drgn")
            else:
                say("drgn is not installed: no drgn.json")
        formats = self.formats or entry.formats
        if formats == "tables":
            tables.reduce(folder / "vmcore.elf", stop.cpus, folder / "vmcore.tables.elf")
            (folder / "vmcore.elf").unlink()
        if formats == "all" and not entry.kdump:
            dumps.makedumpfile_dumps(self.archive, self.folders, folder, run.folder)
            say("makedumpfile's forms written")
        for path in sorted(oracle.rglob("*")):
            if path.is_file() and path.suffix != ".zst" and path.stat().st_size > BIG:
                dumps.compress(path, KEPT_COMPRESSED)
        for name in ("vmcore.elf", "vmcore.tables.elf", "precrash-qemu.elf", "vmlinux", "System.map"):
            if (folder / name).exists():
                dumps.compress(folder / name, KEPT_COMPRESSED)
        facts.explain(entry, kernel, stop, facts.describe(entry, kernel, stop, core, folder, module), folder)


def _stop_at(qmp: QMP, entry: Entry) -> list[str]:
    """Stops the machine at the exception levels that the row wants, or at what the last of many tries found."""
    levels: list[str] = []
    for _ in range(60):
        qmp.command("stop")
        levels = [qmp.level(cpu) for cpu in range(entry.smp)]
        if tuple(levels) == entry.levels:
            break
        qmp.command("cont")
        time.sleep(0.23)
    else:
        qmp.command("stop")
        levels = [qmp.level(cpu) for cpu in range(entry.smp)]
        print(f"note: {entry.name} stopped at {', '.join(levels)}, not {', '.join(entry.levels)}", file=sys.stderr)
    return levels


def _system_map(kernel: Kernel, listings: Listings, info: Vmcoreinfo, path: Path) -> None:
    """The kernel's symbols at their link addresses: System.map, or what /proc/kallsyms says less the KASLR offset."""
    if kernel.system_map:
        shutil.copyfile(kernel.system_map, path)
        return
    offset = info.number("KERNELOFFSET", 16) or 0
    lines = [f"{s.address - offset & (1 << 64) - 1:016x} {s.type} {s.name}\n" for s in listings.symbols() if not s.module and s.address]
    if lines:
        path.write_text("".join(lines))
