"""THA4's teacher and THA2 as stages: they say what their networks say, in THA3's terms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.support.tha3 import (
    cut,
    frame_of,
    randomise,
    require_signatures,
    run_networks,
    run_stages,
    thinned,
)
from vtbridge.pose_params import ROTATION_SLICE
from vtbridge.render.models.blocks import paste
from vtbridge.render.models.crops import FACE_CROP, HEAD_CROP
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import build_stages
from vtbridge.render.models.tha1 import Combiner, HeadRotator
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.models.variants import VARIANTS, Tha3Variant

TEACHER, THA2 = thinned(VARIANTS["tha4_teacher"]), thinned(VARIANTS["tha2"])


def random_networks(variant: Tha3Variant) -> Tha3Networks:
    networks = build_networks(variant)
    randomise(networks, seed=5)
    return networks


def picture_and_pose() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    picture = torch.rand(1, 4, 512, 512, generator=generator) * 2 - 1
    return picture, torch.rand(1, 45, generator=generator)


@pytest.mark.parametrize("variant", [TEACHER, THA2], ids=["teacher", "tha2"])
@torch.inference_mode()
def test_stages_give_what_their_signatures_say(variant: Tha3Variant) -> None:
    require_signatures(build_stages(random_networks(variant)), variant)


@torch.inference_mode()
def test_the_teachers_frame_is_its_upscalers_picture() -> None:
    networks = random_networks(TEACHER)
    picture, pose = picture_and_pose()
    frame = run_stages(build_stages(networks), picture, pose)
    plain = run_networks(networks, picture, pose).edited.image
    assert plain.std() > 0.1
    torch.testing.assert_close(frame, plain, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_tha2s_frame_is_its_combiners_picture_over_a_still_body() -> None:
    networks = random_networks(THA2)
    rotator, combiner = networks.body_rotator, networks.editor
    assert isinstance(rotator, HeadRotator)
    assert isinstance(combiner, Combiner)
    picture, pose = picture_and_pose()
    face = torch.rand(1, 4, 192, 192, generator=torch.Generator().manual_seed(7))
    rotation = pose[:, ROTATION_SLICE]
    stages = build_stages(networks)
    rotated = stages[Stage.ROTATE](picture, face, rotation)
    fields = stages[Stage.EDIT](*rotated, rotation)
    morphed = paste(picture, face, FACE_CROP)
    frame = frame_of(morphed, *fields)

    head = cut(morphed, HEAD_CROP)
    turn = rotation[:, :3]
    turned = rotator(head, turn)
    expected = combiner(turned.direct, turned.sampled, turn).image
    assert (turned.sampled - head).abs().max() > 0.1
    torch.testing.assert_close(cut(frame, HEAD_CROP), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(frame[:, :, 256:], morphed[:, :, 256:], atol=1e-4, rtol=0)
    torch.testing.assert_close(frame[..., :128], morphed[..., :128], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_knows_its_files(name: str) -> None:
    family = VARIANTS[name].family
    files = [family.reference_file(network) for network in family.networks]
    brows = [] if name == "tha1" else ["eyebrow_decomposer.pt", "eyebrow_morphing_combiner.pt"]
    assert files[:-2] == [*brows, "face_morpher.pt"]
    last = {
        "tha1": ["two_algo_face_rotator.pt", "combiner.pt"],
        "tha2": ["two_algo_face_rotator.pt", "combiner.pt"],
        "tha3": ["two_algo_face_body_rotator.pt", "editor.pt"],
        "tha4": ["body_morpher.pt", "upscaler.pt"],
    }
    assert files[-2:] == last[family]
