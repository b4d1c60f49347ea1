"""The scorer on the project's own dumps: a tool that is right scores full, one that is wrong does not."""

import collections
import json
import pathlib
import re

import pytest

from scorer.checks import CHECKS
from scorer.entry import CorpusEntry, number
from scorer.run import line, score
from scorer.tool import MappedRange, Tool, ToolFailure, Translation
from scorer.typed import agreement
from scorer.tables import page_tables

TESTDATA = pathlib.Path(__file__).resolve().parents[2] / "TestData"


class Parrot(Tool):
    """Says what the oracles say, after a change of each answer."""

    name = "parrot"

    def __init__(self, dump, mistakes=0):
        super().__init__(dump)
        self.mistakes = mistakes

    def _known(self):
        return {int(s[0], 16): number(s[1]) for asked in self.dump.entry.json("gva2gpa.json")["sets"][:2] for s in asked["samples"]}

    def translate(self, addresses, space=None):
        known = self._known()
        answers = [Translation(known[a], ignores_tag=True) for a in addresses]
        for i in range(self.mistakes):
            answers[i] = Translation((answers[i].physical or 0) ^ 1, ignores_tag=True)
        return answers

    def info(self):
        facts = self.dump.entry.facts
        return {"page_size": facts["page_size"] + self.mistakes, "VA_BITS": facts["VA_BITS"], "kaslr_offset": number(facts["kaslr_offset"])}

    def read(self, address, size):
        known = {int(b["va"], 16): bytes.fromhex(b["bytes"]) for b in self.dump.entry.json("gva2gpa.json")["bytes"]}
        return known[address][:size]

    def log(self):
        lines = [re.sub(r"^\[[ \d.]+\] ", "", text) for text in self.dump.entry.lines("dmesg.txt")]
        return lines[self.mistakes:]

    def mapped_ranges(self):
        return [MappedRange(r.start, r.end, r.attributes()) for r in page_tables(self.dump.entry) if r.flags][self.mistakes:]

    def modules(self):
        if self.mistakes:
            raise ToolFailure("parrot: the cage is locked")
        return {text.split()[0]: int(text.split()[5], 16) for text in self.dump.entry.lines("modules.txt")}


def results(entry, mistakes=0, dump=None):
    scored = score(CorpusEntry(TESTDATA / entry), lambda d: Parrot(d, mistakes), list(CHECKS), dump)
    return {s.result.check: s for s in scored}


@pytest.mark.parametrize("entry", ["deb612-4k", "deb612-16k", "c612-64k52-on48"])
def test_right_answers(entry):
    found = results(entry)
    for check in ("translate", "tagged", "user", "info"):
        result = found[check].result
        assert result.is_fine and result.good == result.asked > 0, line(found[check])
    # deb612-4k's numbers are those that drgn's reader was measured by.
    if entry == "deb612-4k":
        assert found["translate"].result.note == "mapped 3341 unmapped 890"


def test_wrong_answers():
    right, wrong = results("deb612-4k"), results("deb612-4k", mistakes=3)
    for check in ("translate", "tagged", "user"):
        assert wrong[check].result.good == right[check].result.good - 3
        assert not wrong[check].result.is_fine
        assert line(wrong[check]).startswith("FAIL")
        assert len(wrong[check].result.differences) == 3
    assert wrong["info"].result.good == wrong["info"].result.asked - 1


def test_whole_dump():
    found = results("c61-4k48-nokaslr", dump="vmcore.elf")
    for check in ("translate", "read", "dmesg", "ptdump", "modules"):
        assert found[check].result.is_fine, line(found[check])
    assert found["read"].result.asked == 150
    assert "no names of regions" in found["regions"].result.unanswered
    wrong = results("c61-4k48-nokaslr", mistakes=40, dump="vmcore.elf")
    assert not wrong["dmesg"].result.is_fine and not wrong["ptdump"].result.is_fine
    assert wrong["modules"].result.error == "parrot: the cage is locked" and not wrong["modules"].result.is_fine


def test_dumps():
    names = [d.name for d in CorpusEntry(TESTDATA / "c612-64k52").dumps()]
    assert names == ["vmcore.d31-zstd", "vmcore.elf"]
    tables = CorpusEntry(TESTDATA / "deb612-4k").dumps()
    assert [(d.name, d.is_tables) for d in tables] == [("vmcore.tables.elf", True)]
    asked = {name for name, check in CHECKS.items() if check.applies(tables[0])}
    assert asked == {"translate", "tagged", "user", "info"}


def test_call_trace():
    trace = CorpusEntry(TESTDATA / "oops-612-null").call_trace()
    assert trace[0] == "lkdtm_EXCEPTION" and len(trace) > 5


def test_entry_names_its_needs():
    """A check is of an entry only if the oracle that it needs is there."""
    counts = collections.Counter(name for folder in TESTDATA.glob("*/oracle") for name, check in CHECKS.items()
                                 for dump in CorpusEntry(folder.parent).dumps() if check.applies(dump))
    assert counts["translate"] >= 9 and counts["stacks"] == 1 and counts["oops"] == 1


@pytest.mark.parametrize("wanted, got, expected", [
    ({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}}, (1, 2)),
    (-1, 0xffffffffffffffff, (1, 1)),
    (-1, "0xffffffffffffffff", (1, 1)),
    ([104, 105, 0, 0], "hi", (1, 1)),
    ([1, 2], [1], (1, 2)),
    ({"a": 1}, None, (0, 1)),
    (7, "seven", (0, 1)),
])
def test_agreement(wanted, got, expected):
    assert agreement(wanted, got) == expected


def test_facts_are_json():
    for path in TESTDATA.glob("*/facts.json"):
        assert json.loads(path.read_text())["page_size"] in (4096, 16384, 65536)
