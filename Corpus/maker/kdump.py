"""A real kdump: the guest loads a second kernel, dies, and the second kernel writes /proc/vmcore to a disk."""

from __future__ import annotations

import gzip
import re
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
from .guest import CROSS, capture_initramfs, program
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
    second = capture_initramfs(archive, folders, kernel, _program(archive, folders, "makedumpfile"))
    with tempfile.NamedTemporaryFile(suffix=".gz") as file:
        second.write(Path(file.name))
        image.add("kdump/initrd.gz", Path(file.name).read_bytes())
    image.add("kdump/Image", _plain_image(kernel.image))
    image.add("kload", program(folders, "kload").read_bytes(), 0o755)
    load = f"/kload /kdump/Image /kdump/initrd.gz '{CMDLINE}'"
    if not kernel.configured("KEXEC_FILE"):              # Debian's arm64 kernels load by the older system call
        image.tree(_program(archive, folders, "kexec"))
        load = f"/kexec -c -p /kdump/Image --initrd=/kdump/initrd.gz --append='{CMDLINE}'"
    image.append("pre.sh", f"{load} || echo CORPUS-WARN no second kernel; rm -rf /kdump\n")
    image.append("last.sh", f"(sleep {SECONDS_TO_STOP}; echo CORPUS-CRASH; echo 1 > /proc/sys/kernel/sysrq; {CRASHES[entry.crash or 'sysrq']}) &\n")


def _program(archive: Archive, folders: Folders, name: str) -> Path:
    """A folder with a program of the Debian package NAME, or NAME-tools, and only the libraries that it needs."""
    package = {"kexec": "kexec-tools"}.get(name, name)
    small = folders.cached("tools") / f"kdump-{name}"
    if not (small / ".complete").exists():
        root = arm64_tools(archive, folders, package)
        (small / "lib").mkdir(parents=True, exist_ok=True)
        shutil.copy(next(p for p in root.rglob(name) if p.is_file() and p.parent.name in ("bin", "sbin")), small / name)
        for library in _libraries(root, small / name):
            shutil.copy(library.resolve(), small / "lib" / library.name)
        (small / ".complete").touch()
    return small


def _libraries(root: Path, binary: Path) -> list[Path]:
    """The shared libraries that a program needs, by their names in its and their dynamic sections."""
    at = {path.name: path for path in root.rglob("*.so*") if path.is_file()}
    found: dict[str, Path] = {}
    todo = [binary]
    while todo:
        said = subprocess.run([f"{CROSS}readelf", "-d", str(todo.pop())], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"\(NEEDED\).*\[(.+?)\]", said):
            if name in at and name not in found:
                found[name] = at[name]
                todo.append(at[name])
    loaders = [path for name, path in at.items() if name.startswith("ld-linux-")]
    return [*found.values(), *loaders]


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
    for path in sorted(p for p in written.iterdir() if p.is_file() and p.stat().st_size):      # empty: the form failed
        shutil.move(path, (folder if path.name.startswith("vmcore") else oracle) / path.name)
    shutil.copy(run.serial, oracle / "serial.log")
    if not (folder / "vmcore.elf").exists():
        raise Failure(f"{entry.name}: the second kernel wrote no vmcore.elf")
    (oracle / "precrash_vmcoreinfo.txt").write_text(ElfCore(folder / "precrash-qemu.elf").vmcoreinfo())
    return ElfCore(folder / "vmcore.elf")
