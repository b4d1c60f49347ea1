"""QEMU's command line, the order of what is asked of the MMU, and the kernel packages of a release."""

import pathlib
import re

import pytest

from maker import kernels, machine, table
from maker.failure import Failure
from maker.folders import SOURCE
from maker.listings import Listings, Vmcoreinfo
from maker.packages import Package
from maker.samples import kernel_samples, user_samples

RUN = machine.Run(pathlib.Path("/scratch"))


def command(name):
    return machine.command(table.load().entries[name], pathlib.Path("/cache/Image"), RUN)


def after(arguments, option):
    return [arguments[i + 1] for i, word in enumerate(arguments) if word == option]


def test_command():
    arguments = command("deb73-16k52-mte-nokaslr")
    assert after(arguments, "-machine") == ["virt,gic-version=3,highmem=on,mte=on"]
    assert after(arguments, "-smp") == ["4"] and after(arguments, "-m") == ["512M"]
    assert after(arguments, "-append")[0].startswith("console=ttyAMA0 quiet rdinit=/init nokaslr mem=420M")
    assert after(arguments, "-drive") == ["if=none,id=d0,format=raw,file=/scratch/disk.img"]
    disks = [device for device in after(command("kdump-61-4k48"), "-device") if "virtio-blk" in device]
    assert disks == ["virtio-blk-device,drive=d0,serial=corpus-answers", "virtio-blk-device,drive=d1,serial=corpus-dumps"]
    for script, serial in (("init", "corpus-answers"), ("kdump-init", "corpus-dumps")):
        assert f"= {serial} ]" in (SOURCE / "guest" / script).read_text()
    assert "log_buf_len=4M" in after(command("deb61-4k48-rich"), "-append")[0]


def test_nodes():
    arguments = command("deb61-rt-secure-numa")
    assert after(arguments, "-numa") == ["node,nodeid=0,cpus=0-1,memdev=m0", "node,nodeid=1,cpus=2-3,memdev=m1"]
    assert after(arguments, "-object") == ["memory-backend-ram,id=m0,size=128M", "memory-backend-ram,id=m1,size=256M"]
    # Three nodes and two CPUs: one has memory alone.
    assert sorted(re.sub(r".*?(cpus=\S+?)?,memdev.*", r"\1", a) for a in after(command("deb61-rt-6g"), "-numa")) == ["", "cpus=0-0", "cpus=1-1"]


def test_portable():
    text = machine.portable(command("deb612-4k"))
    assert "/scratch" not in text and "/cache" not in text and "-qmp" not in text and "-gdb" not in text
    assert "-kernel Image -initrd initrd.gz" in text and "file=disk.img" in text and "rdinit=init" not in text.replace("rdinit=/init", "")


class Shelf:
    """An archive with packages of these names and versions."""

    def __init__(self, *names):
        self.packages = [Package(*name.split("_"), "", 0, "", ()) for name in names]

    def find(self, suite, pattern, architecture="arm64"):
        return [p for p in self.packages if re.fullmatch(pattern, p.name)]


def found(release, *names):
    release, chosen = kernels._packages(Shelf(*names), "sid", release)
    return release, [p.name for p in chosen]


def test_kernel_packages():
    new = ["linux-binary-unsigned-7.2.9-arm64_7.2.9-1", "linux-binary-unsigned-7.2.13-arm64_7.2.13-1", "linux-modules-7.2.13-arm64_7.2.13-1",
           "linux-binary-unsigned-7.2.13-rt-arm64_7.2.13-1", "linux-binary-unsigned-7.2.13-arm64-16k_7.2.13-1"]
    assert found("*-arm64", *new) == ("7.2.13-arm64", ["linux-binary-unsigned-7.2.13-arm64", "linux-modules-7.2.13-arm64"])
    assert found("*-rt-arm64", *new) == ("7.2.13-rt-arm64", ["linux-binary-unsigned-7.2.13-rt-arm64"])
    assert found("*-arm64-16k", *new) == ("7.2.13-arm64-16k", ["linux-binary-unsigned-7.2.13-arm64-16k"])
    assert found("7.2.9-arm64", *new)[0] == "7.2.9-arm64"
    old = ["linux-image-6.1.0-57-cloud-arm64-unsigned_6.1.192-3", "linux-image-6.1.0-57-arm64-unsigned_6.1.192-3", "linux-image-6.12.1-arm64-unsigned_6.12.1-1"]
    assert found("6.1.0-*-arm64", *old) == ("6.1.0-57-arm64", ["linux-image-6.1.0-57-arm64-unsigned"])
    assert found("*-arm64", *old)[0] == "6.12.1-arm64"
    with pytest.raises(Failure, match="no kernel 5.10-arm64"):
        found("5.10-arm64", *old)


def test_samples(tmp_path):
    (tmp_path / "kallsyms.txt").write_text("ffff800080000000 T _text\nffff800080001000 D init_task\nffff800079000000 t helper\t[loop]\n0000000000000010 A _\n")
    (tmp_path / "modules.txt").write_text("loop 8192 0 - Live 0xffff800079000000\n")
    (tmp_path / "vmallocinfo.txt").write_text("0xffff800080010000-0xffff800080013000   12288 pci_ioremap+0x1/0x2 ioremap\n")
    (tmp_path / "self_pagemap.txt").write_text("pid 9\n400000-402000 r-xp 0 0:0 1 /holder\n# va pfn raw\n400000 40005 8000\n")
    info = Vmcoreinfo("PAGESIZE=4096\nNUMBER(VA_BITS)=48\nNUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(VMEMMAP_START)=0xfffffffdffe00000\nSIZE(page)=64\n")
    listings = Listings(tmp_path)
    asked = dict(kernel_samples(listings, info, [0], [(0x40000000, 0x100000)], 1))
    assert asked[0xffff800080000000] == "sym:_text"
    assert asked[0xffff000000000000] == "page-offset"                     # VA_BITS 48: also where the linear map begins
    assert asked[0xffff000000100000] == "linear" and 0xfffffffdffe00000 in asked
    assert any(why == "module:loop" and 0xffff800079000000 <= a < 0xffff800079002000 for a, why in asked.items())
    assert sum(why == "ioremap" for why in asked.values()) == 3
    assert all(0 <= a < 1 << 64 for a in asked)
    assert kernel_samples(listings, info, [0], [(0x40000000, 0x100000)], 1) == kernel_samples(listings, info, [0], [(0x40000000, 0x100000)], 1)
    of_user = dict(user_samples(listings, 4096, 1))
    assert any(why == "user-page" and 0x400000 <= a < 0x401000 for a, why in of_user.items())
    assert of_user[0x401fff] == "user-vma-edge" and 0 in of_user
