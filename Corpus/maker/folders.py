"""Where downloads and builds are kept, and where entries are written (XDG base directories, or an option)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
"""The folder Corpus of the checkout."""


def _base(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback)


def default_cache() -> Path:
    return _base("XDG_CACHE_HOME", ".cache") / "kva-corpus"


def default_output() -> Path:
    return _base("XDG_DATA_HOME", ".local/share") / "kva-corpus"


@dataclass(frozen=True)
class Folders:
    cache: Path
    output: Path

    def cached(self, *parts: str) -> Path:
        """A folder of the cache, made if absent."""
        folder = self.cache.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def entry(self, name: str) -> Path:
        return self.output / name
