"""What a user can set about the character's life of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vtbridge.expressions.triggers.combination import parse_combination
from vtbridge.expressions.triggers.midi_binding import parse_midi
from vtbridge.expressions.triggers.obs_event import parse_obs_trigger
from vtbridge.settings import StageSettings


class IdleSettings(StageSettings):
    """Breathing, and what the character does when nobody drives it."""

    when_lost: Literal["idle", "neutral", "freeze"] = "idle"
    """idle: blink, sway, look around; neutral: rest; freeze: stay as the face was seen last."""
    breaths_per_min: float = Field(default=20.0, ge=0, le=60)
    """Breaths a minute, always, tracked or not; 0 = none."""
    breathing_depth: float = Field(default=1.0, ge=0, le=1)
    """Deepest value of the breathing parameter, 0..1."""
    blink_every_min_s: float = Field(default=2.0, ge=0.5, le=60)
    """Shortest time between two blinks, seconds."""
    blink_every_max_s: float = Field(default=5.0, ge=0.5, le=60)
    """Longest time between two blinks, seconds."""
    blink_length_s: float = Field(default=0.22, ge=0.05, le=1)
    """From the lid's first motion down to its last motion up, seconds."""
    sway: float = Field(default=0.15, ge=0, le=1)
    """Farthest that head and body drift from rest, in pose units; 0 = still."""
    sway_period_s: float = Field(default=7.0, ge=2, le=60)
    """Seconds of one slow swing, roughly: several swings of unequal length overlap."""
    gaze_shift: float = Field(default=0.25, ge=0, le=1)
    """Farthest that the irises wander from the middle, in pose units; 0 = still."""
    smile: float = Field(default=0.3, ge=0, le=1)
    """How far the corners of the mouth are raised."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.blink_every_min_s > self.blink_every_max_s:
            raise ValueError(
                f"blink_every_min_s {self.blink_every_min_s} exceeds "
                f"blink_every_max_s {self.blink_every_max_s}"
            )
        return self


class ExpressionSettings(StageSettings):
    """Smiles, winks and nods on a key; `vtbridge expression list` names them."""

    enabled: bool = True
    """Lay expressions over the face."""
    file: str = ""
    """An expressions.toml; empty means the one beside the character's picture, for a built-in
    character the one beside config.toml, and without one the built-in expressions."""
    reload: bool = True
    """Show what is changed in the file as soon as it is saved."""


def _checked_by(parse: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        if text:
            parse(text)
        return text

    return AfterValidator(check)


class TriggerSettings(StageSettings):
    """What has a character shown, written as in an expressions.toml.

    It stands among the settings, for each character may have expressions of its own.
    """

    key: Annotated[str, Field(max_length=60), _checked_by(parse_combination)] = ""
    """A key, from anywhere, with [control] keyboard: ``ctrl+alt+1``."""
    midi: Annotated[str, Field(max_length=60), _checked_by(parse_midi)] = ""
    """A control of a MIDI device, with [control] midi: ``note:60``, ``cc:21``."""
    obs: tuple[Annotated[str, Field(max_length=260), _checked_by(parse_obs_trigger)], ...] = Field(
        (), max_length=16
    )
    """What in OBS, when it begins, with [obs] enabled: ``scene:Gaming``, ``streaming-started``."""
