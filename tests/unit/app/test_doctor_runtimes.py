"""The doctor's table of runtimes: which is taken, why each other is not, how bad that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from vtbridge.app.doctor_runtimes import runtimes
from vtbridge.app.finding import Finding, Verdict
from vtbridge.config.schema import Config
from vtbridge.render.selection import selection as module
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.settings import DeviceName, RuntimeName

NATIVE, OPENVINO, ONNXRUNTIME, PYTORCH = (
    Candidate(name=name, device=DeviceName.CPU)
    for name in RuntimeName
    if name is not RuntimeName.AUTO
)
RIGHT = Tried(
    candidate=NATIVE,
    outcome=Outcome.RIGHT,
    description="native f32 avx512",
    noise_db=117.0,
    frame_ms=97.4,
)
SLOWER = Tried(
    candidate=OPENVINO,
    outcome=Outcome.RIGHT,
    description="openvino f32-fast CPU",
    noise_db=74.0,
    frame_ms=130.0,
)
WRONG = Tried(
    candidate=ONNXRUNTIME, outcome=Outcome.WRONG, why="edit color is +3.0% off in channel 0"
)


class KnownSelection:
    """Knows already what came of everything."""

    taken: Candidate | None = NATIVE
    known: Sequence[Tried] = ()
    asked: list[str] = []  # noqa: RUF012 - emptied by the fixture

    def __init__(self, wanted: RuntimeName, request: Any) -> None:
        assert wanted is RuntimeName.AUTO
        assert request.threads >= 1, "as the daemon asks, whose choice is remembered"

    def survey(self) -> Sequence[Tried]:
        self.asked.append("survey")
        return self.known

    def recall(self) -> Sequence[Tried]:
        self.asked.append("recall")
        return self.known


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> type[KnownSelection]:
    monkeypatch.setattr(module, "Selection", KnownSelection)
    monkeypatch.setattr(KnownSelection, "asked", [])
    return KnownSelection


def found(
    tried: Sequence[Tried], *, runtime: str = "auto", daemon_runs: bool = False
) -> dict[str, Finding]:
    KnownSelection.known = tried
    KnownSelection.taken = NATIVE if RIGHT in tried else None
    config = Config.model_validate({"render": {"runtime": runtime}})
    return {each.check: each for each in runtimes(config, daemon_runs=daemon_runs)}


def test_the_fastest_is_taken_and_the_slower_one_says_by_how_much() -> None:
    told = found([RIGHT, SLOWER])
    assert told["runtime native"].seen == "native f32 avx512, 97 ms a pose, 117 dB right, taken"
    assert told["runtime openvino"].seen == (
        "openvino f32-fast CPU, 130 ms a pose, 74 dB right, not taken: slower, 130 ms against 97 ms"
    )
    assert {each.verdict for each in told.values()} == {Verdict.OK}


def test_a_wrong_one_deserves_a_look() -> None:
    told = found([RIGHT, WRONG])["runtime onnxruntime"]
    assert told.verdict is Verdict.WARNING
    assert told.seen == "not taken: wrong pictures, edit color is +3.0% off in channel 0"


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome.NOT_INSTALLED, Verdict.OK),
        (Outcome.NOT_PREPARED, Verdict.OK),
        (Outcome.NOT_COMPARED, Verdict.OK),
        (Outcome.NOT_HERE, Verdict.OK),
        (Outcome.FAILED, Verdict.WARNING),
        (Outcome.DAMAGED, Verdict.WARNING),
        (Outcome.BLAMED, Verdict.WARNING),
    ],
)
def test_what_nobody_asked_for_is_no_warning_and_every_remedy_is_told(
    outcome: Outcome, verdict: Verdict
) -> None:
    tried = Tried(candidate=OPENVINO, outcome=outcome, why="a reason", remedy="a command")
    told = found([RIGHT, tried])["runtime openvino"]
    assert told.verdict is verdict
    assert "not taken: a reason" in told.seen
    assert "a command" in told.remedy + told.seen


def test_where_nothing_is_right_streaming_cannot_work() -> None:
    told = found([WRONG])["runtimes"]
    assert told.verdict is Verdict.FAILURE
    assert "no runtime can pose a picture" in told.seen


def test_a_chosen_runtime_that_does_not_work_is_a_failure() -> None:
    told = found([RIGHT, WRONG], runtime="onnxruntime")
    assert told["runtimes"].verdict is Verdict.FAILURE
    assert "onnxruntime is chosen" in told["runtimes"].seen
    assert told["runtime native"].seen.endswith("what auto would take")
    assert "runtimes" not in found([RIGHT, SLOWER], runtime="openvino")


def test_a_running_daemon_is_not_disturbed(known: type[KnownSelection]) -> None:
    unknown = Tried(candidate=NATIVE, outcome=Outcome.NOT_COMPARED)
    told = found([unknown], daemon_runs=True)
    assert known.asked == ["recall"]
    assert told["runtimes"].verdict is Verdict.OK
    assert "running daemon" in told["runtimes"].seen
    assert told["runtime native"].verdict is Verdict.OK
    found([RIGHT])
    assert known.asked == ["recall", "survey"]
