"""What could compute here, and what became of each: taken, slower, wrong, not there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from vtbridge.render.runtimes.runtime import RuntimeRequest, RuntimeRow
from vtbridge.render.selection.hardware import Hardware
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

_AS_FAST = 1.15
"""Times the fastest one's time: no slower than that is as fast."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(_Value):
    """A runtime on a device in a precision."""

    name: RuntimeName
    device: DeviceName
    precision: Precision = Precision.AUTO

    def __str__(self) -> str:
        """Return it as messages name it: ``openvino`` on a CPU, ``openvino on gpu`` elsewhere."""
        device = "" if self.device in (DeviceName.CPU, DeviceName.AUTO) else f" on {self.device}"
        precision = "" if self.precision is Precision.AUTO else f" in {self.precision}"
        return f"{self.name}{device}{precision}"


class Outcome(StrEnum):
    """What became of a candidate."""

    RIGHT = "right"
    WRONG = "wrong"
    FAILED = "failed"
    DAMAGED = "damaged"
    BLAMED = "blamed"
    NOT_INSTALLED = "not installed"
    NOT_PREPARED = "not prepared"
    NOT_HERE = "not here"
    NOT_COMPARED = "not compared"


class Tried(_Value):
    """A candidate and what became of it.

    Attributes:
        candidate: what was looked at.
        outcome: what became of it.
        description: what computed, if it came to that, such as ``openvino f32 CPU``.
        noise_db: how right it was, None if it gave no answer or nothing tells what is right.
        frame_ms: time of all stages for one pose, None if it was not measured.
        why: what was wrong with it, empty if nothing was.
        remedy: a command that may change that, empty if there is none or ``why`` tells it.
    """

    candidate: Candidate
    outcome: Outcome
    description: str = ""
    noise_db: float | None = None
    frame_ms: float | None = None
    why: str = ""
    remedy: str = ""


def candidates(
    rows: Mapping[RuntimeName, RuntimeRow], request: RuntimeRequest, hardware: Hardware
) -> tuple[Candidate, ...]:
    """Return what is worth trying for ``request``, in the order of ``rows``.

    A device that the user named is always worth it; unasked, only those that the machine
    seems to have.
    """
    return tuple(
        Candidate(name=name, device=device, precision=request.precision)
        for name, row in rows.items()
        for device in row.devices
        if (
            device is request.device
            if request.device is not DeviceName.AUTO
            else hardware.may_have(device)
        )
    )


def missing(candidate: Candidate, row: RuntimeRow, request: RuntimeRequest) -> Tried | None:
    """Return why a candidate cannot run, as far as that is seen without loading anything."""
    if row.library and importlib.util.find_spec(row.library) is None:
        return Tried(
            candidate=candidate,
            outcome=Outcome.NOT_INSTALLED,
            why="it is not installed",
            remedy=f"pip install {row.package[0]}",
        )
    if not _is_prepared(row, request):
        return Tried(
            candidate=candidate,
            outcome=Outcome.NOT_PREPARED,
            why="it was not compared, its files were never prepared",
            remedy=f"vtbridge weights prepare {request.weights} --for {candidate.name}",
        )
    return None


def _is_prepared(row: RuntimeRow, request: RuntimeRequest) -> bool:
    store, weights = request.store, request.weights
    if not row.prepared or store.variant(weights).family in row.unprepared:
        return True
    return any((store.directory(weights) / file).is_file() for file in row.prepared)


def is_last_resort(candidate: Candidate, rows: Mapping[RuntimeName, RuntimeRow]) -> bool:
    """Return whether to try a candidate only where nothing else runs."""
    return rows[candidate.name].heavy and candidate.device is DeviceName.CPU


def library_versions(rows: Mapping[RuntimeName, RuntimeRow]) -> dict[str, str]:
    """Return the version of each library that a row may need and that is installed."""
    return dict(_versions(rows))


def fastest_first(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """Return those that are right, the fastest first; not measured ones keep their order behind.

    Those about as fast as the fastest keep their order too: a machine that was busy tells no
    more, and the table begins with what starts sooner and needs less memory.
    """
    right = [each for each in tried if each.outcome is Outcome.RIGHT]
    fastest_ms = min((each.frame_ms for each in right if each.frame_ms is not None), default=0.0)

    def rank(each: Tried) -> float:
        if each.frame_ms is None:
            return float("inf")
        return max(each.frame_ms, _AS_FAST * fastest_ms)

    return tuple(sorted(right, key=rank))


def _versions(rows: Mapping[RuntimeName, RuntimeRow]) -> Iterator[tuple[str, str]]:
    for row in rows.values():
        for package in row.package:
            try:
                yield package, importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                continue
