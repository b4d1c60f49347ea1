"""What tools print, as answers; and the table of who answers what."""

import importlib.machinery
import importlib.util
import pathlib

from scorer.crash_tool import _bytes, _physical
from scorer.result import Result, compared

# From a session of crash 8.0 on an arm64 vmcore.
VTOP = """\
VIRTUAL           PHYSICAL
ffff800008010000  40210000

PAGE DIRECTORY: ffff800009a5a000
   PGD: ffff800009a5a800 => 10000000bfffe003
   PUD: ffff00007fffe000 => 10000000bfffd003
   PMD: ffff00007fffd200 => 50000040200f91
  PAGE: 40200000  (2MB)

     PTE        PHYSICAL  FLAGS
50000040200f91  40200000  (VALID|SHARED|AF|NG|PXN|UXN)
"""
UNMAPPED = """\
VIRTUAL           PHYSICAL
ffff800000000000  (not mapped)

PAGE DIRECTORY: ffff800009a5a000
   PGD: ffff800009a5a800 => 0
"""
RD = """\
ffff800008010000:  4d 5a 40 fa ff ff 5c 14 00 00 00 00 00 00 00 00   MZ@...\\.........
ffff800008010010:  aa bb                                             ..
"""


def test_vtop():
    assert _physical(VTOP, 0xffff800008010000) == 0x40210000
    assert _physical(VTOP, 0xffff800008010008) is None
    assert _physical(UNMAPPED, 0xffff800000000000) is None


def test_rd():
    assert _bytes(RD) == bytes.fromhex("4d5a40faffff5c14" + "00" * 8 + "aabb")
    assert _bytes("rd: invalid kernel virtual address: 0  type: \"8-bit KVADDR\"\n") == b""


def test_compared():
    result = compared("info", [("a", 1, 1), ("b", 16, 17), ("c", None, None)])
    assert (result.good, result.asked, result.is_fine) == (2, 3, False)
    assert result.differences == ["b: expected 0x10, got 0x11"]
    assert compared("info", [("b", 1, 2)], drift=1).is_fine


def matrix():
    path = pathlib.Path(__file__).resolve().parent.parent / "matrix"
    loader = importlib.machinery.SourceFileLoader("matrix", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("matrix", loader))
    loader.exec_module(module)
    return module


def test_cells():
    cell = matrix().cell
    assert cell(None) == cell(Result("maps", 0, 0, unanswered="drgn has no maps")) == "-"
    assert cell(Result("read", 150, 150)) == "150/150"
    assert cell(Result("read", 149, 150)) == "**149/150**"
    assert cell(Result("dmesg", 149, 150, drift=2)) == "149/150"
    assert cell(Result("read", 0, 0, error="drgn: no")) == "**failed**"


def test_table():
    class Entry:
        name = "sid-4k"
        facts = {"release": "7.2", "page_size": 4096, "VA_BITS": 52, "va_bits_actual_from_TCR_T1SZ": 52}

    lines = list(matrix().table(Entry, "vmcore.elf", {"kva": {"read": Result("read", 2, 2)}, "drgn": {"read": Result("read", 0, 0, error="drgn: a\nb")}}))
    assert "| check | kva | drgn |" in lines
    assert "| read | 2/2 | **failed** |" in lines
    assert not [line for line in lines if line.startswith("| translate")]
    assert "drgn: `drgn: a`" in lines
