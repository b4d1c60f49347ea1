"""The outcome of one check."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Result:
    check: str
    good: int
    asked: int
    differences: list[str] = field(default_factory=list)
    note: str = ""
    drift: int = 0
    """How many differences a listing that was taken a moment before the stop may show."""
    error: str = ""
    """The tool failed: it ended with an error, or its answer was none."""
    unanswered: str = ""
    """The tool has no such answer, and why."""

    @property
    def is_fine(self) -> bool:
        return not self.error and not self.unanswered and self.asked - self.good <= self.drift


def compared(check: str, pairs: list[tuple[str, object, object]], drift: int = 0) -> Result:
    """Pairs are what is compared, the expected value and the tool's."""
    def shown(value: object) -> object:
        return hex(value) if isinstance(value, int) else value

    differences = [f"{what}: expected {shown(expected)}, got {shown(got)}" for what, expected, got in pairs if expected != got]
    return Result(check, len(pairs) - len(differences), len(pairs), differences, drift=drift)
