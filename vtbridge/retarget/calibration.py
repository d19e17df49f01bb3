"""The neutral face: taken as a median, subtracted from what follows, kept as a plain dict."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import HeadPose
from vtbridge.errors import ConfigError
from vtbridge.retarget.dropout import ease
from vtbridge.retarget.gaze import IrisTarget
from vtbridge.retarget.settings import CalibrationSettings

MAX_REST = 0.6
"""Highest rest value that is subtracted; a blendshape needs room left to move in."""
_MAX_IRIS = 4.0
"""Four times the full turn: nobody's neutral gaze."""
_FEWEST_SAMPLES = 3
_RESTART_AFTER_S = 1.0
"""Samples this far apart do not show one and the same resting face."""
_MAX_NAMES = 200


@dataclass(frozen=True, slots=True)
class NeutralFace:
    """How a face looks when it does nothing.

    Attributes:
        head: rotation against the camera, radians.
        iris: where the irises look, pose units.
        rest: blendshape or preset name to its resting value, 0..``MAX_REST``.
    """

    head: HeadPose = field(default_factory=HeadPose)
    iris: IrisTarget = field(default_factory=IrisTarget)
    rest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaceSample:
    """What calibration looks at: one face, checked but not yet measured from neutral."""

    t_ns: int
    head: HeadPose | None
    iris: IrisTarget
    shapes: Mapping[str, float]


class Calibration:
    """Hold the neutral face, take a new one when asked, and blend it in.

    Args:
        settings: lengths of the window and of the blend.
        eyelid_names: blendshapes that keep their zero unless eyelids are calibrated too.
    """

    def __init__(self, settings: CalibrationSettings, eyelid_names: Iterable[str]) -> None:
        self.settings = settings
        self._eyelid_names = frozenset(eyelid_names)
        self._with_eyelids = settings.eyelids
        self._neutral: NeutralFace | None = None
        self._before = NeutralFace()
        self._blend_start_ns: int | None = None
        self._window: list[FaceSample] | None = None

    @property
    def calibrated(self) -> bool:
        """True once a neutral face was taken or loaded."""
        return self._neutral is not None

    @property
    def pending(self) -> bool:
        """True from ``request`` until enough samples have come."""
        return self._window is not None

    def request(self, *, eyelids: bool | None = None) -> None:
        """Take the coming samples as the neutral face; ``eyelids`` None = as the settings say."""
        self._window = []
        self._with_eyelids = self.settings.eyelids if eyelids is None else eyelids

    def clear(self) -> None:
        """Forget the neutral face: the tracker's own zero counts, at once."""
        self._neutral, self._window, self._blend_start_ns = None, None, None
        self._before = NeutralFace()

    def neutral_at(self, sample: FaceSample) -> NeutralFace:
        """Return the neutral face to subtract from ``sample``, after learning from it."""
        if self._window is not None:
            self._collect(self._window, sample)
        target = self._neutral or self._before
        if self._blend_start_ns is None:
            return target
        elapsed_s = (sample.t_ns - self._blend_start_ns) / NS_PER_S
        if elapsed_s >= self.settings.blend_s:
            self._blend_start_ns, self._before = None, target
            return target
        return _blend(self._before, target, ease(elapsed_s / self.settings.blend_s))

    def to_dict(self) -> dict[str, object]:
        """Return the neutral face as numbers and names for a file; empty if there is none."""
        if self._neutral is None:
            return {}
        head, iris = self._neutral.head, self._neutral.iris
        return {
            "head_rad": [head.pitch_rad, head.yaw_rad, head.roll_rad],
            "iris": [iris.up, iris.own_right],
            "rest": dict(self._neutral.rest),
        }

    def load_dict(self, saved: object) -> None:
        """Take over what ``to_dict`` gave, at once; an empty mapping clears.

        Raises:
            ConfigError: not such a mapping, or numbers that no face can have; nothing changes.
        """
        if not isinstance(saved, Mapping):
            raise ConfigError(f"calibration: must be a table, not {saved!r:.80}; calibrate again")
        if not saved:
            self.clear()
            return
        unknown = [key for key in saved if key not in ("head_rad", "iris", "rest")]
        if unknown:
            raise ConfigError(f"calibration: unknown key {unknown[0]!r:.80}; calibrate again")
        pitch_rad, yaw_rad, roll_rad = _numbers(saved, "head_rad", 3, math.tau)
        up, own_right = _numbers(saved, "iris", 2, _MAX_IRIS)
        neutral = NeutralFace(
            HeadPose(pitch_rad, yaw_rad, roll_rad), IrisTarget(up, own_right), _rest(saved)
        )
        self.clear()
        self._neutral = self._before = neutral

    def _collect(self, window: list[FaceSample], sample: FaceSample) -> None:
        if window and sample.t_ns - window[-1].t_ns > _RESTART_AFTER_S * NS_PER_S:
            window.clear()
        window.append(sample)
        long_enough = sample.t_ns - window[0].t_ns >= self.settings.window_s * NS_PER_S
        if not long_enough or len(window) < _FEWEST_SAMPLES:
            return
        # A calibration during the blend of another starts where that one stands.
        self._window = None
        self._before = self.neutral_at(sample)
        neutral = _median(window)
        if not self._with_eyelids:
            kept = self._neutral.rest if self._neutral else {}
            rest = {n: v for n, v in neutral.rest.items() if n not in self._eyelid_names}
            rest |= {n: v for n, v in kept.items() if n in self._eyelid_names}
            neutral = NeutralFace(neutral.head, neutral.iris, rest)
        self._neutral = neutral
        self._blend_start_ns = sample.t_ns


def shapes_from_neutral(
    shapes: Mapping[str, float], rest: Mapping[str, float]
) -> Mapping[str, float]:
    """Return ``shapes`` 0..1 measured from ``rest``: 0 at rest and below, still 1 at 1."""
    if not rest:
        return shapes
    moved = dict(shapes)
    for name, at_rest in rest.items():
        if name in moved:
            moved[name] = max((moved[name] - at_rest) / (1.0 - at_rest), 0.0)
    return moved


def _median(samples: list[FaceSample]) -> NeutralFace:
    heads = [sample.head for sample in samples if sample.head is not None]
    head = HeadPose()
    if heads:
        head = HeadPose(
            statistics.median(head.pitch_rad for head in heads),
            statistics.median(head.yaw_rad for head in heads),
            statistics.median(head.roll_rad for head in heads),
        )
    iris = IrisTarget(
        _bounded(statistics.median(sample.iris.up for sample in samples), _MAX_IRIS),
        _bounded(statistics.median(sample.iris.own_right for sample in samples), _MAX_IRIS),
    )
    names = {name for sample in samples for name in sample.shapes}
    rest = {
        name: min(statistics.median(s.shapes.get(name, 0.0) for s in samples), MAX_REST)
        for name in sorted(names)
    }
    return NeutralFace(head, iris, {name: value for name, value in rest.items() if value > 0.0})


def _blend(before: NeutralFace, after: NeutralFace, share: float) -> NeutralFace:
    def mix(a: float, b: float) -> float:
        return a + (b - a) * share

    return NeutralFace(
        HeadPose(
            mix(before.head.pitch_rad, after.head.pitch_rad),
            mix(before.head.yaw_rad, after.head.yaw_rad),
            mix(before.head.roll_rad, after.head.roll_rad),
        ),
        IrisTarget(
            mix(before.iris.up, after.iris.up), mix(before.iris.own_right, after.iris.own_right)
        ),
        {
            name: mix(before.rest.get(name, 0.0), after.rest.get(name, 0.0))
            for name in before.rest.keys() | after.rest.keys()
        },
    )


def _numbers(saved: Mapping[object, object], key: str, count: int, limit: float) -> list[float]:
    numbers = saved.get(key)
    if isinstance(numbers, list | tuple) and len(numbers) == count:
        good = [float(n) for n in numbers if _is_number(n) and -limit <= n <= limit]
        if len(good) == count:
            return good
    raise ConfigError(
        f"calibration: {key} must be {count} numbers within +-{limit:.4g}, not {numbers!r:.80}; "
        "calibrate again"
    )


def _rest(saved: Mapping[object, object]) -> dict[str, float]:
    rest = saved.get("rest")
    if not isinstance(rest, Mapping) or len(rest) > _MAX_NAMES:
        raise ConfigError("calibration: rest must be a table of names and values; calibrate again")
    for name, value in rest.items():
        if not isinstance(name, str) or not _is_number(value) or not 0.0 <= value <= MAX_REST:
            raise ConfigError(
                f"calibration: rest of {name!r:.80} must lie in 0..{MAX_REST}, not {value!r:.80}; "
                "calibrate again"
            )
    return {name: float(value) for name, value in rest.items()}


def _bounded(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
