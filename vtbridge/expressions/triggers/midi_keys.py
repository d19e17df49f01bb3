"""Which expressions the controls of MIDI devices mean; knows no device, thread or clock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vtbridge.expressions.triggers.midi_binding import MidiControl, MidiKind

Press = Callable[[str, bool | None], None]
"""Takes a name, and down, up, or None = pressed, with no end told; may raise KeyError."""

_DOWN_FROM = 64


@dataclass(frozen=True, slots=True)
class MidiPress:
    """A control that moved.

    Attributes:
        control: which, with its channel.
        down: None where no end is told.
    """

    control: MidiControl
    down: bool | None


@dataclass(frozen=True, slots=True)
class MidiBinding:
    """What a control is bound to: the ``name`` of an expression."""

    name: str
    control: MidiControl


class MidiKeys:
    """Follow the controls of all devices, and press what they are bound to.

    Args:
        bindings: returns those that hold just now.
        press: what a press does.
    """

    def __init__(self, bindings: Callable[[], Iterable[MidiBinding]], press: Press) -> None:
        self._bindings = bindings
        self._press = press
        self._down: dict[tuple[str, MidiControl], tuple[str, ...]] = {}

    def hear(self, device: str, told: MidiPress) -> None:
        """Take one message of ``device``; a control that stays where it is presses nothing."""
        place = (device, told.control)
        if told.down is None:
            for name in self._bound(told.control):
                self._do(name, None)
        elif told.down and place not in self._down:
            self._down[place] = self._bound(told.control)
            for name in self._down[place]:
                self._do(name, True)
        elif not told.down:
            for name in self._down.pop(place, ()):
                self._do(name, False)

    def lost(self, device: str) -> None:
        """Let go of what ``device`` held down: it was unplugged."""
        for place in [place for place in self._down if place[0] == device]:
            for name in self._down.pop(place):
                self._do(name, False)

    def _bound(self, control: MidiControl) -> tuple[str, ...]:
        return tuple(one.name for one in self._bindings() if one.control.covers(control))

    def _do(self, name: str, down: bool | None) -> None:
        with contextlib.suppress(KeyError):  # gone with the file's newest version
            self._press(name, down)


def press_from_message(data: bytes) -> MidiPress | None:
    """Return what one MIDI message presses, None for the many that press nothing.

    Args:
        data: a whole channel message, status byte first.

    Source: MIDI 1.0 detailed specification, table II; controllers used as switches are on
    from 64 (table III, note 2).
    """
    if len(data) < 2 or any(byte > 127 for byte in data[1:]):
        return None
    status, channel = data[0] & 0xF0, (data[0] & 0x0F) + 1
    if status == 0xC0:
        return MidiPress(MidiControl(MidiKind.PROGRAM, data[1], channel), None)
    if len(data) < 3:
        return None
    if status in (0x80, 0x90):
        down = status == 0x90 and data[2] > 0
        return MidiPress(MidiControl(MidiKind.NOTE, data[1], channel), down)
    if status == 0xB0:
        down = data[2] >= _DOWN_FROM
        return MidiPress(MidiControl(MidiKind.CONTROL, data[1], channel), down)
    return None
