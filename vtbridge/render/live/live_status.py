"""What a user or a reader may ask of a live poser."""

from __future__ import annotations

from dataclasses import dataclass

from vtbridge.render.settings import Quality


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How live frames are made just now.

    Attributes:
        runtime: what computes, for people; empty while nothing does.
        quality: of the fields at present.
        fps: frames a second aimed at; half of what was asked for under load.
        fresh_fps: poses a second that the networks computed lately.
        networks_ms: what they usually need for one.
        added_delay_ms: how far behind the newest pose computed the picture is on average, so that
            motion is smooth.
        below_wanted: load keeps the frames from being what was asked for.
        failing: the networks gave nothing that could be shown since they last failed.
        fallback: another runtime than the first one computes.
        trouble: what is wrong, for people; empty if nothing is.
    """

    runtime: str
    quality: Quality
    fps: float
    fresh_fps: float
    networks_ms: float
    added_delay_ms: float
    below_wanted: bool
    failing: bool
    fallback: bool
    trouble: str
