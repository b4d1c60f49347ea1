"""crash, by the text of its commands. It needs a vmlinux with DWARF, and a build for arm64."""

from __future__ import annotations

import re
import shlex
import subprocess

from .entry import Dump
from .tool import Tool, ToolFailure, Translation, Unanswered, UserSpace

MARK = "corpus-mark"


class Crash(Tool):
    name = "crash"
    most_addresses = 300

    def __init__(self, dump: Dump, program: str, vmlinux: str | None, timeout: float):
        super().__init__(dump)
        self.command, self.timeout = shlex.split(program), timeout
        self.vmlinux = vmlinux or dump.entry.vmlinux()

    def _ask(self, commands: list[str]) -> list[str]:
        """The text after each command."""
        if not self.vmlinux:
            raise Unanswered("crash: needs a vmlinux with DWARF")
        lines = "".join(f"{command}\np \"{MARK}\"\n" for command in commands)
        try:
            done = subprocess.run([*self.command, "-s", str(self.vmlinux), str(self.dump.path)], input=f"set scroll off\np \"{MARK}\"\n{lines}quit\n",
                                  capture_output=True, text=True, errors="replace", timeout=self.timeout * 5, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolFailure(f"crash: {error}") from error
        parts = re.split(rf'(?m)^.*"{MARK}"\n', done.stdout)
        if len(parts) < len(commands) + 2:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise ToolFailure(f"crash: {said[-1] if said else f'exit {done.returncode}'}")
        return parts[1:len(commands) + 1]

    def translate(self, addresses: list[int], space: UserSpace | None = None) -> list[Translation]:
        if space:
            raise Unanswered("crash translates by task, not by table")
        return [Translation(_physical(text, a)) for a, text in zip(addresses, self._ask([f"vtop -k {a:x}" for a in addresses]))]

    def reads(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        return [_bytes(text) for text in self._ask([f"rd -8 {address:x} {size}" for address, size in ranges])]

    def modules(self) -> dict[str, int]:
        text = self._ask(["mod"])[0]
        return {match[2]: int(match[1], 16) for match in re.finditer(r"(?m)^ *[0-9a-f]{16} +(?:[0-9a-f]{16} +)?([0-9a-f]{16})? *(\w+) +\d+", text) if match[1]}

    def log(self) -> list[str]:
        return [re.sub(r"^\[[ \d.]+\] ", "", line) for line in self._ask(["log"])[0].splitlines()]


def _physical(text: str, address: int) -> int | None:
    match = re.search(r"(?m)^ *([0-9a-f]{8,16}) +([0-9a-f]+) *$", text)
    return int(match[2], 16) if match and int(match[1], 16) == address else None


def _bytes(text: str) -> bytes:
    """The bytes of lines such as "ffff800080000000:  4d 5a 40 fa   MZ@."."""
    rows = (line.split(":", 1)[1][:50] for line in text.splitlines() if ":" in line)
    return bytes(int(byte, 16) for row in rows for byte in re.findall(r"\b[0-9a-f]{2}\b", row))
