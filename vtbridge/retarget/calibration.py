"""Neutral faces: taken as a median, subtracted from what follows, kept as a plain dict."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

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
_MAX_TRACKERS = 100
_SOURCE_NAME = re.compile(r"(?:^|\+)([a-z0-9_-]+)(?=:)")
"""A tracker in a source such as ``vmc:127.0.0.1+webcam:0``; a webcam's may be a path."""

FILE_VERSION = 2
ANY_TRACKER = "*"
"""Stands for every tracker without a neutral face of its own."""


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


class FaceSample(NamedTuple):  # made for each face, in half the time of a dataclass
    """What calibration looks at: one face, checked but not yet measured from neutral."""

    t_ns: int
    head: HeadPose | None
    iris: IrisTarget
    shapes: Mapping[str, float]
    source: str = ""


class Calibration:
    """Hold one person's neutral face for each tracker, take new ones, and blend those in.

    Two trackers see the same resting face differently, so each has its own, and so has each
    combination of them. Trackers without one take that of the combination, or member, that
    differs least: one that drops out for a moment changes nothing.

    Args:
        settings: lengths of the window and of the blend.
        eyelid_names: blendshapes that keep their zero unless eyelids are calibrated too.
    """

    def __init__(self, settings: CalibrationSettings, eyelid_names: Iterable[str]) -> None:
        self.settings = settings
        self._eyelid_names = frozenset(eyelid_names)
        self._with_eyelids = settings.eyelids
        self._profiles: dict[str, NeutralFace] = {}
        self._source: str | None = None
        self._tracker = ""
        self._target = NeutralFace()
        self._before = NeutralFace()
        self._blend_start_ns: int | None = None
        self._window: list[FaceSample] | None = None
        self.takeovers = 0
        """How often the faces began to come from other trackers than before."""

    @property
    def calibrated(self) -> bool:
        """True once a neutral face was taken or loaded, of whatever tracker."""
        return bool(self._profiles)

    @property
    def pending(self) -> bool:
        """True from ``request`` until enough samples have come."""
        return self._window is not None

    def request(self, *, eyelids: bool | None = None) -> None:
        """Take the coming samples as the neutral face; ``eyelids`` None = as the settings say."""
        self._window = []
        self._with_eyelids = self.settings.eyelids if eyelids is None else eyelids

    def clear(self) -> None:
        """Forget the neutral faces of all trackers: their own zero counts, at once."""
        self._profiles, self._window = {}, None
        self._settle()

    def neutral_at(self, sample: FaceSample) -> NeutralFace:
        """Return the neutral face to subtract from ``sample``, after learning from it."""
        if sample.source != self._source:
            self._follow(sample.source)
        if self._window is not None:
            self._collect(self._window, sample)
        return self._blended(sample.t_ns)

    def to_dict(self) -> dict[str, object]:
        """Return the neutral faces as numbers and names for a file; empty if there is none."""
        if not self._profiles:
            return {}
        trackers = {name: _saved(neutral) for name, neutral in sorted(self._profiles.items())}
        return {"version": FILE_VERSION, "trackers": trackers}

    def load_dict(self, saved: object) -> None:
        """Take over what ``to_dict`` gave, at once; an empty mapping clears.

        A single neutral face, as version 1 saved it, serves every tracker that has none.

        Raises:
            ConfigError: not such a mapping, or numbers that no face can have; nothing changes.
        """
        if not isinstance(saved, Mapping):
            raise ConfigError(f"calibration: must be a table, not {saved!r:.80}; calibrate again")
        if not saved:
            self.clear()
            return
        old = "version" not in saved
        profiles = {ANY_TRACKER: _neutral(saved)} if old else _profiles(saved)
        self.clear()
        self._profiles = profiles
        self._settle()

    def _follow(self, source: str) -> None:
        """Turn to the neutral face of the trackers that ``source`` names, at once.

        What they see of the same face differs as much as the neutral faces do, so that a
        blend of the two would fit neither; whoever shows the pose eases over.
        """
        first = self._source is None
        older, self._source = self._tracker, source
        self._tracker = tracker_from_source(source)
        if self._tracker == older and not first:
            return
        changed = self._profile() != self._target
        if changed:
            self._settle()
        if self._window:
            self._window.clear()
        strangers = _members(older).isdisjoint(_members(self._tracker))
        if not first and (strangers or changed):
            self.takeovers += 1

    def _settle(self) -> None:
        """Let the neutral face of the present tracker count, at once."""
        self._target = self._before = self._profile()
        self._blend_start_ns = None

    def _profile(self) -> NeutralFace:
        """Return the neutral face of the trackers most like the present ones."""
        present = _members(self._tracker)
        related = [name for name in self._profiles if not present.isdisjoint(_members(name))]
        closest = min(
            related,
            key=lambda name: (len(present ^ _members(name)), len(_members(name)), name),
            default=ANY_TRACKER,
        )
        return self._profiles.get(closest, NeutralFace())

    def _blended(self, t_ns: int) -> NeutralFace:
        if self._blend_start_ns is None:
            return self._target
        elapsed_s = (t_ns - self._blend_start_ns) / NS_PER_S
        if elapsed_s >= self.settings.blend_s:
            self._blend_start_ns, self._before = None, self._target
            return self._target
        return _blend(self._before, self._target, ease(elapsed_s / self.settings.blend_s))

    def _collect(self, window: list[FaceSample], sample: FaceSample) -> None:
        if window and sample.t_ns - window[-1].t_ns > _RESTART_AFTER_S * NS_PER_S:
            window.clear()
        window.append(sample)
        long_enough = sample.t_ns - window[0].t_ns >= self.settings.window_s * NS_PER_S
        if not long_enough or len(window) < _FEWEST_SAMPLES:
            return
        # A calibration during the blend of another starts where that one stands.
        self._window = None
        self._before = self._blended(sample.t_ns)
        neutral = _median(window)
        if not self._with_eyelids:
            kept = self._target.rest
            rest = {n: v for n, v in neutral.rest.items() if n not in self._eyelid_names}
            rest |= {n: v for n, v in kept.items() if n in self._eyelid_names}
            neutral = NeutralFace(neutral.head, neutral.iris, rest)
        self._profiles[self._tracker] = self._target = neutral
        self._blend_start_ns = sample.t_ns


def tracker_from_source(source: str) -> str:
    """Return which trackers a face's ``source`` names, without hosts: ``livelink+microphone``."""
    names = _SOURCE_NAME.findall(source)
    return "+".join(sorted(set(names))) if names else source


def _members(tracker: str) -> frozenset[str]:
    return frozenset(tracker.split("+"))


def shapes_from_neutral(shapes: dict[str, float], rest: Mapping[str, float]) -> dict[str, float]:
    """Return ``shapes`` 0..1 measured from ``rest``: 0 at rest and below, still 1 at 1."""
    if not rest:
        return shapes
    moved = dict(shapes)
    for name, at_rest in rest.items():
        if name in moved:
            value = moved[name]
            moved[name] = (value - at_rest) / (1.0 - at_rest) if value > at_rest else 0.0
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


def _saved(neutral: NeutralFace) -> dict[str, object]:
    head, iris = neutral.head, neutral.iris
    return {
        "head_rad": [head.pitch_rad, head.yaw_rad, head.roll_rad],
        "iris": [iris.up, iris.own_right],
        "rest": dict(neutral.rest),
    }


def _profiles(saved: Mapping[object, object]) -> dict[str, NeutralFace]:
    _refuse_unknown(saved, ("version", "trackers"))
    if saved["version"] != FILE_VERSION:
        raise ConfigError(
            f"calibration: version {saved['version']!r:.20} is not {FILE_VERSION}, as this "
            "vtbridge writes it; update vtbridge or calibrate again"
        )
    trackers = saved.get("trackers")
    if not isinstance(trackers, Mapping) or len(trackers) > _MAX_TRACKERS:
        raise ConfigError("calibration: trackers must be a table of tables; calibrate again")
    profiles = {}
    for name, neutral in trackers.items():
        if not isinstance(name, str) or not isinstance(neutral, Mapping):
            raise ConfigError(
                f"calibration: tracker {name!r:.80} must be a table, not {neutral!r:.80}; "
                "calibrate again"
            )
        profiles[name] = _neutral(neutral)
    return profiles


def _neutral(saved: Mapping[object, object]) -> NeutralFace:
    _refuse_unknown(saved, ("head_rad", "iris", "rest"))
    pitch_rad, yaw_rad, roll_rad = _numbers(saved, "head_rad", 3, math.tau)
    up, own_right = _numbers(saved, "iris", 2, _MAX_IRIS)
    return NeutralFace(
        HeadPose(pitch_rad, yaw_rad, roll_rad), IrisTarget(up, own_right), _rest(saved)
    )


def _refuse_unknown(saved: Mapping[object, object], known: tuple[str, ...]) -> None:
    unknown = [key for key in saved if key not in known]
    if unknown:
        raise ConfigError(f"calibration: unknown key {unknown[0]!r:.80}; calibrate again")


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
