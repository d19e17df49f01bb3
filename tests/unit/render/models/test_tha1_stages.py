"""THA1 as stages: the pictures are those of its networks, at the picture's own sharpness."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.tha1 import SHAPES_OF_OURS, random_tha1, sized
from tests.support.tha3 import cut, frame_of, require_signatures
from vtbridge.errors import WeightsError
from vtbridge.pose_params import FACE_SLICE, PoseParam
from vtbridge.pose_schema import THA1
from vtbridge.render.models.crops import (
    FACE_CROP,
    HALVED_HEAD,
    HEAD_CROP,
    Crop,
    fade_of_head,
    middle_of,
)
from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.stages import build_stages
from vtbridge.render.models.tha1_stages import MorphStage
from vtbridge.render.models.tha3 import networks_of
from vtbridge.render.models.variants import VARIANTS, Network, Tha3Variant

WHOLE = sized(256)
OURS = sized(128)
MIXED = sized(64, morpher=256)
TURN = torch.tensor([[0.6, -0.4, 0.3, 0.9, -0.8, 0.5]])


def picture() -> Tensor:
    return torch.rand(1, 4, 512, 512, generator=torch.Generator().manual_seed(6)) * 2 - 1


def pose_of(**values: float) -> Tensor:
    pose = torch.zeros(1, len(PoseParam))
    for label, value in values.items():
        pose[0, PoseParam[label.upper()]] = value
    return pose[:, FACE_SLICE]


def doubled(planes: Tensor) -> Tensor:
    return F.interpolate(planes, scale_factor=2.0, mode="bilinear")


@pytest.mark.parametrize("variant", [WHOLE, OURS, MIXED], ids=["whole", "ours", "mixed"])
@torch.inference_mode()
def test_stages_give_what_their_signatures_say(variant: Tha3Variant) -> None:
    require_signatures(build_stages(random_tha1(variant)), variant)


@torch.inference_mode()
def test_a_face_is_the_morphers_middle_of_the_head_by_the_three_that_it_knows() -> None:
    networks = random_tha1(OURS)
    whole = picture()
    pose = pose_of(eye_wink_left=0.7, eye_unimpressed_right=1.0, mouth_aaa=0.8, mouth_ooo=0.9)
    face = build_stages(networks).face(cut(whole, FACE_CROP), cut(whole, HEAD_CROP), pose)

    middle = Crop(192, 64, 128)
    expected = networks.morpher(cut(whole, middle), torch.tensor([[0.7, 0.35, 1.0]])).image
    in_face = middle_of(FACE_CROP.size, 128)
    torch.testing.assert_close(cut(face, in_face), expected, atol=1e-5, rtol=0)
    around = torch.ones_like(face, dtype=torch.bool)
    around[:, :, in_face.rows, in_face.columns] = False
    assert face[around].equal(cut(whole, FACE_CROP)[around])


@torch.inference_mode()
def test_a_morpher_of_the_whole_head_gives_the_face_out_of_it() -> None:
    networks = random_tha1(WHOLE)
    whole = picture()
    face = build_stages(networks).face(
        cut(whole, FACE_CROP), cut(whole, HEAD_CROP), pose_of(mouth_aaa=0.5)
    )
    expected = networks.morpher(cut(whole, HEAD_CROP), torch.tensor([[0.0, 0.0, 0.5]])).image
    torch.testing.assert_close(face, expected[:, :, 32:224, 32:224], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_eyes_and_mouth_mean_what_the_schema_says() -> None:
    stage = MorphStage(random_tha1(OURS).morpher)
    values = torch.rand(1, len(PoseParam), generator=torch.Generator().manual_seed(3))
    shown = THA1.project(values[0].numpy())[3:]
    ours = (values[:, FACE_SLICE] @ stage.weights).clamp(0, 1)
    torch.testing.assert_close(ours[0], torch.from_numpy(shown).float(), atol=1e-6, rtol=0)


@torch.inference_mode()
def test_at_full_size_the_frame_is_the_combiners_picture_over_a_still_body() -> None:
    networks = random_tha1(WHOLE)
    stages = build_stages(networks)
    whole = picture()
    face = torch.rand(1, 4, 192, 192, generator=torch.Generator().manual_seed(7))
    rotated = stages.rotate(whole, face, TURN)
    frame = frame_of(rotated[0], *stages.edit(*rotated, TURN))

    head = cut(rotated[0], HEAD_CROP)
    turned = networks.rotator(head, TURN[:, :3])
    expected = networks.combiner(turned.direct, turned.sampled, TURN[:, :3]).image
    assert (turned.sampled - head).abs().max() > 0.1
    inner = (..., slice(0, 240), slice(16, 240))  # where nothing has faded
    torch.testing.assert_close(cut(frame, HEAD_CROP)[inner], expected[inner], atol=1e-4, rtol=0)
    torch.testing.assert_close(frame[:, :, 256:], whole[:, :, 256:], atol=1e-4, rtol=0)
    torch.testing.assert_close(frame[..., :128], whole[..., :128], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_small_networks_see_the_average_and_what_they_say_is_enlarged() -> None:
    networks = random_tha1(OURS)
    for head in (networks.combiner.combine_alpha, networks.combiner.retouch_alpha):
        head.weight.zero_()  # halves of everything
    stages = build_stages(networks)
    whole = picture()
    rotated = stages.rotate(whole, cut(whole, FACE_CROP), TURN)
    _, direct, head_change, grid_change = rotated
    half = F.interpolate(whole, size=(256, 256), mode="bilinear")  # the mean of 2 x 2
    turned = networks.rotator(cut(half, HALVED_HEAD), TURN[:, :3])
    torch.testing.assert_close(direct, turned.direct, atol=1e-5, rtol=0)
    torch.testing.assert_close(head_change, turned.grid_change, atol=1e-5, rtol=0)

    retouch = networks.combiner(turned.direct, turned.sampled, TURN[:, :3]).retouch
    moved, alpha, color = (cut(field, HEAD_CROP) for field in stages.edit(*rotated, TURN))
    fade = torch.from_numpy(fade_of_head(256))
    torch.testing.assert_close(alpha, 0.75 * fade.expand_as(alpha))  # half of a half is sampled
    paint = doubled((0.25 * direct + 0.5 * retouch) / 0.75)
    torch.testing.assert_close(color, paint, atol=1e-4, rtol=0)
    inner = (..., slice(0, 236), slice(20, 236))
    expected = doubled(cut(grid_change, HALVED_HEAD))
    torch.testing.assert_close(moved[inner], expected[inner], atol=1e-6, rtol=0)
    assert moved.abs().max() > 0.01


@torch.inference_mode()
def test_at_the_edges_of_the_head_what_is_said_fades_to_nothing() -> None:
    stages = build_stages(random_tha1(OURS))
    whole = picture()
    rotated = stages.rotate(whole, cut(whole, FACE_CROP), TURN)
    grid_change, alpha, _ = (cut(field, HEAD_CROP) for field in stages.edit(*rotated, TURN))
    for edge in ((..., 255, slice(None)), (..., 0), (..., 255)):
        assert alpha[edge].max() < 1 / 16
        assert grid_change[edge].abs().max() < grid_change.abs().max() / 4
    assert alpha[:, :, 0, 128].min() > 1 / 16, "at the top it ends with the picture"


@torch.inference_mode()
def test_what_small_networks_leave_in_place_is_as_sharp_as_it_was_drawn() -> None:
    networks = random_tha1(OURS)
    networks.rotator.grid_change.weight.zero_()
    stages = build_stages(networks)
    whole = picture()
    rotated = stages.rotate(whole, cut(whole, FACE_CROP), TURN)
    grid_change, alpha, color = stages.edit(*rotated, TURN)
    frame = frame_of(rotated[0], grid_change, torch.zeros_like(alpha), color)
    torch.testing.assert_close(frame, whole, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_the_halved_pictures_grid_change_is_the_heads_in_the_pictures_units() -> None:
    networks = random_tha1(OURS)
    whole = picture()
    *_, head_change, grid_change = build_stages(networks).rotate(whole, cut(whole, FACE_CROP), TURN)
    inside = cut(grid_change, HALVED_HEAD)
    # 63.5 pixels are half the way between the head's outermost centres, 128 half the side.
    free = (head_change.abs() < 0.05).all(dim=1, keepdim=True).expand_as(inside).clone()
    free[:, :, :8] = free[:, :, -8:] = free[..., :8] = free[..., -8:] = False
    assert free.float().mean() > 0.1
    torch.testing.assert_close(inside[free], (head_change * 63.5 / 128)[free], atol=1e-6, rtol=1e-4)
    outside = grid_change.clone()
    outside[:, :, HALVED_HEAD.rows, HALVED_HEAD.columns] = 0
    assert (outside == 0).all()


@torch.inference_mode()
def test_colours_stay_in_their_range_where_next_to_nothing_is_painted() -> None:
    networks = random_tha1(OURS)
    networks.combiner.combine_alpha.weight.mul_(60.0)
    networks.combiner.retouch_alpha.weight.mul_(60.0)
    stages = build_stages(networks)
    whole = picture()
    rotated = stages.rotate(whole, cut(whole, FACE_CROP), TURN)
    _, alpha, color = stages.edit(*rotated, TURN)
    inside = cut(alpha, HEAD_CROP)
    assert 0 <= inside.min() < 1e-4
    assert inside.max() <= 1
    assert color.abs().max() <= 1


@pytest.mark.parametrize(
    ("network", "change", "told"),
    [
        (Network.FACE_MORPHER, {"image_size": 192}, "192"),
        (Network.FACE_MORPHER, {"bottleneck_size": 256}, "bottleneck"),
        (Network.EDITOR, {"image_size": 64}, "train them at one size"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    network: Network, change: dict[str, int], told: str
) -> None:
    shapes = {**SHAPES_OF_OURS, network: replace(SHAPES_OF_OURS[network], **change)}
    with pytest.raises(WeightsError, match=told), torch.device("meta"):
        networks_of(replace(VARIANTS["tha1"], shapes=shapes))


def test_outputs_of_each_stage_feed_the_next() -> None:
    signatures = stage_signatures(OURS)
    assert signatures[Stage.DECOMPOSE].outputs.items() <= signatures[Stage.BROWS].inputs.items()
    assert signatures[Stage.BROWS].outputs.items() <= signatures[Stage.FACE].inputs.items()
    assert signatures[Stage.FACE].outputs.items() <= signatures[Stage.ROTATE].inputs.items()
    assert signatures[Stage.ROTATE].outputs.items() <= signatures[Stage.EDIT].inputs.items()
