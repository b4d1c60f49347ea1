"""A small ELF core that tells drgn what the kernel is: its VMCOREINFO and its CPUs, without any memory."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Optional

import kva

_GENERAL = [f"x{number}" for number in range(31)] + ["sp", "pc", "pstate"]
_NT_PRSTATUS = 1
_ET_CORE, _EM_AARCH64, _PT_NOTE = 4, 183, 4


def vmcoreinfo(info: kva.Info) -> str:
    """VMCOREINFO as the dump has it, and the lines that drgn needs of those that it lacks."""
    text = info["vmcoreinfo"] or ""
    present = {line.partition("=")[0] for line in text.splitlines()}
    root = info.get("swapperPgDir") or {}
    width = info["vaBitsActual"]
    lines: dict[str, Optional[str]] = {
        "OSRELEASE": info["release"],
        "BUILD-ID": info["buildID"],
        "PAGESIZE": _decimal(info["pageSize"]),
        "SYMBOL(swapper_pg_dir)": _hex(root.get("virtual")),
        "NUMBER(VA_BITS)": _decimal(info["vaBits"]),
        "NUMBER(TCR_EL1_T1SZ)": _hex(None if width is None else 64 - width, "0x"),
        "NUMBER(kimage_voffset)": _hex(info["kimageVoffset"], "0x"),
        "KERNELOFFSET": _hex(info["kaslrOffset"]),
    }
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "".join(f"{key}={value}\n" for key, value in lines.items() if value and key not in present)


def _decimal(value: Optional[int]) -> Optional[str]:
    return None if value is None else str(value)


def _hex(value: Optional[int], prefix: str = "") -> Optional[str]:
    return None if value is None else f"{prefix}{value:x}"


def core(info: kva.Info) -> bytes:
    """The core: drgn takes the registers of CPU n from the PRSTATUS of thread n + 1."""
    notes = b""
    for cpu in info["cpus"]:
        registers = cpu["registers"]
        if registers and registers.get("pc") is not None:
            notes += _note(b"CORE", _NT_PRSTATUS, _prstatus(cpu["cpu"] + 1, registers))
    notes += _note(b"VMCOREINFO", 0, vmcoreinfo(info).encode())
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<16sHHIQQQIHHHHHH", identity, _ET_CORE, _EM_AARCH64, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", _PT_NOTE, 0, 64 + 56, 0, 0, len(notes), len(notes), 4)
    return header + segment + notes


def _note(name: bytes, kind: int, content: bytes) -> bytes:
    name += b"\0"
    header = struct.pack("<III", len(name), len(content), kind)
    return header + _padded(name) + _padded(content)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 4)


def _prstatus(thread: int, registers: Mapping[str, Any]) -> bytes:
    """struct elf_prstatus of arm64: pr_pid at 32, pr_reg at 112. (include/linux/elfcore.h)"""
    general = struct.pack("<34Q", *(registers.get(name) or 0 for name in _GENERAL))
    return struct.pack("<32xI76x", thread) + general + bytes(8)
