"""Variables of a kernel that names functions only (no CONFIG_KALLSYMS_ALL), found by what they lead to.

Each is believed only where what it holds, or who points at it, leaves no doubt; else it is not found.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import Optional

import drgn
import kva
from drgn import Object, Program, offsetof

from .lists import elements
from .symbols import address_of

_PIECE = 1 << 20
#: Elements of a list or levels of a tree that are followed.
_LIMIT = 1 << 16


class Recognised:
    """Finds the variables."""

    def __init__(self, dump: kva.Dump) -> None:
        self._dump = dump
        self._known: dict[str, Optional[Object]] = {}
        self._pieces: dict[bool, list[tuple[int, bytes]]] = {}

    def find(self, prog: Program, name: str) -> Optional[Object]:
        """The variable of that name; None if it is not recognised."""
        finder = _FINDERS.get(name)
        if finder is None:
            return None
        if name not in self._known:
            # A finder that asks for itself finds nothing.
            self._known[name] = None
            try:
                self._known[name] = finder(self, prog)
            except (LookupError, AttributeError, drgn.FaultError, kva.NotFound, StopIteration):
                pass
        return self._known[name]

    # The image

    def _image(self, *, writable: bool) -> list[tuple[int, bytes]]:
        """What is mapped of the image and not executable."""
        pieces = self._pieces.get(writable)
        if pieces is None:
            pieces = self._pieces[writable] = []
            for part in self._dump.ptdump(region="kernel image"):
                attributes = part["attributes"]
                if attributes["writable"] == writable and not attributes["executableEL1"]:
                    pieces.extend(self._read(part["start"], part["end"]))
        return pieces

    def _read(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for address in range(start, end, _PIECE):
            try:
                yield address, self._dump.read(address, min(_PIECE, end - address))
            except kva.NotFound:
                continue

    def _places(self, content: bytes, *, writable: bool, aligned: int = 1) -> Iterator[int]:
        """Where `content` stands in the image."""
        for start, piece in self._image(writable=writable):
            place = piece.find(content)
            while place >= 0:
                if (start + place) % aligned == 0:
                    yield start + place
                place = piece.find(content, place + 1)

    def _pointers(self, target: int, *, writable: bool) -> Iterator[int]:
        return self._places(struct.pack("<Q", target), writable=writable, aligned=8)

    def _in_image(self, address: int) -> bool:
        return any(start <= address < start + len(piece) for start, piece in self._image(writable=True))

    # The variables

    def init_mm(self, prog: Program) -> Object:
        """The mm_struct with the kernel's tables and the beginning of its code. (setup_initial_init_mm)"""
        tables, text = address_of(self._dump, "swapper_pg_dir"), address_of(self._dump, "_stext")
        kind = prog.type("struct mm_struct")
        for place in self._pointers(tables, writable=True):
            found = Object(prog, kind, address=place - offsetof(kind, "pgd"))
            if 0 <= text - found.start_code.value_() <= 0x10000 and found.end_code > found.start_code:
                return found
        raise LookupError

    def _caches(self, prog: Program) -> list[Object]:
        return [Object(prog, "struct kmem_cache *", cache["address"]) for cache in self._dump.slab()]

    def slab_caches(self, prog: Program) -> Object:
        """The one link in the ring of caches that is in no cache."""
        links = {cache.list.address_of_().value_() for cache in self._caches(prog)}
        link = Object(prog, "struct list_head *", min(links))
        for _ in range(_LIMIT):
            if link.value_() not in links:
                if self._in_image(link.value_()) and link.next.prev == link:
                    return link[0]
                break
            link = link.next.read_()
        raise LookupError

    def slab_kset(self, prog: Program) -> Object:
        """What most caches are in. (sysfs_slab_add)"""
        sets = [cache.kobj.kset.read_() for cache in self._caches(prog)]
        values = [each.value_() for each in sets if each]
        most = max(set(values), key=values.count)
        return next(each for each in sets if each.value_() == most)

    def task_struct_cachep(self, prog: Program) -> Object:
        """The cache that PID 1 is from."""
        slab = self._dump.identify(self._first_task()).get("slab")
        if slab is None:
            raise LookupError
        return Object(prog, "struct kmem_cache *", slab["cacheAddress"])

    def _first_task(self) -> int:
        return next(task["task"] for task in self._dump.tasks() if task["pid"] == 1)

    def init_css_set(self, prog: Program) -> Object:
        """Where the first idle task is."""
        return self._static(prog["init_task"].cgroups)

    def root_task_group(self, prog: Program) -> Object:
        return self._static(prog["init_task"].sched_task_group)

    def _static(self, pointer: Object) -> Object:
        if not self._in_image(pointer.value_()):
            raise LookupError
        return pointer[0]

    def _ram(self, prog: Program) -> list[tuple[int, int]]:
        """The ranges of memblock.memory, as the resources have them. (request_standard_resources)"""
        found, resource = [], prog["iomem_resource"].child.read_()
        for _ in range(_LIMIT):
            if not resource:
                break
            if resource.name.string_() in (b"System RAM", b"reserved"):
                found.append((resource.start.value_(), resource.end.value_() + 1))
            resource = resource.sibling.read_()
        if not found:
            raise LookupError
        return found

    def first_pfn(self, prog: Program) -> Object:
        return Object(prog, "unsigned long", min(start for start, _ in self._ram(prog)) >> prog["PAGE_SHIFT"].value_())

    def last_pfn(self, prog: Program) -> Object:
        """On arm64 all memory is low memory. (arch/arm64/mm/init.c, bootmem_init)"""
        return Object(prog, "unsigned long", max(end for _, end in self._ram(prog)) >> prog["PAGE_SHIFT"].value_())

    def last_section(self, prog: Program) -> Object:
        """The section of the end of memory. (mm/sparse.c, memory_present)"""
        end = max(end for _, end in self._ram(prog))
        return Object(prog, "unsigned long", end - 1 >> prog["SECTION_SIZE_BITS"].value_())

    def vmap_area_root(self, prog: Program) -> Object:
        """The pointer to the top of the tree that the first area is in."""
        node = prog["vmap_area_list"].next
        area = prog.type("struct vmap_area")
        node = Object(prog, "struct rb_node *", node.value_() - offsetof(area, "list") + offsetof(area, "rb_node"))
        for _ in range(_LIMIT):
            above = node.member_("__rb_parent_color").value_() & ~3
            if not above:
                break
            node = Object(prog, "struct rb_node *", above)
        places = list(itertools.islice(self._pointers(node.value_(), writable=True), 2))
        if len(places) != 1:
            raise LookupError
        return Object(prog, "struct rb_root", address=places[0])

    def saved_command_line(self, prog: Program) -> Object:
        """The pointer to the text that the log has as the kernel's command line."""
        mark = "Kernel command line: "
        line = next(each["text"] for each in self._dump.dmesg() if each["text"].startswith(mark))[len(mark) :]
        text = line.encode() + b"\0"
        for place, target in self._pointers_to_objects(prog):
            try:
                if prog.read(target, len(text)) == text:
                    return Object(prog, "char *", address=place)
            except drgn.FaultError:
                continue
        raise LookupError

    def btf_modules(self, prog: Program) -> Object:
        """The head of the list whose first element is of a known module."""
        modules = {module.value_() for module in elements(prog["modules"], "struct module", "list")}
        kind = prog.type("struct btf_module *")
        for place, target in self._pointers_to_objects(prog):
            try:
                if prog.read_u64(target + 8) == place:
                    first = Object(prog, kind, target - offsetof(kind.type, "list"))
                    if first.module.value_() in modules:
                        return Object(prog, "struct list_head", address=place)
            except drgn.FaultError:
                continue
        raise LookupError

    def _pointers_to_objects(self, prog: Program) -> Iterator[tuple[int, int]]:
        """Where the data of the image point into the linear map, and at what: as far from init's task as 4 GiB."""
        high = struct.pack("<Q", self._first_task())[4:]
        for place in self._places(high, writable=True):
            if place % 8 == 4:
                yield place - 4, prog.read_u64(place - 4)

    def _texts(self, prog: Program, *first: str) -> Object:
        """An array of texts, of which the first ones are known, up to what is none."""
        places = [
            [place + 1 for place in self._places(b"\0%b\0" % text.encode(), writable=False)] for text in first
        ]
        for target in places[0]:
            for place in self._pointers(target, writable=False):
                if all(prog.read_u64(place + 8 * index) in those for index, those in enumerate(places)):
                    return texts(prog, place, _LIMIT)
        raise LookupError

    def task_state_array(self, prog: Program) -> Object:
        return self._texts(prog, "R (running)", "S (sleeping)")

    def migratetype_names(self, prog: Program) -> Object:
        return self._texts(prog, "Unmovable", "Movable", "Reclaimable")

    def thread_size(self, prog: Program) -> Object:
        """The size of the area of a stack, without its guard. (VMAP_STACK)"""
        area = Object(prog, "struct task_struct *", self._first_task()).stack_vm_area.read_()
        return Object(prog, "unsigned long", area.size.value_() - prog["PAGE_SIZE"].value_())


def texts(prog: Program, address: int, count: int) -> Object:
    """An array of at most `count` texts: of what follows it, the first that is no pointer to text ends it."""
    found = 0
    while found < count:
        try:
            if not prog.read_c_string(prog.read_u64(address + 8 * found), max_size=64).isascii():
                break
        except drgn.FaultError:
            break
        found += 1
    return Object(prog, prog.array_type(prog.type("const char * const"), found), address=address)


_FINDERS: dict[str, Callable[[Recognised, Program], Object]] = {
    "init_mm": Recognised.init_mm,
    "slab_caches": Recognised.slab_caches,
    "slab_kset": Recognised.slab_kset,
    "task_struct_cachep": Recognised.task_struct_cachep,
    "init_css_set": Recognised.init_css_set,
    "root_task_group": Recognised.root_task_group,
    "min_low_pfn": Recognised.first_pfn,
    "max_low_pfn": Recognised.last_pfn,
    "max_pfn": Recognised.last_pfn,
    "__highest_present_section_nr": Recognised.last_section,
    "btf_modules": Recognised.btf_modules,
    "vmap_area_root": Recognised.vmap_area_root,
    "saved_command_line": Recognised.saved_command_line,
    "task_state_array": Recognised.task_state_array,
    "migratetype_names": Recognised.migratetype_names,
    "THREAD_SIZE": Recognised.thread_size,
}
