"""A soak misses nothing: each fault that it looks for is told when it is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.soak.faults import Injected
from tests.soak.page import page
from tests.soak.seen import Seen
from tests.soak.verdict import Row, judge, slope_mib_per_h, torn
from tests.soak.vitals import Vitals

FRAME_S = 1 / 60
FRAMES = 600
CALM_S = 5.0


def smooth(first: int = 1) -> Seen:
    """Return what a reader sees of ten seconds in which nothing happens."""
    number = np.arange(first, first + FRAMES)
    at_ns = (number * FRAME_S * 1e9).astype(np.int64)
    return Seen(
        seen_ns=at_ns + 10**6,
        published_ns=at_ns,
        epoch=np.full(FRAMES, 7),
        number=number,
        checksum=number * 31,
        step=1.0 + 0.2 * np.sin(number / 9),
        spread=20.0,
        thrown_away=0,
    )


def vitals(seconds: int, *, growth_mib_per_h: float = 0.0, renderer: int = 5) -> list[Vitals]:
    """Return a row for each second of one renderer's life."""
    return [
        Vitals(
            at_s=float(at_s),
            renderer=renderer,
            rss_mib=300.0 + growth_mib_per_h * at_s / 3600,
            parent_rss_mib=30.0,
            fds=40,
            threads=12,
            parent_fds=9,
            fps=60.0,
            publish_p99_ms=0.4,
            face_to_frame_p50_ms=12.0,
            face_to_frame_p99_ms=20.0,
            missed=0,
        )
        for at_s in range(seconds)
    ]


def verdict(
    *watchers: Seen, rows: list[Vitals] | None = None, faults: tuple[Injected, ...] = ()
) -> dict[str, Row]:
    """Return the table of a soak with as many readers as were given, by what a row tells."""
    table = judge(
        watchers,
        vitals(1500) if rows is None else rows,
        faults,
        calm_s=CALM_S,
        frame_s=FRAME_S,
        expected=len(watchers),
    )
    return {row.what: row for row in table}


def test_all_is_kept_when_nothing_went_wrong() -> None:
    table = verdict(smooth(), smooth(), faults=(Injected("renderer killed", 9.0, 1.3),))
    assert [row.what for row in table.values() if row.kept is not True] == []


def test_copy_with_rows_of_two_frames_is_told() -> None:
    whole, broken = smooth(), smooth()
    broken.checksum[300] += 1
    assert torn([whole, broken]) == 1
    assert verdict(whole, broken)["torn frames shown"].kept is False


def test_frame_of_the_same_number_from_another_renderer_is_no_tear() -> None:
    other = replace(smooth(), epoch=np.full(FRAMES, 8), checksum=np.zeros(FRAMES, np.int64))
    assert torn([smooth(), other]) == 0


def test_leap_that_no_time_between_frames_explains_is_told() -> None:
    leaping = smooth()
    leaping.step[400] = 9.0
    assert verdict(leaping)["visible jumps"].measured == "1"


def test_step_after_a_gap_is_explained_by_the_gap() -> None:
    late = smooth()
    late.step[400] = 9.0
    late.published_ns[400:] += 10**9
    late.seen_ns[400:] += 10**9
    assert verdict(late)["visible jumps"].kept is True


def test_no_gap_explains_a_picture_that_calm_frames_never_show() -> None:
    garbage = smooth()
    garbage.step[400] = 60.0
    garbage.published_ns[400:] += 10**9
    garbage.seen_ns[400:] += 10**9
    assert verdict(garbage)["visible jumps"].kept is False


def test_older_frame_after_a_newer_one_is_told() -> None:
    turned = smooth()
    turned.number[[200, 201]] = turned.number[[201, 200]]
    assert verdict(turned)["frames older than the one before"].kept is False


def test_readers_that_never_saw_the_same_frame_prove_nothing() -> None:
    table = verdict(smooth(), smooth(first=5000))
    assert table["frames that several readers saw"].kept is False


@pytest.mark.parametrize(("growth", "kept"), [(0.5, True), (3.0, False)])
def test_memory_that_grows_is_told_by_its_slope(growth: float, kept: bool) -> None:
    rows = vitals(1500, growth_mib_per_h=growth)
    assert verdict(smooth(), rows=rows)["memory of the renderer, MiB/h"].kept is kept
    slope = slope_mib_per_h((row.at_s, row.rss_mib) for row in rows)
    assert slope == pytest.approx(growth)


def test_life_of_the_last_renderer_alone_tells_its_memory() -> None:
    before = [replace(row, rss_mib=900.0) for row in vitals(700, renderer=4)]
    after = [replace(row, at_s=row.at_s + 700) for row in vitals(1500)]
    assert verdict(smooth(), rows=before + after)["memory of the renderer, MiB/h"].kept is True


def test_short_soak_leaves_open_what_it_cannot_tell() -> None:
    assert verdict(smooth(), rows=vitals(60))["memory of the renderer, MiB/h"].kept is None


def test_more_files_or_threads_at_the_end_are_told() -> None:
    rows = vitals(1500)
    rows = [replace(row, fds=40 + index // 300) for index, row in enumerate(rows)]
    table = verdict(smooth(), rows=rows)
    assert table["file descriptors of the renderer"].kept is False
    assert table["threads of the renderer"].kept is True


def test_slow_publishing_is_told_of_lives_that_were_more_than_a_start() -> None:
    slow = [replace(row, publish_p99_ms=3.0) for row in vitals(90, renderer=4)]
    rest = [replace(row, at_s=row.at_s + 90) for row in vitals(1500)]
    what = "publishing, p99 of a renderer's life, ms"
    assert verdict(smooth(), rows=slow + rest)[what].kept is False
    assert verdict(smooth(), rows=slow[:10] + rest)[what].kept is True


@pytest.mark.parametrize("recovered_s", [None, 2.4])
def test_kill_that_is_mended_late_or_never_is_told(recovered_s: float | None) -> None:
    faults = (Injected("renderer killed", 1.0, 1.1), Injected("renderer killed", 9.0, recovered_s))
    assert verdict(smooth(), faults=faults)["mended: renderer killed"].kept is False


def test_notes_of_a_reader_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "reader.npz"
    smooth().save(path)
    again = Seen.load(path)
    for name in Seen.__slots__:
        assert np.array_equal(getattr(again, name), getattr(smooth(), name))


def test_page_shows_promises_and_faults_and_loads_nothing() -> None:
    faults = [Injected("<killed>", 30.0, 1.0)]
    shown = page(list(verdict(smooth()).values()), vitals(90), faults)
    assert "torn frames shown" in shown
    assert "&lt;killed&gt;" in shown
    assert "frames a second" in shown
    assert "src=" not in shown
    assert "http" not in shown
