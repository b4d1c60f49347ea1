"""The contents of the guest: busybox, the programs of guest/ and the kernel's modules, as an initramfs."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from .archive import Archive, unpack
from .cpio import Initramfs
from .crashes import CRASHES, needs_module
from .failure import Failure
from .folders import SOURCE, Folders
from .kernels import Kernel
from .modules import load_order
from .table import Entry

TOOLS_SUITE = "bookworm"
CROSS = "aarch64-linux-gnu-"
GUEST = SOURCE / "guest"
RAM_START = 0x40000000
"""Where QEMU's virt machine has its memory."""


def busybox(archive: Archive, folders: Folders) -> Path:
    root = folders.cached("tools", "busybox")
    binary = root / "bin" / "busybox"
    if not binary.exists():
        unpack(archive.fetch(TOOLS_SUITE, archive.newest(TOOLS_SUITE, "busybox-static")), root)
    return binary if binary.exists() else root / "usr" / "bin" / "busybox"


def program(folders: Folders, name: str) -> Path:
    """A program of guest/NAME.c, compiled for arm64 once for each version of its source."""
    source = GUEST / f"{name}.c"
    key = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    binary = folders.cached("tools", "guest") / f"{name}-{key}"
    if not binary.exists():
        command = [f"{CROSS}gcc", "-static", "-O1", "-pthread", "-s", "-o", str(binary), str(source)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise Failure(f"there is no {command[0]}: install gcc-aarch64-linux-gnu and libc6-dev-arm64-cross") from error
        if done.returncode:
            raise Failure(f"{source.name} does not compile: {done.stderr.strip()[:300]}")
    return binary


def base(archive: Archive, folders: Folders, kernel: Kernel, wanted: tuple[str, ...], init: str) -> tuple[Initramfs, list[str]]:
    """busybox, the kernel's modules that are wanted, and guest/INIT; and the names of modules that the kernel does not have."""
    image = Initramfs()
    image.add("bin/busybox", busybox(archive, folders).read_bytes(), 0o755)
    image.link("bin/sh", "busybox")
    for folder in ("proc", "sys", "dev", "tmp", "mnt"):
        image.folder(folder)
    image.add("init", (GUEST / init).read_bytes(), 0o755)
    order, missing = load_order(kernel.modules, wanted)
    for name, data in order:
        image.add(f"mods/{name}", data)
    image.add("modlist", "".join(f"{name}\n" for name, _ in order))
    return image, missing


def initramfs(archive: Archive, folders: Folders, entry: Entry, kernel: Kernel, page_size: int,
              test_module: bytes | None) -> tuple[Initramfs, list[str]]:
    """The guest of an entry, and the names of modules that its kernel does not have."""
    image, missing = base(archive, folders, kernel, kernel.wanted_modules, "init")
    image.add("holder", program(folders, "holder").read_bytes(), 0o755)
    if test_module:
        image.add("mods/kvatest.ko", test_module)
        image.append("pre.sh", "insmod /mods/kvatest.ko || echo CORPUS-WARN insmod kvatest failed\n"
                               "mkdir -p /oracle/rich; dmesg | grep KVATEST > /oracle/rich/kvatest.txt\n")
    if entry.rich:
        image.add("actors", program(folders, "actors").read_bytes(), 0o755)
        image.add("post.sh", (GUEST / "rich.sh").read_bytes())
        image.add("rampfn", f"{RAM_START // page_size}\n")
        image.add("rampages", f"{(entry.megabytes << 20) // page_size}\n")
    if entry.crash and not entry.kdump:
        if needs_module(entry.crash) and not test_module:
            raise Failure(f"{entry.name} dies by the test module, which could not be built for {kernel.release}")
        image.append("last.sh", "(sleep 4; echo 1 > /proc/sys/kernel/sysrq; echo 1 > /proc/sys/kernel/panic_on_oops; "
                             f"{CRASHES[entry.crash]}) &\n")
    return image, missing


def capture_initramfs(archive: Archive, folders: Folders, kernel: Kernel, makedumpfile: Path) -> Initramfs:
    """The guest of the second kernel of a kdump. makedumpfile is a folder with the program and its libraries."""
    image, _ = base(archive, folders, kernel, (*kernel.wanted_modules, "ext2", "ext4"), "kdump-init")
    image.tree(makedumpfile)
    return image
