"""The Debian archive: indices and packages, each verified against the SHA256 that the signed Release file leads to."""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from .failure import Failure
from .folders import Folders
from .packages import Package, index_hashes, newest, packages

DEFAULT = {"debian": "http://deb.debian.org/debian", "debian-security": "http://deb.debian.org/debian-security"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
RELEASE_LIFETIME = 6 * 3600
"""Seconds for which a Release file is taken from the cache."""


def machine_mirrors() -> dict[str, str]:
    """The mirrors that this machine's apt is configured with, by archive; Debian's own where apt names none."""
    mirrors = dict(DEFAULT)
    try:
        done = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                              capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return mirrors
    for line in reversed(done.stdout.split()):
        archive = line.rstrip("/").rsplit("/", 1)[-1]
        if archive in mirrors:
            mirrors[archive] = line.rstrip("/")
    return mirrors


class Archive:
    def __init__(self, folders: Folders, mirrors: dict[str, str] | None = None, refresh: bool = False):
        self.folders = folders
        self.mirrors = mirrors or machine_mirrors()
        self.refresh = refresh
        self._releases: dict[str, dict[str, tuple[str, int]]] = {}
        self._indices: dict[tuple[str, str], str] = {}

    def url(self, suite: str) -> str:
        return self.mirrors["debian-security" if suite.endswith("-security") else "debian"]

    def find(self, suite: str, pattern: str, architecture: str = "arm64") -> list[Package]:
        """The packages of a suite whose name the pattern matches."""
        return packages(self._index(suite, architecture), re.compile(pattern))

    def newest(self, suite: str, name: str, version: str | None = None, architecture: str = "arm64") -> Package:
        found = [p for p in self.find(suite, re.escape(name), architecture) if version in (None, p.version)]
        package = newest(found)
        if not package:
            raise Failure(f"{suite} has no package {name}{' ' + version if version else ''} for {architecture}; an older "
                          "one may be on snapshot.debian.org: name that with --mirror and --security-mirror")
        return package

    def closure(self, suite: str, names: list[str], skip: frozenset[str] = frozenset(), architecture: str = "arm64") -> list[Package]:
        """The packages and all that they depend on, by the first alternative of each dependency."""
        index = {p.name: p for p in self.find(suite, r"[^\n]+", architecture)}
        chosen: dict[str, Package] = {}
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in chosen or name in skip or name not in index:
                continue
            chosen[name] = index[name]
            todo += index[name].depends
        missing = [name for name in names if name not in chosen]
        if missing:
            raise Failure(f"{suite} has no package {missing[0]}")
        return list(chosen.values())

    def fetch(self, suite: str, package: Package) -> Path:
        """The package's file, from the cache or downloaded and verified."""
        path = self.folders.cached("packages") / Path(package.filename).name
        if not path.exists():
            print(f"fetching {path.name} ({package.size >> 20} MiB)", file=sys.stderr, flush=True)
            _download(f"{self.url(suite)}/{package.filename}", path, package.sha256)
        return path

    def _index(self, suite: str, architecture: str) -> str:
        if (suite, architecture) not in self._indices:
            name = f"main/binary-{architecture}/Packages.xz"
            sha256, _ = self._release(suite).get(name, (None, 0))
            if not sha256:
                raise Failure(f"the Release file of {suite} names no {name}")
            path = self.folders.cached("indices") / f"{sha256}.xz"
            if not path.exists():
                _download(f"{self.url(suite)}/dists/{suite}/{name}", path, sha256)
            self._indices[suite, architecture] = lzma.decompress(path.read_bytes()).decode()
        return self._indices[suite, architecture]

    def _release(self, suite: str) -> dict[str, tuple[str, int]]:
        if suite not in self._releases:
            path = self.folders.cached("indices") / f"{suite}.InRelease"
            if self.refresh or not path.exists() or time.time() - path.stat().st_mtime > RELEASE_LIFETIME:
                _download(f"{self.url(suite)}/dists/{suite}/InRelease", path, None)
            _check_signature(path)
            self._releases[suite] = index_hashes(path.read_text())
        return self._releases[suite]


def _check_signature(path: Path) -> None:
    """Refuses a bad signature. Without gpgv, or without the keys of a newer suite, the hashes alone are checked."""
    if not shutil.which("gpgv") or not KEYRING.exists():
        print(f"note: the signature of {path.name} is not checked (needs gpgv and debian-archive-keyring)", file=sys.stderr)
        return
    done = subprocess.run(["gpgv", "--keyring", str(KEYRING), str(path)], capture_output=True, text=True, check=False)
    if done.returncode and "BAD signature" in done.stderr:
        path.unlink()
        raise Failure(f"{path.name} has a bad signature")
    if done.returncode and "Good signature" not in done.stderr:
        print(f"note: the signature of {path.name} is not checked (its keys are not in {KEYRING.name})", file=sys.stderr)


def _download(url: str, path: Path, sha256: str | None) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer, open(part, "wb") as file:
            digest = hashlib.sha256()
            while block := answer.read(1 << 20):
                digest.update(block)
                file.write(block)
    except (urllib.error.URLError, OSError) as error:
        raise Failure(f"cannot fetch {url}: {error}") from error
    if sha256 and digest.hexdigest() != sha256:
        part.unlink()
        raise Failure(f"{url} does not have the SHA256 that its index says; try again with --refresh")
    part.rename(path)


def unpack(package: Path, into: Path, *wanted: str) -> None:
    """Unpacks a package, or of it the paths that the patterns match (./usr/lib/...), if there are such."""
    into.mkdir(parents=True, exist_ok=True)
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE)
    select = ["--wildcards", *wanted] if wanted else []
    writer = subprocess.run(["tar", "-x", "--no-same-owner", "-C", str(into), *select], stdin=reader.stdout, check=False,
                            stderr=subprocess.PIPE, text=True)
    reader.stdout.close()
    is_absent = bool(wanted) and "Not found in archive" in writer.stderr
    if reader.wait() or writer.returncode and not is_absent:
        raise Failure(f"cannot unpack {package.name}: {writer.stderr.strip()[:200]}")
