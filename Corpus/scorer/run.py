"""Runs all checks of an entry on a tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterator

from .checks import CHECKS
from .entry import CorpusEntry, Dump
from .result import Result
from .tool import Tool, ToolFailure, Unanswered

SHOWN = 12


@dataclass(frozen=True)
class Scored:
    dump: Dump
    result: Result


def score(entry: CorpusEntry, tool: Callable[[Dump], Tool], only: list[str], dumps: str | None = None) -> Iterator[Scored]:
    """One result a check and dump. A check that an entry has no truth for gives none."""
    for dump in entry.dumps():
        if dumps and dumps not in dump.name:
            continue
        opened = tool(dump)
        try:
            for name in only:
                if CHECKS[name].applies(dump):
                    result = _ask(name, opened, dump)
                    if result.asked or result.error or result.unanswered:
                        yield Scored(dump, result)
        finally:
            opened.close()


def _ask(name: str, tool: Tool, dump: Dump) -> Result:
    try:
        return CHECKS[name].ask(tool, dump)
    except Unanswered as reason:
        return Result(name, 0, 0, unanswered=str(reason))
    except ToolFailure as error:
        return Result(name, 0, 0, error=str(error))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return Result(name, 0, 0, error=f"answer of another shape: {type(error).__name__}: {error}")


def line(scored: Scored) -> str:
    result = scored.result
    word = "--  " if result.unanswered else "ok  " if result.is_fine else "FAIL"
    said = result.unanswered or result.error[:240] or f"{result.good}/{result.asked} {result.note}"
    return f"{word} {scored.dump.entry.name:20} {scored.dump.name:24} {result.check:10} {said}".rstrip()
