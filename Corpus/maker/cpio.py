"""An initramfs: a cpio archive of the format "newc", compressed with gzip. The same files make the same bytes."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

DIRECTORY, FILE, LINK = 0o040755, 0o100000, 0o120777


class Initramfs:
    def __init__(self) -> None:
        self._members: dict[str, tuple[int, bytes]] = {}

    def add(self, name: str, data: bytes | str, mode: int = 0o644) -> None:
        self._parents(name)
        self._members[name] = (FILE | mode, data.encode() if isinstance(data, str) else data)

    def append(self, name: str, text: str) -> None:
        """Adds to a text file, which may not be there yet."""
        self.add(name, self._members.get(name, (0, b""))[1] + text.encode())

    def link(self, name: str, target: str) -> None:
        self._parents(name)
        self._members[name] = (LINK, target.encode())

    def folder(self, name: str) -> None:
        self._parents(name)
        self._members.setdefault(name, (DIRECTORY, b""))

    def tree(self, source: Path, below: str = "") -> None:
        """All files and links of a folder."""
        for path in sorted(source.rglob("*")):
            name = os.path.join(below, str(path.relative_to(source)))
            if path.is_symlink():
                self.link(name, os.readlink(path))
            elif path.is_file():
                self.add(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def _parents(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            self._members.setdefault("/".join(parts[:i]), (DIRECTORY, b""))

    def archive(self) -> bytes:
        out = bytearray()

        def member(number: int, name: str, mode: int, data: bytes) -> None:
            fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
            out.extend(b"070701" + b"".join(b"%08X" % value for value in fields) + name.encode() + b"\0")
            out.extend(bytes(-len(out) % 4) + data)
            out.extend(bytes(-len(out) % 4))

        for number, name in enumerate(sorted(self._members), 1):
            member(number, name, *self._members[name])
        member(0, "TRAILER!!!", 0, b"")
        return bytes(out)

    def write(self, path: Path) -> None:
        path.write_bytes(gzip.compress(self.archive(), 6, mtime=0))
