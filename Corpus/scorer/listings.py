"""Lists, against the guest's own, which it took moments before the stop."""

from __future__ import annotations

import collections
import re

from .entry import Dump
from .result import Result, compared
from .tool import Tool


def symbols(tool: Tool, dump: Dump) -> Result:
    """Every symbol against /proc/kallsyms."""
    has_types = dump.entry.facts.get("btf")

    def key(address: int, letter: str, name: str, module: str | None) -> tuple:
        return address, letter.lower() if module else letter, name, module      # a module symbol's case says only whether it is exported

    wanted: collections.Counter = collections.Counter()
    for line in dump.entry.lines("kallsyms.txt"):
        words = line.split()
        if "[bpf]" in line or "__builtin" in line or len(words) > 3 and not has_types:
            continue                                     # without BTF there is no type to read a module's symbols by
        wanted[key(int(words[0], 16), words[1], words[2], words[3].strip("[]") if len(words) > 3 else None)] += 1
    got = collections.Counter(key(*s) for s in tool.symbols())
    missing, extra = wanted - got, got - wanted
    return Result("symbols", sum((wanted & got).values()) - sum(extra.values()), sum(wanted.values()),
                  [f"missing {k}" for k in list(missing)[:6]] + [f"extra {k}" for k in list(extra)[:6]],
                  f"missing {sum(missing.values())} extra {sum(extra.values())}")


def modules(tool: Tool, dump: Dump) -> Result:
    """Addresses of modules against /proc/modules."""
    wanted = {line.split()[0]: int(line.split()[5], 16) for line in dump.entry.lines("modules.txt") if line.strip()}
    got = tool.modules()
    return compared("modules", [(name, address, got.get(name)) for name, address in wanted.items()])


def vmalloc(tool: Tool, dump: Dump) -> Result:
    """Areas and their callers against /proc/vmallocinfo."""
    wanted = {}
    for line in dump.entry.lines("vmallocinfo.txt"):
        match = re.match(r"0x([0-9a-f]+)-0x([0-9a-f]+)\s+\d+ (\S+)", line)
        if match and "+0x" in match[3]:                  # rows without a caller (vm_map_ram, unpurged) are the allocator's own
            wanted[int(match[1], 16), int(match[2], 16)] = match[3]
    got = tool.vmalloc()
    return compared("vmalloc", [(f"{s:#x}-{e:#x}", caller, got.get((s, e), "absent")) for (s, e), caller in wanted.items()], 3 + len(wanted) // 20)


def dmesg(tool: Tool, dump: Dump) -> Result:
    """The log against the guest's dmesg."""
    wanted = [re.sub(r"^(<\d+>)?\[\s*[\d.]+\]( \[.*?\])? ", "", line) for line in dump.entry.lines("dmesg.txt") if line.strip()]
    got = set(tool.log())
    stripped = {line.strip() for line in got}
    missing = [line for line in wanted if line not in got and line.strip() not in stripped]
    return Result("dmesg", len(wanted) - len(missing), len(wanted), missing, drift=2)


def maps(tool: Tool, dump: Dump) -> Result:
    """Areas of all processes against /proc/PID/maps, to the letter."""
    wanted: dict[int, list[str]] = {}
    pid = 0
    for line in dump.entry.lines("rich/maps.txt"):
        if match := re.match(r"== (\d+) ", line):
            pid = int(match[1])
        else:
            wanted.setdefault(pid, []).append(line.rstrip())
    good, asked, differences = 0, 0, []
    for pid, lines in wanted.items():
        got = tool.maps(pid)
        if got is None:
            continue                                     # the listing's own cat
        got = [line.rstrip() for line in got]
        asked += len(lines)
        good += sum(a == b for a, b in zip(lines, got)) if len(lines) == len(got) else 0
        differences += [f"pid {pid}: expected {a!r}, got {b!r}" for a, b in zip(lines, got) if a != b][:3]
        differences += [f"pid {pid}: {len(lines)} lines, got {len(got)}"] if len(lines) != len(got) else []
    return Result("maps", good, asked, differences, drift=2)
