"""Hold what a soak saw against what it promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.soak.faults import Injected
from tests.soak.seen import Seen
from tests.soak.vitals import Vitals

JUMP: Final = 3.0
"""Times the largest step of calm frames (of one renderer's, next to each other): a jump."""
CALM_SHARE: Final = 0.999
SPREAD: Final = 1.2
"""Times how far calm frames lie apart: what another renderer's first frame may differ."""
WARM_S: Final = 600.0
LIFE_S: Final = 30.0
"""A p99 of fewer frames is that of the start, when caches are cold."""
LEAST_POINTS: Final = 30
HOUR_S: Final = 3600.0
MENDED_WITHIN_S: Final = {"renderer killed": 2.0}


@dataclass(frozen=True, slots=True)
class Row:
    """One promise; ``kept`` is None where the soak was too short to tell."""

    what: str
    measured: str
    wanted: str
    kept: bool | None


def torn(watchers: Sequence[Seen]) -> int:
    """Return how many copies of a frame differ from the other readers' copies of it."""
    shown: dict[tuple[int, int], int] = {}
    wrong = 0
    for watcher in watchers:
        for epoch, number, checksum in zip(
            watcher.epoch.tolist(), watcher.number.tolist(), watcher.checksum.tolist(), strict=True
        ):
            wrong += shown.setdefault((epoch, number), checksum) != checksum
    return wrong


def compared(watchers: Sequence[Seen]) -> int:
    """Return how many frames more than one reader saw."""
    seen: dict[tuple[int, int], int] = {}
    for watcher in watchers:
        for key in zip(watcher.epoch.tolist(), watcher.number.tolist(), strict=True):
            seen[key] = seen.get(key, 0) + 1
    return sum(count > 1 for count in seen.values())


def backwards(watcher: Seen) -> int:
    """Return how many frames came after a newer one."""
    return int(np.count_nonzero(np.diff(watcher.number) <= 0))


def jumps(watcher: Seen, calm_s: float, frame_s: float) -> int:
    """Return how many steps the motion does not explain.

    A step is explained by the largest ones of the calm beginning for each frame's time that lies
    between both pictures; never by more than how far calm frames lie apart at all.
    """
    if len(watcher.number) < LEAST_POINTS:
        return 0
    calm = watcher.seen_ns < watcher.seen_ns[0] + round(calm_s * 1e9)
    # The first second fades in.
    calm &= watcher.seen_ns > watcher.seen_ns[0] + 10**9
    largest = float(np.quantile(watcher.step[calm], CALM_SHARE)) if calm.any() else 0.0
    frames = np.diff(watcher.published_ns, prepend=watcher.published_ns[0]) / 1e9 / frame_s
    most = SPREAD * watcher.spread
    explained = np.minimum(JUMP * largest * np.maximum(frames, 1.0), most)
    return int(np.count_nonzero(watcher.step[1:] > explained[1:]))


def slope_mib_per_h(points: Iterable[tuple[float, float]]) -> float | None:
    """Return how memory grows by a robust fit through (seconds, MiB); None of too few points."""
    rows = np.array(list(points), np.float64).reshape(-1, 2)
    if len(rows) < LEAST_POINTS:
        return None
    at, size = rows[:: max(len(rows) // 1000, 1)].T
    first, second = np.triu_indices(len(at), 1)
    # Theil and Sen's: the median of the slopes of all pairs.
    return float(np.median((size[second] - size[first]) / (at[second] - at[first]))) * HOUR_S


def last_life(rows: Sequence[Vitals]) -> list[Vitals]:
    """Return the moments of the renderer that lived last, from its tenth minute on."""
    own = [row for row in rows if row.renderer == rows[-1].renderer] if rows else []
    return [row for row in own if row.at_s - own[0].at_s >= WARM_S]


def judge(
    watchers: Sequence[Seen],
    rows: Sequence[Vitals],
    faults: Sequence[Injected],
    *,
    calm_s: float,
    frame_s: float,
    expected: int,
) -> list[Row]:
    """Return a row for each promise; ``expected`` is how many readers were started."""
    warm = last_life(rows)
    frames = sum(len(watcher.number) for watcher in watchers)
    both = compared(watchers)
    leaps = sum(jumps(watcher, calm_s, frame_s) for watcher in watchers)
    late = sum(backwards(watcher) for watcher in watchers)
    table = [
        _row("readers that stayed", len(watchers), expected, len(watchers) == expected),
        _row("frames seen", frames, "> 0", frames > 0),
        _row("frames that several readers saw", both, "> 0", both > 0),
        _row("torn frames shown", torn(watchers), 0, torn(watchers) == 0),
        _row("frames older than the one before", late, 0, late == 0),
        _row("visible jumps", leaps, 0, leaps == 0),
    ]
    for what, slope in (
        ("memory of the renderer, MiB/h", slope_mib_per_h((r.at_s, r.rss_mib) for r in warm)),
        (
            "memory of the supervisor, MiB/h",
            slope_mib_per_h((r.at_s, r.parent_rss_mib) for r in rows if r.at_s >= WARM_S),
        ),
    ):
        told = "too short" if slope is None else f"{slope:.2f}"
        table.append(Row(what, told, "< 1", None if slope is None else slope < 1.0))
    for what, values in (
        ("file descriptors of the renderer", [row.fds for row in warm]),
        ("threads of the renderer", [row.threads for row in warm]),
        ("file descriptors of the supervisor", [row.parent_fds for row in rows]),
    ):
        grown = _grown(values)
        told = "too short" if grown is None else f"{values[0]} to {values[-1]}, {grown:+g}"
        table.append(Row(what, told, "flat", None if grown is None else grown <= 0))
    worst = max(_publishing(rows), default=None)
    table.append(
        Row(
            "publishing, p99 of a renderer's life, ms",
            "too short" if worst is None else f"worst {worst:.2f}",
            "< 2",
            None if worst is None else worst < 2.0,
        )
    )
    for kind in sorted({fault.kind for fault in faults}):
        times = [fault.recovered_s for fault in faults if fault.kind == kind]
        mended = sorted(each for each in times if each is not None)
        told = f"{len(mended)} of {len(times)}"
        if mended:
            told += f", {mended[len(mended) // 2]:.2f} s, worst {mended[-1]:.2f} s"
        limit = MENDED_WITHIN_S.get(kind)
        wanted = "all" if limit is None else f"< {limit:g} s"
        kept = len(mended) == len(times) and (limit is None or mended[-1] < limit)
        table.append(Row(f"mended: {kind}", told, wanted, kept))
    return table


def _row(what: str, measured: object, wanted: object, kept: bool) -> Row:
    return Row(what, str(measured), str(wanted), kept)


def _publishing(rows: Sequence[Vitals]) -> list[float]:
    """Return the p99 of every renderer that lived for more than its start."""
    lives: dict[int, list[Vitals]] = {}
    for row in rows:
        lives.setdefault(row.renderer, []).append(row)
    long = [life for life in lives.values() if life[-1].at_s - life[0].at_s >= LIFE_S]
    return [life[-1].publish_p99_ms for life in long if life[-1].publish_p99_ms is not None]


def _grown(values: Sequence[int]) -> float | None:
    """Return by how much the last third's median is above the first third's."""
    if len(values) < LEAST_POINTS:
        return None
    third = len(values) // 3
    return float(np.median(values[-third:]) - np.median(values[:third]))
