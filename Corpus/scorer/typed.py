"""Layouts of types and values of structures, against drgn with DWARF and the test module."""

from __future__ import annotations

import re
from typing import Any

from .entry import Dump
from .result import Result
from .tool import Layout, Tool


def types(tool: Tool, dump: Dump) -> Result:
    """Sizes and members of types by DWARF."""
    wanted = [t for t in dump.entry.drgn.get("layouts", []) if "members" in t] if tool.name != "drgn" else []
    got = tool.layouts([t["type"] for t in wanted]) if wanted else {}
    asked, differences = 0, []
    for kind in wanted:
        mine = got.get(kind["type"], Layout(None, []))
        pairs: list[tuple[str, Any, Any]] = [("size", kind["size"], mine.size)]
        for i, member in enumerate(kind["members"]):
            pairs.append((member["name"], (member["name"], member["bit"], member["bits"]), mine.members[i] if i < len(mine.members) else None))
        asked += len(pairs)
        differences += [f"{kind['type']}.{name}: DWARF {expected}, got {said}" for name, expected, said in pairs if expected != said]
    return Result("types", asked - len(differences), asked, differences)


def agreement(wanted: Any, got: Any) -> tuple[int, int]:
    """How many plain values of a structure agree, and how many there are: numbers, hex strings, texts of character arrays."""
    if isinstance(wanted, dict):
        pairs = [agreement(value, got.get(key) if isinstance(got, dict) else None) for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(got, str):                      # a character array
        text = bytes(x & 255 for x in wanted if isinstance(x, int)).split(b"\0")[0].decode("latin1")
        return int(text == got), 1
    elif isinstance(wanted, list):
        pairs = [agreement(value, got[i] if isinstance(got, list) and i < len(got) else None) for i, value in enumerate(wanted)]
    else:
        if isinstance(got, str) and re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", got):
            got = int(got, 0)
        return int(isinstance(got, (int, bool)) and (int(wanted) - int(got)) % (1 << 64) == 0), 1
    return sum(a for a, _ in pairs), sum(b for _, b in pairs)


def values(tool: Tool, dump: Dump) -> Result:
    """Whole structures against drgn."""
    good, asked, differences = 0, 0, []
    for value in dump.entry.drgn.get("values", []) if tool.name != "drgn" else []:
        known = value.get("value")
        if "error" in value or not isinstance(known, (dict, list)) or "error" in known or not value["type"].startswith("struct "):
            continue
        same, count = agreement(known, tool.value(value["type"], int(value["address"], 16)))
        good, asked = good + same, asked + count
        if same != count:
            differences.append(f"{value['what']} ({value['type']}): {same} of {count} values")
    return Result("values", good, asked, differences)


def samples(tool: Tool, dump: Dump) -> Result:
    """The test module's structure (bit fields, unions, enums, text) against what the module logged."""
    good, asked, differences = 0, 0, []
    for x in dump.entry.kvatest("sample"):
        value = tool.value("struct kva_sample", int(x["address"], 16)) or {}
        serial = int(x["magic"], 16) - 0x1122334455667788
        wanted = {"magic": int(x["magic"], 16), "negative": int(x["negative"]), "bits3": int(x["bits3"]), "bits5": int(x["bits5"]),
                  "signed4": int(x["signed4"]), "yes": 1, "no": 0, "as_u64": 0xfeed, "inner": {"b": [-1, 2, -3], "whole": serial + 0xdead0000}, "nothing": 0}
        same, count = agreement(wanted, value)
        same, count = same + (value.get("name") == x["name"]), count + 1
        good, asked = good + same, asked + count
        if same != count:
            differences.append(f"{x['name']}: {value}")
    return Result("samples", good, asked, differences)
