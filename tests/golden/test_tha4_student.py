"""Our folded students against the author's own code.

The expected numbers are samples of what his code (github.com/pkhungurn/
talking-head-anime-4-demo, ``create_poser`` and the two network loaders of
``tha4.poser.modes.mode_14``, torch 2.13, CPU, float32) gives at ``at`` of the 512x512
fields (flow 2, alpha 1, colour 4) and at ``facial`` of the 128x128 face, for each of
``poses``: once with the weights of lambda_00 and, at ``at``, the frames of its picture;
once with the weights of ``tests.support.tha4.random_student``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.conftest import REPOSITORY
from tests.support.tha4 import random_student
from vtbridge.characters import load_picture
from vtbridge.clock import ManualClock
from vtbridge.datatypes import F32Array, U8Array
from vtbridge.render.alpha import premultiplied_signals
from vtbridge.render.compositor import Compositor
from vtbridge.render.models.tha4_student import StudentNetwork
from vtbridge.render.models.tha4_student_keys import student_state_from_author
from vtbridge.render.selection.trust import check_fields
from vtbridge.render.settings import Quality
from vtbridge.render.tha4 import StudentPoser
from vtbridge.render.tha4_networks import Student, Weights
from vtbridge.telemetry import Telemetry

PARITY = 1e-3


@dataclass(frozen=True)
class Expected:
    """What the author's code gives, sampled."""

    poses: F32Array
    at: F32Array
    facial: F32Array
    fields: F32Array
    faces: F32Array
    frames: F32Array | None = None


def expected(name: str) -> Expected:
    """Return what is stored for ``name``."""
    with np.load(REPOSITORY / "tests" / "data" / "tha" / f"student_{name}.npz") as arrays:
        return Expected(**{key: arrays[key] for key in arrays.files})


def largest_difference(weights: Weights, reference: Expected, isa: str | None) -> float:
    """Return how far our student is from the author's anywhere that was sampled."""
    student = Student(weights, threads=2, isa=isa)
    worst = 0.0
    try:
        for pose, fields, face in zip(
            reference.poses, reference.fields, reference.faces, strict=True
        ):
            rows, columns = reference.facial
            ours_face = student.face(pose)[:, rows, columns]
            body = student.body(pose, Quality.EXACT)
            rows, columns = reference.at
            ours = np.concatenate(
                [body.grid_change, body.alpha[:1], body.color], axis=0, dtype=np.float32
            )[:, rows, columns]
            assert np.array_equal(body.alpha[0], body.alpha[3])
            worst = max(worst, float(abs(ours_face - face).max()), float(abs(ours - fields).max()))
    finally:
        student.close()
    return worst


@pytest.mark.parametrize("isa", [None, "numpy"])
def test_a_random_student_gives_what_the_authors_code_gives(isa: str | None) -> None:
    reference = expected("random")
    assert abs(reference.fields).max() > 0.5
    assert largest_difference(random_student(), reference, isa) < PARITY / 10


@pytest.fixture(scope="module")
def lambda_00(shared_data: Path) -> tuple[Path, Weights]:
    """Return the folder of the author's first character, and its weights by our names."""
    folder = shared_data / "tha4_students" / "lambda_00"
    weights = {}
    for network, file in (
        (StudentNetwork.FACE, "face_morpher.pt"),
        (StudentNetwork.BODY, "body_morpher.pt"),
    ):
        state = torch.load(folder / file, map_location="cpu", weights_only=True)
        ours = student_state_from_author(network, state)
        weights[network] = {name: tensor.numpy() for name, tensor in ours.items()}
    return folder, weights


def test_lambda_gives_what_the_authors_code_gives(lambda_00: tuple[Path, Weights]) -> None:
    _, weights = lambda_00
    reference = expected("lambda_00")
    assert abs(reference.fields).max() > 0.5
    assert largest_difference(weights, reference, None) < PARITY


def test_lambdas_frames_are_those_of_the_authors_poser(lambda_00: tuple[Path, Weights]) -> None:
    folder, weights = lambda_00
    reference = expected("lambda_00")
    assert reference.frames is not None
    rows, columns = reference.at
    inside = abs(rows - 144) < 64, abs(columns - 256) < 64
    assert np.count_nonzero(inside[0] & inside[1]) > 10  # some look at the face
    poser = StudentPoser(Student(weights, threads=2), Telemetry(ManualClock()), Compositor())
    poser.set_picture(load_picture(folder / "character.png"))
    for pose, frame in zip(reference.poses, reference.frames, strict=True):
        ours = poser.render_float(pose)[:, rows, columns]
        # Alpha goes a little beyond its range, which nobody sees, but colours would.
        ours[3] = ours[3].clip(-1, 1)
        ours = premultiplied_signals(ours).clip(-1, 1)
        frame = frame.clip(-1, 1)
        np.testing.assert_allclose(ours, frame, atol=2 * PARITY)
        check_fields(poser.fields(pose), "a student")
    poser.close()


def test_lambda_is_as_near_at_each_quality_as_is_promised(
    lambda_00: tuple[Path, Weights],
) -> None:
    folder, weights = lambda_00
    poser = StudentPoser(Student(weights, threads=2), Telemetry(ManualClock()), Compositor())
    poser.set_picture(load_picture(folder / "character.png"))
    pose = expected("lambda_00").poses[1]
    exact = over_grey(poser.render(pose))
    for quality, least_db in ((Quality.BALANCED, 60.0), (Quality.FAST, 37.0)):
        poser.set_quality(quality)
        error = np.square(over_grey(poser.render(pose)) - exact)[40:, 110:390].mean()
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > least_db
    poser.close()


def over_grey(rgba: U8Array) -> NDArray[np.float64]:
    """Return a premultiplied frame as it looks over middle grey."""
    colors: NDArray[np.float64] = rgba[..., :3] + (255.0 - rgba[..., 3:]) * 0.5
    return colors
