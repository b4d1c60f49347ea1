"""The kernel of an entry: its image, modules and configuration, from a Debian package or built here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .archive import Archive, unpack
from .failure import Failure
from .folders import Folders
from .packages import Package, newest
from .table import Entry


@dataclass(frozen=True)
class Kernel:
    release: str
    image: Path
    modules: Path
    """The folder that holds RELEASE's modules: .../lib/modules/RELEASE."""
    config: Path | None
    origin: str
    """The packages, with versions, or how it was built."""
    wanted_modules: tuple[str, ...]
    vmlinux: Path | None = None
    system_map: Path | None = None

    def configured(self, option: str) -> bool:
        """Whether the configuration has CONFIG_<option>=y."""
        return bool(self.config) and re.search(rf"^CONFIG_{option}=y$", self.config.read_text(), re.M) is not None

    @property
    def page_size(self) -> int:
        return 65536 if self.configured("ARM64_64K_PAGES") else 16384 if self.configured("ARM64_16K_PAGES") else 4096


DEBIAN_MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "qemu_fw_cfg", "ext4", "loop", "fuse", "overlay", "squashfs")

# The names of kernel packages: one package until 6.12; from 6.19 on separate ones for image and modules.
_ONE = "linux-image-{}-unsigned"
_IMAGE, _MODULES, _BASE = "linux-binary-unsigned-{}", "linux-modules-{}", "linux-base-{}"


def _packages(archive: Archive, suite: str, release: str) -> tuple[str, list[Package]]:
    """The release (a pattern's newest) and its packages."""
    # A star stands for a version, not for another flavour.
    pattern = re.escape(release).replace(r"\*", r"(?:(?!rt|cloud)[0-9a-z.+~-])*?")
    for template in (_IMAGE, _ONE):
        package = newest(archive.find(suite, re.escape(template).replace(r"\{\}", f"({pattern})")))
        if package:
            before, after = template.split("{}")
            found = package.name[len(before):len(package.name) - len(after)]
            if template == _ONE:
                return found, [package]
            others = [newest(archive.find(suite, re.escape(name.format(found)))) for name in (_MODULES, _BASE)]
            return found, [package, *(p for p in others if p)]
    raise Failure(f"{suite} has no kernel {release} (looked for {_IMAGE.format(release)} and {_ONE.format(release)}); "
                  "an older one may be on snapshot.debian.org: name that with --mirror and --security-mirror")


def debian(archive: Archive, folders: Folders, entry: Entry) -> Kernel:
    release, chosen = _packages(archive, entry.suite, entry.release)
    root = folders.cached("kernels") / f"{release}_{chosen[0].version.replace(':', '%')}"
    if not (root / ".complete").exists():
        for package in chosen:
            unpack(archive.fetch(entry.suite, package), root)
        (root / ".complete").touch()
    modules = _first(root, f"usr/lib/modules/{release}", f"lib/modules/{release}")
    image = _first(root, f"boot/vmlinuz-{release}", f"usr/lib/modules/{release}/vmlinuz.unsigned", f"usr/lib/modules/{release}/vmlinuz")
    config = next((p for p in (root / f"boot/config-{release}", modules / "config") if p.exists()), None)
    vmlinux = system_map = None
    if entry.dwarf:
        vmlinux, system_map = _debug(archive, folders, entry.suite, release, chosen[0].version)
    origin = "Debian " + ", ".join(f"{p.name} {p.version}" for p in chosen)
    return Kernel(release, image, modules, config, origin, DEBIAN_MODULES, vmlinux, system_map)


def _first(root: Path, *candidates: str) -> Path:
    for candidate in candidates:
        if (root / candidate).exists():
            return root / candidate
    raise Failure(f"the packages in {root.name} hold none of {', '.join(candidates)}")


def _debug(archive: Archive, folders: Folders, suite: str, release: str, version: str) -> tuple[Path, Path | None]:
    """vmlinux with DWARF, and System.map, of the -dbg package; the modules' files in it are not unpacked."""
    into = folders.cached("debug") / f"{release}_{version.replace(':', '%')}"
    if not (into / ".complete").exists():
        package = archive.newest(suite, f"linux-image-{release}-dbg", version)
        unpack(archive.fetch(suite, package), into, "./usr/lib/debug/boot/*", "./usr/lib/debug/lib/modules/*/vmlinux",
               "./usr/lib/debug/usr/lib/modules/*/vmlinux")
        (into / ".complete").touch()
    vmlinux = next((p for p in sorted(into.rglob("vmlinux*")) if p.is_file() and not p.is_symlink()), None)
    if not vmlinux:
        raise Failure(f"the -dbg package of {release} holds no vmlinux")
    return vmlinux, next(into.rglob("System.map*"), None)
