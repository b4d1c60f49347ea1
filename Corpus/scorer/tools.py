"""The tools by name, and the programs that they are."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Callable

from maker.archive import Archive
from maker.dumps import arm64_tools, emulated
from maker.folders import Folders, default_cache

from .crash_tool import Crash
from .drgn_tool import Drgn
from .entry import Dump
from .kva_tool import Kva
from .tool import Tool

TOP = Path(__file__).resolve().parents[2]


class Programs:
    """The options that name the program of a tool."""

    def __init__(self, options: argparse.Namespace):
        self.options = options

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        built = TOP / ".build" / "release" / "kva"
        parser.add_argument("--kva", default=os.environ.get("KVA") or (str(built) if built.exists() else shutil.which("kva") or "kva"),
                            metavar="PROGRAM", help="(KVA, this checkout's release build, or the one in PATH)")
        parser.add_argument("--drgn", default=os.environ.get("DRGN_PYTHON") or shutil.which("python3") or sys.executable, metavar="PYTHON",
                            help="a Python that has drgn (%(default)s)")
        parser.add_argument("--crash", default=os.environ.get("CRASH") or "debian", metavar="PROGRAM",
                            help="a crash built for arm64; 'debian' fetches Debian's and runs it in QEMU's user emulation (%(default)s)")
        parser.add_argument("--cache", type=Path, default=default_cache(), help="where that is kept (%(default)s)")
        parser.add_argument("--vmlinux", metavar="FILE", help="a vmlinux with DWARF, for tools that need one, if the entry has none")
        parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="for each question (%(default)s)")

    def crash(self) -> str:
        if self.options.crash == "debian":
            folders = Folders(self.options.cache.absolute(), Path())
            self.options.crash = shlex.join(emulated(arm64_tools(Archive(folders), folders, "crash"), "crash"))
        return self.options.crash

    def opener(self, tool: str) -> Callable[[Dump], Tool]:
        return lambda dump: TOOLS[tool](dump, self)


TOOLS: dict[str, Callable[[Dump, Programs], Tool]] = {
    "kva": lambda dump, programs: Kva(dump, programs.options.kva, programs.options.timeout),
    "drgn": lambda dump, programs: Drgn(dump, programs.options.drgn, programs.options.vmlinux, programs.options.timeout),
    "crash": lambda dump, programs: Crash(dump, programs.crash(), programs.options.vmlinux, programs.options.timeout),
}
