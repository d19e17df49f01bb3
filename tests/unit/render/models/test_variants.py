from __future__ import annotations

import subprocess
import sys

import pytest

from vtbridge.render.models.signatures import Stage, stage_signatures
from vtbridge.render.models.variants import (
    THA3_SHAPES,
    VARIANTS,
    BlockKind,
    Family,
    Network,
    NetworkShape,
)


def test_variants_of_tha3_are_the_four_published_ones() -> None:
    of_tha3 = {name: v for name, v in VARIANTS.items() if v.family is Family.THA3}
    assert {name: (v.kind, v.weights_dtype) for name, v in of_tha3.items()} == {
        "standard_float": (BlockKind.PLAIN, "float32"),
        "standard_half": (BlockKind.PLAIN, "float16"),
        "separable_float": (BlockKind.SEPARABLE, "float32"),
        "separable_half": (BlockKind.SEPARABLE, "float16"),
    }


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (Network.EYEBROW_COMBINER, (64, 128, 256, 512)),
        (Network.FACE_MORPHER, (64, 128, 256, 512)),
        (Network.BODY_ROTATOR, (64, 128, 256, 512)),
        (Network.EDITOR, (32, 64, 128, 256)),
    ],
)
def test_channels_double_with_each_halving(network: Network, widths: tuple[int, ...]) -> None:
    assert THA3_SHAPES[network].widths == widths


def test_doubling_of_channels_stops_at_the_maximum() -> None:
    shape = NetworkShape(64, start_channels=6, bottleneck_size=4, max_channels=20)
    assert shape.widths == (6, 12, 20, 20, 20)


def test_each_network_knows_its_files() -> None:
    assert Network.EYEBROW_COMBINER.weight_file == "eyebrow_combiner.safetensors"
    assert [network.reference_file for network in Network] == [
        "eyebrow_decomposer.pt",
        "eyebrow_morphing_combiner.pt",
        "face_morpher.pt",
        "two_algo_face_body_rotator.pt",
        "editor.pt",
    ]


def test_outputs_of_each_stage_feed_the_next() -> None:
    signatures = stage_signatures(VARIANTS["separable_float"])
    brows, face, rotate, edit = (
        signatures[stage].inputs for stage in (Stage.BROWS, Stage.FACE, Stage.ROTATE, Stage.EDIT)
    )
    assert signatures[Stage.DECOMPOSE].outputs.items() <= brows.items()
    assert signatures[Stage.BROWS].outputs.items() <= face.items()
    assert signatures[Stage.FACE].outputs.items() <= rotate.items()
    assert signatures[Stage.ROTATE].outputs.items() <= edit.items()


def test_names_and_shapes_are_known_without_torch() -> None:
    code = (
        "import sys, vtbridge.render.models.signatures, vtbridge.render.models.crops;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
