"""An entry's folder, as the checks read it. Whatever is beside a dump may be compressed with zstd."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator


def number(value: str | int | None) -> int | None:
    return int(value, 16) if isinstance(value, str) else value


def unpacked(path: Path) -> bytes:
    """The bytes of a file, or of FILE.zst if that is what there is."""
    packed = path.with_name(path.name + ".zst")
    if packed.exists():
        return subprocess.run(["zstd", "-dcq", str(packed)], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


class CorpusEntry:
    def __init__(self, folder: Path):
        self.folder = folder
        self.name = folder.name

    @cached_property
    def facts(self) -> dict[str, Any]:
        path = self.folder / "facts.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def is_earlier(self) -> bool:
        """A kdump is written after the crash; its registers, bytes and translations were noted some seconds before it."""
        return self.name.startswith("kdump-") or bool(self.facts.get("kdump"))

    def has(self, name: str) -> bool:
        path = self.folder / "oracle" / name
        return path.exists() or path.with_name(path.name + ".zst").exists()

    def text(self, name: str) -> str:
        """A listing of the oracle; empty if it is absent."""
        return unpacked(self.folder / "oracle" / name).decode(errors="replace") if self.has(name) else ""

    def lines(self, name: str) -> list[str]:
        return self.text(name).splitlines()

    def json(self, name: str) -> dict[str, Any]:
        text = self.text(name)
        return json.loads(text) if text else {}

    def words(self, name: str) -> tuple[int, ...]:
        data = unpacked(self.folder / "oracle" / name)
        return struct.unpack(f"<{len(data) // 8}Q", data)

    @cached_property
    def drgn(self) -> dict[str, Any]:
        return self.json("rich/drgn.json")

    def kvatest(self, kind: str) -> Iterator[dict[str, str]]:
        """The test module's lines of one kind."""
        for line in self.lines("rich/kvatest.txt"):
            match = re.search(r"KVATEST (\w+) (.*)", line)
            if match and match[1] == kind:
                yield dict(word.split("=", 1) for word in match[2].split() if "=" in word)

    def call_trace(self) -> list[str]:
        """The functions of the console's first call trace."""
        trace = re.search(r"Call trace:\n((?:\[?[ \d.\]]* ?\S+\+0x\S+.*\n)+)", self.text("serial.log").replace("\r", ""))
        return [re.search(r"(\S+)\+0x", line)[1] for line in trace[1].splitlines()] if trace else []

    def vmcoreinfo(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.lines("vmcoreinfo.txt") if "=" in line)

    def vmlinux(self) -> Path | None:
        return self._plain(self.folder / "vmlinux") if any(self.folder.glob("vmlinux*")) else None

    def dumps(self) -> list["Dump"]:
        """The dumps, unpacked where they are compressed as files. The later parts of a split set are none by themselves."""
        names = {p.name.removesuffix(".zst") for p in self.folder.glob("vmcore*")}
        return [Dump(self, name, self._plain(self.folder / name)) for name in sorted(names) if not re.search(r"split-[2-9]$", name)]

    def _plain(self, path: Path) -> Path:
        packed = path.with_name(path.name + ".zst")
        if path.exists() or not packed.exists():
            return path
        stamp = packed.stat()
        target = Path(tempfile.gettempdir()) / f"kva-corpus-{os.getuid()}" / f"{self.name}-{stamp.st_size:x}-{int(stamp.st_mtime):x}" / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{os.getpid()}")
            subprocess.run(["zstd", "-dqf", str(packed), "-o", str(part)], check=True)
            part.rename(target)
        return target


class Dump:
    def __init__(self, entry: CorpusEntry, name: str, path: Path):
        self.entry, self.name, self.path = entry, name, path

    @property
    def is_tables(self) -> bool:
        """It holds the translation tables and the notes alone."""
        return ".tables" in self.name

    @property
    def is_filtered(self) -> bool:
        """makedumpfile left pages out."""
        return ".d31-" in self.name
