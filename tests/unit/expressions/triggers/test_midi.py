"""Controls of MIDI devices: what is written, what is heard, devices that come and go."""

from __future__ import annotations

import pytest

from vtbridge.clock import ManualClock
from vtbridge.errors import ConfigError, RuntimeUnavailable
from vtbridge.expressions.library import condition_names, parse_library
from vtbridge.expressions.triggers.midi import Hear, MidiTrigger
from vtbridge.expressions.triggers.midi_binding import MidiControl, MidiKind, parse_midi
from vtbridge.expressions.triggers.midi_keys import MidiBinding, MidiKeys, press_from_message

PAD, KEYS = "Pad 20:0", "Piano 24:0"


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("note:60", MidiControl(MidiKind.NOTE, 60)),
        ("CC:21@2", MidiControl(MidiKind.CONTROL, 21, 2)),
        (" program: 127 @ 16 ", MidiControl(MidiKind.PROGRAM, 127, 16)),
    ],
)
def test_control_is_read_as_it_is_written(text: str, control: MidiControl) -> None:
    assert parse_midi(text) == control
    assert parse_midi(str(control)) == control


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key:60", "note:NUMBER"),
        ("", "note:NUMBER"),
        ("note", "expected 0 to 127"),
        ("note:128", "is 128; expected 0 to 127"),
        ("note:-1", "expected 0 to 127"),
        ("note:６0", "expected 0 to 127"),
        ("note:1@0", "is 0; expected 1 to 16"),
        ("note:1@", "expected 1 to 16"),
    ],
)
def test_control_that_cannot_be_is_refused_with_what_can(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_midi(text)


def test_wrong_control_is_told_with_its_line() -> None:
    text = '[expressions.cat]\nvalues = { mouth_aaa = 1 }\nmidi = "cc:200"\n'
    with pytest.raises(ConfigError, match=r"mine\.toml:3: expressions\.cat\.midi: .*200"):
        parse_library(text, "mine.toml", condition_names())


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"\x90\x3c\x40", ("note:60@1", True)),
        (b"\x9f\x3c\x00", ("note:60@16", False)),
        (b"\x81\x3c\x40", ("note:60@2", False)),
        (b"\xb0\x15\x40", ("cc:21@1", True)),
        (b"\xb0\x15\x3f", ("cc:21@1", False)),
        (b"\xc3\x05", ("program:5@4", None)),
    ],
)
def test_messages_press_and_let_go(message: bytes, told: tuple[str, bool | None]) -> None:
    press = press_from_message(message)
    assert press is not None
    assert (str(press.control), press.down) == told


@pytest.mark.parametrize(
    "message",
    [b"", b"\xf8", b"\x90", b"\x90\x3c", b"\xe0\x00\x40", b"\x90\xff\x40", b"\xf0\x01\xf7"],
)
def test_other_messages_press_nothing(message: bytes) -> None:
    assert press_from_message(message) is None


class Ports:
    """Devices that tests plug in."""

    def __init__(self) -> None:
        self.present: list[str] = []
        self.taken: set[str] = set()
        self.trouble = ""
        self.hearers: dict[str, Hear] = {}

    def names(self) -> list[str]:
        if self.trouble:
            raise RuntimeUnavailable(self.trouble)
        return list(self.present)

    def open(self, name: str, hear: Hear) -> Port:
        if name in self.taken:
            raise RuntimeUnavailable("taken")
        self.hearers[name] = hear
        return Port(self, name)


class Port:
    def __init__(self, ports: Ports, name: str) -> None:
        self._ports, self._name = ports, name

    def close(self) -> None:
        del self._ports.hearers[self._name]


class Desk:
    """A trigger with everything around it."""

    def __init__(self, wanted: str = "*") -> None:
        self.ports, self.clock = Ports(), ManualClock()
        self.pressed: list[tuple[str, bool | None]] = []
        self.bound = [
            MidiBinding("cat", parse_midi("note:60@2")),
            MidiBinding("dog", parse_midi("note:60")),
        ]
        keys = MidiKeys(lambda: self.bound, self._press)
        self.trigger = MidiTrigger(keys, self.ports, wanted, self.clock)

    def _press(self, name: str, down: bool | None) -> None:
        self.pressed.append((name, down))
        if name == "gone":
            raise KeyError(name)

    def send(self, device: str, *messages: bytes) -> list[tuple[str, bool | None]]:
        """Return what these messages press."""
        self.pressed.clear()
        for message in messages:
            self.ports.hearers[device](message)
            self.trigger.step(patience_s=0)
        return list(self.pressed)

    def look(self) -> None:
        self.clock.advance(1.1)
        self.trigger.step(patience_s=0)


def test_note_presses_what_is_bound_to_it_on_its_channel() -> None:
    desk = Desk()
    desk.ports.present = [PAD]
    desk.look()
    assert desk.send(PAD, b"\x90\x3c\x40", b"\x80\x3c\x00") == [("dog", True), ("dog", False)]
    assert desk.send(PAD, b"\x91\x3c\x40") == [("cat", True), ("dog", True)]
    assert desk.send(PAD, b"\x91\x3c\x40") == [], "it is down already"
    desk.bound = []
    assert desk.send(PAD, b"\x81\x3c\x00") == [("cat", False), ("dog", False)], "what it pressed"


def test_knob_presses_only_as_it_passes_the_middle() -> None:
    desk = Desk()
    desk.bound = [MidiBinding("cat", parse_midi("cc:1"))]
    desk.ports.present = [PAD]
    desk.look()
    turned = [bytes((0xB0, 1, value)) for value in (10, 63, 64, 90, 127, 80, 63, 0)]
    assert desk.send(PAD, *turned) == [("cat", True), ("cat", False)]


def test_expression_that_is_gone_stops_nothing() -> None:
    desk = Desk()
    desk.bound = [
        MidiBinding("gone", parse_midi("program:1")),
        MidiBinding("dog", parse_midi("program:1")),
    ]
    desk.ports.present = [PAD]
    desk.look()
    assert desk.send(PAD, b"\xc0\x01") == [("gone", None), ("dog", None)]


def test_unplugged_device_lets_go_and_is_found_again() -> None:
    desk = Desk()
    desk.ports.present = [PAD, KEYS]
    desk.look()
    assert list(desk.trigger.devices) == [PAD, KEYS]
    desk.send(PAD, b"\x90\x3c\x40")
    desk.send(KEYS, b"\x90\x3c\x40")
    desk.pressed.clear()
    desk.ports.present = [KEYS]
    desk.look()
    assert desk.pressed == [("dog", False)]
    assert list(desk.trigger.devices) == [KEYS]
    desk.ports.present = [KEYS, PAD]
    desk.look()
    assert desk.send(PAD, b"\x90\x3c\x40") == [("dog", True)]


def test_only_the_named_devices_are_heard() -> None:
    desk = Desk(wanted="piano")
    desk.ports.present = [PAD, KEYS]
    desk.look()
    assert list(desk.ports.hearers) == [KEYS]


def test_device_that_another_program_has_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.ports.present, desk.ports.taken = [PAD], {PAD}
    for _ in range(3):
        desk.look()
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    desk.ports.taken = set()
    desk.look()
    assert list(desk.trigger.devices) == [PAD]


def test_system_that_loses_midi_is_told_once_and_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()
    desk.ports.present = [PAD]
    desk.look()
    desk.ports.trouble = "no sequencer"
    for _ in range(3):
        desk.look()
    assert list(desk.trigger.devices) == []
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    desk.ports.trouble = ""
    desk.look()
    assert list(desk.trigger.devices) == [PAD]


def test_flood_is_bounded_and_the_end_closes_every_port() -> None:
    desk = Desk()
    desk.ports.present = [PAD]
    desk.look()
    for _ in range(5000):
        desk.ports.hearers[PAD](b"\xb0\x07\x10")
    desk.trigger.close()
    assert desk.ports.hearers == {}
