"""QEMU's command line for an entry."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .failure import Failure
from .table import Entry

QEMU = "qemu-system-aarch64"


@dataclass(frozen=True)
class Run:
    """The files of one run of a guest, all in one folder."""

    folder: Path

    @property
    def initramfs(self) -> Path:
        return self.folder / "initrd.gz"

    @property
    def disk(self) -> Path:
        """Where the guest writes a tar of what it knows."""
        return self.folder / "disk.img"

    @property
    def second_disk(self) -> Path:
        """Where the second kernel of a kdump writes the dumps."""
        return self.folder / "kdump.img"

    @property
    def serial(self) -> Path:
        return self.folder / "serial.log"

    @property
    def qmp(self) -> Path:
        return self.folder / "qmp"

    @property
    def gdb(self) -> Path:
        return self.folder / "gdb"


def _drive(number: int, path: Path, serial: str) -> list[str]:
    """A disk, which the guest finds by its serial: the order of virtio's names is not that of the options."""
    return ["-drive", f"if=none,id=d{number},format=raw,file={path}", "-device", f"virtio-blk-device,drive=d{number},serial={serial}"]


def _numa(entry: Entry) -> list[str]:
    arguments = []
    for node, size in enumerate(entry.nodes):
        share = range(node * entry.smp // len(entry.nodes), (node + 1) * entry.smp // len(entry.nodes))
        cpus = f",cpus={share[0]}-{share[-1]}" if share else ""
        arguments += ["-object", f"memory-backend-ram,id=m{node},size={size}M", "-numa", f"node,nodeid={node}{cpus},memdev=m{node}"]
    return arguments


def command(entry: Entry, image: Path, run: Run) -> list[str]:
    cmdline = f"console=ttyAMA0 quiet rdinit=/init {'log_buf_len=4M ' if entry.rich else ''}{entry.cmdline}".strip()
    # Emulating the architected algorithm of pointer authentication takes most of the time; signatures look the same.
    cpu = "max,pauth-impdef=on" if entry.cpu == "max" else entry.cpu
    arguments = [
        QEMU, "-machine", entry.machine, "-cpu", cpu, "-smp", str(entry.smp), "-m", entry.memory, *_numa(entry),
        "-accel", "tcg,thread=multi", "-kernel", str(image), "-initrd", str(run.initramfs), "-append", cmdline,
        "-device", "vmcoreinfo", *_drive(0, run.disk, "corpus-answers"),
        *(_drive(1, run.second_disk, "corpus-dumps") if entry.kdump else []),
        "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
        "-qmp", f"unix:{run.qmp},server=on,wait=off", "-gdb", f"unix:{run.gdb},server=on,wait=off",
    ]
    return arguments + (["-dtb", str(_with_holes(entry, arguments, run))] if entry.holes else [])


def _with_holes(entry: Entry, arguments: list[str], run: Run) -> Path:
    """QEMU's own device tree with the reserved no-map ranges added."""
    blob, source = run.folder / "machine.dtb", run.folder / "machine.dts"
    dump = list(arguments)
    dump[2] += f",dumpdtb={blob}"
    try:
        subprocess.run(dump, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        text = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(blob)], check=True, capture_output=True, text=True).stdout
        nodes = "".join(f"hole@{a:x} {{ reg = <{a >> 32:#x} {a & 0xffffffff:#x} {n >> 32:#x} {n & 0xffffffff:#x}>; no-map; }};\n"
                        for a, n in entry.holes)
        end = text.rindex("};")
        source.write_text(f"{text[:end]}reserved-memory {{ #address-cells = <2>; #size-cells = <2>; ranges;\n{nodes}}};\n{text[end:]}")
        subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(blob), str(source)], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise Failure(f"cannot change the device tree (needs device-tree-compiler): {error}") from error
    return blob


def portable(arguments: list[str]) -> str:
    """The command for use elsewhere: without this machine's folders, sockets and scratch files."""
    text = " ".join(arguments)
    text = re.sub(r" -(qmp|gdb) \S+", "", text)
    return re.sub(r"(?<=[ =])/\S*/", "", text)


def version() -> str:
    try:
        done = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise Failure(f"there is no {QEMU}: install qemu-system-arm") from error
    return re.search(r"version (\S+)", done.stdout)[1]
