"""The order in which to load kernel modules, from the modules themselves (packages come without modules.dep)."""

from __future__ import annotations

import gzip
import lzma
import re
import subprocess
from pathlib import Path


def _plain(name: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", name).replace("-", "_")


def contents(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", str(path)], check=True, stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def load_order(folder: Path, wanted: tuple[str, ...]) -> tuple[list[tuple[str, bytes]], list[str]]:
    """The modules (file name, contents) in an order in which each finds what it depends on, and the names that the folder lacks.

    Those that are built in are neither."""
    files = {_plain(p.name): p for p in folder.rglob("*.ko*") if p.is_file()}
    builtin_list = folder / "modules.builtin"
    builtin = {_plain(Path(line).name) for line in builtin_list.read_text().split()} if builtin_list.exists() else set()
    order: dict[str, bytes] = {}
    missing: list[str] = []

    def load(name: str, above: tuple[str, ...]) -> None:
        if name in order or name in builtin or name in above:
            return
        if name not in files:
            missing.append(name)
            return
        data = contents(files[name])
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for needed in depends[1].decode().split(",") if depends else []:
            if needed:
                load(_plain(needed), (*above, name))
        order[name] = data

    for name in wanted:
        load(_plain(name), ())
    return [(f"{name}.ko", data) for name, data in order.items()], missing
