"""The rows are valid, and a wrong one is refused by name."""

import collections
import re

import pytest

from maker import table
from maker.crashes import CRASHES, needs_module
from maker.folders import SOURCE

GOOD = '[entries]\none = { kernel = "sid:*-arm64", cpu = "max", memory = "512M" }\n'


def test_rows():
    rows = table.load()
    assert len(rows.entries) >= 40
    made = [entry for entry in rows.entries.values() if entry.made]
    assert any(entry.name == "deb612-4k" for entry in made)
    # A name says one machine: no two rows are the same one.
    same = collections.Counter((e.kernel, e.cpu, e.memory, e.smp, e.machine, e.cmdline, e.nodes, e.holes, e.rich, e.crash, e.kdump)
                               for e in rows.entries.values())
    assert [machine for machine, count in same.items() if count > 1] == []


def test_breadth():
    entries = table.load().entries.values()
    assert {e.suite for e in entries} >= {"bookworm-security", "trixie-security", "trixie-backports", "sid", "experimental", "custom"}
    assert len({e.crash for e in entries if e.crash}) >= 10
    for words in ("16k", "-rt-", "kvm-arm.mode=nvhe", "kvm-arm.mode=protected", "mte=on", "kasan", "kasan-tags", "cfi", "16k36", "64k42", "4k39", "4k52"):
        assert any(words in f"{e.kernel} {e.cmdline} {e.machine}" for e in entries), words
    assert any(e.nodes for e in entries) and any(e.holes for e in entries) and any(e.kdump for e in entries)


def test_every_fragment_is_used():
    used = {name for kernel in table.load().kernels.values() for name in kernel.configs} | {"base"}
    assert used == {path.stem for path in (SOURCE / "configs").glob("*.config")}


def test_fragments_are_configurations():
    for path in (SOURCE / "configs").glob("*.config"):
        for line in path.read_text().splitlines():
            assert re.fullmatch(r'CONFIG_[A-Z0-9_]+=(y|m|n|\d+|0x[0-9a-f]+|"[^"]*")|#.*|', line), f"{path.name}: {line}"


def test_module_knows_its_crashes():
    """Each crash by the module is a word that the module's source knows."""
    source = (SOURCE / "guest" / "kvatest.c").read_text()
    for name in CRASHES:
        if needs_module(name):
            assert f'"{name}"' in source, name


@pytest.mark.parametrize("change, reason", [
    (("512M", "512"), "memory"),
    (("512M", "0M"), "memory"),
    (("sid:*-arm64", "sid"), "SUITE:RELEASE"),
    (("sid:*-arm64", "custom:absent"), "no custom kernel"),
    (('cpu = "max", ', ""), "cpu"),
    (('"max"', '"max", sockets = 2'), "sockets"),
    (('"max"', '"max", smp = "2"'), "smp"),
    (('"max"', '"max", smp = 0'), "smp"),
    (('"max"', '"max", stop = ["EL1"]'), "exception level"),
    (('"max"', '"max", nodes = [256, 128]'), "nodes"),
    (('"max"', '"max", holes = [[1]]'), "hole"),
    (('"max"', '"max", crash = "laughter"'), "laughter"),
    (('"max"', '"max", kdump = true'), "crashkernel"),
    (('"max"', '"max", made = "yesterday"'), "date"),
    (("one =", "One ="), "name"),
    (("[entries]", "[rows]"), "rows"),
])
def test_refuses(change, reason):
    assert table.read(GOOD).entries["one"].levels == ("EL1", "EL0")
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(table.InvalidRow, match=reason):
        table.read(text)


def test_levels():
    rows = table.read(GOOD.replace('"max"', '"max", smp = 4')).entries
    assert rows["one"].levels == ("EL1", "EL1", "EL1", "EL0")
    dead = table.read(GOOD.replace('"max"', '"max", crash = "sysrq"')).entries["one"]
    assert dead.levels == ("EL1", "EL1")
