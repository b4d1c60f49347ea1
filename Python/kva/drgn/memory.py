"""The memory of a dump as drgn reads it: a few bytes at a time, over and over from the same pages."""

from __future__ import annotations

from typing import Callable

import drgn
import kva

#: Bytes that are read and kept together: the smallest page of arm64, which is there as a whole or not at all.
_PIECE = 4096
#: Pieces that are kept twice over: 64 MiB.
_KEPT = 8192
#: Reads as long as this are not kept.
_LONG = 4 * _PIECE


def reader(dump: kva.Dump, *, physical: bool) -> Callable[[int, int, int, bool], bytes]:
    """A callback for `Program.add_memory_segment`. Absent memory is a `FaultError`, never zeros."""
    read = dump._reader(physical=physical)
    young: dict[int, bytes] = {}
    old: dict[int, bytes] = {}
    mask, start = _PIECE - 1, -_PIECE

    def whole(address: int, count: int) -> bytes:
        try:
            return read(address, count)
        except kva.NotFound as error:
            place = error.address if error.address is not None else address
            raise drgn.FaultError(str(error), place) from None
        except kva.KvaError as error:
            raise drgn.FaultError(str(error), address) from None

    def miss(address: int, count: int) -> bytes:
        nonlocal young, old
        offset = address & mask
        if offset + count > _PIECE:
            if count >= _LONG:
                return whole(address, count)
            first = _PIECE - offset
            return get(address, first, 0, physical) + get(address + first, count - first, 0, physical)
        place = address - offset
        piece = old.get(place)
        if piece is None:
            try:
                piece = read(place, _PIECE)
            except kva.KvaError:
                return whole(address, count)
        if len(young) >= _KEPT:
            old, young = young, {}
        young[place] = piece
        return piece[offset : offset + count]

    def get(address: int, count: int, _: int, __: bool) -> bytes:
        try:
            piece = young[address & start]
        except KeyError:
            return miss(address, count)
        offset = address & mask
        end = offset + count
        return piece[offset:end] if end <= _PIECE else miss(address, count)

    return get
