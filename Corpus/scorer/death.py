"""A tool's answers on a crash, against the console's text."""

from __future__ import annotations

import re

from .entry import Dump, number
from .result import Result, compared
from .tool import Tool

LEVELS = ("pgd", "p4d", "pud", "pmd", "pte")
REGISTERS = ("sp", "x29", "x28", "x19", "x1 ", "x0 ")


def oops(tool: Tool, dump: Dump) -> Result:
    """ESR, FAR, the walk, registers, pc and call trace of the oops."""
    text = dump.entry.text("serial.log").replace("\r", "")
    if "Internal error" not in text and "Kernel panic" not in text:
        return Result("oops", 0, 0)

    def found(pattern: str) -> str | None:
        match = re.search(pattern, text)
        return match[1] if match else None

    said = tool.report()
    fault, pairs = said.get("fault") or {}, []
    if esr := found(r"ESR[ =:]+(0x[0-9a-f]+)"):
        pairs.append(("esr", number(esr), number(fault.get("esr"))))
        if code := found(r"FSC = (0x[0-9a-f]+)"):
            pairs.append(("code", number(code), number(fault.get("faultStatus"))))
        if write := found(r"WnR = (\d)"):
            pairs.append(("write", write == "1", fault.get("write")))
        for pattern in (r"FAR: (0x[0-9a-f]+)", r"virtual address ([0-9a-f]{8,16})"):
            if address := found(pattern):
                pairs.append(("far", int(address, 16), number(fault.get("far"))))
    for level in LEVELS:
        if entry := found(rf"\b{level}=([0-9a-f]+)"):
            pairs.append((level, int(entry, 16), number((fault.get("logWalk") or {}).get(level))))
    for register in REGISTERS:
        if value := found(rf"(?m)^(?:.*\b)?{register}: ([0-9a-f]{{16}})"):
            pairs.append((register.strip(), int(value, 16), number((fault.get("registers") or {}).get(register.strip()))))
    if function := found(r"(?m)^(?:\[[ \d.]+\] )?pc : ([^+\s]+)\+"):
        pairs.append(("pc", function, fault["pc"].get("symbol") if isinstance(fault.get("pc"), dict) else None))
    if trace := dump.entry.call_trace():
        pairs.append(("trace", trace, [str(f).split("+")[0] for f in (said.get("crash") or {}).get("trace", [])]))
    return compared("oops", pairs)
