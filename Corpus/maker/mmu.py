"""The emulated machine as an oracle: its registers, its MMU's translations, and its memory."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

from .elfcore import ElfCore
from .listings import Listings, Vmcoreinfo
from .qmp import QMP
from .samples import Sample, kernel_samples, user_samples

SHOWN = ("pc", "sp", "cpsr", "TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "MAIR_EL1", "SCTLR", "SCTLR_EL1", "VBAR", "VBAR_EL1", "TPIDR_EL1",
         "TPIDR_EL0", "SP_EL0", "CONTEXTIDR_EL1", "TTBR0_EL2", "TTBR1_EL2", "TCR_EL2", "VBAR_EL2", "HCR_EL2", "TPIDR_EL2", "VTTBR_EL2",
         "VTCR_EL2", "MAIR_EL2", "SCTLR_EL2", "SP_EL1", "SP_EL2", "ELR_EL1", "SPSR_EL1", "ID_AA64MMFR0_EL1", "ID_AA64MMFR1_EL1",
         "ID_AA64MMFR2_EL1", "MIDR_EL1")
"""Registers that are written beside the number of the CPU as well as under regs."""
OF_A_SET = ("TTBR0_EL1", "TTBR1_EL1", "TCR_EL1", "TTBR0_EL2", "TTBR1_EL2", "TCR_EL2", "cpsr")

CPU = dict[str, Any]


def registers(entry: str, cpus: list[dict[str, int]], path: Path) -> list[CPU]:
    """Writes sysregs.json."""
    described = []
    for number, values in enumerate(cpus):
        texts = {name: f"{value:#x}" for name, value in values.items()}
        described.append({"cpu": number, "CurrentEL": values.get("cpsr", 0) >> 2 & 3, "regs": texts,
                          **{name: texts[name] for name in SHOWN if name in texts}})
    path.write_text(json.dumps({"entry": entry, "source": "QEMU gdbstub register reads, guest stopped", "vcpus": described}, indent=1))
    return described


def _ask(qmp: QMP, samples: list[Sample], cpu: int) -> list[list[Any]]:
    answers = []
    for address, why in samples:
        text = qmp.monitor(f"gva2gpa {address:#x}", cpu).strip()
        match = re.match(r"gpa: (0x[0-9a-f]+|0)$", text)
        answers.append([f"{address:#x}", f"{int(match[1], 16):#x}" if match else None, why])
        if not match and text != "Unmapped":
            answers[-1].append(text)
    return answers


def _bytes(qmp: QMP, core: ElfCore, sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """64 bytes each at some of the addresses, read through the machine, and whether the dump has the same bytes."""
    found = []
    for index, asked in enumerate(sets[:2]):
        mapped = [s for s in asked["samples"] if s[1] and core.read(int(s[1], 16) & ~0xf, 64) is not None]
        for address, physical, *_ in mapped[::max(1, len(mapped) // 300)]:
            at = int(physical, 16) & ~0xf
            text = qmp.monitor(f"xp /16xw {at:#x}", asked["cpu"])
            words = re.findall(r"0x([0-9a-f]{8})(?![0-9a-f]*:)", re.sub(r"(?m)^[0-9a-f]+:", "", text))
            data = b"".join(struct.pack("<I", int(word, 16)) for word in words)
            found.append({"set": index, "va": f"{int(address, 16) & ~0xf:#x}", "pa": f"{at:#x}", "bytes": data.hex(),
                          "same_in_vmcore_elf": core.read(at, 64) == data})
    return found


def translations(entry: str, qmp: QMP, levels: list[str], cpus: list[CPU], core: ElfCore, listings: Listings, path: Path) -> dict[str, Any]:
    """Asks the MMU of the stopped machine, and writes gva2gpa.json."""
    info = Vmcoreinfo(core.vmcoreinfo())
    page = info.number("PAGESIZE") or 4096
    seed = int(hashlib.sha256(entry.encode()).hexdigest()[:8], 16)
    ram = [(s.physical, s.memory_size) for s in core.loads if s.memory_size >= 1 << 20 and s.physical >= 0x40000000]
    per_cpu = [int(c.get("TPIDR_EL2" if c["CurrentEL"] == 2 else "TPIDR_EL1", "0"), 16) for c in cpus]
    of_kernel = kernel_samples(listings, info, per_cpu, ram, seed)
    kernel_cpu = next((i for i, level in enumerate(levels) if level in ("EL1", "EL2")), 0)
    user_cpu = next((i for i, level in enumerate(levels) if level == "EL0"), None)

    def asked(what: str, cpu: int, samples: list[Sample]) -> dict[str, Any]:
        shown = {name: cpus[cpu][name] for name in OF_A_SET if cpus[cpu].get(name)}
        return {"what": what, "cpu": cpu, "EL": levels[cpu], **shown, "samples": _ask(qmp, samples, cpu)}

    sets = [asked(f"kernel addresses, CPU at {levels[kernel_cpu]} (TTBR1 = kernel tables)", kernel_cpu, of_kernel)]
    if user_cpu is not None:
        sets.append(asked("user addresses of the running process, CPU at EL0. The answer includes the EL0 access check.", user_cpu,
                          user_samples(listings, page, seed)))
        sets.append(asked("kernel addresses asked on the CPU at EL0: unmapped for EL0 by permission; with KPTI TTBR1 is the trampoline table",
                          user_cpu, of_kernel[::40]))
    answers = {
        "entry": entry,
        "source": "HMP gva2gpa (pa) and xp (bytes); guest stopped at the same instant as the dumps. pa null = Unmapped.",
        "page_size": page,
        "sets": sets,
        "bytes": _bytes(qmp, core, sets),
    }
    path.write_text(json.dumps(answers, indent=0))
    return answers
