"""A real kdump: the guest loads a second kernel, dies, and the second kernel writes /proc/vmcore to a disk."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from pathlib import Path

from .archive import Archive
from .console import wait_for
from .cpio import Initramfs
from .crashes import CRASHES
from .dumps import arm64_tools
from .elfcore import ElfCore
from .failure import Failure
from .folders import Folders
from .guest import capture_initramfs, program
from .kernels import Kernel
from .machine import Run
from .qmp import QMP
from .table import Entry

CMDLINE = "console=ttyAMA0 rdinit=/init reset_devices maxcpus=1"
SECONDS_TO_STOP = 20
"""Between the guest being ready, when it is stopped and asked, and its crash; guest time."""
DISK_BYTES = 4 << 30


def make_disk(run: Run) -> None:
    with open(run.second_disk, "wb") as disk:
        disk.truncate(DISK_BYTES)
    try:
        subprocess.run(["mke2fs", "-q", "-t", "ext2", "-F", str(run.second_disk)], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise Failure(f"cannot make an ext2 disk (needs e2fsprogs): {error}") from error


def add_second_kernel(image: Initramfs, archive: Archive, folders: Folders, entry: Entry, kernel: Kernel) -> None:
    second = capture_initramfs(archive, folders, kernel, _makedumpfile(archive, folders))
    with tempfile.NamedTemporaryFile(suffix=".gz") as file:
        second.write(Path(file.name))
        image.add("kdump/initrd.gz", Path(file.name).read_bytes())
    image.add("kdump/Image", _plain_image(kernel.image))
    image.add("kload", program(folders, "kload").read_bytes(), 0o755)
    image.append("pre.sh", f"/kload /kdump/Image /kdump/initrd.gz '{CMDLINE}' && echo CORPUS-KLOADED; rm -rf /kdump\n")
    image.append("last.sh", f"(sleep {SECONDS_TO_STOP}; echo CORPUS-CRASH; echo 1 > /proc/sys/kernel/sysrq; {CRASHES[entry.crash or 'sysrq']}) &\n")


def _makedumpfile(archive: Archive, folders: Folders) -> Path:
    """A folder with makedumpfile and only the libraries that a small guest needs."""
    root = arm64_tools(archive, folders, "makedumpfile")
    small = folders.cached("tools") / "kdump-guest"
    if not (small / ".complete").exists():
        (small / "lib").mkdir(parents=True, exist_ok=True)
        shutil.copy(next(p for p in root.rglob("makedumpfile") if p.is_file() and p.parent.name in ("bin", "sbin")), small / "makedumpfile")
        wanted = ("ld-linux-aarch64", "libc.so", "libz.", "libdw", "libelf", "liblzo2", "libsnappy", "libzstd", "libbz2", "liblzma", "libstdc++",
                  "libm.so", "libgcc_s", "libpthread", "libdl")
        for path in root.rglob("*.so*"):
            if path.name.startswith(wanted) and path.is_file():
                shutil.copy(path.resolve(), small / "lib" / path.name)
        (small / ".complete").touch()
    return small


def _plain_image(path: Path) -> bytes:
    """kexec_file_load takes an Image that is not compressed."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def finish(qmp: QMP, entry: Entry, process: subprocess.Popen, folder: Path, run: Run) -> ElfCore:
    """Lets the machine run on to its death and the second kernel's dumps, which move to the entry."""
    qmp.command("cont")
    wait_for(run.serial, b"KDUMP-DONE", process, 2400, entry.name)
    qmp.quit()
    process.wait(30)
    written = run.folder / "written"
    written.mkdir()
    subprocess.run(["debugfs", "-R", f"rdump / {written}", str(run.second_disk)], capture_output=True, check=False)
    oracle = folder / "oracle"
    for path in sorted(p for p in written.iterdir() if p.is_file()):
        shutil.move(path, (folder if path.name.startswith("vmcore") else oracle) / path.name)
    shutil.copy(run.serial, oracle / "serial.log")
    if not (folder / "vmcore.elf").exists():
        raise Failure(f"{entry.name}: the second kernel wrote no vmcore.elf")
    (oracle / "precrash_vmcoreinfo.txt").write_text(ElfCore(folder / "precrash-qemu.elf").vmcoreinfo())
    return ElfCore(folder / "vmcore.elf")
