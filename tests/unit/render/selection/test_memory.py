"""The remembered choice: stale or damaged it is simply not there, and a crash is not repeated."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fault_runtime import opening, refuse
from tests.support.weights import small_store
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection import memory as module
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.selection.hardware import Gpu, Hardware, Vendor
from vtbridge.render.selection.memory import ChoiceMemory, key_of_machine
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

NATIVE = Candidate(name=RuntimeName.NATIVE, device=DeviceName.CPU)
CHOICE = (Tried(candidate=NATIVE, outcome=Outcome.RIGHT, frame_ms=97.5, noise_db=116.0),)
MACHINE = Hardware("Linux", "a processor", 2)
ROWS = {
    RuntimeName.NATIVE: opening(refuse),
    RuntimeName.OPENVINO: replace(
        opening(refuse), prepared=("openvino/export.json",), package=("openvino",)
    ),
}


@pytest.fixture
def memory(tmp_path: Path) -> ChoiceMemory:
    return ChoiceMemory(tmp_path / "cache")


@pytest.fixture
def asked(tmp_path: Path) -> RuntimeRequest:
    return RuntimeRequest(small_store(tmp_path / "store"), "small")


def test_what_was_remembered_is_recalled_under_its_key_alone(memory: ChoiceMemory) -> None:
    memory.remember("a", CHOICE)
    assert memory.recall("a") == CHOICE
    assert memory.recall("b") == ()
    memory.forget("a")
    assert memory.recall("a") == ()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": 2, "tried": []}', b"[]"])
def test_a_damaged_file_is_as_good_as_none(
    content: bytes, memory: ChoiceMemory, tmp_path: Path
) -> None:
    memory.remember("a", CHOICE)
    (tmp_path / "cache" / "a.json").write_bytes(content)
    assert memory.recall("a") == ()
    memory.remember("a", CHOICE)
    assert memory.recall("a") == CHOICE


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    memory = ChoiceMemory(tmp_path / "file")
    memory.remember("a", CHOICE)
    with memory.opening("a", NATIVE):
        assert memory.take_unfinished("a") == ""
    memory.forget("a")
    assert memory.recall("a") == ()


def test_nothing_half_written_is_left_and_old_machines_are_dropped(
    memory: ChoiceMemory, tmp_path: Path
) -> None:
    for number in range(40):
        memory.remember(f"{number:02}", CHOICE)
        os.utime(tmp_path / "cache" / f"{number:02}.json", (number, number))
    left = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert len(left) <= 17
    assert "39.json" in left
    assert all(name.endswith(".json") for name in left)


def test_a_mark_stands_while_something_is_opened_and_no_longer(
    memory: ChoiceMemory, tmp_path: Path
) -> None:
    mark = tmp_path / "cache" / "a.opening"
    with memory.opening("a", NATIVE):
        assert "native" in mark.read_text()
        assert memory.take_unfinished("a") == ""  # by a process that lives
    assert not mark.exists()
    with pytest.raises(KeyboardInterrupt), memory.opening("a", NATIVE):
        raise KeyboardInterrupt
    assert not mark.exists()


@pytest.mark.parametrize(
    "left",
    [
        f"{os.getpid()} 1.00 openvino on gpu\n",  # the same number, another process
        "999999999 1.00 openvino on gpu\n",
    ],
    ids=["same number", "no such process"],
)
def test_what_ended_its_process_is_told_once(
    left: str, memory: ChoiceMemory, tmp_path: Path
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "a.opening").write_text(left)
    assert memory.take_unfinished("a") == "openvino on gpu"
    assert memory.take_unfinished("a") == ""


@pytest.mark.parametrize("left", [b"", b"12", b"x y z", b"\xff", b"1e9 0 z"])
def test_a_damaged_mark_is_cleared(left: bytes, memory: ChoiceMemory, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    mark = tmp_path / "cache" / "a.opening"
    mark.write_bytes(left)
    assert memory.take_unfinished("a") == ""
    assert not mark.exists()


def test_the_same_machine_has_the_same_key(asked: RuntimeRequest) -> None:
    assert key_of_machine(ROWS, asked, MACHINE) == key_of_machine(ROWS, asked, MACHINE)


@pytest.mark.parametrize(
    "machine",
    [
        replace(MACHINE, cpu="another"),
        replace(MACHINE, cores=4),
        replace(MACHINE, gpus=(Gpu(Vendor.NVIDIA, "0x2684"),)),
        replace(MACHINE, system="Windows"),
    ],
)
def test_other_hardware_is_another_machine(machine: Hardware, asked: RuntimeRequest) -> None:
    assert key_of_machine(ROWS, asked, machine) != key_of_machine(ROWS, asked, MACHINE)


@pytest.mark.parametrize(
    "other",
    [{"device": DeviceName.GPU}, {"precision": Precision.F32}, {"threads": 1}],
)
def test_another_wish_is_another_choice(other: dict[str, object], asked: RuntimeRequest) -> None:
    changed = replace(asked, **other)  # type: ignore[arg-type]  # each value fits its field
    assert key_of_machine(ROWS, changed, MACHINE) != key_of_machine(ROWS, asked, MACHINE)


def test_another_library_version_weights_or_prepared_files_make_another_key(
    asked: RuntimeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {key_of_machine(ROWS, asked, MACHINE)}
    prepared = asked.store.directory("small") / "openvino" / "export.json"
    prepared.parent.mkdir()
    prepared.write_text("{}")
    keys.add(key_of_machine(ROWS, asked, MACHINE))
    prepared.write_text("{ }")
    keys.add(key_of_machine(ROWS, asked, MACHINE))
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "9.9")
    keys.add(key_of_machine(ROWS, asked, MACHINE))
    monkeypatch.setattr(module, "__version__", "9.9")
    keys.add(key_of_machine(ROWS, asked, MACHINE))
    record = asked.store.directory("small") / "record.json"
    record.write_text(record.read_text().replace("a test", "another test"))
    keys.add(key_of_machine(ROWS, asked, MACHINE))
    assert len(keys) == 6
