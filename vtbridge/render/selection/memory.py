"""Remember what came of comparing candidates on this machine, until something changes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import platformdirs
import psutil
from pydantic import BaseModel, ConfigDict, Field

from vtbridge import __version__
from vtbridge.atomic_file import write_atomically
from vtbridge.render.models.signatures import stage_signatures
from vtbridge.render.runtimes.runtime import RuntimeRequest, RuntimeRow
from vtbridge.render.selection.candidates import Candidate, Tried, library_versions
from vtbridge.render.selection.card import CARD_REVISION
from vtbridge.render.selection.hardware import Hardware
from vtbridge.render.settings import RuntimeName
from vtbridge.render.weights.record import read_bounded

log = logging.getLogger(__name__)

_LIMIT = 1 << 16
_RECORD_LIMIT = 1 << 20
_KEPT = 16


class _Remembered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Annotated[int, Field(ge=1, le=1)] = 1
    tried: tuple[Tried, ...]


def key_of_machine(
    rows: Mapping[RuntimeName, RuntimeRow], request: RuntimeRequest, hardware: Hardware
) -> str:
    """Return a name for all that decides which runtime is the fastest right one.

    Processor, cores, graphics processors, libraries, vtbridge, the weights' record, the
    files prepared from them, and what is asked for.

    Raises:
        WeightsError: the weights are absent.
    """
    store, weights = request.store, request.weights
    record = store.record(weights)
    directory = store.directory(weights)
    prepared = {file: _sha256(directory / file) for row in rows.values() for file in row.prepared}
    told = {
        "hardware": asdict(hardware),
        "libraries": library_versions(rows),
        "vtbridge": __version__,
        "card": CARD_REVISION,
        "stages": repr(stage_signatures(store.variant(weights))),
        "weights": record.model_dump_json(),
        "prepared": prepared,
        "asked": [request.device, request.precision, request.threads],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


class ChoiceMemory:
    """Files in the user's cache, one a machine and set of weights; losing them costs seconds.

    Args:
        folder: where they lie; None takes the user's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(platformdirs.user_cache_dir("vtbridge")) / "runtimes"

    def recall(self, key: str) -> tuple[Tried, ...]:
        """Return what was remembered, empty if nothing was or the file is damaged."""
        try:
            content = read_bounded(self._choice(key), _LIMIT)
            return _Remembered.model_validate_json(content).tried
        except (OSError, ValueError):
            return ()

    def remember(self, key: str, tried: Sequence[Tried]) -> None:
        """Write down what came of a comparison; a folder that cannot be written is no fault."""
        content = _Remembered(tried=tuple(tried)).model_dump_json(indent=1).encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self._choice(key), content + b"\n")
            self._drop_oldest()
        except OSError as error:
            log.debug("the choice of a runtime cannot be remembered: %s", error)

    def forget(self, key: str) -> None:
        """Compare anew the next time."""
        with contextlib.suppress(OSError):
            self._choice(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def opening(self, key: str, candidate: Candidate) -> Iterator[None]:
        """Leave a mark while ``candidate`` is opened, which stays if that ends the process."""
        mark = self._mark(key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(f"{os.getpid()} {_born(os.getpid())} {candidate}\n", "utf-8")
        except OSError as error:
            log.debug("%s cannot be written: %s", mark, error)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)

    def take_unfinished(self, key: str) -> str:
        """Return what was being opened when a process ended, and clear its mark; empty if none."""
        mark = self._mark(key)
        try:
            pid, born, candidate = read_bounded(mark, _LIMIT).decode("utf-8").strip().split(" ", 2)
            # Not by its number alone: in a container every daemon has the same.
            if _born(int(pid)) == born:
                return ""  # it is still at it
            mark.unlink(missing_ok=True)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, OverflowError):
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)
            return ""
        return candidate

    def _choice(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _mark(self, key: str) -> Path:
        return self._folder / f"{key}.opening"

    def _drop_oldest(self) -> None:
        files = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in files[:-_KEPT]:
            path.unlink(missing_ok=True)


def _born(pid: int) -> str:
    """Return when the process was started, empty if there is none."""
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except (psutil.Error, ValueError, OverflowError):
        return ""


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(read_bounded(path, _RECORD_LIMIT)).hexdigest()
    except OSError:
        return ""
