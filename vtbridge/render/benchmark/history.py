"""Ratios of earlier benchmarks, one JSON object a line; milliseconds would not compare.

A ratio belongs to a class of machines: the work that bf16 saves, one with it saves and
another does not. So a run is held against earlier ones of its own class alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict

from vtbridge.errors import ConfigError

TOLERANCE = 0.1
"""Share by which a ratio may fall below what it used to be before it is worth a word."""

RECENT = 5
"""Runs that are taken for what a ratio used to be: their median."""

_RATIOS = ("ratio_to_reference", "ratio_to_onnxruntime")


class Entry(BaseModel):
    """One run.

    Attributes:
        date: when, as ISO 8601 with its zone.
        version: of vtbridge.
        machine: its class, as ``describe_machine`` tells it.
        frames: how many counted.
        ratios: by ``<row>.<ratio>``, such as ``quality.exact.ratio_to_reference``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    version: str
    machine: str
    frames: int
    ratios: dict[str, float]


@dataclass(frozen=True, slots=True)
class Regression:
    """A ratio that is worse than it used to be."""

    name: str
    before: float
    now: float

    def __str__(self) -> str:
        return (
            f"{self.name} is {self.now:.2f}x where it used to be {self.before:.2f}x "
            f"({100 * (self.now / self.before - 1):+.0f} %)"
        )


def entry_of(report: Mapping[str, Any], now: datetime) -> Entry:
    """Return what is kept of ``report``, the benchmark's JSON."""
    ratios = {
        f"{part}.{name}.{ratio}": row[ratio]
        for part in ("quality", "runtimes")
        for name, row in report[part].items()
        for ratio in _RATIOS
        if row.get(ratio) is not None
    }
    return Entry(
        date=now.isoformat(timespec="seconds"),
        version=report["versions"]["vtbridge"],
        machine=report["machine"]["class"],
        frames=report["frames"],
        ratios=ratios,
    )


def read_history(path: Path) -> list[Entry]:
    """Return the runs in ``path``, oldest first; none if there is no such file.

    Raises:
        ConfigError: it cannot be read, or a line is no run; the message names it.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); choose another --history") from error
    return [_parsed(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def append(path: Path, entry: Entry) -> None:
    """Add ``entry`` to the runs in ``path``.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry.model_dump(), sort_keys=True) + "\n")
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error}); choose another --history"
        ) from error


def regressions(history: Sequence[Entry], entry: Entry) -> list[Regression]:
    """Return the ratios of ``entry`` that fell behind those of ``history`` on such machines."""
    return list(_fallen([each for each in history if each.machine == entry.machine], entry))


def _fallen(history: Sequence[Entry], entry: Entry) -> Iterator[Regression]:
    for name, now in entry.ratios.items():
        earlier = [each.ratios[name] for each in history if name in each.ratios][-RECENT:]
        if earlier and now < (1 - TOLERANCE) * median(earlier):
            yield Regression(name, median(earlier), now)


def _parsed(path: Path, number: int, line: str) -> Entry:
    try:
        return Entry.model_validate_json(line)
    except ValueError as error:
        raise ConfigError(f"{path}, line {number} is no run of the benchmark: delete it") from error
