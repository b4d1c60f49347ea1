"""facts.json and README.txt of an entry: what it is, and how it was made."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .elfcore import ElfCore
from .kernels import Kernel
from .listings import Vmcoreinfo
from .machine import portable, version
from .mmu import CPU
from .table import Entry

GRANULES = {1: "16K", 2: "4K", 3: "64K"}
TABLE_MASK = 0xfffffffff000


@dataclass(frozen=True)
class Stop:
    """The stopped machine."""

    command: list[str]
    levels: list[str]
    cpus: list[CPU]
    answers: dict[str, Any]


def _translation(stop: Stop) -> dict[str, Any]:
    kernel = next((c for c in stop.cpus if c["CurrentEL"] in (1, 2)), stop.cpus[0])
    level = "EL2" if kernel["CurrentEL"] == 2 else "EL1"
    tcr = int(kernel.get(f"TCR_{level}", "0"), 16)
    tables = {int(c.get(f"TTBR1_{level}", "0"), 16) & TABLE_MASK for c in stop.cpus}
    return {
        "va_bits_actual_from_TCR_T1SZ": 64 - (tcr >> 16 & 63), "T0SZ": tcr & 63, "TG1": GRANULES.get(tcr >> 30 & 3, "?"),
        "TCR_DS": tcr >> 59 & 1, "TBI0": tcr >> 37 & 1, "TBI1": tcr >> 38 & 1, "KPTI": len(tables) > 1,
        "kernel_at": "EL2 (VHE)" if level == "EL2" else "EL1", "kernel_image_entry_cpu": kernel["cpu"],
    }


def describe(entry: Entry, kernel: Kernel, stop: Stop, core: ElfCore, folder: Path, test_module: bytes | None) -> dict[str, Any]:
    """Writes facts.json."""
    info = Vmcoreinfo(core.vmcoreinfo())
    page, width = info.number("PAGESIZE"), info.number("NUMBER(VA_BITS)")
    sets = stop.answers["sets"]
    mapped = [sum(1 for s in asked["samples"] if s[1]) for asked in sets]
    smallest = width if width is None or width <= 48 else 47 if page == 16384 else 48
    facts = {
        "entry": entry.name, "release": kernel.release, "page_size": page, "VA_BITS": width, "VA_BITS_MIN": smallest,
        **_translation(stop),
        "kaslr_offset": hex(info.number("KERNELOFFSET", 16) or 0), "cpu": entry.cpu, "mem": entry.memory, "smp": entry.smp,
        "stopped_at": stop.levels, "notes": [f"{n.name}/{n.type:#x}" for n in core.notes()],
        "samples": sum(len(asked["samples"]) for asked in sets), "kernel_samples": len(sets[0]["samples"]), "kernel_mapped": mapped[0],
        "user_mapped": mapped[1] if len(sets) > 1 else 0,
        "bytes": len(stop.answers["bytes"]), "bytes_differing": sum(not b["same_in_vmcore_elf"] for b in stop.answers["bytes"]),
        "PHYS_OFFSET": info.lines.get("NUMBER(PHYS_OFFSET)"), "kimage_voffset": info.lines.get("NUMBER(kimage_voffset)"),
        "swapper_pg_dir": info.lines.get("SYMBOL(swapper_pg_dir)"),
        "btf": kernel.configured("DEBUG_INFO_BTF"), "kallsyms_all": kernel.configured("KALLSYMS_ALL"),
        "host_stage2": "kvm-arm.mode=protected" in entry.cmdline, "kdump": entry.kdump, "crash": entry.crash,
        "kvatest_btf": test_module is not None and b"\0.BTF\0" in test_module,
        "sizes": {p.name: p.stat().st_size for p in sorted(folder.glob("*vmcore*")) if p.is_file()},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")
    return facts


def explain(entry: Entry, kernel: Kernel, stop: Stop, facts: dict[str, Any], folder: Path) -> None:
    """Writes README.txt."""
    banner = folder / "oracle" / "version.txt"
    lines = {
        "kernel": banner.read_text().strip() if banner.exists() else "",
        "release": f"{kernel.release} ({kernel.origin})",
        "row": f"kernel {entry.kernel}, cpu {entry.cpu}, memory {entry.memory}, cmdline '{entry.cmdline}'"
               + (f", dies by {entry.crash}" if entry.crash else ""),
        "translation": f"page size {facts['page_size']}, VA_BITS {facts['VA_BITS']}, VA_BITS_MIN {facts['VA_BITS_MIN']}, in use "
                       f"{facts['va_bits_actual_from_TCR_T1SZ']}, TCR.DS {facts['TCR_DS']}, KASLR offset {facts['kaslr_offset']}",
        "stopped at": f"{', '.join(stop.levels)}; RAM {entry.memory}",
        "samples": f"{facts['samples']} addresses ({facts['kernel_samples']} kernel, {facts['kernel_mapped']} of them mapped; "
                   f"{facts['user_mapped']} user mapped), {facts['bytes']} of bytes ({facts['bytes_differing']} differ from the dump)",
        "machine": portable(stop.command),
        "made": f"{time.strftime('%Y-%m-%d')}, QEMU {version()} (TCG), Corpus/make {entry.name}",
    }
    if entry.remark:
        lines["remark"] = entry.remark
    licence = "The dumps hold memory of the Linux kernel (GPL-2.0); its source is that of the packages named above.\n"
    (folder / "README.txt").write_text(f"Corpus entry {entry.name}\n" + "".join(f"{k:12}: {v}\n" for k, v in lines.items()) + licence)
