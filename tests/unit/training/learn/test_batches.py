from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.training import SIZE, MadeUpExamples
from vtbridge.pose_params import PoseParam
from vtbridge.training.dataset.true_flow import true_flow
from vtbridge.training.learn.batches import FLOW_SIZE, Order, Share, batch_of, decoded, head_box
from vtbridge.training.learn.lessons import shrunk, signals
from vtbridge.training.learn.recipe import NetworkName
from vtbridge.training.sources.procedural import ProceduralSource


def test_each_example_comes_once_before_any_comes_again_in_another_order() -> None:
    order = Order(10, (0, 1), mirror=False)
    first, second = ([order[place][0] for place in range(s, s + 10)] for s in (0, 10))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_order_is_that_of_its_place_whatever_was_asked_before() -> None:
    straight = Order(7, (3, 0), mirror=True)
    jumping = Order(7, (3, 0), mirror=True)
    wanted = [straight[place] for place in range(30)]
    assert [jumping[place] for place in (29, 0, 13)] == [wanted[29], wanted[0], wanted[13]]
    assert {mirrored for _, mirrored in wanted} == {True, False}
    assert not any(Order(7, (3, 0), mirror=False)[place][1] for place in range(30))


def test_processes_and_pieces_share_a_step_without_gap_or_overlap() -> None:
    shares = [Share(24, rank=rank, world=2, pieces=3) for rank in range(2)]
    places = [place for share in shares for piece in share.places(5) for place in piece]
    assert sorted(places) == list(range(5 * 24, 6 * 24))
    with pytest.raises(ValueError, match="cannot be split"):
        Share(10, world=3)


def test_a_mirrored_lesson_exchanges_the_eyes_and_turns_the_head_the_other_way() -> None:
    example = MadeUpExamples(1)[0]
    example.pose[[PoseParam.EYE_WINK_LEFT, PoseParam.EYE_WINK_RIGHT]] = 0.2, 0.9
    example.pose[[PoseParam.HEAD_X, PoseParam.NECK_Z]] = 0.3, 0.4
    pair = [(example, False), (example, True)]
    face = batch_of(pair, NetworkName.MORPHER, 32)
    mouth = example.pose[PoseParam.MOUTH_AAA]
    assert face.pose.numpy() == pytest.approx(np.array([[0.2, 0.9, mouth], [0.9, 0.2, mouth]]))
    assert torch.equal(face.after[1], face.after[0].flip(1))
    head = batch_of(pair, NetworkName.ROTATOR, SIZE)
    y = example.pose[PoseParam.HEAD_Y]
    assert head.pose.numpy() == pytest.approx(np.array([[0.3, y, 0.4], [0.3, -y, -0.4]]))
    assert torch.equal(head.before[1], head.before[0].flip(1))


def test_the_true_flow_is_told_as_shares_of_the_side_and_mirrored_with_its_picture() -> None:
    example = replace(MadeUpExamples(1)[0], subject="procedural-000001")
    example.pose[PoseParam.NECK_Z] = 1
    reopen = ProceduralSource(2, supersample=1).open
    pair = [(example, False), (example, True)]
    flow = batch_of(pair, NetworkName.ROTATOR, SIZE, reopen).flow
    assert flow is not None
    pixels, known = true_flow(example, FLOW_SIZE, reopen)
    assert known.any()
    np.testing.assert_allclose(flow[0, :2], pixels.transpose(2, 0, 1) / FLOW_SIZE, atol=1e-6)
    np.testing.assert_array_equal(flow[0, 2], known)
    assert torch.equal(flow[1, 0], -flow[0, 0].flip(1))
    assert torch.equal(flow[1, 1:], flow[0, 1:].flip(2))
    assert batch_of(pair, NetworkName.ROTATOR, SIZE).flow is None


def test_the_morpher_sees_the_head_box_and_the_others_all_of_it() -> None:
    example = MadeUpExamples(1)[0]
    face = batch_of([(example, False)], NetworkName.MORPHER, 32)
    assert (face.before[0].numpy() == example.rest[16:48, 16:48]).all()
    assert (face.after[0].numpy() == example.expression[16:48, 16:48]).all()
    head = batch_of([(example, False)], NetworkName.COMBINER, 32)
    assert (head.before[0].numpy() == example.expression).all()
    assert (head.after[0].numpy() == example.posed).all()
    with pytest.raises(ValueError, match="no middle of 128"):
        head_box(example.rest, 128)


def test_signals_are_linear_light_from_minus_one_to_one() -> None:
    pixels = torch.tensor([[[[0, 188, 255, 255], [0, 0, 0, 0]]]], dtype=torch.uint8)
    planes = signals(pixels)
    assert planes.shape == (1, 4, 1, 2)
    assert planes[0, :, 0, 0].tolist() == pytest.approx([-1, 0.0, 1, 1], abs=0.01)
    assert planes[0, :, 0, 1].tolist() == [-1, -1, -1, -1]


def test_a_shrunk_picture_is_the_mean_of_what_falls_on_a_pixel() -> None:
    planes = torch.rand(1, 4, 8, 8)
    small = shrunk(planes, 4)
    assert torch.allclose(small[0, 0, 1, 2], planes[0, 0, 2:4, 4:6].mean())
    assert shrunk(planes, 8) is planes
    with pytest.raises(ValueError, match="cannot be seen at 3"):
        shrunk(planes, 3)


def test_steps_are_decoded_in_their_order_from_any_one_on() -> None:
    examples, share = MadeUpExamples(9), Share(4, pieces=2)

    def poses(first: int) -> list[list[float]]:
        order = Order(9, (0,), mirror=False)
        with decoded(examples, order, share, NetworkName.MORPHER, 32, first=first, last=6) as steps:
            return [piece.pose[:, 2].tolist() for pieces in steps for piece in pieces]

    assert len(poses(0)) == 12
    assert poses(4) == poses(0)[8:]
