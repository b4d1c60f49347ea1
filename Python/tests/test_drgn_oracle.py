"""kva.drgn without DWARF against what drgn itself said of the same dumps with DWARF (KVA_CORPUS)."""

import json
import os
import pathlib

import kva
import pytest
from dumps import Entry, unpacked

drgn = pytest.importorskip("drgn")

import kva.drgn  # noqa: E402
from drgn.helpers.common.memory import identify_address  # noqa: E402
from drgn.helpers.linux import (  # noqa: E402
    PageSlab,
    compound_head,
    compound_order,
    d_path,
    decode_page_flags,
    follow_phys,
    for_each_module,
    for_each_online_cpu,
    for_each_slab_cache,
    for_each_task,
    for_each_vma,
    idle_task,
    list_for_each_entry,
    page_to_virt,
    per_cpu,
    pfn_to_page,
    rbtree_inorder_for_each_entry,
    slab_object_info,
    task_cpu,
    task_state_to_char,
    virt_to_phys,
    xa_for_each,
)

CORPUS = pathlib.Path(os.environ.get("KVA_CORPUS") or "/nonexistent")
ENTRIES = sorted(path.parents[2].name for path in CORPUS.glob("*/oracle/rich/drgn.json.zst"))
if not ENTRIES:
    pytest.skip("KVA_CORPUS has no dumps that drgn was asked about", allow_module_level=True)


class Subject:
    """A dump, opened, and what drgn said of it."""

    def __init__(self, name, scratch, program):
        entry = Entry(name, scratch)
        entry.folder = CORPUS / name
        self.said = json.loads(unpacked(entry.folder / "oracle" / "rich" / "drgn.json"))
        file = next(file for file in ("vmcore.elf", "vmcore.d31-elf") if list(entry.folder.glob(f"{file}*")))
        path = entry.path(file)
        self.is_filtered = "d31" in file
        self.prog = kva.drgn.program(path, kva=program, no_debuginfo=True)
        self.path = path
        self.folder = entry.folder


@pytest.fixture(scope="module", params=ENTRIES)
def subject(request, tmp_path_factory, program):
    subject = Subject(request.param, tmp_path_factory.mktemp("oracle"), program)
    yield subject
    assert not list(subject.prog.modules()), "debug info of files was loaded"
    kva.drgn.dump_of(subject.prog).close()
    subject.path.unlink()


def text(content):
    return content.decode("latin1")


def test_every_task_is_what_it_was(subject):
    tasks = list(for_each_task(subject.prog, idle=True))
    found = [
        {
            "task": hex(task.value_()),
            "pid": task.pid.value_(),
            "tgid": task.tgid.value_(),
            "comm": text(task.comm.string_()),
            "state": task_state_to_char(task),
            "stack": hex(task.stack.value_()),
            "parent": task.real_parent.pid.value_(),
            "mm": hex(task.mm.value_()) if task.mm else None,
            "cpu": task_cpu(task),
            "start_time": task.start_boottime.value_(),
        }
        for task in tasks
    ]
    assert found == [{key: said[key] for key in found[0]} for said in subject.said["tasks"]]


def test_every_stack_is_what_it_was(subject):
    compared = 0
    for said in subject.said["tasks"]:
        task = drgn.Object(subject.prog, "struct task_struct *", int(said["task"], 16))
        if isinstance(said["trace"], dict):
            continue
        found = [place(frame) for frame in subject.prog.stack_trace(task)]
        wanted = [(frame["pc"], frame["symbol"], frame["offset"]) for frame in said["trace"]]
        # Where drgn's CFI left the code, frame records do not.
        lost = next((index for index, frame in enumerate(wanted) if frame[1] is None), len(wanted))
        if task.on_cpu:
            # A leaf that was interrupted has no record of its caller.
            missing = [frame for frame in wanted[:lost] if frame not in found]
            assert missing in ([], wanted[1:2]), said["comm"]
            wanted, lost = [frame for frame in wanted if frame not in missing], lost - len(missing)
        assert found[:lost] == wanted[:lost], said["comm"]
        compared += 1
    assert compared > 50


def test_every_stack_has_all_frames_by_kva(subject):
    for said in subject.said["tasks"]:
        # Where drgn's CFI left the code there is no more to compare.
        if isinstance(said["trace"], dict) or any(frame["symbol"] is None for frame in said["trace"]):
            continue
        found = kva.drgn.stack_trace(subject.prog, drgn.Object(subject.prog, "void *", int(said["task"], 16)))
        assert [hex(frame.pc) for frame in found] == [frame["pc"] for frame in said["trace"]], said["comm"]


def place(frame):
    try:
        symbol = frame.symbol()
    except LookupError:
        return hex(frame.pc), None, None
    return hex(frame.pc), symbol.name, frame.pc - symbol.address


def test_every_mapping_of_a_process_is_what_it_was(subject):
    for said in subject.said["tasks"]:
        if not isinstance(said.get("vmas"), list):
            continue
        task = drgn.Object(subject.prog, "struct task_struct *", int(said["task"], 16))
        found = [
            {
                "vma": hex(vma.value_()),
                "start": hex(vma.vm_start.value_()),
                "end": hex(vma.vm_end.value_()),
                "flags": hex(vma.vm_flags.value_()),
                "pgoff": vma.vm_pgoff.value_(),
                "file": text(d_path(vma.vm_file.f_path)) if vma.vm_file else None,
            }
            for vma in for_each_vma(task.mm)
        ]
        assert found == said["vmas"], said["comm"]


def test_every_cache_and_module_is_there(subject):
    caches = [
        {
            "cache": hex(cache.value_()),
            "name": text(cache.name.string_()),
            "object_size": cache.object_size.value_(),
            "size": cache.size.value_(),
        }
        for cache in for_each_slab_cache(subject.prog)
    ]
    assert caches == subject.said["caches"]
    modules = [{"name": text(module.name.string_())} for module in for_each_module(subject.prog)]
    assert modules == subject.said["modules"]


def test_slab_objects_are_what_they_were(subject):
    for said in subject.said["slab"]:
        found = slab_object_info(subject.prog, int(said["address"], 16))
        answer = found and {
            "cache": text(found.slab_cache.name.string_()),
            "object": hex(found.address),
            "allocated": found.allocated,
        }
        wanted = said["answer"]
        if found and found.allocated is None and subject.is_filtered:
            # A free list leads through a page that was left out: drgn read zeros there, and took them for its end.
            wanted = {**wanted, "allocated": None}
        assert answer == wanted, said["address"]


def test_pages_are_what_they_were(subject):
    for said in subject.said["pages"]:
        if "error" in said:
            continue
        page = pfn_to_page(subject.prog, said["pfn"])
        head = compound_head(page)
        flags = page.flags.f if hasattr(page.flags, "f") else page.flags
        found = {
            "page": hex(page.value_()),
            "flags": hex(flags.value_()),
            "names": decode_page_flags(page),
            "refcount": page._refcount.counter.value_(),
            "mapcount": page._mapcount.counter.value_(),
            "mapping": hex(page.mapping.value_()),
            "head": hex(head.value_()),
            "order": int(compound_order(head)),
            "slab": bool(PageSlab(head)),
        }
        assert found == {key: said[key] for key in found}, said["pfn"]


def test_layouts_are_those_of_dwarf(subject):
    assert len(subject.said["layouts"]) > 50
    for said in subject.said["layouts"]:
        if "members" not in said:
            continue
        type = subject.prog.type(said["type"])
        found = [
            {"name": each.name, "bit": each.bit_offset, "bits": each.bit_field_size, "type": each.type.type_name()}
            for each in type.members
        ]
        # BTF does not tell `[]` from `[0]`.
        for member in (*found, *said["members"]):
            member["type"] = member["type"].replace("[0]", "[]")
        assert (type.size, found) == (said["size"], said["members"]), said["type"]


def plain(value):
    if isinstance(value, dict):
        # A last member of no elements is an array of none in DWARF.
        return {key: plain(each) for key, each in value.items() if each != []}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value


VARIABLES = {
    "init_task": "init_task", "init_mm": "init_mm", "init_uts_ns": "init_uts_ns", "root cgroup": "init_css_set",
    "node 0": "contig_page_data", "init_net": "init_net", "iomem_resource": "iomem_resource", "jiffies": "jiffies",
    "zone_names": "migratetype_names",
}  # fmt: skip


def test_values_are_those_of_dwarf(subject):
    compared = 0
    for said in subject.said["values"]:
        if "value" not in said or isinstance(said["value"], dict) and "error" in said["value"]:
            continue
        if said["what"] == "runqueue of cpu 0":
            found = per_cpu(subject.prog["runqueues"], 0)
        elif said["what"] in VARIABLES:
            found = subject.prog[VARIABLES[said["what"]]]
        elif said["type"].startswith("struct "):
            found = drgn.Object(subject.prog, said["type"], address=int(said["address"], 16))
        else:
            continue
        assert hex(found.address_of_().value_()) == said["address"], said["what"]
        assert found.type_.type_name() == said["type"]
        assert plain(found.value_()) == plain(said["value"]), said["what"]
        compared += 1
    assert compared > 15


def test_addresses_are_translated_and_identified(subject):
    prog = subject.prog
    dump = kva.drgn.dump_of(prog)
    task = drgn.Object(prog, "struct task_struct *", int(subject.said["tasks"][3]["task"], 16))
    init_mm = prog["init_mm"].address_of_()
    for address in (task.value_(), task.stack.value_(), prog["init_task"].address_):
        assert follow_phys(init_mm, address).value_() == dump.resolve(address)["physical"]
    assert virt_to_phys(prog, task).value_() == dump.resolve(task.value_())["physical"]
    assert page_to_virt(pfn_to_page(prog, virt_to_phys(prog, task) >> prog["PAGE_SHIFT"])).value_() <= task.value_()
    assert str(identify_address(prog, task.value_())).startswith(f"task: {task.pid.value_()} ")
    assert str(identify_address(prog, task.stack.value_() + 64)).startswith(f"task stack: {task.pid.value_()} ")
    assert str(identify_address(prog, prog.symbol("schedule").address + 4)).endswith("symbol: schedule+0x4")


def test_each_online_cpu_is_idle_or_not(subject):
    prog = subject.prog
    said = {task["task"] for task in subject.said["tasks"]}
    cpus = list(for_each_online_cpu(prog))
    assert cpus
    for cpu in cpus:
        queue = per_cpu(prog["runqueues"], cpu)
        assert queue.cpu == cpu and queue.idle == idle_task(prog, cpu)
        assert hex(queue.curr.value_()) in said


def test_the_objects_of_the_test_module_are_what_it_printed(subject):
    """Bit fields, unions, enumerations and a flexible array by the module's own BTF; a list, a tree and an xarray."""
    path = subject.folder / "oracle" / "rich" / "kvatest.txt"
    if not path.exists():
        pytest.skip("no test module was loaded")
    lines = [line.split()[1:] for line in path.read_text().splitlines() if line.startswith("KVATEST ")]
    printed = [(words[0], dict(word.split("=", 1) for word in words if "=" in word)) for words in lines]
    prog = subject.prog
    samples = [said for kind, said in printed if kind == "sample"]
    assert len(samples) == 5
    sample = prog.type("struct kva_sample")
    for number, said in enumerate(samples):
        found = drgn.Object(prog, sample, address=int(said["address"], 16))
        assert drgn.sizeof(sample) == int(said["size"])
        for name in ("negative", "bits3", "bits5", "signed4"):
            assert found.member_(name).value_() == int(said[name]), name
        assert found.magic.value_() == int(said["magic"], 16)
        assert (found.colour.value_(), found.yes.value_(), found.no.value_()) == (int(said["colour"]), True, False)
        assert found.name.string_().decode() == said["name"]
        assert found.text.string_() == b"a text in rodata"
        assert (found.inner.low.value_(), found.inner.high.value_()) == (number, 0xDEAD)
        assert [each.value_() for each in found.inner.b] == [-1, 2, -3]
        assert bytes(found.tail[index].value_() for index in range(8)) == b"tailtail"
        assert prog.symbol(found.function.value_()).name == "kva_wait_a"
    address = {kind: int((said.get("head") or said.get("root") or "0"), 16) for kind, said in printed}
    live = [int(said["object"], 16) for kind, said in printed if kind == "slab" and said["state"] == "allocated"]
    head = drgn.Object(prog, "struct list_head *", address["list"])
    assert [each.value_() for each in list_for_each_entry("struct kva_object", head, "node")] == live
    root = drgn.Object(prog, "struct rb_root *", address["tree"])
    tree = [each.magic.value_() for each in rbtree_inorder_for_each_entry(sample, root, "rb")]
    assert tree == sorted(int(said["magic"], 16) for said in samples)
    xarray = drgn.Object(prog, "struct xarray *", address["xarray"])
    stored = [(index, entry.value_()) for index, entry in xa_for_each(xarray)]
    assert [entry for _, entry in stored] == live and [index for index, _ in stored][:3] == [0, 14, 21]
    for kind, said in printed:
        if kind == "percpu":
            variable = prog["kva_percpu_static"]
            assert per_cpu(variable, int(said["cpu"])).address_ == int(said["static"], 16)
