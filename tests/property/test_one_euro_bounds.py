"""The filter never leaves the range of its samples, whatever the times."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtbridge.retarget.one_euro import OneEuroFilter

positive = st.floats(0.001, 1000)


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(-(10**6), 2 * 10**9)), min_size=1),
    positive,
    st.floats(0, 1000),
    positive,
)
def test_output_stays_between_the_samples_so_far(
    samples: list[tuple[float, int]], min_cutoff_hz: float, beta: float, speed_cutoff_hz: float
) -> None:
    one_euro = OneEuroFilter(
        np.array([min_cutoff_hz]), np.array([beta]), np.array([speed_cutoff_hz])
    )
    t_ns, seen = 10**9, []
    for sample, step_ns in samples:
        t_ns += step_ns
        seen.append(sample)
        value = float(one_euro.filter(np.array([sample]), t_ns)[0])
        assert min(seen) - 1e-9 <= value <= max(seen) + 1e-9
