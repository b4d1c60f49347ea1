"""Ask `kva` about an arm64 Linux crash dump.

    import kva

    with kva.Dump("vmcore") as dump:
        print(hex(dump.resolve("init_task+8")["physical"]))
        for symbol in dump.symbols("vmalloc_*"):
            print(symbol["name"], hex(symbol["address"]))

A `Dump` is one `kva batch` process, which caches what it has read for later queries. The results are the
objects of kva-json(5), as dictionaries with the same keys, except that hex strings become `int` and the bytes of
memory `bytes`. A key that may be absent there may be absent here.

The program is the one given as `kva=`, else the one that the environment variable KVA names, else `kva` in PATH,
else the one installed with this module.

The library `libkva-c.so` reads memory in this process, many times as fast. It is the one that the environment variable
KVA_LIBRARY names, else one beside this module, else one beside the program; an empty KVA_LIBRARY disables it. Without
the library the `kva` process reads memory, with the same answers.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import fcntl
import functools
import itertools
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import (
    IO,
    Any,
    NamedTuple,
    NoReturn,
    Optional,
    TypedDict,
    Union,
    cast,
)

__all__ = [
    "Answer",
    "BadRequest",
    "Dump",
    "DumpError",
    "Ended",
    "Incomplete",
    "KvaError",
    "NotFound",
    "ProgramNotFound",
    "Request",
    "report",
]

#: An address as a number, or what `kva` takes for one: "0xffff800008000000", "init_task+8", "fuse:fuse_init".
Query = Union[int, str]
#: The tables of user space: the PID of a process, or "cpu0", or the physical address of a root as "0x4169c000".
Tables = Union[int, str]


# Exceptions


class KvaError(Exception):
    """The base class of this module's exceptions."""

    #: The file that the error is about, if it is one file, and the offset in it.
    file: Optional[str] = None
    offset: Optional[int] = None
    #: The kind of the error in kva-batch(1), if it has one.
    kind: Optional[str] = None
    #: The first address that cannot be read, if memory cannot be read.
    address: Optional[int] = None


class ProgramNotFound(KvaError):
    """No `kva` was found to run."""


class DumpError(KvaError):
    """The dump, or another file, cannot be used: it is damaged, truncated, of another kind, or has no kernel."""


class NotFound(KvaError):
    """The object of a query does not exist, or cannot be read."""


class BadRequest(KvaError):
    """There is no such command, option or argument."""


class Ended(KvaError):
    """The `Dump` is closed, or its process ended before it answered."""


class Incomplete(UserWarning):
    """A list is incomplete; the message says what is missing."""


# Requests and answers


class Request(NamedTuple):
    """A query: the arguments after the dump, and the long options without their dashes."""

    command: str
    arguments: tuple[Query, ...] = ()
    options: dict[str, Any] = {}


class Answer(NamedTuple):
    """The unchecked answer: results and problems together, nothing raised."""

    results: list[Any]
    errors: list[Problem]
    #: The exit status that the command would have had.
    status: int

    def checked(self) -> list[Any]:
        """The results. Raises the first problem if there are none or a file failed; else warns of each problem."""
        if self.errors and (self.status >= 2 or not self.results):
            raise _error(self.errors[0])
        for problem in self.errors:
            warnings.warn(str(_error(problem)), Incomplete, stacklevel=4)
        return self.results


# The objects of kva-json(5), as man/objects describes them.

# man/generate: types
_Attributes = TypedDict(
    "_Attributes",
    {
        "writable": "bool",
        "executableEL1": "Optional[bool]",
        "executableEL0": "Optional[bool]",
        "user": "bool",
        "accessed": "bool",
        "global": "bool",
        "memoryType": "Optional[str]",
        "attrIndex": "int",
        "shareability": "Optional[str]",
        "dirtyBitModifier": "bool",
        "guarded": "bool",
        "software": "list[str]",
    },
)


class Attributes(_Attributes, total=False):
    """The effective attributes of a mapping: those of its entry and of the tables above it."""

    executableEL2: bool


class HypervisorAddress(TypedDict):
    """A hypervisor address in the kernel's terms."""

    kernelAddress: Optional[int]
    part: str


class Mapping(TypedDict):
    """The entry that maps an address."""

    level: int
    kind: str
    size: int
    contiguous: bool


class Step(TypedDict):
    """One entry of a table walk."""

    level: int
    index: int
    address: int
    descriptor: int
    kind: str


class Range(TypedDict):
    """A range of addresses."""

    start: int
    end: int


class CPU(TypedDict):
    """What a CPU was doing."""

    cpu: int
    pc: Optional[int]
    sp: Optional[int]
    registers: Optional[dict[str, int]]
    pid: Optional[int]
    comm: Optional[str]
    task: Optional[int]
    ttbr0: Optional[int]
    ttbr1: Optional[int]
    cnp: Optional[bool]
    atEL0: Optional[bool]
    userTables: Optional[int]
    sources: dict[str, Optional[str]]


class Task(TypedDict):
    """A task."""

    pid: int
    tgid: int
    comm: str
    cpu: Optional[int]
    state: str
    task: int
    stack: int
    mm: Optional[int]
    ttbr0: Optional[int]
    asid: Optional[int]
    ppid: Optional[int]
    uid: Optional[int]
    startTime: Optional[int]
    lastRun: Optional[int]


class Proof(TypedDict):
    """An entry that proves a finding."""

    virtual: int
    level: int
    index: int
    address: int
    descriptor: int
    kind: str


class Finding(TypedDict):
    """Something in the page tables that a sound kernel does not do."""

    code: str
    severity: str
    start: int
    end: int
    size: int
    region: Optional[str]
    message: str
    descriptors: list[Proof]


class LogRecord(TypedDict):
    """A message of the kernel log."""

    sequence: int
    timestamp: int
    level: int
    facility: int
    caller: Optional[str]
    text: str


class _Problem(TypedDict):
    kind: str
    message: str


class Problem(_Problem, total=False):
    """An error or a warning."""

    file: str
    offset: int
    code: str


class Diagnostic(TypedDict):
    """A warning or a note as data."""

    code: str
    subject: Optional[str]
    text: str


class StackFrame(TypedDict):
    """A frame of a stack."""

    pc: int
    symbol: Optional[str]
    offset: Optional[int]
    size: Optional[int]
    module: Optional[str]
    sp: Optional[int]
    kind: str
    source: Optional[SourceLine]


class LockWait(TypedDict):
    """The lock that a task waits for."""

    kind: str
    lock: int
    owner: Optional[LockOwner]
    readers: Optional[bool]


class LockOwner(TypedDict):
    """A task that holds a lock."""

    task: int
    pid: int
    comm: str


class SourceLine(TypedDict):
    """A line of source."""

    file: str
    line: int


# What the processor reported when the kernel died.
Fault = TypedDict(
    "Fault",
    {
        "kind": "str",
        "esr": "Optional[int]",
        "class": "Optional[str]",
        "faultStatus": "Optional[int]",
        "status": "Optional[str]",
        "level": "Optional[int]",
        "write": "Optional[bool]",
        "far": "Optional[int]",
        "pc": "Optional[CodePlace]",
        "registers": "Optional[dict[str, int]]",
        "pointers": "Optional[dict[str, str]]",
        "logWalk": "Optional[dict[str, int]]",
        "walk": "Optional[list[Step]]",
        "agrees": "Optional[bool]",
        "file": "Optional[str]",
        "line": "Optional[int]",
        "code": "Optional[list[str]]",
        "object": "Optional[str]",
    },
)


class CodePlace(TypedDict):
    """A place in the kernel's code."""

    address: int
    symbol: Optional[str]
    offset: Optional[int]


class _BatchAnswer(TypedDict):
    id: Optional[Union[str, float]]
    errors: list[Problem]
    status: int


class BatchAnswer(_BatchAnswer, total=False):
    """The answer to a request."""

    results: list[dict[str, Any]]
    text: str


class Difference(TypedDict):
    """A difference between two dumps."""

    what: str
    name: str
    change: str
    before: Optional[str]
    after: Optional[str]


class _OpenFile(TypedDict):
    fd: int
    file: int
    path: Optional[str]
    offset: int
    flags: list[str]


class OpenFile(_OpenFile, total=False):
    """An open file of a process."""

    socket: Socket


class Socket(TypedDict):
    """A socket."""

    family: str
    type: str
    protocol: Optional[str]
    state: Optional[str]
    local: Optional[str]
    remote: Optional[str]


class _Identity(TypedDict):
    query: str
    status: str
    virtual: Optional[int]
    physical: Optional[int]
    region: Optional[str]
    kind: str


class Identity(_Identity, total=False):
    """Everything known about an address."""

    tag: int
    withoutPAC: int
    poison: str
    symbol: str
    offset: int
    shadowed: Range
    hypervisor: HypervisorAddress
    source: SourceLine
    module: ModulePart
    vmalloc: AreaPart
    task: TaskPart
    stack: StackPlace
    perCPU: PerCPU
    slab: SlabPart
    frame: Frame
    page: Frame
    linearAlias: int
    imageAlias: int
    fixmapSlot: str
    shadow: str
    table: TablePart
    vma: VMAPart
    swap: SwapPart
    resources: list[Resource]
    memblock: list[str]
    notes: list[str]
    diagnostics: list[Diagnostic]
    doubt: str
    doubtCode: str
    message: str
    messageCode: str


class ModulePart(TypedDict):
    """A module, and which part of its memory."""

    name: str
    section: str


class AreaPart(TypedDict):
    """A vmalloc area."""

    start: int
    end: int
    caller: Optional[str]
    flags: list[str]


class TaskPart(TypedDict):
    """A task, and where in its task_struct or stack the address is."""

    pid: int
    tgid: int
    comm: str
    cpu: Optional[int]
    state: str
    task: int
    stack: int
    mm: Optional[int]
    ttbr0: Optional[int]
    asid: Optional[int]
    ppid: Optional[int]
    uid: Optional[int]
    startTime: Optional[int]
    lastRun: Optional[int]
    part: str
    offset: int


class StackPlace(TypedDict):
    """A place on a kernel stack, or in the guard below one."""

    kind: str
    start: int
    end: int
    cpu: Optional[int]
    pid: Optional[int]
    comm: Optional[str]
    part: str
    frame: Optional[StackFrame]
    registers: Optional[int]
    guard: Optional[Range]


class PerCPU(TypedDict):
    """A CPU's copy of a per-CPU variable."""

    name: str
    cpu: int
    offset: int


class TablePart(TypedDict):
    """A translation table, and an entry in it."""

    pid: Optional[int]
    comm: Optional[str]
    level: int
    index: int
    start: int
    end: int


class VMAPart(TypedDict):
    """A VMA of a process."""

    pid: int
    comm: str
    start: int
    end: int
    permissions: str
    name: Optional[str]
    fileOffset: Optional[int]
    cachedFrame: Optional[int]


class SwapPart(TypedDict):
    """A page's place in swap."""

    type: int
    slot: int
    path: Optional[str]


class Resource(TypedDict):
    """A range of physical addresses."""

    name: str
    start: int
    end: int


class Frame(TypedDict):
    """A page frame."""

    number: int
    structPage: int
    use: Optional[str]
    owner: Optional[str]
    zone: Optional[str]


class _SlabPart(TypedDict):
    cache: str
    cacheAddress: int
    object: Optional[int]
    index: Optional[int]
    size: int
    offset: Optional[float]
    part: str
    allocated: Optional[bool]
    freeList: Optional[str]
    kfence: bool
    cgroup: Optional[str]
    tracks: list[SlabTrack]


class SlabPart(_SlabPart, total=False):
    """The place in a slab that an address is in."""

    damage: list[SlabDamage]


class SlabDamage(TypedDict):
    """Bytes of a slab that the allocator filled, and something else wrote to."""

    what: str
    start: int
    end: int
    expected: Optional[int]
    found: str


class SlabTrack(TypedDict):
    """An allocation or a free."""

    what: str
    pid: int
    cpu: Optional[int]
    time: Optional[int]
    timestamp: Optional[int]
    frames: list[str]


class _Info(TypedDict):
    schema: int
    format: str
    pageSize: Optional[int]
    vaBits: Optional[int]
    vaBitsMin: Optional[int]
    vaBitsActual: Optional[int]
    paBits: Optional[int]
    kaslrOffset: Optional[int]
    kimageVoffset: Optional[int]
    physOffset: Optional[int]
    layout: Optional[str]
    cpus: list[Union[CPU, NotedCPU]]
    release: Optional[str]
    buildID: Optional[str]
    vmcoreinfo: Optional[str]
    crashTime: Optional[int]
    memory: list[Range]
    pagesPresent: Optional[int]
    pagesTotal: Optional[int]
    pagesFiltered: Optional[int]
    pagesLost: Optional[int]
    pagesCutOff: Optional[int]
    pagesZero: Optional[int]
    compression: Optional[str]
    dumpLevel: Optional[int]
    leftOut: list[str]
    blockSize: Optional[int]
    deviceDumps: list[DeviceDump]
    eraseInfo: list[str]
    omitted: list[str]
    sources: dict[str, Optional[str]]
    warnings: list[str]
    diagnostics: list[Diagnostic]


class Info(_Info, total=False):
    """The dump's format and the facts about its kernel."""

    swapperPgDir: SwapperPgDir
    ttbr1: Optional[int]
    rootTables: list[RootTable]
    kpti: Optional[bool]
    tcr: TCR
    mair: int
    mairKnown: int
    hypervisor: Hypervisor
    verification: list[Check]
    rootCandidates: list[RootCandidate]


class SwapperPgDir(TypedDict):
    """The kernel's root table."""

    virtual: Optional[int]
    physical: int


class DeviceDump(TypedDict):
    """What a driver added to the dump."""

    name: str
    size: int


class NotedCPU(TypedDict):
    """The registers of a CPU in the dump's notes."""

    cpu: int
    pc: int
    sp: int
    registers: dict[str, int]


class RootTable(TypedDict):
    """A root table of the kernel."""

    name: str
    virtual: Optional[int]
    physical: int
    source: str


# TCR_EL1 and its fields.
TCR = TypedDict(
    "TCR",
    {
        "value": "int",
        "known": "int",
        "t0sz": "Optional[int]",
        "t1sz": "Optional[int]",
        "tg0": "Optional[int]",
        "tg1": "Optional[int]",
        "ips": "Optional[int]",
        "a1": "Optional[int]",
        "as": "Optional[int]",
        "tbi0": "Optional[int]",
        "tbi1": "Optional[int]",
        "tbid0": "Optional[int]",
        "tbid1": "Optional[int]",
        "ha": "Optional[int]",
        "hd": "Optional[int]",
        "ds": "Optional[int]",
        "epd0": "Optional[int]",
        "epd1": "Optional[int]",
        "irgn0": "Optional[int]",
        "orgn0": "Optional[int]",
        "sh0": "Optional[int]",
        "irgn1": "Optional[int]",
        "orgn1": "Optional[int]",
        "sh1": "Optional[int]",
        "hpd0": "Optional[int]",
        "hpd1": "Optional[int]",
        "nfd0": "Optional[int]",
        "nfd1": "Optional[int]",
        "e0pd0": "Optional[int]",
        "e0pd1": "Optional[int]",
        "tcma0": "Optional[int]",
        "tcma1": "Optional[int]",
        "sources": "dict[str, Optional[str]]",
    },
)


class _Hypervisor(TypedDict):
    mode: Optional[str]
    vaMask: Optional[int]
    tagLSB: Optional[int]
    tagValue: Optional[int]
    physvirtOffset: Optional[int]
    table: Optional[int]
    addressBits: Optional[int]
    cpus: list[HypervisorCPU]
    sources: dict[str, Optional[str]]
    notes: list[str]
    diagnostics: list[Diagnostic]


class Hypervisor(_Hypervisor, total=False):
    """KVM at EL2."""

    idmap: Range


class HypervisorCPU(TypedDict):
    """The EL2 registers of a CPU."""

    cpu: Optional[int]
    ttbr0EL2: Optional[int]
    tcrEL2: Optional[int]
    mairEL2: Optional[int]
    hcrEL2: Optional[int]
    vbarEL2: Optional[int]
    tpidrEL2: Optional[int]
    spEL2: Optional[int]
    sources: dict[str, Optional[str]]


class Check(TypedDict):
    """A fact checked against others."""

    check: str
    outcome: str
    detail: str


class RootCandidate(TypedDict):
    """A table that may be the kernel's root table."""

    physical: int
    score: int
    bestScore: int
    pageSize: int
    vaBitsActual: int
    kimageVoffset: Optional[int]
    linearBytes: int
    evidence: list[str]


class _LayoutRegion(TypedDict):
    name: str
    start: int
    end: int
    size: int
    source: str


class LayoutRegion(_LayoutRegion, total=False):
    """A region of the address space."""

    optional: bool


class LookupField(TypedDict):
    """A field of the table lookup."""

    level: int
    highBit: int
    lowBit: int


class _Element(TypedDict):
    element: int
    values: dict[str, Any]


class Element(_Element, total=False):
    """An element of a container."""

    index: Union[int, str]
    last: Union[int, str]


class ListEnd(TypedDict):
    """Where a container is broken."""

    end: str
    message: str
    messageCode: str


class UserMapping(TypedDict):
    """A VMA of a process."""

    vma: int
    start: int
    end: int
    permissions: str
    offset: int
    device: str
    inode: int
    name: Optional[str]
    flags: list[str]
    resident: Optional[int]
    swapped: Optional[int]


class Module(TypedDict):
    """A loaded module."""

    name: str
    address: int
    size: int
    regions: list[ModuleRange]
    refcount: Optional[int]
    users: Optional[list[str]]
    taint: Optional[str]


class ModuleRange(TypedDict):
    """A part of a module's memory."""

    kind: str
    start: int
    end: int


class Mount(TypedDict):
    """A mount that a process sees."""

    mount: int
    id: float
    parent: Optional[float]
    superBlock: int
    source: str
    target: str
    type: str
    options: list[str]


class _PageFrame(TypedDict):
    pfn: int
    page: int
    physical: int
    flagsValue: Optional[int]
    flags: list[str]
    kpageflags: Optional[int]
    refcount: Optional[float]
    mapcount: Optional[float]
    mapping: Optional[int]
    index: Optional[int]
    head: Optional[int]
    order: Optional[int]
    buddyOrder: Optional[int]
    use: str
    owner: Optional[str]
    cgroup: Optional[str]
    zone: Optional[str]
    node: Optional[int]


class PageFrame(_PageFrame, total=False):
    """A page frame and its struct page."""

    tracks: list[PageTrack]


class PageTrack(TypedDict):
    """An allocation or a free of a page frame."""

    what: str
    pid: Optional[int]
    tgid: Optional[int]
    comm: Optional[str]
    timestamp: int
    order: Optional[int]
    gfp: Optional[int]
    frames: list[str]


class PageSummary(TypedDict):
    """The frames of one use."""

    use: str
    pages: int
    bytes: int


class PrintedValue(TypedDict):
    """The value of an expression."""

    query: str
    type: str
    address: Optional[int]
    value: Any


class _MappedRange(TypedDict):
    start: int
    end: int
    physical: int
    consecutive: bool
    size: int
    level: int
    kind: str
    region: Optional[str]
    attributes: EntryAttributes


class MappedRange(_MappedRange, total=False):
    """Adjacent mappings with identical attributes."""

    hypervisor: HypervisorAddress
    doubt: str
    doubtCode: str


_EntryAttributes = TypedDict(
    "_EntryAttributes",
    {
        "writable": "bool",
        "executableEL1": "Optional[bool]",
        "executableEL0": "Optional[bool]",
        "user": "bool",
        "accessed": "bool",
        "global": "bool",
        "memoryType": "Optional[str]",
        "attrIndex": "int",
        "shareability": "Optional[str]",
        "contiguous": "bool",
        "guarded": "bool",
    },
)


class EntryAttributes(_EntryAttributes, total=False):
    """The bits of an entry, regardless of the tables above it."""

    executableEL2: bool


class _Piece(TypedDict):
    address: int
    physical: Optional[int]
    bytes: Optional[bytes]


class Piece(_Piece, total=False):
    """The memory of one page, or of part of one."""

    doubt: str
    doubtCode: str
    message: str
    messageCode: str


class Region(TypedDict):
    """A region of the kernel's address space."""

    name: str
    start: int
    end: int
    size: int
    mapped: Optional[int]
    source: str


class Report(TypedDict):
    """What triage needs to know about a dump."""

    schema: int
    dump: str
    error: Optional[Problem]
    signature: Optional[str]
    crash: Optional[Crash]
    format: Optional[str]
    release: Optional[str]
    buildID: Optional[str]
    crashTime: Optional[int]
    pageSize: Optional[int]
    vaBits: Optional[int]
    taint: Optional[Taint]
    cpus: Optional[list[TracedCPU]]
    counts: Counts
    audit: Optional[Audit]
    log: Optional[list[LogRecord]]
    fault: Optional[Fault]
    stacks: Optional[list[ReportStack]]
    hardwareErrors: Optional[list[HardwareErrors]]
    warnings: list[str]
    notes: list[str]
    diagnostics: list[Diagnostic]


class Crash(TypedDict):
    """Why the kernel died."""

    kind: str
    text: str
    panic: Optional[str]
    timestamp: int
    cpu: Optional[int]
    pid: Optional[int]
    comm: Optional[str]
    at: Optional[str]
    trace: list[str]
    traceSource: Optional[str]


class ReportStack(TypedDict):
    """Where a task is."""

    pid: int
    comm: str
    cpu: Optional[int]
    state: str
    running: bool
    hash: int
    trace: list[str]
    waitsFor: Optional[LockWait]
    sinceRun: Optional[int]


class HardwareErrors(TypedDict):
    """Hardware errors of one kind that the kernel recovered from."""

    kind: str
    count: int
    last: Optional[int]


class Taint(TypedDict):
    """The kernel's taint."""

    mask: int
    letters: str


class TracedCPU(TypedDict):
    """What a CPU was doing, and its call trace."""

    cpu: int
    pc: Optional[int]
    sp: Optional[int]
    registers: Optional[dict[str, int]]
    pid: Optional[int]
    comm: Optional[str]
    task: Optional[int]
    ttbr0: Optional[int]
    ttbr1: Optional[int]
    cnp: Optional[bool]
    atEL0: Optional[bool]
    userTables: Optional[int]
    sources: dict[str, Optional[str]]
    at: Optional[str]
    trace: list[str]


class Counts(TypedDict):
    """How many objects the kernel has."""

    modules: Optional[int]
    tasks: Optional[int]
    taskStates: Optional[dict[str, int]]
    vmallocAreas: Optional[int]
    vmallocBytes: Optional[int]
    pagesPresent: Optional[int]
    pagesTotal: Optional[int]
    pagesFiltered: Optional[int]


class Audit(TypedDict):
    """What kva audit finds."""

    findings: int
    codes: dict[str, int]
    first: list[Finding]
    unchecked: list[str]
    diagnostics: list[Diagnostic]


class _Resolution(TypedDict):
    query: str
    status: str
    region: Optional[str]


class Resolution(_Resolution, total=False):
    """What an address translates to."""

    virtual: int
    tag: int
    tbi: Optional[bool]
    physical: int
    inDump: bool
    shared: bool
    section: str
    frame: int
    slot: int
    arithmetic: Arithmetic
    symbol: str
    offset: int
    module: str
    hypervisor: HypervisorAddress
    mapping: Mapping
    attributes: Attributes
    root: Root
    walk: list[Step]
    entry: str
    pagePhysical: int
    swapType: int
    swapOffset: int
    doubt: str
    doubtCode: str
    message: str
    messageCode: str


class Arithmetic(TypedDict):
    """Where the kernel's own arithmetic puts an address."""

    physical: int
    agrees: bool
    rule: str


class Root(TypedDict):
    """The tables that were walked."""

    register: str
    table: int


class _ReverseMapping(TypedDict):
    physical: int
    virtual: int
    region: Optional[str]
    mapping: Mapping
    attributes: Attributes
    address: int
    descriptor: int


class ReverseMapping(_ReverseMapping, total=False):
    """A virtual address that maps a physical one."""

    through: int
    pid: int
    comm: str
    symbol: str
    offset: int
    module: str
    doubt: str
    doubtCode: str


class Match(TypedDict):
    """A place that holds what was searched for."""

    address: Optional[int]
    physical: int
    region: Optional[str]
    symbol: Optional[str]
    offset: Optional[int]
    bytes: bytes


class SlabCache(TypedDict):
    """A slab cache."""

    cache: str
    address: int
    aliases: list[str]
    objectSize: int
    size: int
    objects: int
    active: int
    allocated: Optional[int]
    slabs: int
    order: Optional[int]
    flags: list[str]


class SlabObject(TypedDict):
    """An object of a cache."""

    cache: str
    object: int
    index: int
    allocated: Optional[bool]
    freeList: Optional[str]


class SlabCaller(TypedDict):
    """The allocated objects of a cache that one call trace asked for."""

    cache: str
    count: int
    bytes: int
    frames: list[str]


class SlabListedDamage(TypedDict):
    """What was written over of a cache's slabs."""

    cache: str
    object: Optional[int]
    index: Optional[int]
    allocated: Optional[bool]
    what: str
    start: int
    end: int
    expected: Optional[int]
    found: str
    tracks: list[SlabTrack]


class StackTrace(TypedDict):
    """Where a task is."""

    task: int
    pid: int
    tgid: int
    comm: str
    cpu: Optional[int]
    state: str
    running: bool
    frames: list[StackFrame]
    end: str
    message: Optional[str]
    messageCode: Optional[str]
    hash: int
    shadow: Optional[ShadowStack]
    waitsFor: Optional[LockWait]
    sinceRun: Optional[int]
    hypervisor: Optional[HypervisorTrace]
    user: Optional[UserContext]


class ShadowStack(TypedDict):
    """The shadow call stack against the frame records."""

    frames: int
    agrees: bool
    message: Optional[str]
    messageCode: Optional[str]


class HypervisorTrace(TypedDict):
    """The stack at EL2, without VHE."""

    frames: list[StackFrame]
    message: Optional[str]
    messageCode: Optional[str]


class UserContext(TypedDict):
    """The user registers at a kernel entry."""

    pc: int
    sp: int


class StackGroup(TypedDict):
    """Tasks in the same place."""

    hash: int
    count: int
    tasks: list[int]
    frames: list[StackFrame]


class Symbol(TypedDict):
    """A symbol of the kernel or of a module."""

    name: str
    address: int
    type: Optional[str]
    module: Optional[str]


class _TypeLayout(TypedDict):
    type: str
    kind: str
    size: Optional[int]
    members: list[LayoutMember]
    source: str
    module: Optional[str]


class TypeLayout(_TypeLayout, total=False):
    """The layout of a type."""

    enumerators: list[Enumerator]


class LayoutMember(TypedDict):
    """A member of a type."""

    name: Optional[str]
    type: str
    bit: int
    bits: Optional[int]


class Enumerator(TypedDict):
    """A constant of an enumeration."""

    name: str
    value: Union[int, str]


class TypeMember(TypedDict):
    """With --offset, what is at an offset in a type."""

    type: str
    offset: int
    member: Optional[str]
    memberOffset: Optional[int]


class _VmallocArea(TypedDict):
    start: int
    end: int
    size: int
    caller: Optional[str]
    flags: list[str]
    pages: Optional[int]
    physical: Optional[int]


class VmallocArea(_VmallocArea, total=False):
    """An area of vmalloc space."""

    module: str
# man/generate: end of types


# man/generate: methods
class _Commands:
    """A method for each command that takes its arguments as they are."""

    def audit(self, *arguments: Query, **options: Any) -> list[Finding]:
        """One object for each finding."""
        return self._list("audit", *arguments, **options)

    def diff(self, *arguments: Query, **options: Any) -> list[Difference]:
        """One object for each difference."""
        return self._list("diff", *arguments, **options)

    def dmesg(self, *arguments: Query, **options: Any) -> list[LogRecord]:
        """One object for each message."""
        return self._list("dmesg", *arguments, **options)

    def fault(self, *arguments: Query, **options: Any) -> list[Fault]:
        """One object for each fault."""
        return self._list("fault", *arguments, **options)

    def files(self, *arguments: Query, **options: Any) -> list[OpenFile]:
        """One object for each open file."""
        return self._list("files", *arguments, **options)

    def layout(self, *arguments: Query, **options: Any) -> list[Union[LayoutRegion, LookupField]]:
        """One object for each region, then one for each field of the table lookup."""
        return self._list("layout", *arguments, **options)

    def list(self, *arguments: Query, **options: Any) -> list[Union[Element, ListEnd]]:
        """One object for each element; ListEnd last, if the list is broken."""
        return self._list("list", *arguments, **options)

    def tree(self, *arguments: Query, **options: Any) -> list[Union[Element, ListEnd]]:
        """As list."""
        return self._list("tree", *arguments, **options)

    def maps(self, *arguments: Query, **options: Any) -> list[UserMapping]:
        """One object for each VMA."""
        return self._list("maps", *arguments, **options)

    def modules(self, *arguments: Query, **options: Any) -> list[Module]:
        """One object for each module."""
        return self._list("modules", *arguments, **options)

    def mounts(self, *arguments: Query, **options: Any) -> list[Mount]:
        """One object for each mount."""
        return self._list("mounts", *arguments, **options)

    def page(self, *arguments: Query, **options: Any) -> list[Union[PageFrame, PageSummary]]:
        """One object for each frame, in order; with --summary one for each use."""
        return self._list("page", *arguments, **options)

    def print(self, *arguments: Query, **options: Any) -> list[PrintedValue]:
        """One object for each expression, in order."""
        return self._list("print", *arguments, **options)

    def regions(self, *arguments: Query, **options: Any) -> list[Region]:
        """One object for each region."""
        return self._list("regions", *arguments, **options)

    def search(self, *arguments: Query, **options: Any) -> list[Match]:
        """One object for each match, in the order of their addresses."""
        return self._list("search", *arguments, **options)

    def slab(self, *arguments: Query, **options: Any) -> list[Union[SlabCache, SlabObject, SlabCaller, SlabListedDamage]]:
        """One object for each cache; with --objects one for each object of the caches, with --by-caller one for each call trace, with --check one for each damage."""
        return self._list("slab", *arguments, **options)

    def stack(self, *arguments: Query, **options: Any) -> list[Union[StackTrace, StackGroup]]:
        """One object for each task; with --group one for each distinct trace."""
        return self._list("stack", *arguments, **options)

    def tasks(self, *arguments: Query, **options: Any) -> list[Task]:
        """One object for each task."""
        return self._list("tasks", *arguments, **options)

    def type(self, *arguments: Query, **options: Any) -> list[Union[TypeLayout, TypeMember]]:
        """One object for each type, in order; several if several have the name."""
        return self._list("type", *arguments, **options)

    def vmalloc(self, *arguments: Query, **options: Any) -> list[VmallocArea]:
        """One object for each area."""
        return self._list("vmalloc", *arguments, **options)

    def _list(self, command: str, *arguments: Query, **options: Any) -> list[Any]:
        raise NotImplementedError
# man/generate: end of methods


# The dump


class Dump(_Commands):
    """A crash dump, and the process that answers queries on it.

    Use it in a `with` statement, or `close()` it. Any thread may query it; queries are answered one after another,
    but with the library, threads read memory in parallel. An exception during a query, such as KeyboardInterrupt,
    closes it.
    """

    #: Whether the library reads memory; otherwise the process does.
    fast: bool

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        kva: Optional[Union[str, os.PathLike[str]]] = None,
        **options: Any,
    ) -> None:
        """Opens `path`: a file, or any other form of dump that kva(1) accepts.

        `options` are the options of kva(1) for opening a dump, such as vmlinux="vmlinux" or no_debuginfo=True.

        The library maps the file into this process. If the file may shrink, or its network may fail, use no_mmap=True:
        a failed access to a mapped file ends the process.

        Raises `DumpError` if the dump cannot be opened, `BadRequest` for an unknown option, and `ProgramNotFound` if
        there is no `kva`.
        """
        self.path = os.fspath(path)
        self._lock = threading.RLock()
        self._unanswered: collections.deque[_Pending] = collections.deque()
        self._bytes_unanswered = 0
        self._numbers = itertools.count(1)
        self._memory: Optional[_Memory] = None
        program, words = _program(kva), _words(options)
        self._program, self._words = program, words
        self._started: Optional[subprocess.Popen[bytes]] = None
        self._is_closed = False
        library = _library(program)
        # If the library has the dump open, the first query to the process starts it.
        if library and shutil.which(program):
            with contextlib.suppress(_Refused):
                self._memory = _Memory(library, self.path, words)
        self.fast = self._memory is not None
        if not self.fast:
            self._start()
            # Nothing, read from nowhere: whether it is answered tells whether the dump could be opened.
            try:
                self.ask("read", 0, 0, physical=True).checked()
            except DumpError as error:
                if error.kind is None:
                    _explain(error, [program, "report", "--json", *words, "--", self.path])
                raise

    def _start(self) -> subprocess.Popen[bytes]:
        """The process, started if necessary."""
        if self._started is not None:
            return self._started
        command = [self._program, "batch", *self._words, "--", self.path]
        # What is said there before the process ends is the reason. A file never fills up, as a pipe would.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=1 << 16
            )
        except OSError as error:
            self._stderr.close()
            raise ProgramNotFound(f"{command[0]}: {error.strerror}") from None
        assert process.stdin and process.stdout
        self._started = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._finalizer = weakref.finalize(
            self, _end, process, self._unanswered, self._stderr, os.getpid()
        )
        self._window = _capacity(self._stdin)
        return process

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        return self._start()

    def __enter__(self) -> Dump:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    def close(self) -> None:
        """Ends the process. Pending answers are lost. Closing again does nothing."""
        # A thread that is reading keeps it until it is done.
        self._memory = None
        self._is_closed = True
        if self._started is not None:
            self._finalizer()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed or self._started is not None and not self._finalizer.alive

    # Queries

    def info(self) -> Info:
        """The dump's format and the facts about its kernel."""
        return cast(Info, self._one("info"))

    def resolve(
        self,
        query: Query,
        *,
        walk: bool = False,
        verify: bool = False,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> Resolution:
        """The physical address, region and permissions of an address or a symbol.

        An unmapped address is an answer, not an error: check `status`. `walk` adds every table entry of the walk.
        """
        return cast(Resolution, self._one("resolve", query, walk=walk, verify=verify, ttbr0=ttbr0, el2=el2))

    def resolve_many(
        self,
        queries: Iterable[Query],
        *,
        walk: bool = False,
        verify: bool = False,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> Iterator[Resolution]:
        """`resolve` for each of `queries`, in order, pipelined.

        It reads ahead in `queries` by a bounded amount: they may be endless.
        """
        return self._each("resolve", queries, walk=walk, verify=verify, ttbr0=ttbr0, el2=el2)

    def identify(self, query: Query) -> Identity:
        """Everything known about an address: symbol, module, vmalloc area, task stack, per-CPU data, page."""
        return cast(Identity, self._one("identify", query))

    def identify_many(self, queries: Iterable[Query]) -> Iterator[Identity]:
        """`identify` for each of `queries`, in order, as `resolve_many` does."""
        return self._each("identify", queries)

    def read(
        self,
        address: Query,
        length: int = 256,
        *,
        physical: bool = False,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> bytes:
        """The bytes at a virtual address or a symbol, or at a physical address.

        Raises `NotFound`, with the first unreadable address in `address`, unless all bytes can be read: absent memory
        never reads as zero.
        """
        memory = self._memory
        if memory is not None and not el2:
            try:
                if physical:
                    return memory.read_physical(address, length)
                return memory.read(ttbr0, address, length)
            except _Refused:
                pass
        pieces = []
        for piece in self.read_pieces(address, length, physical=physical, ttbr0=ttbr0, el2=el2):
            content = piece["bytes"]
            if content is None:
                raise _unreadable(piece["address"], piece.get("message", "cannot be read"))
            pieces.append(content)
        return b"".join(pieces)

    def read_physical(self, address: Query, length: int = 256) -> bytes:
        """The bytes at a physical address, as `read` with `physical`."""
        return self.read(address, length, physical=True)

    def read_value(
        self,
        address: Query,
        type: str,
        *,
        physical: bool = False,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> PrintedValue:
        """The value of a type at an address: `read_value("init_uts_ns", "uts_namespace")["value"]`."""
        answer = self._list("read", address, type=type, physical=physical, ttbr0=ttbr0, el2=el2)
        return cast(PrintedValue, answer[0])

    def read_pieces(
        self,
        address: Query,
        length: int = 256,
        *,
        physical: bool = False,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> list[Piece]:
        """The same memory page by page, with a message for each page that cannot be read."""
        pieces = self._list("read", address, length, physical=physical, ttbr0=ttbr0, el2=el2)
        for piece in pieces:
            if piece["bytes"] is not None:
                piece["bytes"] = bytes.fromhex(piece["bytes"])
        return pieces

    def _reader(self, *, physical: bool) -> Callable[[int, int], bytes]:
        """A faster `read`, for many small reads by address."""
        if self._memory is not None:
            return self._memory.reader(physical)
        return lambda address, length: self.read(address, length, physical=physical)

    def _export(self, what: str) -> bytes:
        """A file that kva-export(1) writes, in a process of its own."""
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "exported")
            command = [self._program, "export", *self._words, f"--{what}", "-o", target, "--", self.path]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if not os.path.exists(target):
                raise _ending(done.returncode, done.stderr, self.path)
            with open(target, "rb") as file:
                return file.read()

    def ptdump(
        self,
        start: Optional[int] = None,
        end: Optional[int] = None,
        *,
        region: Optional[str] = None,
        ttbr0: Optional[Tables] = None,
        el2: bool = False,
    ) -> list[MappedRange]:
        """The mappings, adjacent identical ones merged: all, those from `start` up to `end`, or those of one region."""
        bounds = None
        if start is not None or end is not None:
            bounds = f"{start or 0:#x}-{end or 0:#x}"
        return self._list("ptdump", range=bounds, region=region, ttbr0=ttbr0, el2=el2)

    def rmap(self, *physical: Query, all: bool = False) -> list[ReverseMapping]:
        """The virtual addresses that map physical ones; with `all` also those of every process."""
        return self._list("rmap", *physical, all=all)

    def symbols(self, pattern: Optional[str] = None) -> list[Symbol]:
        """The symbols of the kernel and its modules; `*` and `?` in `pattern` are as in a shell."""
        return self._list("symbols", *([] if pattern is None else [pattern]))

    def iter_list(self, type: str, head: Query, *, print: Optional[str] = None) -> Iterator[Union[Element, ListEnd]]:
        """The elements of a linked list, as in kva-list(1), each read only when it is needed.

            for task in dump.iter_list("task_struct.tasks", "init_task.tasks", print="pid,comm"):
                ...

        Stopping early costs at most twice the elements taken.
        """
        return self._elements("list", type, head, print=print)

    def iter_tree(
        self, kind: str, type: str, root: Query, *, print: Optional[str] = None
    ) -> Iterator[Union[Element, ListEnd]]:
        """The elements of a tree or another container, as `iter_list`; `kind` is a kind of kva-tree(1)."""
        return self._elements("tree", kind, type, root, print=print)

    def _elements(self, command: str, *arguments: Query, **options: Any) -> Iterator[Any]:
        # The process continues where the previous chunk ended. Chunks grow, as each costs a request.
        skip, limit = 0, 1
        while True:
            answer = self.ask(command, *arguments, skip=skip, limit=limit, **options)
            yield from answer.checked()
            if answer.status != 0 or len(answer.results) < limit:
                return
            skip += limit
            limit = min(2 * limit, _CHUNK)

    def report(self) -> Report:
        """A summary of the dump for triage. See also the function `report`."""
        answer = self.ask("report")
        # If there is no kernel, the report itself says so.
        return cast(Report, (answer.results or answer.checked())[0])

    def ask(self, command: str, *arguments: Query, **options: Any) -> Answer:
        """The unchecked answer to any query: problems that `kva` reports are not raised.

        Options have the names of the long options, with `_` for `-`; True sets a flag; None and False omit the option.
        """
        with self._lock:
            return self._await(self._send(Request(command, arguments, options)))

    def ask_many(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """`ask` for each of `requests`, in order, sending requests before earlier ones are answered."""
        sent: collections.deque[_Pending] = collections.deque()
        for request in requests:
            with self._lock:
                sent.append(self._send(request))
            while sent and (answer := sent[0].answer) is not None:
                sent.popleft()
                yield answer
        for pending in sent:
            with self._lock:
                last = self._await(pending)
            yield last

    def _list(self, command: str, *arguments: Query, **options: Any) -> list[Any]:
        return self.ask(command, *arguments, **options).checked()

    def _one(self, command: str, *arguments: Query, **options: Any) -> Any:
        return self._list(command, *arguments, **options)[0]

    def _each(self, command: str, queries: Iterable[Query], **options: Any) -> Iterator[Any]:
        # A request with many queries costs little more than a request with one.
        source = iter(queries)
        chunks = iter(lambda: tuple(itertools.islice(source, _CHUNK)), ())
        for answer in self.ask_many(Request(command, chunk, options) for chunk in chunks):
            yield from answer.checked()

    # The two pipes. Requests that have no answer yet never have more bytes than the pipe to the process is sure
    # to hold, so that writing them cannot block, even while the process waits for its answers to be read. A
    # longer one goes out only when nothing is unanswered.

    def _send(self, request: Request) -> _Pending:
        options = {name.replace("_", "-"): value for name, value in request.options.items()}
        arguments = [
            hex(argument) if isinstance(argument, int) else argument for argument in request.arguments
        ]
        number = next(self._numbers)
        members = {"id": number, "command": request.command, "arguments": arguments, "options": options}
        try:
            line = json.dumps(members, allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError) as error:
            raise BadRequest(f"a request that cannot be written as JSON: {error}") from None
        pending = _Pending(number, request.command, len(line))
        self._check_open()
        self._start()
        if self._bytes_unanswered + pending.size > self._window:
            # Half of the window at a time: then many requests go out in one write.
            while self._unanswered and self._bytes_unanswered + pending.size > self._window // 2:
                self._receive()
        self._check_open()
        try:
            self._stdin.write(line)
        except BaseException as error:
            self._fail(error)
        self._unanswered.append(pending)
        self._bytes_unanswered += pending.size
        return pending

    def _await(self, pending: _Pending) -> Answer:
        while pending.answer is None:
            self._receive()
        return pending.answer

    def _receive(self) -> None:
        """Reads the answer to the oldest pending request."""
        self._check_open()
        try:
            self._stdin.flush()
            line = self._stdout.readline()
            if not line.endswith(b"\n"):
                raise BrokenPipeError
            answer = _decode(line, self._unanswered[0].command)
            if answer["id"] != self._unanswered[0].number:
                raise Ended(f"an answer to another request: {line[:80]!r}")
            done = Answer(answer["results"], answer["errors"], answer["status"])
        except BaseException as error:
            self._fail(error)
        pending = self._unanswered.popleft()
        self._bytes_unanswered -= pending.size
        pending.answer = done

    def _check_open(self) -> None:
        if self.closed:
            raise Ended(f"{self.path}: closed")

    def _fail(self, error: BaseException) -> NoReturn:
        """Ends the process, and raises the reason: the order of answers is lost."""
        reason: BaseException = error
        if isinstance(error, BrokenPipeError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            reason = _ending(self._process.returncode, _content(self._stderr), self.path)
        self.close()
        raise reason from None


class _Pending:
    """A request that was sent."""

    __slots__ = ("answer", "command", "number", "size")

    def __init__(self, number: int, command: str, size: int) -> None:
        self.number = number
        self.command = command
        self.size = size
        self.answer: Optional[Answer] = None


# The library


#: KVA_KERNEL of kva.h: no tables of user space.
_KERNEL = (1 << 64) - 1
#: How many addresses there are.
_ADDRESSES = 1 << 64
#: The codes of kva.h for memory that cannot be read: KVA_NO_TABLES, and all from KVA_UNMAPPED on.
_NO_TABLES, _UNMAPPED = 6, 16
#: Bytes that are read into a buffer that was there before, so that nothing is allocated but the result.
_SCRATCH = 64 << 10


class _Refused(Exception):
    """A question that the library does not answer: the process does, or says what is wrong with it."""


class _Failure(ctypes.Structure):
    """`kva_error` of kva.h."""

    _fields_ = [
        ("code", ctypes.c_int32),
        ("reserved", ctypes.c_uint32),
        ("address", ctypes.c_uint64),
        ("text", ctypes.c_char * 1008),
    ]

    @property
    def message(self) -> str:
        return cast(bytes, self.text).decode(errors="replace")


class _Scratch:
    """What the library writes to."""

    __slots__ = ("address", "bytes", "failure", "failure_address")

    def __init__(self) -> None:
        buffer = ctypes.create_string_buffer(_SCRATCH)
        self.bytes = memoryview(buffer).cast("B")
        self.address = ctypes.addressof(buffer)
        self.failure = _Failure()
        self.failure_address = ctypes.addressof(self.failure)


#: Those that nobody uses now. A thread takes one from here, and so does a signal handler in the middle of a read.
_scratches: list[_Scratch] = []


class _Symbol(ctypes.Structure):
    """`kva_symbol` of kva.h."""

    _fields_ = [
        ("address", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("type", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
    ]


class _Segment(ctypes.Structure):
    """`kva_reader` of kva.h."""

    _fields_ = [("dump", ctypes.c_void_p), ("tables", ctypes.c_uint64), ("fault", ctypes.c_void_p)]


#: The functions that other libraries were given: they may call them as long as this process lives.
_segments: list[_Segment] = []


def _close(library: ctypes.CDLL, handle: int, segments: list[_Segment]) -> None:
    for segment in segments:
        # Whoever reads on gets an error.
        segment.dump = None
    library.kva_close(handle)


class _Memory:
    """A dump that the library has open; closed with its last reference."""

    __slots__ = ("__weakref__", "_handle", "_library", "_read", "_read_physical", "_segments", "_tables")

    def __init__(self, library: ctypes.CDLL, path: str, words: list[str]) -> None:
        options = (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)
        handle = library.kva_open(os.fsencode(path), options, None)
        if not handle:
            raise _Refused
        self._segments: list[_Segment] = []
        # At interpreter exit other threads may still be reading.
        weakref.finalize(self, _close, library, handle, self._segments).atexit = False
        self._handle = handle
        self._library = library
        self._read = library.kva_read
        self._read_physical = library.kva_read_physical
        self._tables: dict[Optional[Tables], int] = {None: _KERNEL}

    def read(self, tables: Optional[Tables], address: Query, length: int) -> bytes:
        if isinstance(address, str):
            address = self._find(self._library.kva_find, address)
        root = self._tables.get(tables)
        if root is None:
            root = self._tables[tables] = self._find(self._library.kva_find_tables, str(tables))
        return self._bytes(self._read, address, length, root)

    def read_physical(self, address: Query, length: int) -> bytes:
        return self._bytes(self._read_physical, address, length)

    def core(self) -> bytes:
        """The notes of the dump as an ELF core."""
        length = ctypes.c_size_t()
        if self._library.kva_core(self._handle, None, 0, ctypes.byref(length), None):
            raise _Refused
        buffer = ctypes.create_string_buffer(length.value)
        if self._library.kva_core(self._handle, buffer, length.value, None, None):
            raise _Refused
        return buffer.raw

    def symbol(self, name: str) -> Optional[_Symbol]:
        """The symbol of the kernel that is called `name`."""
        symbol = _Symbol()
        if self._library.kva_find_symbol(self._handle, name.encode(errors="replace"), ctypes.byref(symbol), None):
            return None
        return symbol

    def segment(self, fault: int) -> tuple[int, int]:
        """A function in C that reads memory, and its argument, for a program whose own `fault` makes errors."""
        segment = _Segment(self._handle, _KERNEL, fault)
        _segments.append(segment)
        self._segments.append(segment)
        function = ctypes.cast(self._library.kva_read_segment, ctypes.c_void_p).value
        assert function
        return function, ctypes.addressof(segment)

    def reader(self, physical: bool) -> Callable[[int, int], bytes]:
        """A function that reads by address, for a caller who reads little at a time and very often."""
        pointer, number = ctypes.c_void_p, ctypes.c_uint64
        tables = () if physical else (_KERNEL,)
        # The interpreter's lock is kept: to give it away costs as much as to read, and lets others use the buffer.
        prototype = ctypes.PYFUNCTYPE(
            ctypes.c_int, pointer, *[number] * len(tables), number, pointer, ctypes.c_size_t, pointer
        )
        call = prototype(("kva_read_physical" if physical else "kva_read", self._library))
        scratch, handle = _Scratch(), self._handle
        content, place, failure = scratch.bytes, scratch.address, scratch.failure_address

        def read(address: int, length: int) -> bytes:
            if length > _SCRATCH:
                try:
                    return self._bytes(self._read_physical if physical else self._read, address, length, *tables)
                except _Refused:
                    raise _unreadable(address, "cannot be read") from None
            if call(handle, *tables, address, place, length, failure):
                raise _unreadable(scratch.failure.address, scratch.failure.message)
            return content[:length].tobytes()

        return read

    def _bytes(self, read: Callable[..., int], address: Query, length: int, *tables: int) -> bytes:
        # ctypes would cut numbers off.
        if not (isinstance(address, int) and isinstance(length, int)):
            raise _Refused
        if address < 0 or length < 0 or address + length > _ADDRESSES:
            raise _Refused
        try:
            scratch = _scratches.pop()
        except IndexError:
            scratch = _Scratch()
        try:
            if length <= _SCRATCH:
                code = read(self._handle, *tables, address, scratch.address, length, scratch.failure_address)
                if code == 0:
                    return scratch.bytes[:length].tobytes()
            else:
                content = bytearray(length)
                start = ctypes.addressof(ctypes.c_char.from_buffer(content))
                code = read(self._handle, *tables, address, start, length, scratch.failure_address)
                if code == 0:
                    return bytes(content)
            if code < _UNMAPPED and code != _NO_TABLES:
                raise _Refused
            raise _unreadable(scratch.failure.address, scratch.failure.message)
        finally:
            _scratches.append(scratch)

    def _find(self, find: Callable[..., int], text: str) -> int:
        number = ctypes.c_uint64()
        if "\0" in text or find(self._handle, text.encode(errors="replace"), ctypes.byref(number), None):
            raise _Refused
        return number.value


def _library(program: str) -> Optional[ctypes.CDLL]:
    """The library, if there is one."""
    given = os.environ.get("KVA_LIBRARY")
    if given is not None:
        if not given:
            return None
        library = _load(given)
        if isinstance(library, str):
            raise ProgramNotFound(library)
        return library
    beside = os.path.dirname(os.path.realpath(shutil.which(program) or program))
    for folder in (os.path.dirname(os.path.abspath(__file__)), beside, os.path.join(beside, "..", "lib")):
        path = os.path.join(folder, "libkva-c.so")
        if os.path.exists(path) and not isinstance(library := _load(path), str):
            return library
    return None


@functools.lru_cache(maxsize=None)
def _load(path: str) -> Union[ctypes.CDLL, str]:
    """The library at `path`, or the reason why it cannot be used."""
    try:
        library = ctypes.CDLL(path)
        library.kva_abi.restype = ctypes.c_uint32
        if library.kva_abi() != 1:
            return f"{path}: a library of another version of kva"
        pointer, number = ctypes.c_void_p, ctypes.c_uint64
        for name, result, *arguments in (
            ("kva_open", pointer, ctypes.c_char_p, pointer, pointer),
            ("kva_close", None, pointer),
            ("kva_read", ctypes.c_int, pointer, number, number, pointer, ctypes.c_size_t, pointer),
            ("kva_read_physical", ctypes.c_int, pointer, number, pointer, ctypes.c_size_t, pointer),
            ("kva_find", ctypes.c_int, pointer, ctypes.c_char_p, pointer, pointer),
            ("kva_find_tables", ctypes.c_int, pointer, ctypes.c_char_p, pointer, pointer),
            ("kva_core", ctypes.c_int, pointer, pointer, ctypes.c_size_t, pointer, pointer),
            ("kva_find_symbol", ctypes.c_int, pointer, ctypes.c_char_p, pointer, pointer),
            ("kva_read_segment", pointer, pointer, number, ctypes.c_size_t, number, pointer, ctypes.c_bool),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        return f"{path}: {error}"
    return library


#: The number of queries in one request.
_CHUNK = 64


def report(
    path: Union[str, os.PathLike[str]],
    *,
    kva: Optional[Union[str, os.PathLike[str]]] = None,
    timeout: Optional[float] = None,
    **options: Any,
) -> Report:
    """A summary of a dump for triage, by a process of its own.

    Unlike `Dump.report` it also reports on a dump that cannot be opened, in `error`. Raises `Ended` if the process
    does not end within `timeout` seconds, or ends without a report.
    """
    command = [_program(kva), "report", "--json", *_words(options), "--", os.fspath(path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise Ended(f"{os.fspath(path)}: no report within {timeout} s") from None
    except OSError as error:
        raise ProgramNotFound(f"{command[0]}: {error.strerror}") from None
    if not done.stdout.endswith(b"\n"):
        raise _ending(done.returncode, done.stderr, os.fspath(path))
    return cast(Report, _decode(done.stdout))


def _program(given: Optional[Union[str, os.PathLike[str]]]) -> str:
    """The program to run."""
    program = os.fspath(given) if given is not None else os.environ.get("KVA") or shutil.which("kva") or _installed()
    if not program:
        raise ProgramNotFound("no kva in PATH: say where it is with kva= or the environment variable KVA")
    return program


def _installed() -> Optional[str]:
    """The program that was installed with this module: a virtual environment need not be activated to be used."""
    return shutil.which("kva", path=sysconfig.get_path("scripts"))


def _words(options: dict[str, Any]) -> list[str]:
    """Options as words of a command line."""
    words = []
    for name, value in options.items():
        word = "--" + name.replace("_", "-")
        if value is True:
            words.append(word)
        elif value is not None and value is not False:
            words.append(f"{word}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return words


def _capacity(pipe: IO[bytes]) -> int:
    """Bytes that a pipe holds whatever the sizes of the writes: a page may be left half empty."""
    try:
        return fcntl.fcntl(pipe, getattr(fcntl, "F_GETPIPE_SZ", 1032)) // 2
    except OSError:
        return 2048


def _end(
    process: subprocess.Popen[bytes], unanswered: collections.deque[_Pending], stderr: IO[bytes], owner: int
) -> None:
    """Ends the process, at once where it is busy. A fork of this program leaves it alone."""
    if os.getpid() != owner:
        return
    if unanswered:
        process.terminate()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            assert pipe
            pipe.close()
    for stop in (process.terminate, process.kill):
        try:
            process.wait(2)
            break
        except subprocess.TimeoutExpired:
            stop()
    process.wait()
    stderr.close()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _ending(status: Optional[int], stderr: bytes, path: str) -> KvaError:
    """The exception for a process that ended without an answer."""
    lines = [line[5:] for line in stderr.decode(errors="replace").splitlines() if line.startswith("kva: ")]
    if status == 2 and lines:
        return DumpError(lines[-1])
    if status == 64:
        said = lines or stderr.decode(errors="replace").splitlines() or ["wrong usage"]
        return BadRequest(said[0].removeprefix("Error: "))
    how = f"by signal {-status}" if status is not None and status < 0 else f"with status {status}"
    return Ended("; ".join([f"{path}: kva ended {how}", *lines[-1:]]))


def _unreadable(address: int, message: str) -> NotFound:
    """The exception for memory at `address` that cannot be read."""
    error = NotFound(f"{address:#x}: {message}")
    error.address = address
    return error


def _explain(error: KvaError, command: list[str]) -> None:
    """Fills in what the process said in words only: `command` reports on the same dump in JSON."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        problem = _decode(done.stdout.splitlines()[0])["error"]
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        return
    if problem is not None:
        error.kind, error.file, error.offset = problem["kind"], problem.get("file"), problem.get("offset")


def _error(problem: Problem) -> KvaError:
    """The exception for what `kva` says is wrong."""
    kinds = {"not-found": NotFound, "usage": BadRequest, "bad-request": BadRequest}
    offset = problem.get("offset")
    place = f" (at offset {offset:#x})" if offset is not None else ""
    file = problem.get("file")
    error = kinds.get(problem["kind"], DumpError)((f"{file}: " if file else "") + problem["message"] + place)
    error.kind, error.file, error.offset = problem["kind"], file, offset
    return error


# man/generate: hex keys
#: The keys whose values are hex strings.
_HEX_KEYS = frozenset(
    """
    address cacheAddress descriptor end esr expected far file fileOffset flagsValue gfp hash hcrEL2 head
    imageAlias index kaslrOffset kernelAddress kimageVoffset known kpageflags linearAlias lock mair mairEL2
    mairKnown mapping mask mm mount object offset page pagePhysical pc physOffset physical physvirtOffset
    registers slot sp spEL2 stack start structPage superBlock swapOffset table tag tagValue task tcrEL2
    through tpidrEL2 ttbr0 ttbr0EL2 ttbr1 userTables vaMask value vbarEL2 virtual vma withoutPAC
    """.split()
)
#: The same of commands that print values of the kernel: of their outermost objects alone.
_VALUE_KEYS = {
    "list": frozenset(["element"]),
    "tree": frozenset(["element"]),
    "print": frozenset(["address"]),
    "read": frozenset(["address", "physical"]),
    "type": frozenset([]),
}
# man/generate: end of hex keys


_is_hex = re.compile("0x[0-9a-f]{1,16}").fullmatch


def _numbers_for_hex(members: dict[str, Any], keys: frozenset[str] = _HEX_KEYS) -> dict[str, Any]:
    for key in keys.intersection(members):
        value = members[key]
        # Under some of these keys other objects have words, which stay.
        if type(value) is str and _is_hex(value):
            members[key] = int(value, 16)
        elif type(value) is dict:
            # A map whose values are hex, such as registers by their names.
            for name, each in value.items():
                if type(each) is str and _is_hex(each):
                    value[name] = int(each, 16)
    return members


#: Kept, as `json.loads` would make one for each answer.
_decoder = json.JSONDecoder(object_hook=_numbers_for_hex)


def _decode(line: bytes, command: str = "") -> Any:
    """What a line of JSON says, its hex strings as numbers; not those among values of the kernel."""
    keys = _VALUE_KEYS.get(command)
    if keys is None:
        return _decoder.decode(line.decode())
    answer = json.loads(line)
    for result in answer["results"]:
        _numbers_for_hex(result, keys)
    for error in answer["errors"]:
        _numbers_for_hex(error)
    return answer
