"""ELF cores as this maker needs them: program headers, notes, bytes at a physical address."""

from __future__ import annotations

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

PT_LOAD, PT_NOTE = 1, 4


@dataclass(frozen=True)
class Segment:
    type: int
    offset: int
    virtual: int
    physical: int
    file_size: int
    memory_size: int


@dataclass(frozen=True)
class Note:
    name: str
    type: int
    data: bytes


class ElfCore:
    """A 64-bit little-endian ELF core."""

    def __init__(self, path: Path):
        self._file = open(path, "rb")
        header = self._file.read(64)
        if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"{path.name} is no 64-bit little-endian ELF file")
        offset, = struct.unpack_from("<Q", header, 32)
        count, = struct.unpack_from("<H", header, 56)
        self._file.seek(offset)
        table = self._file.read(56 * count)
        self.segments = [Segment(kind, at, virtual, physical, size, in_memory) for kind, _, at, virtual, physical, size, in_memory, _
                         in struct.iter_unpack("<IIQQQQQQ", table)]
        self.loads = [s for s in self.segments if s.type == PT_LOAD]

    def notes(self) -> list[Note]:
        found = []
        for segment in self.segments:
            if segment.type != PT_NOTE:
                continue
            data, at = self._at(segment.offset, segment.file_size), 0
            while at + 12 <= len(data):
                name_size, size, kind = struct.unpack_from("<III", data, at)
                at += 12
                name = data[at:at + name_size].rstrip(b"\0").decode("latin1")
                at += (name_size + 3) & ~3
                found.append(Note(name, kind, data[at:at + size]))
                at += (size + 3) & ~3
        return found

    def vmcoreinfo(self) -> str:
        return next((n.data.rstrip(b"\0").decode("latin1") for n in self.notes() if n.name == "VMCOREINFO"), "")

    def read(self, physical: int, size: int) -> bytes | None:
        """The bytes at a physical address; None if one segment does not hold them all."""
        for s in self.loads:
            if s.physical <= physical and physical + size <= s.physical + s.file_size:
                return self._at(s.offset + physical - s.physical, size)
        return None

    def bytes_of(self, segment: Segment) -> bytes:
        return self._at(segment.offset, segment.file_size)

    def layout(self) -> str:
        """The segments and notes, a line each."""
        return "".join(f"PT_LOAD paddr {s.physical:#x} vaddr {s.virtual:#x} offset {s.offset:#x} filesz {s.file_size:#x} "
                       f"memsz {s.memory_size:#x}\n" for s in self.loads) + \
            "".join(f"NOTE {n.name} type {n.type:#x} size {len(n.data)}\n" for n in self.notes())

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)


def with_headers_first(source: Path, target: Path) -> None:
    """Copies QEMU's ELF core with its program headers moved to offset 64, where alone makedumpfile looks. QEMU 7.2 and
    later write section headers there, and an e_ehsize of 8. Offsets of the data do not change."""
    shutil.copyfile(source, target)
    with open(target, "r+b") as file:
        header = bytearray(file.read(64))
        offset, = struct.unpack_from("<Q", header, 32)
        count, = struct.unpack_from("<H", header, 56)
        file.seek(offset)
        table = file.read(56 * count)
        if 64 + len(table) > min(at for _, _, at, *_ in struct.iter_unpack("<IIQQQQQQ", table)):
            raise ValueError(f"{source.name} has no room for program headers at offset 64")
        struct.pack_into("<QQ", header, 32, 64, 0)
        struct.pack_into("<H", header, 52, 64)
        struct.pack_into("<HHH", header, 58, 0, 0, 0)
        file.seek(0)
        file.write(header)
        file.write(table)
