"""kva, by its JSON."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Iterable

from .entry import Dump, number
from .tool import Frame, Layout, MappedRange, SlabObject, Stack, Tool, ToolFailure, Translation, UserSpace


class Kva(Tool):
    name = "kva"

    def __init__(self, dump: Dump, program: str, timeout: float):
        super().__init__(dump)
        self.program, self.timeout = program, timeout

    def _run(self, command: str, *arguments: str, lines: list[str] | None = None) -> bytes:
        try:
            done = subprocess.run([self.program, command, str(self.dump.path), *arguments], capture_output=True, timeout=self.timeout, check=False,
                                  input=None if lines is None else ("\n".join(lines) + "\n").encode())
        except subprocess.TimeoutExpired as error:
            raise ToolFailure(f"kva {command}: no answer in {self.timeout:.0f} s") from error
        if done.returncode not in (0, 1):
            raise ToolFailure(f"kva {command}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[:300]}")
        return done.stdout

    def _ask(self, command: str, *arguments: str, lines: list[str] | None = None) -> list[dict[str, Any]]:
        try:
            return [json.loads(line) for line in self._run(command, *arguments, "--json", lines=lines).decode().splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise ToolFailure(f"kva {command}: {error}") from error

    def _each(self, command: str, lines: list[str], *arguments: str) -> list[dict[str, Any]]:
        """One answer to each line."""
        answers = self._ask(command, *arguments, lines=lines)
        if len(answers) != len(lines):
            raise ToolFailure(f"kva {command}: {len(answers)} answers to {len(lines)} questions")
        return answers

    def translate(self, addresses: list[int], space: UserSpace | None = None) -> list[Translation]:
        options = []
        if space:
            # With types in the dump kva finds the CPU's task, and its tables, by itself.
            by_task = self.dump.entry.facts.get("btf") and not self.dump.is_tables
            options = ["--ttbr0", f"cpu{space.cpu}" if by_task else hex(space.table)]
        return [Translation(number(a.get("physical")) if a.get("status") == "mapped" else None, a.get("tbi"), a.get("attributes", {}).get("user", True))
                for a in self._each("resolve", [hex(a) for a in addresses], *options)]

    def info(self) -> dict[str, int | None]:
        said = self._ask("info")[0]
        return {"page_size": said.get("pageSize"), "VA_BITS": said.get("vaBits"), "va_bits_actual_from_TCR_T1SZ": said.get("vaBitsActual"),
                "kaslr_offset": number(said.get("kaslrOffset"))}

    def cpus(self) -> dict[int, dict[str, int | None]]:
        return {c["cpu"]: {key: number(c.get(key)) for key in ("pc", "ttbr0", "ttbr1")} for c in self._ask("info")[0].get("cpus", [])}

    def regions(self, addresses: list[int]) -> list[str | None]:
        return [a.get("region") for a in self._each("resolve", [hex(a) for a in addresses])]

    def mapped_ranges(self) -> list[MappedRange]:
        def attributes(a: dict[str, bool]) -> tuple[bool, ...]:
            return a["writable"], a["executableEL1"], a["executableEL0"], a["accessed"], a["global"]
        return [MappedRange(number(r["start"]), number(r["end"]) or 1 << 64, attributes(r["attributes"])) for r in self._ask("ptdump")]

    def read(self, address: int, size: int) -> bytes:
        return self._run("read", hex(address), str(size), "--raw")

    def symbols(self) -> Iterable[tuple[int, str, str, str | None]]:
        return ((number(s["address"]), s["type"], s["name"], s.get("module")) for s in self._ask("symbols") if s.get("module") != "bpf")

    def modules(self) -> dict[str, int]:
        return {m["name"]: number(m["address"]) for m in self._ask("modules")}

    def vmalloc(self) -> dict[tuple[int, int], str | None]:
        return {(number(v["start"]), number(v["end"])): v.get("caller") for v in self._ask("vmalloc")}

    def log(self) -> list[str]:
        return [line for m in self._ask("dmesg") for line in m["text"].split("\n")]

    def maps(self, pid: int) -> list[str] | None:
        done = subprocess.run([self.program, "maps", str(self.dump.path), str(pid)], capture_output=True, text=True, timeout=self.timeout, check=False)
        return None if done.returncode and "no process" in done.stderr else done.stdout.splitlines()

    def _frames(self, frames: list[dict[str, Any]]) -> list[Frame]:
        return [Frame(f.get("symbol"), f.get("offset"), f.get("kind") == "link") for f in frames]

    def stacks(self) -> list[Stack]:
        return [Stack(number(t.get("task")), t["pid"], bool(t.get("running")), self._frames(t["frames"])) for t in self._ask("stack", "--all")]

    def dead_stack(self) -> list[Frame]:
        said = self._ask("stack")
        return self._frames(said[0]["frames"]) if said else []

    def slab(self, addresses: list[int]) -> list[SlabObject | None]:
        slabs = [a.get("slab") for a in self._each("identify", [hex(a) for a in addresses])]
        return [s and SlabObject(s.get("cache"), number(s.get("object")), s.get("allocated")) for s in slabs]

    def pages(self, pfns: list[int]) -> list[dict[str, int | None]]:
        keys = {"page": "page", "flags": "flagsValue", "mapping": "mapping", "head": "head"}
        return [{"pfn": p.get("pfn"), "refcount": p.get("refcount"), "mapcount": p.get("mapcount"), "order": p.get("order"),
                 **{mine: number(p.get(its)) for mine, its in keys.items()}} for p in self._each("page", [str(n) for n in pfns])]

    def frames(self) -> dict[int, tuple[int | None, int]]:
        return {p["pfn"]: (number(p.get("kpageflags")), p.get("mapcount") or 0) for p in self._ask("page", "--all")}

    def caches(self) -> dict[str, int]:
        return {c["cache"]: c.get("objects") or 0 for c in self._ask("slab")}

    def elements(self, kind: str, of: str, root: int) -> int:
        arguments = ("list", of) if kind == "list" else ("tree", kind, of)
        return sum(bool(e.get("element")) for e in self._ask(arguments[0], *arguments[1:], hex(root)))

    def layouts(self, types: list[str]) -> dict[str, Layout]:
        return {t.get("type"): Layout(t.get("size"), [(m.get("name"), m.get("bit"), m.get("bits")) for m in t.get("members", [])])
                for t in self._ask("type", lines=types)}

    def value(self, kind: str, address: int) -> Any:
        said = self._ask("print", f"*({kind} *){address:#x}")
        return said[0].get("value") if said else None

    def report(self) -> dict[str, Any]:
        return self._ask("report")[0]
