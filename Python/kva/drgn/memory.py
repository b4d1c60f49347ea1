"""The memory of a dump for drgn, which reads a few bytes at a time, often from the same pages."""

from __future__ import annotations

from typing import Callable

import drgn
import kva

#: Bytes that are read and kept together: the smallest page of arm64, which is there as a whole or not at all.
_PIECE = 4096
#: Pieces that are kept: 64 MiB.
_KEPT = 16384
#: Reads as long as this are not kept.
_LONG = 4 * _PIECE


def reader(dump: kva.Dump, *, physical: bool) -> Callable[[int, int, int, bool], bytes]:
    """A callback for `Program.add_memory_segment`. Absent memory is a `FaultError`, never zeros."""
    read = dump._reader(physical=physical)
    mask, start = _PIECE - 1, -_PIECE
    pieces: dict[int, bytes] = {}
    # The addresses of the pieces in a ring: each takes the place of the oldest. -1 is none.
    ring, turn = [-1] * _KEPT, 0

    def whole(address: int, count: int) -> bytes:
        try:
            return read(address, count)
        except kva.KvaError as error:
            place = error.address if error.address is not None else address
            # drgn names the address itself.
            raise drgn.FaultError(str(error).removeprefix(f"{place:#x}: "), place) from None

    def miss(address: int, count: int) -> bytes:
        nonlocal turn
        offset = address & mask
        if offset + count > _PIECE:
            if count >= _LONG:
                return whole(address, count)
            first = _PIECE - offset
            return get(address, first, 0, physical) + get(address + first, count - first, 0, physical)
        place = address & start
        try:
            piece = read(place, _PIECE)
        except kva.KvaError:
            return whole(address, count)
        pieces.pop(ring[turn], None)
        ring[turn] = place
        turn = (turn + 1) % _KEPT
        pieces[place] = piece
        return piece[offset : offset + count]

    def get(address: int, count: int, _: int, __: bool) -> bytes:
        try:
            piece = pieces[address & start]
        except KeyError:
            return miss(address, count)
        offset = address & mask
        end = offset + count
        return piece[offset:end] if end <= _PIECE else miss(address, count)

    return get
