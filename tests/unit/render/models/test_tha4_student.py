"""The tables of THA4's students, and the author's names in them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tha4 import author_state, random_student
from vtbridge.errors import WeightsError
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.models.tha4_student import (
    STUDENT_FACE_CROP,
    STUDENT_SHAPES,
    StudentNetwork,
)
from vtbridge.render.models.tha4_student_keys import student_state_from_author


@pytest.mark.parametrize(
    ("network", "published"), [(StudentNetwork.FACE, 121_476), (StudentNetwork.BODY, 331_567)]
)
def test_a_student_has_as_many_parameters_as_published(
    network: StudentNetwork, published: int
) -> None:
    sizes = [torch.Size(shape).numel() for shape in STUDENT_SHAPES[network].tensors().values()]
    assert sum(sizes) == published


def test_what_a_student_paints_lies_within_the_face_crop() -> None:
    assert FACE_CROP.x <= STUDENT_FACE_CROP.x
    assert FACE_CROP.y <= STUDENT_FACE_CROP.y
    end = STUDENT_FACE_CROP.size
    assert STUDENT_FACE_CROP.x + end <= FACE_CROP.x + FACE_CROP.size
    assert STUDENT_FACE_CROP.y + end <= FACE_CROP.y + FACE_CROP.size


@pytest.mark.parametrize("network", StudentNetwork)
def test_the_authors_names_are_translated_and_no_value_changes(network: StudentNetwork) -> None:
    weights = random_student()[network]
    ours = student_state_from_author(network, author_state(network, weights))
    assert list(ours) == list(weights)
    for name, tensor in ours.items():
        assert tensor.numpy().tobytes() == weights[name].tobytes()
        assert tuple(tensor.shape) == weights[name].shape


def broken(spoil: str, tensor: Tensor | None) -> dict[str, Tensor]:
    """Return the author's body with one weight replaced or left out."""
    state = author_state(StudentNetwork.BODY, random_student()[StudentNetwork.BODY])
    if tensor is None:
        del state[spoil]
    else:
        state[spoil] = tensor
    return state


@pytest.mark.parametrize(
    ("spoil", "tensor", "why"),
    [
        ("last_linear.bias", None, r"weight 'last_linear\.bias' of a student_body is missing"),
        (
            "siren_layers.1.0.linear.weight",
            torch.zeros(2, 2, 1, 1),
            r"float32 \[2, 2, 1, 1\] instead of floats \[180, 227, 1, 1\]",
        ),
        ("last_linear.bias", torch.zeros(7, dtype=torch.int32), r"int32 \[7\] instead of floats"),
        ("other", torch.zeros(1), "'other' is no weight of a student_body"),
    ],
)
def test_a_weight_that_does_not_fit_is_named(spoil: str, tensor: Tensor | None, why: str) -> None:
    with pytest.raises(WeightsError, match=why):
        student_state_from_author(StudentNetwork.BODY, broken(spoil, tensor))


def test_one_network_is_not_taken_for_the_other() -> None:
    body = author_state(StudentNetwork.BODY, random_student()[StudentNetwork.BODY])
    with pytest.raises(WeightsError, match="is no weight of a student_face"):
        student_state_from_author(StudentNetwork.FACE, body)
