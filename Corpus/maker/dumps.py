"""The dumps of an entry: QEMU's, and makedumpfile's formats of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .archive import Archive, unpack
from .elfcore import with_headers_first
from .failure import Failure
from .folders import Folders
from .qmp import QMP

QEMU_FORMATS = {"few": ("elf", "kdump-zlib"), "all": ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy"), "tables": ("elf",)}
EMULATOR = ("qemu-aarch64-static", "qemu-aarch64")
SYSROOT_SUITE = "trixie"

MAKEDUMPFILE = {
    "d31-zlib": ["-d", "31", "-c"], "d31-lzo": ["-d", "31", "-l"], "d0-lzo": ["-d", "0", "-l"], "d31-raw": ["-d", "31"],
    "d31-elf": ["-d", "31", "-E"], "d31-snappy": ["-d", "31", "-p"], "d31-zstd": ["-d", "31", "-z"],
}


def qemu_dumps(qmp: QMP, folder: Path, formats: str, prefix: str = "vmcore.") -> Path:
    """Has QEMU write its forms of the stopped machine's memory; returns the ELF one."""
    able = qmp.command("query-dump-guest-memory-capability")["formats"]
    for form in QEMU_FORMATS[formats]:
        target = folder / f"{prefix}{form}"
        target.unlink(missing_ok=True)
        if form in able:
            qmp.command("dump-guest-memory", paging=False, protocol=f"file:{target}", format=form)
            target.chmod(0o644)
    return folder / f"{prefix}elf"


def arm64_tools(archive: Archive, folders: Folders, *names: str) -> Path:
    """A folder with arm64 packages and the libraries that they need, to run under QEMU's user emulation or in a guest."""
    root = folders.cached("tools") / ("sysroot-" + "-".join(names))
    if not (root / ".complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        for link, target in (("lib", "usr/lib"), ("bin", "usr/bin"), ("sbin", "usr/sbin")):
            (root / target).mkdir(parents=True, exist_ok=True)
            (root / link).symlink_to(target)
        skip = frozenset({"perl", "perl-base", "binutils", "debconf", "ucf"})
        for package in archive.closure(SYSROOT_SUITE, list(names), skip):
            unpack(archive.fetch(SYSROOT_SUITE, package), root)
        (root / ".complete").touch()
    return root


def emulated(root: Path, program: str) -> list[str]:
    """The command that runs a program of the folder on this machine."""
    path = next((p for p in (root / "usr/bin" / program, root / "usr/sbin" / program) if p.exists()), None)
    if not path:
        raise Failure(f"no {program} in {root.name}")
    if os.uname().machine == "aarch64":
        return [str(path)]
    emulator = next((shutil.which(name) for name in EMULATOR if shutil.which(name)), None)
    if not emulator:
        raise Failure(f"there is no {EMULATOR[0]}: install qemu-user-static")
    return [emulator, "-L", str(root), str(path)]


def makedumpfile_dumps(archive: Archive, folders: Folders, folder: Path, scratch: Path) -> None:
    """makedumpfile's forms of vmcore.elf, with what it said in oracle/makedumpfile.txt. A form that fails is left out."""
    tool = emulated(arm64_tools(archive, folders, "makedumpfile"), "makedumpfile")
    source = scratch / "relaid.elf"
    with_headers_first(folder / "vmcore.elf", source)
    log = ["# input: vmcore.elf with its program headers at offset 64"]

    def run(arguments: list[str], targets: list[Path]) -> None:
        done = subprocess.run(tool + arguments, capture_output=True, check=False)
        said = done.stdout + done.stderr
        log.append(f"## makedumpfile {' '.join(Path(a).name if '/' in a else a for a in arguments)}\n{said.decode(errors='replace')}## rc {done.returncode}")
        for target in targets if done.returncode else []:
            target.unlink(missing_ok=True)

    for form, options in MAKEDUMPFILE.items():
        target = folder / f"vmcore.{form}"
        target.unlink(missing_ok=True)
        run([*options, str(source), str(target)], [target])
    parts = [folder / f"vmcore.d31-split-{i}" for i in (1, 2)]
    for part in parts:
        part.unlink(missing_ok=True)
    run(["-d", "31", "-l", "--split", "--splitblock-size", "8", str(source), *map(str, parts)], parts)
    flat = folder / "vmcore.d31-flat"
    done = subprocess.run([*tool, "-d", "31", "-l", "-F", str(source)], capture_output=True, check=False)
    log.append(f"## makedumpfile -d 31 -l -F\n{done.stderr.decode(errors='replace')}## rc {done.returncode}")
    if done.returncode == 0:
        flat.write_bytes(done.stdout)
    source.unlink()
    (folder / "oracle" / "makedumpfile.txt").write_text("\n".join(log) + "\n")


def compress(path: Path, level: int) -> Path:
    """FILE.zst in place of FILE."""
    target = path.with_name(path.name + ".zst")
    done = subprocess.run(["zstd", "-q", "-f", f"-{level}", "-T0", "--rm", str(path), "-o", str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"zstd {path.name}: {done.stderr.strip()}")
    return target
