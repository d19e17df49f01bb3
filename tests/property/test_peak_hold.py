"""A held peak stays between what is and what was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vtbridge.retarget.blinks import PeakHold


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(1, 10**8))
def test_held_peaks_never_fall_below_the_sample_nor_exceed_what_was_seen(
    samples: list[float], period_ns: int
) -> None:
    peak_hold, seen = PeakHold(("blink",), 0.1, threshold=0.75), 0.0
    for i, sample in enumerate(samples):
        held = peak_hold.held({"blink": sample}, 10**9 + i * period_ns)
        seen = max(seen, sample)
        assert sample <= held["blink"] <= seen
