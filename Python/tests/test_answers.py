"""Answers against what the machine itself said."""

import kva
import pytest

DUMPS = [
    ("c61-4k48-nokaslr", "vmcore.elf"),
    ("c61-4k48-nokaslr", "vmcore.d31-snappy"),
    ("deb612-4k", "vmcore.tables.elf"),
    ("deb612-16k", "vmcore.tables.elf"),
    ("c612-64k52", "vmcore.d31-zstd"),
    ("c612-64k52-on48", "vmcore.tables.elf"),
]


@pytest.mark.parametrize(("name", "file"), DUMPS)
def test_translations_are_the_mmu_s(entry, program, name, file):
    samples = entry(name).mmu()
    assert len(samples) > 3500
    with kva.Dump(entry(name).path(file), kva=program, no_debuginfo=True) as dump:
        answers = list(dump.resolve_many(address for address, _ in samples))
        assert [answer.get("virtual") for answer in answers] == [address for address, _ in samples]
        assert [answer.get("physical") for answer in answers] == [physical for _, physical in samples]
        assert {answer["status"] for answer in answers} <= {"mapped", "unmapped", "not-canonical"}
        mapped = [address for address, physical in samples if physical is not None]
        assert dump.resolve(mapped[7]) == next(one for one in answers if one["virtual"] == mapped[7])


def test_memory_is_the_machine_s(machine, dump):
    samples = machine.memory()
    assert len(samples) > 100
    for address, content in samples:
        # They were read by physical address: what is in the next page is another page's.
        content = content[: 4096 - address % 4096]
        assert dump.read(address, len(content)) == content


def test_symbols_are_those_of_kallsyms(machine, dump):
    wanted = {
        (name, int(address, 16), letter)
        for address, letter, name in (
            line.split() for line in machine.lines("kallsyms.txt") if "[" not in line
        )
    }
    symbols = dump.symbols()
    assert {(one["name"], one["address"], one["type"]) for one in symbols if one["module"] is None} == wanted
    # Kallsyms gives BPF programs a module of that name.
    assert {one["module"] for one in symbols} - {"bpf"} == {None, "fuse", "ext2", "loop"}
    some = {one["name"] for one in dump.symbols("vmalloc_*")}
    assert some == {name for name, _, _ in wanted if name.startswith("vmalloc_")}


def test_modules_are_those_of_proc_modules(machine, dump):
    lines = [line.split() for line in machine.lines("modules.txt")]
    wanted = [(words[0], int(words[1]), int(words[2]), int(words[5], 16)) for words in lines]
    assert [(one["name"], one["size"], one["refcount"], one["address"]) for one in dump.modules()] == wanted


def test_tasks_areas_and_log_are_those_of_the_guest(machine, dump):
    pids = {int(line.split()[0]) for line in machine.lines("ps.txt")[1:]}
    # ps itself had ended when the machine was stopped.
    assert len(pids - {task["pid"] for task in dump.tasks()}) <= 3
    starts = {int(line.split("-")[0], 16) for line in machine.lines("vmallocinfo.txt") if "+0x" in line}
    assert len(starts - {area["start"] for area in dump.vmalloc()}) <= 3
    log = dump.dmesg()
    assert [line.strip() for record in log for line in record["text"].splitlines()][: len(log) // 2] == [
        line.strip() for line in machine.lines("dmesg.txt")
    ][: len(log) // 2]


def test_identify_knows_what_an_address_is(machine, dump):
    text = next(int(line.split()[5], 16) for line in machine.lines("modules.txt") if line.startswith("fuse "))
    identity = dump.identify(text)
    assert identity["module"] == {"name": "fuse", "section": "text"}
    assert identity["vmalloc"]["start"] == text
    many = list(dump.identify_many([text, "init_task", "no_such_name"]))
    assert many[0] == identity
    assert many[1]["symbol"] == "init_task" and many[1]["task"]["pid"] == 0
    assert many[2]["status"] == "unknown-symbol"


def test_the_kernel_s_text_is_where_the_mmu_has_it(machine, dump):
    by_physical = {physical: address for address, physical in machine.mmu() if physical is not None}
    kernel = {
        name: int(address, 16) for address, _, name in (l.split()[:3] for l in machine.lines("kallsyms.txt"))
    }
    physical = dict(machine.mmu())[kernel["_text"]]
    assert kernel["_text"] in {mapping["virtual"] for mapping in dump.rmap(physical)}
    assert by_physical[physical] in {mapping["virtual"] for mapping in dump.rmap(hex(physical))}
    for part in dump.ptdump(kernel["_stext"], kernel["_etext"]):
        assert not part["attributes"]["writable"] and part["attributes"]["executableEL1"]
    assert dump.ptdump(region="kernel image")[0]["start"] <= kernel["_stext"]


def test_facts(machine, dump):
    vmcoreinfo = dict(line.split("=", 1) for line in machine.lines("vmcoreinfo.txt") if "=" in line)
    info = dump.info()
    assert info["schema"] == 1
    assert info["pageSize"] == int(vmcoreinfo["PAGESIZE"])
    assert info["release"] == vmcoreinfo["OSRELEASE"]
    assert info["buildID"] == vmcoreinfo["BUILD-ID"]
    assert info["swapperPgDir"]["virtual"] == int(vmcoreinfo["SYMBOL(swapper_pg_dir)"], 16)
    # Under "sources" the same keys have words.
    assert isinstance(info["kimageVoffset"], int) and isinstance(info["sources"]["kimageVoffset"], str)
    regions = {region["name"]: region for region in dump.regions()}
    assert regions["linear map"]["start"] == 0xFFFF000000000000
    assert dump.audit() == []
    report = dump.report()
    assert report["error"] is None and report["buildID"] == info["buildID"]
    assert report["counts"]["modules"] == len(dump.modules())


def test_registers_are_numbers(dump):
    for cpu in dump.info()["cpus"]:
        assert cpu["registers"]["pc"] == cpu["pc"]
        assert all(isinstance(value, int) for value in cpu["registers"].values())
