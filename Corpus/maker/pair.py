"""Two dumps of one machine, between which a process ends and a module that leaks memory is loaded."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from . import machine
from .archive import Archive
from .build import build, test_module
from .console import wait_for
from .failure import Failure
from .folders import Folders
from .guest import base
from .kernels import debian
from .qmp import QMP
from .table import Table

MOMENTS = ("first", "second")


def make(table: Table, archive: Archive, folders: Folders, name: str) -> list[Path]:
    """Boots the kernel of row `name`; the dumps are FIRST and SECOND in the folder NAME-pair of the corpus."""
    entry = table.entries[name]
    kernel = build(archive, folders, table.kernels[entry.release]) if entry.is_custom else debian(archive, folders, entry)
    module = test_module(archive, folders, entry, kernel, "kvaleak")
    if module is None:
        raise Failure(f"{name}: without its module there is no leak")
    image, _ = base(archive, folders, kernel, kernel.wanted_modules, "pair-init")
    image.add("leak.ko", module)
    target = folders.entry(f"{name}-pair")
    target.mkdir(parents=True, exist_ok=True)
    dumps = [target / f"vmcore.{moment}.elf" for moment in MOMENTS]
    with tempfile.TemporaryDirectory(prefix="kva-corpus-") as scratch:
        run = machine.Run(Path(scratch))
        image.write(run.initramfs)
        run.disk.write_bytes(bytes(1 << 20))
        with open(run.serial, "wb") as serial:
            process = subprocess.Popen(machine.command(entry, kernel.image, run), stdin=subprocess.DEVNULL, stdout=serial,
                                       stderr=subprocess.STDOUT)
        try:
            for moment, dump in zip(MOMENTS, dumps):
                wait_for(run.serial, f"PAIR-{moment.upper()}".encode(), process, entry.timeout, entry.name)
                time.sleep(1)
                qmp = QMP(run.qmp)
                qmp.command("stop")
                dump.unlink(missing_ok=True)
                qmp.command("dump-guest-memory", paging=False, protocol=f"file:{dump}")
                qmp.command("cont")
                qmp.close()
        finally:
            process.terminate()
            process.wait(20)
    return dumps
