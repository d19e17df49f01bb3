"""A note of a real MIDI port, over JACK, triggers an expression as the daemon opens them."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import unique_name, wait_until
from tests.support.expressions import QUICK
from vtbridge.app.expressions import open_expressions
from vtbridge.config.schema import Config
from vtbridge.datatypes import Pose
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.triggers.midi import MidoPorts
from vtbridge.pose_params import POSE_SIZE

PATIENCE_S = 20.0


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a JACK server without a sound card; whoever asks for MIDI meanwhile finds it there."""
    if shutil.which("jackd") is None:
        skip_loudly("jackd is not installed")
    if importlib.util.find_spec("mido") is None or importlib.util.find_spec("rtmidi") is None:
        skip_loudly("mido and python-rtmidi are not installed (the extra midi)")
    import mido

    name = unique_name()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    before = mido.backend
    mido.set_backend("mido.backends.rtmidi/UNIX_JACK")
    server = subprocess.Popen(
        ["jackd", "-n", name, "-r", "--no-mlock", "-d", "dummy", "-p", "512"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _pad_when_there_is_a_server():
            yield
    finally:
        mido.set_backend(before)
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def _pad_when_there_is_a_server() -> Iterator[None]:
    with contextlib.ExitStack() as stack:

        def found() -> bool:
            with contextlib.suppress(RuntimeUnavailable, OSError, SystemError):
                stack.enter_context(pad("first"))
                return any(":first" in name for name in MidoPorts().names())
            return False

        wait_until(found, PATIENCE_S, "JACK answers")
        yield


@contextlib.contextmanager
def pad(name: str) -> Iterator[Callable[..., None]]:
    """Plug in a virtual device, and yield what sends a message from it."""
    import mido

    port = mido.open_output(name, virtual=True)
    try:
        yield lambda kind, **values: port.send(mido.Message(kind, **values))
    finally:
        port.close()


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
