"""Whole animations of a disc that a grey clip moves, in short pieces."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.animation import DiscPoser, GreyTracker, brightness
from vtbridge.app.animate import encode, job
from vtbridge.app.animate.job import Outcome, Stage, animate
from vtbridge.app.animate.request import Request
from vtbridge.config.schema import Config
from vtbridge.datatypes import Picture, U8Array

PICTURE = Picture(np.zeros((512, 512, 4), np.uint8), "nobody", "digest", credit="by nobody")
SIZE = (64, 64)
PIECE = 10
LONG = 2 * PIECE + 6


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pieces of ``PIECE`` pictures be kept, so that short clips have some."""
    monkeypatch.setattr(encode, "PIECE_PICTURES", PIECE)


def talking(count: int) -> list[U8Array]:
    """Return pictures in which the jaw opens and closes."""
    return [brightness(0.5 + 0.5 * np.sin(index / 3)) for index in range(count)]


def run_job(
    request: Request, poser: DiscPoser | None = None, progress: job.Progress | None = None
) -> Outcome:
    """Animate a nameless picture with discs for networks."""
    return animate(
        request,
        PICTURE,
        Config(),
        open_tracker=GreyTracker,
        open_poser=lambda: poser or DiscPoser(),
        progress=progress or (lambda stage, done, total: None),
    )


def breaking_off(stage: Stage, at: int, error: BaseException) -> job.Progress:
    """Return progress that raises ``error`` once ``at`` pictures of ``stage`` are done."""

    def progress(now: Stage, done: int, total: int) -> None:
        if now is stage and done == at:
            raise error

    return progress
