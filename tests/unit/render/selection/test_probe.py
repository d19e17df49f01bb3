"""Comparing candidates: whatever a process does, it is an outcome and the rest goes on."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from tests.support.weights import small_store
from vtbridge.render.runtimes.runtime import RuntimeRequest
from vtbridge.render.selection import probe as probe_module
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried, fastest_first
from vtbridge.render.selection.probe import probe
from vtbridge.render.settings import DeviceName, Precision, RuntimeName

# Behaves as the name of its candidate says; a turn is as slow as it likes to tell.
PROGRAM = """
import json, os, sys, time

job = json.loads(sys.stdin.readline())
name = job["candidate"]["name"]
behaviour = BEHAVIOUR[name]

def ready(outcome="right", **more):
    told = {"candidate": job["candidate"], "outcome": outcome} | more
    print(json.dumps(told), flush=True)

print("a library says hello", file=sys.stderr)
if behaviour == "wrong":
    ready("wrong", why="edit alpha holds numbers that are not finite", noise_db=0.0)
elif behaviour == "abort":
    os.abort()
elif behaviour == "hang":
    time.sleep(1000)
elif behaviour == "chatter":
    print("this is no answer", flush=True)
    time.sleep(1000)
elif behaviour == "exit":
    sys.exit("no such symbol: cuInit")
else:
    ready(noise_db=100.0, description=name)
    for number, _ in enumerate(sys.stdin):
        if behaviour == "abort later" and number == 2:
            os.abort()
        times = [100] if behaviour == "abort later" else behaviour
        print(times[number % len(times)], flush=True)
"""
NATIVE, OPENVINO, ONNXRUNTIME, PYTORCH = (
    Candidate(name=name, device=DeviceName.CPU)
    for name in (
        RuntimeName.NATIVE,
        RuntimeName.OPENVINO,
        RuntimeName.ONNXRUNTIME,
        RuntimeName.PYTORCH,
    )
)


def compared(
    tmp_path: Path,
    behaviour: dict[str, object],
    *,
    patience_s: float = 60.0,
) -> dict[Candidate, Tried]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("BEHAVIOUR", repr(behaviour)))
    request = RuntimeRequest(small_store(tmp_path / "store"), "small", precision=Precision.AUTO)
    candidates = [Candidate(name=RuntimeName(name), device=DeviceName.CPU) for name in behaviour]
    tried = probe(
        candidates, request, command=[sys.executable, str(program)], patience_s=patience_s
    )
    assert [each.candidate for each in tried] == candidates
    return {each.candidate: each for each in tried}


def test_each_is_as_fast_as_its_quickest_turn(tmp_path: Path) -> None:
    tried = compared(tmp_path, {"native": [90, 500, 100, 80, 95], "openvino": [115, 110, 120]})
    assert tried[NATIVE].frame_ms == 80
    assert tried[OPENVINO].frame_ms == 110
    assert [each.candidate for each in fastest_first(tuple(tried.values()))] == [NATIVE, OPENVINO]


def test_the_hopeless_one_is_not_waited_for(tmp_path: Path) -> None:
    # Its second turn would tell another number.
    tried = compared(tmp_path, {"native": [100], "pytorch": [900, 10, 10, 10, 10]})
    assert tried[PYTORCH].frame_ms == 900
    assert tried[PYTORCH].outcome is Outcome.RIGHT


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("abort", "SIGABRT"),
        ("abort later", "SIGABRT"),
        ("exit", "no such symbol: cuInit"),
        ("chatter", "'this is no answer'"),
    ],
)
def test_one_that_fails_is_told_with_its_reason_and_the_other_is_taken(
    behaviour: str, why: str, tmp_path: Path
) -> None:
    tried = compared(tmp_path, {"openvino": behaviour, "native": [100]})
    assert tried[OPENVINO].outcome is Outcome.FAILED
    assert why in tried[OPENVINO].why
    assert tried[NATIVE].frame_ms == 100


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    tried = compared(tmp_path, {"openvino": "hang"}, patience_s=1.0)
    assert tried[OPENVINO].outcome is Outcome.NOT_COMPARED
    assert tried[OPENVINO].why == "it gave no answer within 1 s"
    assert tried[OPENVINO].remedy == "vtbridge doctor"


def test_each_has_its_turn_however_little_time_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count(step=100.0)
    monkeypatch.setattr(probe_module, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(probe_module, "_SHORTEST_S", 60.0)
    tried = compared(tmp_path, {"native": [100, 1, 1, 1, 1], "openvino": [97, 1, 1, 1, 1]})
    assert tried[NATIVE].frame_ms == 100
    assert tried[OPENVINO].frame_ms == 97


def test_a_wrong_one_is_told_and_never_timed(tmp_path: Path) -> None:
    tried = compared(tmp_path, {"onnxruntime": "wrong", "native": [100]})
    assert tried[ONNXRUNTIME].outcome is Outcome.WRONG
    assert "not finite" in tried[ONNXRUNTIME].why
    assert tried[ONNXRUNTIME].frame_ms is None


@pytest.mark.parametrize(("native_ms", "first"), [(114.0, NATIVE), (116.0, OPENVINO)])
def test_a_small_lead_is_not_enough_to_overtake(native_ms: float, first: Candidate) -> None:
    native = Tried(candidate=NATIVE, outcome=Outcome.RIGHT, frame_ms=native_ms)
    openvino = Tried(candidate=OPENVINO, outcome=Outcome.RIGHT, frame_ms=100.0)
    assert fastest_first([native, openvino])[0].candidate == first


def test_the_slowest_still_comes_before_one_that_was_not_timed() -> None:
    timed = Tried(candidate=PYTORCH, outcome=Outcome.RIGHT, frame_ms=900.0)
    untimed = Tried(candidate=NATIVE, outcome=Outcome.RIGHT)
    wrong = Tried(candidate=OPENVINO, outcome=Outcome.WRONG, frame_ms=1.0)
    assert fastest_first([untimed, wrong, timed]) == (timed, untimed)
