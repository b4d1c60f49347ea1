"""Debian's package indices as text: paragraphs, versions, dependencies. No network, no files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Iterable, Iterator


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    filename: str
    size: int
    sha256: str
    depends: tuple[str, ...]
    """The first alternative of each dependency, without its version."""


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file. Lines that continue a field are joined to it with newlines."""
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        last = ""
        for line in block.splitlines():
            if line[:1] in " \t":
                if last:
                    fields[last] += "\n" + line.strip()
            elif ":" in line:
                last, value = line.split(":", 1)
                fields[last] = value.strip()
        if fields:
            yield fields


def packages(text: str, wanted: re.Pattern[str]) -> list[Package]:
    """The packages of an index whose name the whole pattern matches. Others are not parsed: indices have 60,000."""
    found = []
    for match in re.finditer(r"^Package: (\S+)\n(?:.+\n?)*", text, re.M):
        if not wanted.fullmatch(match[1]):
            continue
        fields = next(paragraphs(match[0]))
        try:
            found.append(Package(fields["Package"], fields["Version"], fields["Filename"], int(fields["Size"]),
                                 fields["SHA256"], tuple(_dependencies(fields))))
        except (KeyError, ValueError) as error:
            raise ValueError(f"package {match[1]}: {error} in its paragraph") from error
    return found


def _dependencies(fields: dict[str, str]) -> Iterator[str]:
    for field in ("Pre-Depends", "Depends"):
        for clause in fields.get(field, "").split(","):
            name = re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", clause)
            if name:
                yield name[1]


def _order(character: str) -> int:
    """The sort key of a character that is no digit: '~' before the end, letters before the rest (deb-version(7))."""
    return -1 if character == "~" else ord(character) if character.isalpha() else ord(character) + 256


def _compare_part(a: str, b: str) -> int:
    while a or b:
        text_a, text_b = re.match(r"\D*", a)[0], re.match(r"\D*", b)[0]
        for i in range(max(len(text_a), len(text_b))):
            x = _order(text_a[i]) if i < len(text_a) else 0
            y = _order(text_b[i]) if i < len(text_b) else 0
            if x != y:
                return x - y
        a, b = a[len(text_a):], b[len(text_b):]
        number_a, number_b = re.match(r"\d*", a)[0], re.match(r"\d*", b)[0]
        if int(number_a or 0) != int(number_b or 0):
            return int(number_a or 0) - int(number_b or 0)
        a, b = a[len(number_a):], b[len(number_b):]
    return 0


def compare_versions(a: str, b: str) -> int:
    """Negative, zero or positive, as version a is older than, the same as or newer than b (deb-version(7))."""
    def split(version: str) -> tuple[int, str, str]:
        epoch, _, rest = version.rpartition(":")
        upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        return int(epoch or 0), upstream, revision

    epoch_a, upstream_a, revision_a = split(a)
    epoch_b, upstream_b, revision_b = split(b)
    return epoch_a - epoch_b or _compare_part(upstream_a, upstream_b) or _compare_part(revision_a, revision_b)


def newest(candidates: Iterable[Package]) -> Package | None:
    return max(candidates, key=cmp_to_key(lambda a, b: compare_versions(a.version, b.version)), default=None)


def index_hashes(release: str) -> dict[str, tuple[str, int]]:
    """The files that a Release file names, with their SHA256 and size."""
    hashes = {}
    section = re.search(r"^SHA256:\n((?: .*\n?)+)", release, re.M)
    for line in section[1].splitlines() if section else []:
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            hashes[words[2]] = (words[0], int(words[1]))
    return hashes
