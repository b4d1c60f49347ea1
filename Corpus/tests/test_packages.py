"""Debian's indices as text."""

import itertools
import re

import pytest

from maker.packages import compare_versions, index_hashes, newest, packages

INDEX = """\
Package: linux-image-6.12.117+deb12-arm64-unsigned
Source: linux
Version: 6.12.117-1~deb12u1
Pre-Depends: dpkg (>= 1.15)
Depends: kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120) | linux-initramfs-tool,
 libc6:arm64
Description: a kernel
 with: a colon
Filename: pool/l/linux-image_1_arm64.deb
Size: 93041964
SHA256: 00ff

Package: linux-image-6.12.117+deb12-arm64-unsigned
Version: 6.12.117-2
Filename: pool/l/linux-image_2_arm64.deb
Size: 1
SHA256: 01ff

Package: busybox
Version: 1
Filename: pool/b/busybox.deb
Size: 1
SHA256: 02ff
"""


def test_packages():
    first, second = packages(INDEX, re.compile("linux-image-.*"))
    assert (first.name, first.version, first.size, first.sha256) == ("linux-image-6.12.117+deb12-arm64-unsigned", "6.12.117-1~deb12u1", 93041964, "00ff")
    assert first.filename == "pool/l/linux-image_1_arm64.deb"
    assert first.depends == ("dpkg", "kmod", "linux-base", "initramfs-tools", "libc6")
    assert second.depends == ()
    assert newest([first, second]) is second and newest([second, first]) is second
    assert [p.name for p in packages(INDEX, re.compile("busybox"))] == ["busybox"]
    assert packages(INDEX, re.compile("linux")) == []
    assert newest([]) is None


def test_damaged_index():
    with pytest.raises(ValueError, match="busybox"):
        packages(INDEX.replace("Size: 1\nSHA256: 02ff", "SHA256: 02ff"), re.compile(".*"))
    with pytest.raises(ValueError, match="unsigned"):
        packages(INDEX.replace("93041964", "many"), re.compile(".*"))


# From deb-version(7), and kernels' real versions, oldest first.
ORDER = ["0", "1.0~~", "1.0~~a", "1.0~", "1.0~rc1-1", "1.0", "1.0-1", "1.0a", "1.0+", "1.0.1", "1.2", "1.10", "6.1.192-2", "6.12.9-1",
         "6.12.117-1~deb12u1", "6.12.117-1", "7.3~rc7-1~exp1", "7.3.4-1~bpo13+1", "7.3.4-1", "1:0.1"]


@pytest.mark.parametrize("a, b", itertools.combinations(ORDER, 2))
def test_versions(a, b):
    assert compare_versions(a, b) < 0 < compare_versions(b, a)


@pytest.mark.parametrize("version", ORDER)
def test_same_version(version):
    assert compare_versions(version, version) == 0
    assert compare_versions("1.0-0", "1.0") == 0


def test_release():
    release = "Suite: sid\nMD5Sum:\n aa 5 main/x\nSHA256:\n bb 7 main/binary-arm64/Packages.xz\n cc 8 main/y\nNo-Support: x\n"
    assert index_hashes(release) == {"main/binary-arm64/Packages.xz": ("bb", 7), "main/y": ("cc", 8)}
    assert index_hashes("Suite: sid\n") == {}
