"""Kernels and the test module, built from Debian's linux-source and linux-headers packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .archive import Archive, unpack
from .failure import Failure
from .folders import SOURCE, Folders
from .guest import CROSS, GUEST
from .kernels import Kernel
from .table import CustomKernel, Entry

CUSTOM_MODULES = ("loop", "ext2", "fuse")
HOST = {"x86_64": "amd64", "aarch64": "arm64"}


def _make(folder: Path, *arguments: str, log: Path) -> None:
    """Runs make for arm64, with its output in a file."""
    jobs = os.environ.get("KVA_CORPUS_JOBS") or str(os.cpu_count() or 1)
    command = ["make", "-C", str(folder), f"-j{jobs}", "ARCH=arm64", f"CROSS_COMPILE={CROSS}", *arguments]
    with open(log, "ab") as file:
        try:
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
        except FileNotFoundError as error:
            raise Failure("there is no make: install make, gcc-aarch64-linux-gnu, flex, bison, bc, libssl-dev, libelf-dev and dwarves") from error
    if code:
        raise Failure(f"make {' '.join(arguments[-2:])} failed, {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-12:]))


def source(archive: Archive, folders: Folders, kernel: CustomKernel) -> tuple[Path, str]:
    """The unpacked source, and the package with its version."""
    suite, name = kernel.source.split(":")
    package = archive.newest(suite, name, kernel.version or None)
    root = folders.cached("sources") / f"{name}_{package.version.replace(':', '%')}"
    if not (root / ".complete").exists():
        with_tar = root / "package"
        unpack(archive.fetch(suite, package), with_tar, f"./usr/src/{name}.tar.xz")
        subprocess.run(["tar", "-x", "-C", str(root), "-f", str(with_tar / "usr/src" / f"{name}.tar.xz")], check=True)
        shutil.rmtree(with_tar)
        (root / ".complete").touch()
    return root / name, f"{name} {package.version}"


def build(archive: Archive, folders: Folders, kernel: CustomKernel) -> Kernel:
    tree, origin = source(archive, folders, kernel)
    fragments = "".join((SOURCE / "configs" / f"{name}.config").read_text() for name in ("base", *kernel.configs))
    key = hashlib.sha256(f"{origin} {kernel.compiler} {fragments}".encode()).hexdigest()[:12]
    out = folders.cached("builds") / f"{kernel.name}-{key}"
    out.mkdir(exist_ok=True)
    log, release = out / "build.log", out / "release"
    llvm = ["LLVM=1"] if kernel.compiler == "clang" else []
    common = [f"O={out}", "KBUILD_BUILD_USER=corpus", "KBUILD_BUILD_HOST=kva", f"LOCALVERSION=-{kernel.name}", *llvm]
    if not release.exists():
        print(f"building {kernel.name}; see {log}", file=sys.stderr, flush=True)
        fragment = out / "fragments.config"
        fragment.write_text(fragments)
        _make(tree, *common, f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig", log=log)
        _report_lost(fragments, (out / ".config").read_text(), kernel.name)
        _make(tree, *common, "Image", "modules", log=log)
        _make(tree, *common, f"INSTALL_MOD_PATH={out / 'installed'}", "INSTALL_MOD_STRIP=1", "DEPMOD=true", "modules_install", log=log)
        name = subprocess.run(["make", "-s", "-C", str(tree), "ARCH=arm64", *common, "kernelrelease"], capture_output=True, text=True, check=True).stdout
        release.write_text(name.splitlines()[-1] + "\n")
    name = release.read_text().strip()
    with_dwarf = "CONFIG_DEBUG_INFO_NONE=y" not in (out / ".config").read_text()
    return Kernel(name, out / "arch/arm64/boot/Image", out / "installed/lib/modules" / name, out / ".config",
                  f"built from Debian {origin} with configs {', '.join(kernel.configs)} ({kernel.compiler})", CUSTOM_MODULES,
                  out / "vmlinux" if with_dwarf else None, out / "System.map")


def _report_lost(fragments: str, config: str, name: str) -> None:
    """Says which requested options the kernel's Kconfig did not take. Later fragments override earlier ones."""
    wanted = dict(re.findall(r"(?m)^(CONFIG_\w+)=(\S+)$", fragments))
    lost = [f"{k}={v}" for k, v in wanted.items() if v != "n" and f"\n{k}={v}\n" not in f"\n{config}"]
    if lost:
        print(f"note: {name} does not have {', '.join(lost)}", file=sys.stderr)


def test_module(archive: Archive, folders: Folders, entry: Entry, kernel: Kernel, name: str = "kvatest") -> bytes | None:
    """guest/NAME.c built for the kernel; None, with a note, if it cannot be."""
    text = (GUEST / f"{name}.c").read_bytes()
    key = hashlib.sha256(text + str(kernel.image).encode()).hexdigest()[:16]
    folder = folders.cached("tools", name, f"{kernel.release}-{key}")
    module = folder / f"{name}.ko"
    try:
        if not module.exists():
            (folder / f"{name}.c").write_bytes(text)
            (folder / "Makefile").write_text(f"obj-m += {name}.o\n")
            headers = kernel.image.parents[3] if entry.is_custom else _headers(archive, folders, entry, kernel)
            # Headers name the compiler that built the kernel, which this machine need not have. One that is too old
            # does not take the kernel's options, and there is no module then: one built otherwise breaks the guest.
            compiler = ["LLVM=1"] if kernel.origin.endswith("(clang)") else [f"CC={CROSS}gcc"]
            if not entry.is_custom:
                compiler.append(f"PAHOLE={headers.parents[2] / 'usr/bin/pahole'}")
            _make(headers, *compiler, f"M={folder}", "modules", log=folder / "build.log")
            subprocess.run([f"{CROSS}strip", "--strip-debug", str(module)], check=True)
        return module.read_bytes()
    except (Failure, subprocess.CalledProcessError) as error:
        print(f"note: no test module for {kernel.release}: {error}", file=sys.stderr)
        return None


def _headers(archive: Archive, folders: Folders, entry: Entry, kernel: Kernel) -> Path:
    """The kernel's linux-headers, with the build tools of this machine's architecture."""
    common = re.sub(r"(-(rt|cloud))?-arm64(-16k)?$", "", kernel.release)
    rt = "-common-rt" if "-rt-arm64" in kernel.release and archive.find(entry.suite, re.escape(f"linux-headers-{common}-common-rt")) else "-common"
    root = folders.cached("headers") / kernel.release
    tree = root / "usr/src" / f"linux-headers-{kernel.release}"
    if not (root / ".complete").exists():
        host = HOST.get(os.uname().machine, "amd64")
        kbuild = f"linux-kbuild-{common if '+' in common else '.'.join(common.split('.')[:2])}"
        for name in (f"linux-headers-{kernel.release}", f"linux-headers-{common}{rt}"):
            unpack(archive.fetch(entry.suite, archive.newest(entry.suite, name)), root)
        tools = archive.newest(entry.suite, kbuild, architecture=host)
        unpack(archive.fetch(entry.suite, tools), root)
        base = {"experimental": "sid"}.get(entry.suite, re.sub(r"-(security|backports)$", "", entry.suite))
        for package in archive.closure(base, [n for n in (*tools.depends, "pahole") if n.startswith(("lib", "pahole"))], architecture=host):
            unpack(archive.fetch(base, package), root)
        for makefile in (root / "usr/src").glob("*/Makefile"):
            if not makefile.is_symlink():
                makefile.write_text(re.sub(r"(?<=[ =])/usr/", f"{root}/usr/", makefile.read_text()))
        for link in [p for p in root.rglob("*") if p.is_symlink() and os.readlink(p).startswith("/usr/")]:
            target = root / os.readlink(link)[1:]
            link.unlink()
            link.symlink_to(target)
        _with_own_libraries(root)
        (root / ".complete").touch()
    return tree


def _with_own_libraries(root: Path) -> None:
    """Has the build tools run with the C library of their own suite, which may be newer than this machine's."""
    loader = next((p for p in root.rglob("ld-linux-*.so.*") if p.is_file()), None)
    libraries = ":".join(sorted({str(p.parent) for name in ("libc.so.6", "libelf.so.1", "libz.so.1") for p in root.rglob(name)}))
    if not loader:
        return
    programs = [*(root / "usr/lib").glob("linux-kbuild-*/**/*"), root / "usr/bin/pahole"]
    for program in [p for p in programs if p.is_file() and not p.is_symlink()]:
        with open(program, "rb") as file:
            is_program = os.access(program, os.X_OK) and file.read(4) == b"\x7fELF"
        if is_program:
            real = program.with_name(program.name + ".own")
            program.rename(real)
            program.write_text(f'#!/bin/sh\nexec "{loader}" --argv0 "$0" --library-path "{libraries}" "{real}" "$@"\n')
            program.chmod(0o755)
