"""Stored answers: shipped for what is published, whole or not there, never for other weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.fault_runtime import SIGNATURES, stand_in_golden
from tests.support.weights import small_store
from vtbridge.errors import WeightsError
from vtbridge.render.models.signatures import Stage
from vtbridge.render.models.variants import Network
from vtbridge.render.selection import golden as module
from vtbridge.render.selection.card import CARD_REVISION, POSES
from vtbridge.render.selection.golden import (
    GOLDEN_FILE,
    Golden,
    find_golden,
    places_of,
    sources_of,
    write_golden,
)
from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS, read_manifest
from vtbridge.render.weights.store import WeightStore

SHIPPED = Path(module.__file__).with_name(f"{DEFAULT_WEIGHTS}.json")


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return small_store(tmp_path)


def written(store: WeightStore) -> Path:
    write_golden(store.directory("small"), stand_in_golden(sources_of(store.record("small"))))
    return store.directory("small") / GOLDEN_FILE


def test_the_shipped_answers_are_those_of_the_published_files() -> None:
    golden = Golden.model_validate_json(SHIPPED.read_bytes())
    files = read_manifest().entry(DEFAULT_WEIGHTS).files
    assert golden.sources == {file.network: file.sha256 for file in files}


def test_the_shipped_answers_are_small_and_cover_every_output() -> None:
    assert SHIPPED.stat().st_size <= 64 << 10
    golden = Golden.model_validate_json(SHIPPED.read_bytes())
    for stage, signature in SIGNATURES.items():
        for pose in range(POSES):
            for name, shape in signature.outputs.items():
                answer = golden.answer(pose, stage, name)
                assert answer.shape == places_of(stage, name, shape).shape
                assert np.isfinite(answer).all()


def test_an_answer_differs_from_that_to_the_other_pose() -> None:
    golden = Golden.model_validate_json(SHIPPED.read_bytes())
    for stage, signature in SIGNATURES.items():
        if stage is Stage.DECOMPOSE:
            continue
        for name in signature.outputs:
            one, other = (golden.answer(pose, stage, name) for pose in range(POSES))
            noise = float(((one - other) ** 2).mean() / (one**2).mean())
            # The noise of bf16 may be as loud as 28 dB below the signal; stale is louder.
            # (Most of ``morphed`` is the picture; what else the stage gives tells stale there.)
            assert noise > 10**-2.4 or name == "morphed"


def test_what_was_written_is_found(store: WeightStore) -> None:
    assert find_golden(store, "small") is None
    written(store)
    golden = find_golden(store, "small")
    assert golden == stand_in_golden(sources_of(store.record("small")))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]", b'{"format": 2}'])
def test_a_damaged_file_counts_as_none(content: bytes, store: WeightStore) -> None:
    written(store).write_bytes(content)
    assert find_golden(store, "small") is None


def test_one_changed_number_counts_as_damage(store: WeightStore) -> None:
    path = written(store)
    told = json.loads(path.read_text())
    answer = told["answers"]["0.edit.alpha"]
    told["answers"]["0.edit.alpha"] = ("B" if answer[0] == "A" else "A") + answer[1:]
    path.write_text(json.dumps(told))
    assert find_golden(store, "small") is None


def test_answers_to_another_card_count_as_none(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(store)
    monkeypatch.setattr(module, "CARD_REVISION", CARD_REVISION + 1)
    assert find_golden(store, "small") is None


def test_answers_of_other_weights_count_as_none(store: WeightStore) -> None:
    sources = sources_of(store.record("small")) | {Network.EDITOR: "0" * 64}
    write_golden(store.directory("small"), stand_in_golden(sources))
    assert find_golden(store, "small") is None


def test_absent_weights_have_no_answers(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="vtbridge weights pull"):
        find_golden(WeightStore(tmp_path), DEFAULT_WEIGHTS)


def test_every_fourth_place_lies_on_the_outermost_lines() -> None:
    places = places_of(Stage.EDIT, "alpha", (1, 4, 512, 512))
    y, x = np.divmod(places[0], 512)
    outermost = (y == 0) | (y == 511) | (x == 0) | (x == 511)
    assert outermost.mean() >= 0.25
    assert {0, 511} <= set(y.tolist())
    assert {0, 511} <= set(x.tolist())
    assert len(np.unique(places)) > 0.95 * places.size
