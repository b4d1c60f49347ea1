"""Waits for output on the guest's console."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from .failure import Failure


def wait_for(serial: Path, word: bytes, process: subprocess.Popen, timeout: float, name: str) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if word in serial.read_bytes():
            return
        if process.poll() is not None:
            break
        time.sleep(0.3)
    how = "before QEMU ended" if process.poll() is not None else f"in {timeout:.0f} s"
    last = serial.read_text(errors="replace")[-1500:]
    raise Failure(f"{name}: the guest did not say {word.decode()} {how}; its console ends:\n{last}")
