"""How far a prepared character is, in words that fit a line."""

from __future__ import annotations

import pytest

from vtbridge.app.background_bake import BakeProgress
from vtbridge.app.background_learning import LearnProgress
from vtbridge.app.preparation import Preparation


@pytest.mark.parametrize(
    ("preparation", "expected"),
    [
        (Preparation("waiting"), ""),
        (Preparation("not needed"), ""),
        (Preparation("baking"), "preparing: loading"),
        (
            Preparation("baking", BakeProgress("sampling", 10.0, 200.0, None)),
            "preparing: 3:10 left, no model yet",
        ),
        (
            Preparation("baking", BakeProgress("sampling", 210.0, 200.0, 36.24)),
            "preparing: 0:00 left, 36.2 dB",
        ),
        (Preparation("shown", shown_db=38.0), "prepared, 38.0 dB"),
        (Preparation("failed", trouble="no room"), "not prepared: no room"),
        (
            Preparation("learning", shown_db=38.0, learning=LearnProgress("judging", 250, 0, None)),
            "prepared, 38.0 dB, learning: 250 turns known",
        ),
        (
            Preparation(
                "learning",
                shown_db=38.0,
                learning=LearnProgress("judging", 250, 0, None),
                learning_waits=True,
            ),
            "prepared, 38.0 dB, learning waits: frames come late",
        ),
    ],
)
def test_each_state_has_its_phrase(preparation: Preparation, expected: str) -> None:
    assert preparation.text == expected
