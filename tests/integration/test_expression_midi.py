"""A note of a real MIDI port, over JACK, triggers an expression as the daemon opens them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.daemon import wait_until
from tests.support.expressions import QUICK
from tests.support.midi import jack_server, pad
from vtbridge.app.expressions import open_expressions
from vtbridge.config.schema import Config
from vtbridge.datatypes import Pose
from vtbridge.pose_params import POSE_SIZE

PATIENCE_S = 20.0


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a JACK server; whoever asks for MIDI meanwhile finds it there."""
    with jack_server(monkeypatch):
        yield


@pytest.mark.usefixtures("jack")
def test_note_of_a_device_triggers_also_after_it_was_unplugged(tmp_path: Path) -> None:
    file = tmp_path / "expressions.toml"
    file.write_text(QUICK + 'mode = "hold"\nmidi = "note:60@3"\n', encoding="utf-8")
    settings = {"expressions": {"file": str(file)}, "control": {"midi": "PAD"}}
    expressions = open_expressions(Config.model_validate(settings), seed=0)
    assert expressions is not None
    midi, engine = expressions.midi, expressions.engine
    assert midi is not None
    assert midi in expressions.services, "the daemon starts it"
    rest = Pose(np.zeros(POSE_SIZE, np.float32))
    beats = iter(range(1, 1 << 30))

    def held_by() -> tuple[str, ...]:
        engine.apply(rest, None, next(beats) * 1_000_000)
        (cat,) = (state for state in engine.state() if state.name == "cat")
        return cat.triggers

    midi.start()
    try:
        with pad("pad") as send:
            wait_until(lambda: len(midi.devices) == 1, PATIENCE_S, "only the named one is heard")
            assert ":pad" in midi.devices[0]
            send("note_on", note=60, channel=1)
            send("note_on", note=60, channel=2)
            wait_until(lambda: held_by() == ("midi",), PATIENCE_S, "on while it is down")
            send("note_off", note=60, channel=2)
            wait_until(lambda: held_by() == (), PATIENCE_S, "off when it is let go")
            send("note_on", note=60, channel=2)
            wait_until(lambda: held_by() == ("midi",), PATIENCE_S, "on again")
        wait_until(lambda: held_by() == (), PATIENCE_S, "unplugged, it is let go")
        with pad("pad") as send:
            wait_until(lambda: bool(midi.devices), PATIENCE_S, "the device is found again")
            send("note_on", note=60, channel=2)
            wait_until(lambda: held_by() == ("midi",), PATIENCE_S, "and heard")
    finally:
        assert midi.stop()
