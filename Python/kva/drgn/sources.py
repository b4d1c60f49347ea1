"""Where the BTF of a dump lies."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Optional

import drgn
import kva
from drgn import Program

from .btf import BTF, Damaged
from .lists import elements
from .symbols import address_of

#: More bytes than the BTF of any kernel or module has.
_LIMIT = 64 << 20


def kernel_btf(dump: kva.Dump) -> Optional[bytes]:
    """The kernel's own BTF; None if there is none."""
    start, end = address_of(dump, "__start_BTF"), address_of(dump, "__stop_BTF")
    if start is not None and end is not None and 0 < end - start <= _LIMIT:
        try:
            return dump.read(start, end - start)
        except kva.NotFound:
            return None
    return _search(dump)


def _search(dump: kva.Dump) -> Optional[bytes]:
    """The BTF in the image of a kernel that has no names for its data: the one that is large and complete."""
    start, end = address_of(dump, "_stext"), address_of(dump, "swapper_pg_dir")
    if start is None or end is None or not 0 < end - start <= 1 << 30:
        return None
    read, step = dump._reader(physical=False), 1 << 16
    tail = b""
    for address in range(start & ~(step - 1), end, step):
        try:
            piece = read(address, step)
        except kva.NotFound:
            tail = b""
            continue
        text = tail + piece
        place = text.find(_HEADER)
        while place >= 0:
            found = _complete(dump, address - len(tail) + place)
            if found is not None:
                return found
            place = text.find(_HEADER, place + 1)
        tail = piece[-len(_HEADER) :]
    return None


#: Magic, version and flags.
_HEADER = b"\x9f\xeb\x01\x00"


def _complete(dump: kva.Dump, address: int) -> Optional[bytes]:
    try:
        header, strings, length = struct.unpack_from("<4xI8xII", dump.read(address, 24))
        if not 24 <= header <= 64 or header + strings + length > _LIMIT:
            return None
        content = dump.read(address, header + strings + length)
        return content if len(BTF(content)) > 1000 else None
    except (kva.NotFound, Damaged):
        return None


def module_btf(prog: Program, kernel: BTF) -> Iterator[bytes]:
    """The BTF that the kernel keeps of each module, whose numbers go on behind those of its own.

    (kernel/bpf/btf.c, btf_module_notify; 5.11, 36e68442d1af)
    """
    try:
        for each in elements(prog["btf_modules"], "struct btf_module", "list"):
            btf = each.btf.read_()
            size = btf.data_size.value_()
            # The numbers of another kernel's types say nothing.
            if btf.start_id.value_() == len(kernel) and btf.start_str_off.value_() == kernel.strings_length:
                if 0 < size <= _LIMIT:
                    yield prog.read(btf.data, size)
    except (LookupError, AttributeError, drgn.FaultError):
        return
