"""Whom to believe while frames are made: runtimes given up, and fields that cannot be right."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from vtbridge.datatypes import F32Array
from vtbridge.errors import InferenceError, RuntimeTurnedWrong
from vtbridge.render.fields import FrameFields
from vtbridge.render.models.signatures import Stage
from vtbridge.render.runtimes.runtime import Runtime
from vtbridge.render.selection.self_test import SelfTest
from vtbridge.render.settings import Precision, RuntimeName

_SLACK = 0.01
_UNBOUNDED_SLACK = 1.0
_FARTHEST = 4.0
"""Twice the picture's side: no character moves that far."""

_FACE_SLACK = 0.05
_THINNED = 4


class Blames:
    """Runtimes that are not taken any more, with the reason; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: dict[RuntimeName, str] = {}

    def blame(self, name: RuntimeName, reason: str) -> None:
        """Take ``name`` never again; the first reason stays."""
        with self._lock:
            self._reasons.setdefault(name, reason)

    def reasons(self) -> Mapping[RuntimeName, str]:
        """Return why each blamed runtime was given up."""
        with self._lock:
            return MappingProxyType(dict(self._reasons))


PROCESS_BLAMES = Blames()
"""What is held against runtimes for as long as this process lives."""


def blame(name: RuntimeName, reason: str) -> None:
    """Exclude a runtime for the rest of this process."""
    PROCESS_BLAMES.blame(name, reason)


def check_fields(fields: FrameFields, source: str) -> None:
    """Refuse fields that no right network gives; costs less than a millisecond.

    Looks at every fourth line of the large arrays: what turns wrong there does so over whole
    planes. Numbers that are not finite are found as well, on those lines; the compositor
    finds every one of them.

    Args:
        fields: of one pose.
        source: who computed them, for the message.

    Raises:
        InferenceError: a value lies where none can; the fields must not be shown.
    """
    slack = _SLACK if fields.bounded else _UNBOUNDED_SLACK
    _refuse_beyond(source, "alpha", fields.alpha[:, ::_THINNED], -slack, 1.0 + slack)
    _refuse_beyond(source, "colours", fields.color[:, ::_THINNED], -1.0 - slack, 1.0 + slack)
    _refuse_beyond(
        source, "displacements", fields.grid_change[:, ::_THINNED], -_FARTHEST, _FARTHEST
    )
    limit = 1.0 + (_FACE_SLACK if fields.bounded else _UNBOUNDED_SLACK)
    _refuse_beyond(source, "a face", fields.face, -limit, limit)


def recheck(runtime: Runtime[Any]) -> None:
    """Test a runtime again while it is in use, between two frames, on the thread that owns it.

    What its stages ``BROWS`` and ``FACE`` returned before is no longer valid afterwards.
    One that was not opened by ``Selection`` is believed.

    Raises:
        RuntimeTurnedWrong: it gives wrong pictures now; its reason is fit for ``blame``.
        InferenceError: it cannot compute at all.
    """
    if isinstance(runtime, TrustedRuntime):
        runtime.recheck()


class TrustedRuntime:
    """A runtime that has passed its self-test and can take it again.

    Args:
        runtime: does all the work; belongs to this from now on.
        self_test: that it has passed, None if nothing was there to test it against.
    """

    def __init__(self, runtime: Runtime[Any], self_test: SelfTest | None) -> None:
        self._runtime = runtime
        self._self_test = self_test

    @property
    def name(self) -> RuntimeName:
        """Its row in the table."""
        return self._runtime.name

    @property
    def precision(self) -> Precision:
        """The coarsest numbers that it computes in."""
        return self._runtime.precision

    def describe(self) -> str:
        """Return runtime, precision and device, such as ``openvino f32 CPU``."""
        return self._runtime.describe()

    def upload(self, array: F32Array) -> Any:
        """Copy ``array`` to the device; see ``Runtime.upload``."""
        return self._runtime.upload(array)

    def run(self, stage: Stage, *inputs: Any) -> tuple[Any, ...]:
        """Run one stage; see ``Runtime.run``."""
        return self._runtime.run(stage, *inputs)

    def download(self, array: Any) -> F32Array:
        """Return ``array`` on the host; see ``Runtime.download``."""
        return self._runtime.download(array)

    def close(self) -> None:
        """Give everything back."""
        self._runtime.close()

    def recheck(self) -> None:
        """Take the test of brows and face again; see ``recheck``.

        Raises:
            RuntimeTurnedWrong: it fails the test now.
            InferenceError: it cannot compute at all.
        """
        if self._self_test is None:
            return
        grade = self._self_test.run_again(self._runtime)
        if grade.problem:
            raise RuntimeTurnedWrong(f"{self.describe()} has turned wrong: {grade.problem}")


def _refuse_beyond(source: str, what: str, array: F32Array, low: float, high: float) -> None:
    least, greatest = float(np.min(array)), float(np.max(array))
    # Both are NaN if a single value is, and no comparison with NaN is true.
    if not (least >= low and greatest <= high):
        raise InferenceError(
            f"{source} gave {what} from {least:.3g} to {greatest:.3g}; such a frame is not shown"
        )
