"""Addresses and bytes, against the emulated MMU and machine."""

from __future__ import annotations

import collections

from .entry import Dump, number
from .result import Result, compared
from .tool import Tool, UserSpace

BADDR = 0x0000fffffffffffe
"""TTBR's table address, without the ASID and CnP."""


def _space(dump: Dump, asked: dict) -> UserSpace:
    facts = dump.entry.facts
    at_el2 = number(asked.get("TTBR1_EL2", "0x0")) and asked["EL"] == "EL0" and facts.get("kernel_at", "").startswith("EL2")
    register = number(asked["TTBR0_EL2" if at_el2 else "TTBR0_EL1"]) & BADDR
    is_wide = facts["page_size"] == 65536 and facts["VA_BITS"] == 52 or facts.get("TCR_DS")
    return UserSpace(asked["cpu"], register & ~0x3f | (register >> 2 & 0xf) << 48 if is_wide else register)


def _is_tagged(why: str) -> bool:
    return "tagged" in why or "wrong-top-byte" in why


def _against_mmu(tool: Tool, dump: Dump, which: str) -> Result:
    start = "user addresses" if which == "user" else "kernel addresses, CPU at EL"
    for asked in dump.entry.json("gva2gpa.json")["sets"]:
        if not asked["what"].startswith(start):
            continue
        samples = [s for s in asked["samples"] if which == "user" or _is_tagged(s[2]) == (which == "tagged")]
        samples = samples[::1 + len(samples) // tool.most_addresses]
        if samples:
            answers = tool.translate([int(s[0], 16) for s in samples], _space(dump, asked) if which == "user" else None)
            return _compared_with_mmu(dump, which, samples, answers)
    return Result(which, 0, 0)


def _compared_with_mmu(dump: Dump, which: str, samples: list, answers: list) -> Result:
    differences, groups, mapped = [], collections.Counter(), [0, 0]
    for (address, physical, why, *_), answer in zip(samples, answers):
        if physical is None and dump.entry.facts.get("host_stage2"):
            continue                                     # the emulated MMU's fault may be one of pKVM's stage 2
        said = answer.physical
        if physical is None and (which == "user" and not answer.user or which == "tagged" and answer.ignores_tag is not True):
            said = None                                  # mapped, but not for EL0; or translated without its tag, and said to be refused
        mapped[physical is not None] += said == number(physical)
        if said != number(physical):
            differences.append(f"{address} ({why}): MMU {physical}, got {said if said is None else hex(said)}")
            groups[why.split(":")[0]] += 1
    note = f"mapped {mapped[1]} unmapped {mapped[0]}" + (f", differ {dict(groups)}" if groups else "")
    return Result(which, len(samples) - len(differences), len(samples), differences, note, len(samples) // 100 if dump.entry.is_earlier else 0)


def translate(tool: Tool, dump: Dump) -> Result:
    """Kernel addresses against the MMU's answers on a CPU in the kernel."""
    return _against_mmu(tool, dump, "translate")


def tagged(tool: Tool, dump: Dump) -> Result:
    """Kernel pointers with a tag in the top byte: translated, and said to be refused where the MMU refuses them."""
    return _against_mmu(tool, dump, "tagged")


def user(tool: Tool, dump: Dump) -> Result:
    """The MMU's answers for the process at EL0, through the tables in that CPU's TTBR0."""
    return _against_mmu(tool, dump, "user")


def info(tool: Tool, dump: Dump) -> Result:
    """Page size, VA_BITS, the width in use and the KASLR offset, against facts.json."""
    facts, said = dump.entry.facts, tool.info()
    return compared("info", [(key, number(facts[key]) if key == "kaslr_offset" else facts[key], value) for key, value in said.items()
                             if facts.get(key) is not None])


def cpus(tool: Tool, dump: Dump) -> Result:
    """pc and the tables in TTBR0 and TTBR1 of each stopped CPU, against its registers."""
    said, pairs = tool.cpus(), []
    level = "EL2" if dump.entry.facts.get("kernel_at", "").startswith("EL2") else "EL1"      # VHE: the kernel's registers are the EL2 ones
    for cpu in dump.entry.json("sysregs.json")["vcpus"]:
        registers, mine = cpu["regs"], said.get(cpu["cpu"], {})
        for name in ("TTBR0", "TTBR1"):
            if not (cpu["CurrentEL"] == 0 and name == "TTBR1"):      # at EL0 with KPTI it holds the trampoline
                value = mine.get(name.lower())
                pairs.append((f"cpu{cpu['cpu']} {name}_{level} table", number(registers[f"{name}_{level}"]) & BADDR, None if value is None else value & BADDR))
        pairs.append((f"cpu{cpu['cpu']} pc", number(registers["pc"]), mine.get("pc")))
    return compared("cpus", pairs)


def read(tool: Tool, dump: Dump) -> Result:
    """Bytes at kernel addresses, against the machine's memory."""
    answers = dump.entry.json("gva2gpa.json")
    samples = [b for b in answers["bytes"] if answers["sets"][b["set"]]["EL"] == "EL1" and b.get("same_in_vmcore_elf", True)][:min(150, tool.most_addresses // 10)]
    differences, filtered = [], 0
    page, ranges = answers["page_size"], []
    for sample in samples:                               # the monitor read on in physical memory, past the page
        address = int(sample["va"], 16)
        ranges.append((address, min(len(sample["bytes"]) // 2, page - address % page)))
    for sample, (_, size), data in zip(samples, ranges, tool.reads(ranges)):
        expected, got = sample["bytes"][:2 * size], data.hex()
        if not got and dump.is_filtered:
            filtered += 1
        elif got != expected:
            differences.append(f"{sample['va']}: expected {expected[:32]}…, got {got[:32]}…")
    return Result("read", len(samples) - len(differences), len(samples), differences, f"filtered {filtered}" if filtered else "",
                  len(samples) // 5 if dump.entry.is_earlier else 0)
