"""What was trained here becomes an entry: whole, of sizes that fit, under its own licence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.support.tha1 import STAGE_FILES, random_tha1, sized, write_run
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Family, Network
from vtbridge.render.weights.by_hand import ImportReport, import_weights
from vtbridge.render.weights.manifest import EntryKind
from vtbridge.render.weights.store import EntryState, WeightStore
from vtbridge.render.weights.trained import read_trained

OURS = sized(128)
PERCEPTUAL = {
    Network.FACE_MORPHER: "morpher",
    Network.BODY_ROTATOR: "rotator-perceptual",
    Network.EDITOR: "combiner-perceptual-l1",
}


@pytest.fixture(autouse=True)
def unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runtimes should give takes seconds to compute, and is tested where they run."""
    monkeypatch.setattr("vtbridge.render.weights.by_hand.make_golden", lambda *_: None)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "My Run", random_tha1(OURS), OURS)


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "store", shipped=tmp_path / "nothing")


def take(store: WeightStore, path: Path, name: str | None = None) -> ImportReport:
    return import_weights(store, path, name)


def test_a_run_becomes_an_entry_with_its_own_sizes(store: WeightStore, run: Path) -> None:
    assert take(store, run).imported == ("tha1-my-run",)
    variant = store.variant("tha1-my-run")
    assert variant.family is Family.THA1
    assert variant.shapes == OURS.shapes
    assert store.schema("tha1-my-run").name == "THA1"
    arrays = store.networks("tha1-my-run")
    assert list(arrays) == list(Family.THA1.networks)
    for network, stem in STAGE_FILES.items():
        written = load_file(run / f"{stem}.safetensors")
        assert arrays[network].keys() == written.keys()
        for key, value in written.items():
            np.testing.assert_array_equal(arrays[network][key], value.numpy())
    assert [check.problem for check in store.verify("tha1-my-run")] == ["", "", ""]
    assert not (store.root / ".staging").exists()


def test_our_own_name_brings_our_licence(store: WeightStore, run: Path) -> None:
    take(store, run, "vtbridge-v1")
    record = store.record("vtbridge-v1")
    assert (record.license, record.author) == ("GPL-3.0-or-later", "vtbridge")
    row = next(row for row in store.status() if row.name == "vtbridge-v1")
    assert (row.kind, row.state, row.license) == (
        EntryKind.NETWORKS,
        EntryState.READY,
        "GPL-3.0-or-later",
    )


def test_of_several_the_perceptual_pair_is_taken(store: WeightStore, run: Path) -> None:
    other = random_tha1(OURS, seed=9)
    write_run(run, other, OURS, PERCEPTUAL)
    take(store, run, "mine")
    kept = store.networks("mine")[Network.BODY_ROTATOR]["color.weight"]
    np.testing.assert_array_equal(kept, other.rotator.color.weight.half().numpy())


@pytest.mark.parametrize("absent", ["rotator-l1", "combiner-l1-l1"])
def test_a_run_that_is_not_finished_is_told_what_it_lacks(
    absent: str, store: WeightStore, run: Path
) -> None:
    (run / f"{absent}.safetensors").unlink()
    with pytest.raises(WeightsError, match="rotator with its combiner"):
        take(store, run)


def rewritten(**about: str) -> Callable[[Path], object]:
    return lambda run: write_run(run, random_tha1(OURS), OURS, about=about)


def of_two_sizes(run: Path) -> None:
    write_run(run, random_tha1(sized(64)), sized(64), {**PERCEPTUAL, Network.EDITOR: "unused"})
    (run / "rotator-perceptual.safetensors").rename(run / "rotator-l1.safetensors")


def cut_short(run: Path) -> None:
    path = run / "morpher.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def spoilt(run: Path) -> None:
    networks = random_tha1(OURS)
    networks.morpher.alpha.weight[0, 0, 0, 0] = float("nan")
    write_run(run, networks, OURS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (rewritten(network="editor"), "'editor', not a morpher"),
        (rewritten(image_size="128px"), "image_size is '128px'"),
        (rewritten(start_channels="0"), "start_channels is '0'"),
        (rewritten(image_size="100"), "pictures of 100 pixels"),
        (rewritten(start_channels="8"), "where its sizes ask for"),
        (rewritten(bottleneck_blocks="3"), "where its sizes ask for"),
        (of_two_sizes, "train them at one size"),
        (cut_short, r"morpher\.safetensors is not a safetensors file"),
        (spoilt, "not finite"),
    ],
)
def test_what_does_not_fit_is_not_taken(
    change: Callable[[Path], object], told: str, store: WeightStore, run: Path
) -> None:
    take(store, run, "mine")
    before = store.record("mine")
    change(run)
    with pytest.raises(WeightsError, match=told):
        take(store, run, "mine")
    assert store.record("mine") == before
    assert store.is_ready("mine")
    assert list(store.networks("mine")) == list(Family.THA1.networks)


def test_a_name_of_other_networks_is_refused(store: WeightStore, run: Path) -> None:
    with pytest.raises(WeightsError, match="Talking Head Anime 2, not what was trained"):
        take(store, run, "tha2")


def test_weights_that_come_along_are_read_where_they_lie(tmp_path: Path, run: Path) -> None:
    shipped = tmp_path / "shipped"
    take(WeightStore(shipped), run, "vtbridge-v1")
    store = WeightStore(tmp_path / "empty", shipped=shipped)
    assert store.is_ready("vtbridge-v1")
    assert store.directory("vtbridge-v1") == shipped / "vtbridge-v1"
    assert len(store.networks("vtbridge-v1")) == 3
    assert [check.problem for check in store.verify("vtbridge-v1")] == ["", "", ""]
    assert not store.root.exists()


def test_ones_own_of_that_name_go_before_what_comes_along(tmp_path: Path, run: Path) -> None:
    shipped = tmp_path / "shipped"
    take(WeightStore(shipped), run, "vtbridge-v1")
    store = WeightStore(tmp_path / "store", shipped=shipped)
    before = store.record("vtbridge-v1")
    larger = replace(OURS, shapes=sized(64).shapes)
    take(store, write_run(tmp_path / "again", random_tha1(larger), larger), "vtbridge-v1")
    assert store.directory("vtbridge-v1") == store.root / "vtbridge-v1"
    assert store.variant("vtbridge-v1").shapes == larger.shapes
    assert WeightStore(tmp_path / "empty", shipped=shipped).record("vtbridge-v1") == before


def test_where_they_did_not_come_along_the_way_to_have_them_is_told(store: WeightStore) -> None:
    with pytest.raises(WeightsError, match=r"did not come with.*vtbridge train.*--as vtbridge-v1"):
        store.record("vtbridge-v1")


def test_a_file_without_a_word_about_itself_is_refused() -> None:
    header = b'{"__metadata__": null}'
    with pytest.raises(WeightsError, match="network of no name"):
        read_trained(len(header).to_bytes(8, "little") + header, Network.EDITOR, "x.safetensors")
