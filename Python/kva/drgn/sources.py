"""Where the BTF of a dump lies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Optional

import drgn
import kva
from drgn import Object, Program

from .btf import BTF, Damaged
from .symbols import address_of

#: More bytes than the BTF of any kernel or module has.
_LIMIT = 64 << 20
_MODULES = 4096


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


#: Magic, version, flags, and as many bytes of header as there were up to 7.1.
_HEADER = b"\x9f\xeb\x01\x00\x18\x00\x00\x00"


def _complete(dump: kva.Dump, address: int) -> Optional[bytes]:
    header = dump.read(address, 24)
    strings, length = (int.from_bytes(header[place : place + 4], "little") for place in (16, 20))
    if 24 + strings + length > _LIMIT:
        return None
    try:
        content = dump.read(address, 24 + strings + length)
        return content if len(BTF(content)) > 1000 else None
    except (kva.NotFound, Damaged):
        return None


def module_btf(prog: Program, dump: kva.Dump) -> Iterator[bytes]:
    """The BTF of each module, whose numbers go on behind those of the kernel.

    What was built with a base of its own (6.11) was renumbered for this kernel in a copy, and is left out.
    """
    module = prog.type("struct module")
    if not module.has_member("btf_data"):
        return
    for each in itertools.islice(dump.modules(), _MODULES):
        try:
            loaded = Object(prog, module, address=each["address"])
            if module.has_member("btf_base_data") and loaded.btf_base_data:
                continue
            size = loaded.btf_data_size.value_()
            if loaded.btf_data and 0 < size <= _LIMIT:
                yield prog.read(loaded.btf_data.value_(), size)
        except drgn.FaultError:
            continue
