"""drgn's answers on a dump with DWARF, from a process of its own: drgn may be installed in another Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from .failure import Failure
from .folders import SOURCE


def drgn_python(named: str | None) -> str | None:
    """A Python that has drgn: the one named, this one, or the first in PATH."""
    for python in [named] if named else [sys.executable, shutil.which("python3")]:
        if python and subprocess.run([python, "-c", "import drgn"], capture_output=True, check=False).returncode == 0:
            return python
    if named:
        raise Failure(f"{named} has no module drgn")
    return None


def ask_drgn(python: str, dump: Path, vmlinux: Path, oracle: Path) -> None:
    """Writes oracle/rich/drgn.json."""
    target = oracle / "rich" / "drgn.json"
    target.parent.mkdir(exist_ok=True)
    done = subprocess.run([python, str(SOURCE / "maker" / "drgn_oracle.py"), str(dump), str(vmlinux), str(target)],
                          capture_output=True, text=True, check=False)
    (oracle / "rich" / "drgn.txt").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise Failure(f"drgn: {done.stderr.strip()[-500:]}")
