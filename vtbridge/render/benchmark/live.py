"""What the display gets: a live poser at a steady beat, its frames held against exact ones.

A frame is compared with the exact one of the moment that it shows, not of the moment at which
it is shown: how late it is, is told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import numpy as np

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import F32Array, Frame, FrameFlag, U8Array, clamp_pose, read_only
from vtbridge.errors import InferenceError
from vtbridge.flow.pacer import Pacer
from vtbridge.render.benchmark.similarity import likeness
from vtbridge.render.live.live_status import LiveStatus

SETTLE_S = 4.0
"""Seconds at the beginning that do not count: the playout's delay and the governor settle."""

SAMPLES = 40
"""Frames that are kept for comparison, evenly over the time."""

_STATUS_EVERY_NS = NS_PER_S

Advanced = Callable[[str, int, int], None]


class Live(Protocol):
    """What is watched; ``LivePoser`` is one."""

    @property
    def fps(self) -> float:
        """Beats a second that the machine can bear."""

    def render(self, values: F32Array, t_ns: int) -> Frame | None:
        """Return the frame of this beat, None before the first one."""

    def note_beats(self, beats: int, missed: int) -> None:
        """Note deadlines."""

    def status(self) -> LiveStatus:
        """Return how things are."""


@dataclass(frozen=True, slots=True)
class PosePath:
    """A pose at any moment: recorded ones, straight lines between neighbours; in a loop.

    Attributes:
        values: float32 [N, 45].
        fps: how many of them are a second.
    """

    values: F32Array
    fps: float

    def at(self, t_s: float) -> F32Array:
        """Return the pose at ``t_s`` >= 0, float32 [45], read-only."""
        place = t_s * self.fps
        before, share = int(place), np.float32(place % 1.0)
        older, newer = (self.values[n % len(self.values)] for n in (before, before + 1))
        return read_only(clamp_pose(older + share * (newer - older)))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A frame that was shown, and the pose that it shows."""

    frame: U8Array
    values: F32Array


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What the display got.

    Attributes:
        seconds: how long was measured.
        runtime: what computed.
        quality: at the end; the governor may have lowered it.
        fps: beats a second at the end.
        shown_fps: frames a second that differed from the one before.
        fresh_fps: poses a second that the networks computed.
        networks_ms: what they needed for one.
        beats: deadlines.
        missed: those of them that were missed.
        missed_percent: of a hundred.
        added_delay_ms: by how much motion is shown later so that it is smooth.
        delay_ms: from a pose's arrival to the beat that shows it.
    """

    seconds: float
    runtime: str
    quality: str
    fps: float
    shown_fps: float
    fresh_fps: float
    networks_ms: float
    beats: int
    missed: int
    missed_percent: float
    added_delay_ms: float
    delay_ms: float


def watch(
    live: Live,
    path: PosePath,
    *,
    fps: float,
    seconds: float,
    clock: Clock,
    advanced: Advanced,
    samples: int = SAMPLES,
) -> tuple[LiveResult, list[Sample]]:
    """Let ``live`` show ``path`` for ``SETTLE_S``, and then for ``seconds`` that count.

    Args:
        live: what is watched.
        path: the poses that it is given.
        fps: of the display.
        seconds: how long it counts.
        clock: measures.
        advanced: told how far it is.
        samples: frames that are kept, evenly over the time.

    Raises:
        InferenceError: it showed nothing.
    """
    beats = _Beats(live, path, Pacer(fps, clock), clock)
    seen = _Seen(seconds / samples)
    while (since_s := beats.since_s) < SETTLE_S:
        advanced("settling", int(since_s), int(SETTLE_S))
        beats.take()
    begin_ns, before = clock.now_ns(), (beats.pacer.beats, beats.pacer.missed)
    while (took_s := (clock.now_ns() - begin_ns) / NS_PER_S) < seconds:
        advanced("live", int(took_s), int(seconds))
        beat_ns, frame = beats.take()
        seen.note(frame, beat_ns, took_s, lambda t_ns: path.at((t_ns - beats.start_ns) / NS_PER_S))
        seen.note_status(live, beat_ns)
    counted = beats.pacer.beats - before[0], beats.pacer.missed - before[1]
    return seen.result(live, *counted, took_s), seen.samples


def judged(samples: list[Sample], exact: Callable[[F32Array], U8Array]) -> dict[str, float | int]:
    """Return how alike the samples are to what ``exact`` renders of their poses."""
    alike = [likeness(sample.frame, exact(sample.values)) for sample in samples]
    return {
        "samples": len(alike),
        "box_psnr_db": round(fmean(each.psnr_db for each in alike), 2),
        "worst_psnr_db": round(min(each.psnr_db for each in alike), 2),
        "ssim": round(fmean(each.ssim for each in alike), 5),
    }


class _Beats:
    """The display's loop, as the daemon's is."""

    def __init__(self, live: Live, path: PosePath, pacer: Pacer, clock: Clock) -> None:
        self._live = live
        self._path = path
        self._clock = clock
        self._noted = (0, 0)
        self.pacer = pacer
        self.start_ns = clock.now_ns()

    @property
    def since_s(self) -> float:
        """Seconds since the first beat could be."""
        return (self._clock.now_ns() - self.start_ns) / NS_PER_S

    def take(self) -> tuple[int, Frame | None]:
        """Wait for the next beat; return it and its frame."""
        pacer, live = self.pacer, self._live
        pacer.set_fps(live.fps)
        beat_ns = pacer.wait()
        live.note_beats(pacer.beats - self._noted[0], pacer.missed - self._noted[1])
        self._noted = pacer.beats, pacer.missed
        values = self._path.at((beat_ns - self.start_ns) / NS_PER_S)
        return beat_ns, live.render(values, beat_ns)


class _Seen:
    """What was shown so far."""

    def __init__(self, sample_every_s: float) -> None:
        self._sample_every_s = sample_every_s
        self._status_ns = 0
        self._statuses: list[LiveStatus] = []
        self._delays_ns: list[int] = []
        self._changes = 0
        self.samples: list[Sample] = []

    def note(
        self, frame: Frame | None, beat_ns: int, took_s: float, pose: Callable[[int], F32Array]
    ) -> None:
        """Note the frame of a beat; keep it now and then, with the ``pose`` of its moment."""
        if frame is None or FrameFlag.PLACEHOLDER in frame.flags:
            return
        self._delays_ns.append(beat_ns - frame.t_capture_ns)
        self._changes += FrameFlag.REPEAT not in frame.flags
        if took_s >= len(self.samples) * self._sample_every_s:
            self.samples.append(Sample(frame.rgba.copy(), pose(frame.t_capture_ns)))

    def note_status(self, live: Live, beat_ns: int) -> None:
        """Note how things are, once a second."""
        if beat_ns - self._status_ns >= _STATUS_EVERY_NS:
            self._status_ns = beat_ns
            self._statuses.append(live.status())

    def result(self, live: Live, beats: int, missed: int, seconds: float) -> LiveResult:
        """Return the sum of it.

        Raises:
            InferenceError: nothing was shown.
        """
        last = live.status()
        if not self._delays_ns:
            raise InferenceError(
                f"nothing was shown in {seconds:g} s: {last.trouble or 'no reason'}"
            )
        return LiveResult(
            seconds=round(seconds, 1),
            runtime=last.runtime,
            quality=last.quality.value,
            fps=last.fps,
            shown_fps=round(self._changes / seconds, 1),
            fresh_fps=round(fmean(each.fresh_fps for each in self._statuses), 1),
            networks_ms=round(fmean(each.networks_ms for each in self._statuses), 1),
            beats=beats,
            missed=missed,
            missed_percent=round(100 * missed / beats, 2) if beats else 0.0,
            added_delay_ms=round(fmean(each.added_delay_ms for each in self._statuses), 1),
            delay_ms=round(fmean(self._delays_ns) / 1e6, 1),
        )
