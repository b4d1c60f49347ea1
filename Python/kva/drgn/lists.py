"""The kernel's lists, which may be damaged: drgn's own helpers follow them without end, and are slow to import."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from drgn import Object, Type, container_of

_LIMIT = 1 << 16


def elements(head: Object, type: Union[str, Type], member: str) -> Iterator[Object]:
    """What is in the list at `head`, a `struct list_head`."""
    link = head.next.read_()
    for _ in range(_LIMIT):
        if link.value_() == head.address_:
            return
        yield container_of(link, type, member)
        link = link.next.read_()
