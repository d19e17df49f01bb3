"""Expressions of every kind, for property tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from vtbridge.expressions.easing import Easing
from vtbridge.expressions.model import Blend, ExpressionTable
from vtbridge.pose_params import PoseParam

SHARES = st.floats(0, 1)


def in_range(param: PoseParam, share: float) -> float:
    """Return the value of ``param`` at ``share`` of its range."""
    return share * 2 - 1 if param.signed else share


@st.composite
def tables(draw: st.DrawFn, *, params: Sequence[PoseParam] = tuple(PoseParam)) -> ExpressionTable:
    """An expression of any kind that the checks let through."""
    mode = draw(st.sampled_from(["toggle", "hold", "timed", "one_shot"]))
    some = st.dictionaries(st.sampled_from(params), SHARES, min_size=1, max_size=6)

    def values() -> dict[str, float]:
        return {p.label: in_range(p, share) for p, share in draw(some).items()}

    table: dict[str, Any] = {
        "mode": mode,
        "blend": draw(st.sampled_from(Blend)),
        "priority": draw(st.integers(-3, 3)),
        "group": draw(st.sampled_from(["", "mood"])),
        "easing": draw(st.sampled_from(Easing)),
        "easing_out": draw(st.sampled_from([None, *Easing])),
        "fade_in_s": draw(st.floats(0.1, 2)),
        "fade_out_s": draw(st.floats(0.1, 2)),
        "values": values(),
    }
    if mode == "timed":
        table["duration_s"] = draw(st.floats(0.05, 3))
    if draw(st.booleans()) or mode == "one_shot":
        gaps = draw(st.lists(st.floats(0.1, 1), min_size=1, max_size=4))
        moments = np.cumsum(gaps).tolist()
        table["keyframes"] = [{"at_s": at, "values": values()} for at in moments]
        if mode != "one_shot" and draw(st.booleans()):
            table |= {"loop": True, "length_s": moments[-1] + 0.2}
    if draw(st.booleans()):
        table |= {
            "when": draw(st.sampled_from(["mouth_aaa > 0.5", "not tracked", "jawOpen > 0.2"])),
            "on_after_s": draw(st.floats(0, 0.3)),
            "off_after_s": draw(st.floats(0, 0.3)),
        }
    return ExpressionTable.model_validate(table)
