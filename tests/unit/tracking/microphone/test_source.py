"""The source on files that exist and not, and on microphones that come and go."""

from __future__ import annotations

import ctypes.util
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import pytest

from tests.support.daemon import wait_until
from tests.support.voices import synthetic_vowel, write_wav
from vtbridge.clock import Clock, ManualClock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.microphone import portaudio, source
from vtbridge.tracking.microphone.source import MicrophoneSource
from vtbridge.tracking.microphone.vowels import Vowel
from vtbridge.tracking.settings import MicrophoneSettings, MouthShapes
from vtbridge.tracking.source_status import SourceState

PATIENCE_S = 20.0


class Listener:
    """A source that stops by itself after some faces."""

    def __init__(self, wanted: int, clock: Clock | None = None, **settings: object) -> None:
        self.faces: list[FaceFrame] = []
        self.telemetry = Telemetry()
        self.clock = clock or ManualClock()
        self._wanted = wanted
        self.source = MicrophoneSource(
            MicrophoneSettings.model_validate(settings), self.take, self.telemetry, self.clock
        )

    def take(self, face: FaceFrame) -> None:
        self.faces.append(face)
        if len(self.faces) >= self._wanted:
            self.source.stopping.set()


@pytest.fixture
def vowel_wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "me.wav", synthetic_vowel(Vowel.A, 0.5))


def test_file_is_a_live_source(vowel_wav: Path) -> None:
    listener = Listener(100, device=str(vowel_wav))
    assert listener.source.status().state is SourceState.WAITING
    listener.source.serve()
    status = listener.source.status()
    assert status.source == listener.faces[-1].source == "microphone:me.wav"
    assert (status.place, status.state, status.trouble) == ("me.wav", SourceState.LIVE, None)
    assert status.fps == pytest.approx(50)
    assert status.packets == 100
    assert status.last_ns == listener.faces[-1].t_ns
    assert status.face is listener.faces[-1]
    assert listener.faces[-1].presets["aa"] > 0.8
    listener.clock.sleep_until(listener.clock.now_ns() + 2_000_000_000)
    status = listener.source.status()
    assert status.state is SourceState.SILENT
    assert (status.fps, status.jitter_ms) == (0.0, 0.0)


def test_delay_moves_the_mouth_later(vowel_wav: Path) -> None:
    prompt, late = (Listener(60, device=str(vowel_wav), delay_s=delay_s) for delay_s in (0.0, 0.3))
    for listener in (prompt, late):
        listener.source.serve()
    for soon, later in zip(prompt.faces, late.faces, strict=True):
        assert later.t_ns - soon.t_ns == 300_000_000
        assert later.presets == soon.presets
    assert late.clock.now_ns() >= late.faces[-1].t_ns  # none comes before its time


def test_missing_file_is_told_and_had_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "_FIRST_RETRY_S", 0.01)
    listener = Listener(5, device=str(tmp_path / "later.wav"))
    listener.source.start()
    wait_until(
        lambda: listener.telemetry.counters().get("microphone.troubles", 0) > 1,
        PATIENCE_S,
        "it is tried again",
    )
    status = listener.source.status()
    assert status.state is SourceState.BLOCKED
    assert status.trouble is not None
    assert "later.wav cannot be read as sound (No such file or directory)" in status.trouble
    fresh = write_wav(tmp_path / "fresh", synthetic_vowel(Vowel.A, 0.5))
    fresh.rename(tmp_path / "later.wav")
    wait_until(lambda: len(listener.faces) >= 5, PATIENCE_S, "it is heard")
    assert listener.source.stop()
    assert listener.source.status().trouble is None
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len([record for record in warnings if "later.wav" in record.message]) == 1


def test_vowels_without_calibration_are_loudness_with_a_remedy(vowel_wav: Path) -> None:
    listener = Listener(20, device=str(vowel_wav), shapes=MouthShapes.VOWELS)
    listener.source.serve()
    status = listener.source.status()
    assert status.state is SourceState.LIVE
    assert status.trouble is not None
    assert "vtbridge calibrate --vowels" in status.trouble
    assert listener.faces[-1].presets["aa"] > 0.8


class PortAudioError(Exception):
    """What sounddevice raises."""


class FakeStream:
    """Gives its sound at once when it starts, then nothing, as an unplugged microphone."""

    sound = synthetic_vowel(Vowel.A, 0.4)

    def __init__(self, *, callback: Callable[..., None], blocksize: int, **_: object) -> None:
        self._callback = callback
        self._blocksize = blocksize

    def __enter__(self) -> Self:
        status = SimpleNamespace(input_overflow=False)
        for start in range(0, len(self.sound) - self._blocksize + 1, self._blocksize):
            piece = self.sound[start : start + self._blocksize, None]
            self._callback(np.repeat(piece, 2, axis=1), len(piece), None, status)
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakePortAudio:
    """The part of sounddevice that is used, with one microphone."""

    PortAudioError = PortAudioError
    InputStream: Any = FakeStream

    def __init__(self, rate: float = 16_000.0) -> None:
        self.microphones = [
            {
                "name": "USB Microphone",
                "index": 3,
                "max_input_channels": 2,
                "default_samplerate": rate,
            }
        ]

    def query_devices(self, device: object = "all", kind: str | None = None) -> Any:
        if kind is None:
            return self.microphones
        if device is None and self.microphones:
            return self.microphones[0]
        for microphone in self.microphones:
            if isinstance(device, str) and device in str(microphone["name"]):
                return microphone
        raise PortAudioError(f"Error querying device {device}")


def use(monkeypatch: pytest.MonkeyPatch, fake: FakePortAudio) -> None:
    monkeypatch.setattr(portaudio, "_sounddevice", lambda: fake)


@pytest.mark.parametrize("rate", [16_000.0, 44_100.0, 48_000.0])
def test_microphone_of_any_rate_is_heard(monkeypatch: pytest.MonkeyPatch, rate: float) -> None:
    use(monkeypatch, FakePortAudio(rate))
    listener = Listener(5)
    listener.source.serve()
    assert len(listener.faces) == 5
    assert listener.source.status().place == "USB Microphone"
    assert listener.source.status().source == "microphone:default"


class HurryingClock(ManualClock):
    """Half a second passes at each look."""

    def now_ns(self) -> int:
        return self.advance(0.5)


def test_unplugged_microphone_is_noticed_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "_FIRST_RETRY_S", 0.0)
    use(monkeypatch, FakePortAudio())
    listener = Listener(25, HurryingClock())  # more than one opening gives
    listener.source.serve()
    assert listener.telemetry.counters()["microphone.troubles"] >= 1
    assert "'USB Microphone' gives no sound any more" in caplog.text


@pytest.mark.parametrize(("device", "wanted"), [("", "the system's default"), ("Blue", "'Blue'")])
def test_microphone_that_is_not_there_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, device: str, wanted: str
) -> None:
    fake = FakePortAudio()
    if device == "":
        fake.microphones.clear()
    use(monkeypatch, fake)
    with pytest.raises(VtbridgeError) as refusal:
        next(portaudio.recorded(device, ManualClock(), threading.Event()))
    assert wanted in str(refusal.value)
    assert ("USB Microphone" if device else "no microphone is plugged in") in str(refusal.value)


def test_listener_that_falls_behind_hears_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakePortAudio()
    fake.InputStream = type("Long", (FakeStream,), {"sound": synthetic_vowel(Vowel.A, 2.0)})
    use(monkeypatch, fake)
    overflows: list[int] = []
    stopping = threading.Event()
    blocks = portaudio.recorded(
        "", ManualClock(), stopping, on_overflow=lambda: overflows.append(1)
    )
    first = next(blocks)
    stopping.set()
    assert len(overflows) == 75
    newest = fake.InputStream.sound[75 * 320 : 76 * 320] * np.sqrt(2)
    np.testing.assert_allclose(first.samples, newest, rtol=1e-5)


class StartingPortAudio(FakePortAudio):
    """As it stands in ``sys.modules``: started by its import, and anew for fresh devices.

    Args:
        faults: the calls that fail, by name; each fails once for every time it is named.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__()
        self._faults = list(faults)
        self._started = 1

    def _fail(self, call: str) -> None:
        if call in self._faults:
            self._faults.remove(call)
            raise PortAudioError(f"Error in {call}: Unanticipated host error")

    def _terminate(self) -> None:
        if not self._started:
            raise PortAudioError("PortAudio not initialized")
        self._fail("terminate")
        self._started -= 1

    def _initialize(self) -> None:
        self._fail("initialize")
        self._started += 1

    def query_devices(self, device: object = "all", kind: str | None = None) -> Any:
        if not self._started:
            raise PortAudioError("PortAudio not initialized")
        self._fail("query" if kind else "list")
        return super().query_devices(device, kind)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        (["initialize"], "PortAudio does not start (Error in initialize: Unanticipated host error"),
        (["initialize", "initialize"], "is a sound server running"),
        (["query", "list"], "the system's default microphone cannot be opened (Error in query"),
    ],
)
def test_sound_system_that_fails_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    faults: list[str],
    told: str,
) -> None:
    monkeypatch.setattr(source, "_FIRST_RETRY_S", 0.0)
    monkeypatch.setitem(sys.modules, "sounddevice", StartingPortAudio(*faults))
    listener = Listener(5)
    states: list[SourceState] = []
    sleep = listener.source.stopping.wait

    def look(timeout: float | None = None) -> bool:
        states.append(listener.source.status().state)
        return sleep(timeout)

    monkeypatch.setattr(listener.source.stopping, "wait", look)
    listener.source.serve()
    assert len(listener.faces) == 5
    assert told in caplog.text
    blocked = faults.count("initialize") or 1
    assert states == [SourceState.BLOCKED] * blocked + [SourceState.LIVE]
    assert listener.telemetry.counters()["microphone.troubles"] == blocked


def test_sound_system_that_does_not_end_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", StartingPortAudio("terminate"))
    listener = Listener(5)
    listener.source.serve()
    assert len(listener.faces) == 5


def test_sound_system_that_fails_at_the_import_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    failing = 'class PortAudioError(Exception): pass\nraise PortAudioError("no host")\n'
    (tmp_path / "sounddevice.py").write_text(failing, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(VtbridgeError, match=r"PortAudio does not start \(no host\)"):
        next(portaudio.recorded("", ManualClock(), threading.Event()))


def test_listener_that_broke_down_is_not_said_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(source, "recorded", broken)
    listener = Listener(5)
    listener.source.start()
    wait_until(lambda: not listener.source.alive, PATIENCE_S, "it ends")
    status = listener.source.status()
    assert status.state is SourceState.BLOCKED
    assert status.trouble is not None
    assert "a defect" in status.trouble
    assert "start vtbridge again" in status.trouble


def test_missing_portaudio_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.delitem(sys.modules, "_sounddevice", raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(VtbridgeError, match="apt-get install libportaudio2"):
        next(portaudio.recorded("", ManualClock(), threading.Event()))
