"""Variants whose weights only their author's page has: posed with random ones of their shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from tests.support.freed_memory import keep_freed_memory
from tests.support.recording_runtime import pose
from tests.support.tha3 import randomise, run_stages, thinned
from tests.support.weights import sha256
from vtbridge.clock import ManualClock
from vtbridge.datatypes import PICTURE_SIZE, F32Array, Picture, U8Array
from vtbridge.pose_params import ROTATION_SLICE
from vtbridge.render.alpha import network_from_straight, premultiplied_signals
from vtbridge.render.compositor import Compositor
from vtbridge.render.models.blocks import resize
from vtbridge.render.models.body_rotator import BodyRotator
from vtbridge.render.models.crops import FACE_CROP
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.stages import build_stages
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.models.variants import VARIANTS, Family, Network
from vtbridge.render.runtimes.pytorch import PyTorchRuntime, open_pytorch
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.settings import Precision
from vtbridge.render.tha3 import Tha3Poser
from vtbridge.render.weights.install import install_files
from vtbridge.render.weights.manifest import EntryKind
from vtbridge.render.weights.record import Record, StoredFile
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry

POSE = pose(head_x=0.5, head_y=-0.3, mouth_aaa=0.6, eye_wink_left=1, eyebrow_happy_left=0.4)

keep_freed_memory()


def noise() -> U8Array:
    """Return a picture with no even surface, where normalisation would amplify rounding."""
    generator = np.random.default_rng(3)
    return generator.integers(0, 256, (PICTURE_SIZE, PICTURE_SIZE, 4), np.uint8)


def posed(runtime: PyTorchRuntime) -> F32Array:
    """Return the frame of ``POSE`` that a poser makes with ``runtime``."""
    poser = Tha3Poser(runtime, Telemetry(ManualClock()), Compositor())
    poser.set_picture(Picture(rgba=noise(), name="noise", digest=""))
    try:
        return poser.render_float(POSE).copy()
    finally:
        poser.close()


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Return picture and pose as networks take them."""
    return torch.from_numpy(network_from_straight(noise()))[None], torch.from_numpy(POSE)[None]


@pytest.mark.parametrize("name", ["tha4_teacher", "tha2"])
def test_a_poser_poses_with_the_networks_of_another_system(name: str) -> None:
    variant = thinned(VARIANTS[name])
    networks = build_networks(variant)
    randomise(networks, seed=4)
    stages = build_stages(networks)
    picture, pose_values = inputs()
    is_tha4 = variant.family is Family.THA4
    if is_tha4:
        picture = torch.from_numpy(premultiplied_signals(picture[0].numpy()))[None]
    with torch.inference_mode():
        expected = run_stages(stages, picture, pose_values)[0].numpy()
    assert expected.std() > 0.1

    runtime = PyTorchRuntime(stages.as_dict(), torch.device("cpu"), Precision.F32)
    compositor = Compositor()
    poser = Tha3Poser(runtime, Telemetry(ManualClock()), compositor, family=variant.family)
    poser.set_picture(Picture(rgba=noise(), name="noise", digest=""))
    fields = poser.fields(POSE)
    assert (fields.bounded, fields.premultiplied) == (not is_tha4, is_tha4)
    ours = compositor.signals(replace(fields, premultiplied=False))  # as the networks have it
    np.testing.assert_allclose(ours, expected, atol=1e-3)
    poser.close()


def stored(networks: Tha3Networks, variant: str, root: Path) -> WeightStore:
    """Return a store that holds ``networks`` as float16 under the name ``mine``."""
    root.mkdir()
    files = {}
    for network in Network:
        state = networks[network].state_dict()
        content = save({name: tensor.half().contiguous() for name, tensor in state.items()})
        path = root / f"{network}.part"
        path.write_bytes(content)
        digest = sha256(content)
        file = StoredFile(
            file=network.weight_file,
            sha256=digest,
            size=len(content),
            source_sha256=digest,
            source_size=len(content),
        )
        files[network.value] = (path, file)
    record = Record(
        kind=EntryKind.NETWORKS,
        variant=variant,
        author="me",
        license="CC0",
        credit="",
        source="a test",
        files={},
    )
    install_files(root / "mine", record, files)
    return WeightStore(root)


def test_a_poser_poses_with_the_standard_networks_at_full_size(tmp_path: Path) -> None:
    networks = build_networks(VARIANTS["standard_half"])
    randomise(networks, seed=4)
    for module in networks.as_dict().values():
        module.half().float()  # what the file can hold
    store = stored(networks, "standard_half", tmp_path / "store")
    runtime = open_pytorch(RuntimeRequest(store=store, weights="mine"))

    picture, pose_values = inputs()
    face, rotation = (
        picture[:, :, FACE_CROP.rows, FACE_CROP.columns],
        pose_values[:, ROTATION_SLICE],
    )
    rotator = networks.body_rotator
    assert isinstance(rotator, BodyRotator)
    with torch.inference_mode():
        expected = rotator(resize(picture, rotator.image_size), rotation)
        _, warped, grid_change = runtime.run(Stage.ROTATE, picture, face, rotation)
    torch.testing.assert_close(warped, expected.warped, atol=1e-3, rtol=0)
    torch.testing.assert_close(grid_change, expected.grid_change, atol=1e-5, rtol=0)

    frame = posed(runtime)
    assert np.isfinite(frame).all()
    assert frame.std() > 0.1
