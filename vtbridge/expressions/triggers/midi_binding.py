"""What on a MIDI controller means an expression, as people write it: ``note:60``, ``cc:21@2``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_HIGHEST = 127
_CHANNELS = 16


class MidiKind(StrEnum):
    """A control of a MIDI device that can be pressed."""

    NOTE = "note"
    """A key or pad: down from its note-on to its note-off."""
    CONTROL = "cc"
    """A button or pedal that sends a control change: down from value 64 on."""
    PROGRAM = "program"
    """A program change: a press of which no end is told."""


@dataclass(frozen=True, slots=True)
class MidiControl:
    """One control of a device.

    Attributes:
        kind: what it sends.
        number: of note, controller or program as in the messages, 0..127.
        channel: 1..16 as devices show it, None = on any.
    """

    kind: MidiKind
    number: int
    channel: int | None = None

    def __str__(self) -> str:
        behind = "" if self.channel is None else f"@{self.channel}"
        return f"{self.kind}:{self.number}{behind}"

    def covers(self, other: MidiControl) -> bool:
        """Return whether ``other``, with its channel, is this control."""
        return (self.kind, self.number) == (other.kind, other.number) and (
            self.channel is None or self.channel == other.channel
        )


def parse_midi(text: str) -> MidiControl:
    """Return the control that ``text`` names.

    Raises:
        ValueError: it has another form, or a number is out of range.
    """
    word, _, rest = text.strip().lower().partition(":")
    number, at, channel = rest.partition("@")
    try:
        kind = MidiKind(word.strip())
    except ValueError:
        known = ", ".join(f"{one}:NUMBER" for one in MidiKind)
        raise ValueError(
            f"{text!r:.40} is no control of a MIDI device; write one of {known}, as "
            "`vtbridge expression midi` shows it"
        ) from None
    return MidiControl(
        kind,
        _whole(number, 0, _HIGHEST, f"the number behind {kind}:"),
        _whole(channel, 1, _CHANNELS, "the channel behind @") if at else None,
    )


def _whole(text: str, least: int, most: int, what: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise ValueError(f"{what} is {text!r:.20}; expected {least} to {most}")
    number = int(digits)
    if not least <= number <= most:
        raise ValueError(f"{what} is {number}; expected {least} to {most}")
    return number
