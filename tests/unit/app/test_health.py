"""Each thing wrong around the render loop has its flag, as long as it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from vtbridge.app.health import HUNG_AFTER_NS, Reason, health_around, health_told, reasons_of
from vtbridge.app.recorder import open_recorder
from vtbridge.clock import ManualClock
from vtbridge.config.schema import Config
from vtbridge.flow.service import ThreadService
from vtbridge.obs.connection import ObsConnection
from vtbridge.publish.vtbf import HealthFlag
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.source_status import SourceState, SourceStatus


class Receiver(ThreadService):
    """An input whose state the test sets."""

    def __init__(self) -> None:
        super().__init__("receive 39539")
        self.state = SourceState.LIVE

    def serve(self) -> None:
        """Do nothing."""

    def status(self) -> list[SourceStatus]:
        """Return the one source."""
        return [SourceStatus("vmc", "VMC", "127.0.0.1:39539", self.state)]


@dataclass
class Obs:
    """What is asked of the connection to OBS."""

    trouble: str = ""
    name: str = "obs"


def around(inputs: Inputs, obs: Obs | None = None, lost: tuple[str, ...] = ()) -> HealthFlag:
    connection: ObsConnection | None = obs  # type: ignore[assignment]
    return health_around(inputs, connection, lost)


def test_port_that_cannot_be_had_is_an_input_down_until_it_can() -> None:
    inputs, receiver = Inputs(), Receiver()
    inputs.add(receiver, receiver.status)
    assert around(inputs) == HealthFlag.NONE
    receiver.state = SourceState.BLOCKED
    assert around(inputs) == HealthFlag.INPUT_DOWN
    receiver.state = SourceState.WAITING
    assert around(inputs) == HealthFlag.NONE


def test_receiver_that_died_is_an_input_down() -> None:
    inputs, receiver = Inputs(), Receiver()
    inputs.add(receiver, receiver.status)
    assert around(inputs, lost=(receiver.name,)) == HealthFlag.INPUT_DOWN
    assert around(inputs, lost=("media",)) == HealthFlag.NONE


def test_obs_is_unreachable_until_it_answers() -> None:
    obs = Obs("nobody listens at 127.0.0.1:4455")
    assert around(Inputs(), obs) == HealthFlag.OBS_UNREACHABLE
    obs.trouble = ""
    assert around(Inputs(), obs) == HealthFlag.NONE
    assert around(Inputs(), obs, (obs.name,)) == HealthFlag.OBS_UNREACHABLE
    assert around(Inputs(), None) == HealthFlag.NONE


def test_recording_that_stopped_is_told(tmp_path: Path) -> None:
    inputs = Inputs()
    writer = open_recorder(tmp_path / "bug.vtbrec", Config(), 1, ManualClock())
    inputs.add(writer)
    try:
        assert around(inputs) == HealthFlag.NONE
        assert around(inputs, lost=(writer.name,)) == HealthFlag.RECORDER_OFF
        writer.trouble = "no space left on device"
        assert around(inputs) == HealthFlag.RECORDER_OFF
    finally:
        writer.stop()


@pytest.mark.parametrize("flag", [flag for flag in HealthFlag if flag is not HealthFlag.READY])
def test_every_flag_but_ready_is_a_reason(flag: HealthFlag) -> None:
    assert reasons_of(flag | HealthFlag.READY) == [Reason[flag.name or ""]]
    assert reasons_of(HealthFlag.READY) == []


def test_avatar_that_gives_no_sign_of_life_is_neither_live_nor_ready() -> None:
    flags = HealthFlag.READY | HealthFlag.SLOW
    well = health_told(flags, HUNG_AFTER_NS - 1)
    assert (well.live, well.ready, well.degraded) == (True, True, ["slow"])
    hung = health_told(flags, HUNG_AFTER_NS)
    assert (hung.live, hung.ready) == (False, False)
    assert not health_told(HealthFlag.INFERENCE_FAILED, 0).ready
