"""What the doctor finds: one thing looked at, how bad it is, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is; the worst one decides the exit code."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was seen, and the remedy if it is not right."""

    check: str
    verdict: Verdict
    seen: str
    remedy: str = ""
