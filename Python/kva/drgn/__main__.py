"""drgn's prompt, or a script, on a dump: `python3 -m kva.drgn [option ...] DUMP [script [argument ...]]`.

The options are those of kva-drgn(1), each in one word.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any, Optional

import drgn
import kva

from . import program


def main(arguments: list[str]) -> None:
    """Does what kva-drgn(1) says."""
    options, dump, script, code = _parsed(arguments)
    try:
        prog = program(dump, **options)
    except (kva.KvaError, OSError) as error:
        print(f"kva: {error}", file=sys.stderr)
        sys.exit(64 if isinstance(error, kva.BadRequest) else 2)
    drgn.set_default_prog(prog)
    if script:
        sys.argv = script
        sys.path.insert(0, os.path.dirname(os.path.abspath(script[0])))
        runpy.run_path(script[0], init_globals={"prog": prog}, run_name="__main__")
        return
    # The command line of drgn is of no use to those who import this.
    from drgn import cli

    def names(defined: dict[str, Any]) -> dict[str, Any]:
        return {**defined, "kva": kva}

    if code is None:
        cli.run_interactive(prog, lambda banner: f"{_title(prog)}\n{banner}\n>>> import kva.drgn", names)
    else:
        sys.path.insert(0, "")
        exec(compile(code, "<string>", "exec"), names(cli.default_globals(prog)))


def _title(prog: drgn.Program) -> str:
    release = prog["UTS_RELEASE"].string_().decode(errors="replace")
    return f"drgn {drgn.__version__} on kva, Linux {release}"


def _parsed(arguments: list[str]) -> tuple[dict[str, Any], str, list[str], Optional[str]]:
    options: dict[str, Any] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("--"):
        word = rest.pop(0)
        if word == "--":
            break
        name, sign, value = word[2:].partition("=")
        options[name.replace("-", "_")] = value if sign else True
    if not rest:
        sys.exit("usage: python3 -m kva.drgn [option ...] DUMP [script [argument ...]]")
    code = options.pop("exec", None)
    return options, rest[0], rest[1:], code


if __name__ == "__main__":
    main(sys.argv[1:])
