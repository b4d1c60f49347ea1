"""A client of QEMU's machine protocol (QMP) on a unix socket."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

from .failure import Failure


class QMP:
    def __init__(self, path: Path, timeout: float = 30):
        end = time.monotonic() + timeout
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError as error:
                self._socket.close()
                if time.monotonic() > end:
                    raise Failure(f"QEMU does not answer at {path}: {error}") from error
                time.sleep(0.1)
        self._file = self._socket.makefile("rwb")
        self._file.readline()
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        message = {"execute": name, **({"arguments": arguments} if arguments else {})}
        self._file.write(json.dumps(message).encode() + b"\n")
        self._file.flush()
        while line := self._file.readline():
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Failure(f"QEMU refuses {name}: {answer['error'].get('desc')}")
        raise Failure(f"QEMU ended during {name}")

    def monitor(self, line: str, cpu: int | None = None) -> str:
        """The text that the human monitor answers, asked on one CPU."""
        where = {} if cpu is None else {"cpu-index": cpu}
        return self.command("human-monitor-command", **{"command-line": line}, **where).replace("\r", "")

    def level(self, cpu: int) -> str:
        """The exception level of a CPU: EL0 to EL3."""
        match = re.search(r"PSTATE=\S+ \S+ (?:\S+ )?(EL\d)", self.monitor("info registers", cpu))
        return match[1] if match else "?"

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def quit(self) -> None:
        self._file.write(b'{"execute":"quit"}\n')
        self._file.flush()
