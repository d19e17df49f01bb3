"""The networks of THA4's teacher and of THA2 against the author's own code.

Their weights are on his pages only. So his classes were built thin, at 32x32, given the
weights of ``random_state`` by his names, and run once in float32 (``Morpher00`` and
``Upscaler02`` of talking-head-anime-4-demo, ``TwoAlgoFaceRotator`` and ``Combiner`` of
talking-head-anime-2-demo); ``tests/data/tha/other_networks.npz`` holds what came out, at
``at``. The names and shapes of his full-size networks are kept as sha256 of the sorted
lines ``name [shape]``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import REPOSITORY
from vtbridge.datatypes import F32Array
from vtbridge.render.models.reference_keys import reference_key, state_dict_from_reference
from vtbridge.render.models.tha1 import Combiner, HeadRotator
from vtbridge.render.models.tha3 import Tha3Network, build_networks
from vtbridge.render.models.tha4_teacher import BodyMorpher, Upscaler
from vtbridge.render.models.variants import VARIANTS, Network, NetworkShape

TOLERANCE = 1e-4
TEACHER = NetworkShape(32, 32, bottleneck_size=8, bottleneck_blocks=4, max_channels=64)
HEAD = NetworkShape(32, 8, bottleneck_size=8, bottleneck_blocks=2)


@pytest.fixture(scope="module")
def samples() -> dict[str, F32Array]:
    """Return what the author's networks gave, and where it was sampled."""
    with np.load(REPOSITORY / "tests" / "data" / "tha" / "other_networks.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def random_state(network: Tha3Network, seed: int, scale: float) -> dict[str, Tensor]:
    """Return weights by the author's names, drawn in the order of his sorted names."""
    generator = np.random.default_rng(seed)
    shapes = {reference_key(network, k): tuple(v.shape) for k, v in network.state_dict().items()}
    state = {}
    for name in sorted(shapes):
        shape = shapes[name]
        values = generator.standard_normal(shape).astype(np.float32)
        if len(shape) > 1:
            values *= scale / np.sqrt(np.prod(shape[1:]))
            values *= 0.02 if "grid" in name else 1.0
        else:
            is_gain = name.endswith("weight")
            values = 0.2 * values + (1 if is_gain else 0)
        state[name] = torch.from_numpy(values.astype(np.float32))
    return state


def inputs_of(pose_size: int, *channels: int) -> list[Tensor]:
    """Return the pictures, for two channels a grid change, and the pose."""
    generator = np.random.default_rng(9)
    arrays = [
        (0.1 if count == 2 else 1.0) * generator.uniform(-1, 1, (1, count, 32, 32))
        for count in channels
    ]
    arrays.append(generator.uniform(-1, 1, (1, pose_size)))
    return [torch.from_numpy(array.astype(np.float32)) for array in arrays]


@pytest.mark.parametrize(
    ("name", "build", "seed", "scale"),
    [
        ("body_morpher", lambda: BodyMorpher(TEACHER), 3, 0.5),
        ("upscaler", lambda: Upscaler(TEACHER), 3, 0.5),
        ("rotator", lambda: HeadRotator(HEAD), 4, 1.4),
        ("combiner", lambda: Combiner(HEAD), 4, 1.4),
    ],
)
def test_a_thin_network_gives_what_the_authors_gives(
    name: str,
    build: Callable[[], Tha3Network],
    seed: int,
    scale: float,
    samples: dict[str, F32Array],
) -> None:
    network = build().eval()
    state = random_state(network, seed, scale)
    network.load_state_dict(state_dict_from_reference(network, state))
    # The teacher's networks share one draw of pictures; each takes those it needs.
    image, coarse, grid_change, pose = inputs_of(6, 4, 4, 2)
    first, second, turn = inputs_of(3, 4, 4)
    inputs = {
        "body_morpher": (image, pose),
        "upscaler": (image, coarse, grid_change, pose),
        "rotator": (first, turn),
        "combiner": (first, second, turn),
    }[name]
    with torch.inference_mode():
        outputs = torch.cat([output[0] for output in network(*inputs)])
    rows, columns = torch.from_numpy(samples["at"].astype(np.int64))
    expected = samples[name]
    assert abs(expected).max() > 0.5
    np.testing.assert_allclose(outputs[:, rows, columns].numpy(), expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("variant", "network", "sha256", "parameters"),
    [
        (
            "tha4_teacher",
            Network.BODY_ROTATOR,
            "eef80b51de9570052901a22b18b29f8671769d73a509b5b17a017316535b35b9",
            34_682_119,
        ),
        (
            "tha4_teacher",
            Network.EDITOR,
            "d3a8d6007cd40efd3dfd2911ee6490a1abdaea5f0ead75398486218a06316d88",
            35_015_655,
        ),
        (
            "tha2",
            Network.BODY_ROTATOR,
            "d48837000bdcda9dbd76dbbf4c1bfad3e1330dcae05433cd957fe932114854f2",
            33_884_992,
        ),
        (
            "tha2",
            Network.EDITOR,
            "e0912a314894932efce4d767bab060fb5d6cdd640104aecad8b9a96d9b06e758",
            34_960_704,
        ),
    ],
)
def test_names_and_shapes_at_full_size_are_the_authors(
    variant: str, network: Network, sha256: str, parameters: int
) -> None:
    with torch.device("meta"):
        module = build_networks(VARIANTS[variant])[network]
    shapes = {
        reference_key(module, key): list(value.shape) for key, value in module.state_dict().items()
    }
    lines = sorted(f"{name} {shape}" for name, shape in shapes.items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == sha256
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters
