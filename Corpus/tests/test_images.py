"""The initramfs, the order of modules, and ELF cores, against other programs' readers where there are such."""

import gzip
import lzma
import shutil
import struct
import subprocess

import pytest

from maker.cpio import Initramfs
from maker.elfcore import ElfCore, with_headers_first
from maker.modules import load_order
from maker.tables import reduce


def image():
    made = Initramfs()
    made.add("bin/busybox", b"\x7fELF", 0o755)
    made.link("bin/sh", "busybox")
    made.folder("proc")
    made.add("init", "#!/bin/sh\n", 0o755)
    return made


@pytest.mark.skipif(not shutil.which("cpio"), reason="needs cpio")
def test_cpio_reads_it(tmp_path):
    path = tmp_path / "initrd.gz"
    image().write(path)
    subprocess.run(["cpio", "-id", "--quiet"], input=gzip.decompress(path.read_bytes()), cwd=tmp_path, check=True)
    assert (tmp_path / "bin" / "busybox").read_bytes() == b"\x7fELF"
    assert (tmp_path / "bin" / "busybox").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "bin" / "sh").readlink().name == "busybox"
    assert (tmp_path / "proc").is_dir() and (tmp_path / "init").read_text() == "#!/bin/sh\n"


def test_same_files_same_bytes(tmp_path):
    image().write(tmp_path / "a")
    image().write(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(image().archive()) % 4 == 0


def module(depends):
    return b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0"


def test_module_order(tmp_path):
    for name, depends in {"a-b": "c_d,e", "c_d": "e", "e": "", "loop1": "loop2", "loop2": "loop1", "other": ""}.items():
        data = module(depends)
        if name == "e":
            (tmp_path / "e.ko.xz").write_bytes(lzma.compress(data))
        else:
            (tmp_path / f"{name}.ko").write_bytes(data)
    (tmp_path / "modules.builtin").write_text("kernel/drivers/virtio_mmio.ko\n")
    order, missing = load_order(tmp_path, ("a_b", "virtio-mmio", "absent", "loop1"))
    assert [name for name, _ in order] == ["e.ko", "c_d.ko", "a_b.ko", "loop2.ko", "loop1.ko"]
    assert order[0][1] == module("")
    assert missing == ["absent"]


def core(offset):
    """An ELF core like QEMU's: section headers first, program headers at the offset."""
    note = struct.pack("<III", 11, 4, 0) + b"VMCOREINFO\0\0" + b"A=1\0"
    header = b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, offset, 64, 0, 8, 56, 2, 64, 1, 0)
    table = struct.pack("<IIQQQQQQ", 4, 0, 0x200, 0, 0, len(note), len(note), 4)
    table += struct.pack("<IIQQQQQQ", 1, 7, 0x400, 0x9000, 0x40000000, 16, 32, 1)
    data = bytearray(0x410)
    data[:len(header)] = header
    data[offset:offset + len(table)] = table
    data[0x200:0x200 + len(note)] = note
    data[0x400:] = b"0123456789abcdef"
    return bytes(data)


def test_core(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core(192))
    for opened in (ElfCore(path), (with_headers_first(path, tmp_path / "moved"), ElfCore(tmp_path / "moved"))[1]):
        assert opened.vmcoreinfo() == "A=1"
        assert [(s.physical, s.virtual, s.file_size, s.memory_size) for s in opened.loads] == [(0x40000000, 0x9000, 16, 32)]
        assert opened.read(0x40000004, 4) == b"4567"
        assert opened.read(0x4000000f, 2) is None and opened.read(0x3fffffff, 1) is None
        assert "PT_LOAD paddr 0x40000000 vaddr 0x9000 offset 0x400 filesz 0x10 memsz 0x20\n" in opened.layout()
    assert struct.unpack_from("<Q", (tmp_path / "moved").read_bytes(), 32) == (64,)
    with pytest.raises(ValueError):
        path.write_bytes(b"KDUMP   ")
        ElfCore(path)


def test_reduced_dump(tmp_path):
    """Of a root, a table below it and a page of data, the first two stay, with the notes."""
    base, page = 0x40000000, 4096
    memory = bytearray(4 * page)
    struct.pack_into("<Q", memory, 8 * 511, base + page | 3)                 # root: entry 511 is a table
    struct.pack_into("<QQ", memory, page, base + 2 * page | 3, base + 0x200000 | 1)      # below it: a table, and a block
    note = struct.pack("<III", 11, 14, 0) + b"VMCOREINFO\0\0" + b"PAGESIZE=4096\n\0\0\0"[:16]
    note = note[:12 + 12 + 16]
    headers = struct.pack("<IIQQQQQQ", 4, 0, 176, 0, 0, len(note), len(note), 4)
    headers += struct.pack("<IIQQQQQQ", 1, 7, 0x1000, 0, base, len(memory), len(memory), 1)
    header = b"\x7fELF\x02\x01" + bytes(10) + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    path = tmp_path / "whole"
    path.write_bytes((header + headers + note).ljust(0x1000, b"\0") + memory)
    t1sz, tg1, t0sz, tg0 = 25, 0b10, 25, 0b00                                # 39 bits and 4K pages: three levels
    registers = {"TCR_EL1": t1sz << 16 | tg1 << 30 | t0sz | tg0 << 14, "TTBR1_EL1": base | 1, "TTBR0_EL1": 0}
    cpus = [{"regs": {name: hex(value) for name, value in registers.items()}}]
    assert reduce(path, cpus, tmp_path / "reduced") == 3
    reduced = ElfCore(tmp_path / "reduced")
    assert reduced.vmcoreinfo().startswith("PAGESIZE=4096")
    assert [(s.physical, s.file_size) for s in reduced.loads] == [(base, 3 * page)]
    assert reduced.read(base, 3 * page) == bytes(memory[:3 * page])
    assert reduced.read(base + 3 * page, 8) is None
