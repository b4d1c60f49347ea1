"""A client of QEMU's gdb stub: enough of the remote protocol to read every register that it describes, of each CPU."""

from __future__ import annotations

import re
import socket
from pathlib import Path


class GDBStub:
    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(path))
        self._buffer = b""
        self.ask("qSupported:multiprocess+;xmlRegisters=aarch64")

    def close(self) -> None:
        self._socket.close()

    def registers(self) -> list[dict[str, int]]:
        """The registers of 64 bits and less, by name, of each CPU in order."""
        described = self._described()
        cpus = []
        for thread in self._threads():
            self.ask("Hg" + thread)
            values = {name: self._read(number, bits) for name, number, bits in described if bits <= 64}
            cpus.append({name: value for name, value in values.items() if value is not None})
        return cpus

    def ask(self, packet: str) -> bytes:
        data = packet.encode()
        self._socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))
        while True:
            answer = self._packet()
            self._socket.sendall(b"+")
            if not (answer[:1] == b"T" and packet[:1] != "?"):   # a stop reply may come at any time
                return answer

    def _character(self) -> bytes:
        if not self._buffer:
            self._buffer = self._socket.recv(65536)
            if not self._buffer:
                raise EOFError("the gdb stub closed the connection")
        character, self._buffer = self._buffer[:1], self._buffer[1:]
        return character

    def _packet(self) -> bytes:
        while self._character() != b"$":
            pass
        out = bytearray()
        while (c := self._character()) != b"#":
            if c == b"}":
                out.append(self._character()[0] ^ 0x20)
            elif c == b"*":                                      # a run of the last character
                out.extend(out[-1:] * (self._character()[0] - 29))
            else:
                out += c
        self._character(), self._character()                     # the checksum; the socket is reliable
        return bytes(out)

    def _file(self, name: str) -> str:
        data = b""
        while True:
            answer = self.ask(f"qXfer:features:read:{name}:{len(data):x},fff")
            data += answer[1:]
            if answer[:1] != b"m":
                return data.decode()

    def _described(self) -> list[tuple[str, int, int]]:
        found, number = [], 0
        for included in re.findall(r'<xi:include href="([^"]+)"', self._file("target.xml")):
            for register in re.finditer(r"<reg\b([^>]*)/?>", self._file(included)):
                attributes = dict(re.findall(r'(\w+)="([^"]*)"', register[1]))
                number = int(attributes.get("regnum", number))
                found.append((attributes["name"], number, int(attributes["bitsize"])))
                number += 1
        return found

    def _threads(self) -> list[str]:
        answer, threads = self.ask("qfThreadInfo").decode(), []
        while answer.startswith("m"):
            threads += answer[1:].split(",")
            answer = self.ask("qsThreadInfo").decode()
        return threads

    def _read(self, number: int, bits: int) -> int | None:
        answer = self.ask(f"p{number:x}")
        if answer[:1] == b"E" or len(answer) != bits // 4:
            return None
        return int.from_bytes(bytes.fromhex(answer.decode()), "little")
