"""Does a picture stay as it is while nothing moves? A viewer looks at that most of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vtbridge.training.dataset.examples import Example
from vtbridge.training.evaluate.measure import look_at_faces, look_at_heads
from vtbridge.training.evaluate.metrics import marks
from vtbridge.training.evaluate.networks import TrainedRun


def rest_psnr_db(run: TrainedRun, examples: Sequence[Example]) -> dict[str, float]:
    """Return the mean PSNR of each answer to a pose that moves nothing, by its name, dB.

    The truth is the picture that is shown.

    Args:
        run: the networks.
        examples: one of each character.
    """
    still = [
        replace(each, expression=each.rest, posed=each.rest, pose=each.rest_pose)
        for each in examples
    ]
    looks = (look_at_faces(run, still), look_at_heads(run, still)) if still else ()
    return {
        name: float(marks(answer.picture, looked.truth)["psnr_db"].mean())
        for looked in looks
        if looked is not None
        for name, answer in looked.answers.items()
    }
