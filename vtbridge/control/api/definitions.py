"""Expressions as they are written: what the API needs of whoever keeps them, takes and answers.

The fields are those of expressions.toml; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from vtbridge.control.api.models import NAME_PATTERN, Answer, Order, Wrong
from vtbridge.pose_params import PoseParam

MAX_KEYFRAMES = 200

_SIDES = ("_left", "_right")
_PARAMETERS = sorted(
    {param.label for param in PoseParam}
    | {param.label.removesuffix(side) for param in PoseParam for side in _SIDES}
)
_NAMED: dict[str, JsonValue] = {"propertyNames": {"enum": list(_PARAMETERS)}}
"""Tells programs the names; what else is sent is refused with the names that are near."""


def _whole(given: object) -> object:
    """Return ``given`` as JSON means it: 1.0 is a whole number."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


Value = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
FadeSeconds = Annotated[float, Field(ge=0, le=10)]
Parameter = Annotated[str, Field(max_length=60)]
Values = Annotated[dict[Parameter, Value], Field(max_length=64, json_schema_extra=_NAMED)]
Weights = Annotated[dict[Parameter, Share], Field(max_length=64, json_schema_extra=_NAMED)]
Priority = Annotated[int, Field(ge=-100, le=100), BeforeValidator(_whole)]
EasingName = Literal["linear", "smooth", "ease_in", "ease_out", "ease_in_out"]
Group = Literal["brows", "eyes", "mouth", "gaze", "head", "body"]


class _Written(Order):
    model_config = ConfigDict(allow_inf_nan=False)


class Keyframe(_Written):
    """One moment of a timeline."""

    at_s: float = Field(ge=0, le=60)
    """Seconds from the beginning."""
    values: Annotated[Values, Field(min_length=1)]
    """Pose parameters at that moment; those left out go on to their next keyframe."""
    easing: EasingName = "smooth"
    """The way here from the keyframe before."""


class Definition(_Written):
    """One expression, as in expressions.toml."""

    label: str = Field("", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")
    """What people read; the name in capitals if it is left out."""
    mode: Literal["toggle", "hold", "timed", "one_shot"] = "toggle"
    """How it begins and ends."""
    priority: Priority = 0
    """The higher one is laid over the lower one."""
    group: str = Field("", pattern=r"^$|" + NAME_PATTERN)
    """Of those with the same group one is on at a time."""
    blend: Literal["override", "add", "max"] = "override"
    """How it meets what the face does."""
    fade_in_s: FadeSeconds = 0.25
    """Seconds to come."""
    fade_out_s: FadeSeconds = 0.35
    """Seconds to go."""
    easing: EasingName = "smooth"
    """The shape of both fades."""
    easing_out: EasingName | None = None
    """The shape of the going, where it is another."""
    duration_s: float | None = Field(None, ge=0.05, le=600)
    """How long a timed one stays, or a one_shot without keyframes."""
    values: Values = Field(default_factory=dict)
    """Pose parameters; `eye_wink` means left and right."""
    weights: Weights = Field(default_factory=dict)
    """How much of each value counts, 1 where none is named."""
    rest: list[Group] = Field([], max_length=6)
    """Parts whose other parameters are laid to rest."""
    keyframes: list[Keyframe] = Field([], max_length=MAX_KEYFRAMES)
    """Values that change, in order of time."""
    loop: bool = False
    """Begin the keyframes again at their end."""
    length_s: float | None = Field(None, ge=0.05, le=60)
    """Of the keyframes; the last one's moment if it is left out."""
    when: str | None = Field(None, max_length=400)
    """A condition that switches it on: `mouth_aaa > 0.6`."""
    until: str | None = Field(None, max_length=400)
    """A condition that switches it off again; the end of `when` if it is left out."""
    on_after_s: float = Field(0.1, ge=0, le=60)
    """How long `when` must hold first."""
    off_after_s: float = Field(0.3, ge=0, le=60)
    """How long it must be over first."""
    key: str | None = Field(None, max_length=60)
    """A key that triggers it from anywhere: `ctrl+alt+1`."""
    midi: str | None = Field(None, max_length=60)
    """A control of a MIDI device that triggers it: `note:60`, `cc:21`."""
    obs: list[Annotated[str, Field(max_length=260)]] = Field([], max_length=16)
    """What in OBS switches it on: `scene:Gaming`, `streaming-started`."""


class ShownDefinition(Answer):
    """One expression as it stands in its file."""

    name: str
    definition: Definition
    own: bool
    """It stands in the user's file; one that comes with vtbridge is copied there when saved."""
    builtin: bool
    """One of that name comes with vtbridge, and comes back when the user's own is removed."""
    editable: bool
    """It can be saved here."""


class PreviewOrder(Order):
    """What to try."""

    definition: Definition | None = None
    """One that need not be saved; null = the one that is."""


class WrongDefinition(Exception):
    """A definition that does not follow the grammar of expressions.toml.

    Args:
        errors: each mistake, by its field.
    """

    def __init__(self, errors: Sequence[Wrong]) -> None:
        super().__init__("; ".join(f"{one.where}: {one.wrong}" for one in errors[:3]))
        self.errors = errors


class DefinitionDesk(Protocol):
    """Keeps the expressions that are written; safe from any thread, and reads the disk."""

    def definition(self, name: str) -> ShownDefinition:
        """Return an expression as it stands in its file.

        Raises:
            KeyError: there is none of that name; the message suggests near ones.
            VtbridgeError: the file cannot be read; the message names the line.
        """

    def save(self, name: str, definition: Definition) -> None:
        """Write an expression into the user's file, and show it from the next frame on.

        Raises:
            WrongDefinition: it does not follow the grammar.
            VtbridgeError: it cannot be written there; the file stays as it was.
        """

    def remove(self, name: str) -> None:
        """Take an expression out of the user's file.

        Raises:
            KeyError: it does not stand there.
            VtbridgeError: the file cannot be written; it stays as it was.
        """

    def preview(self, name: str, definition: Definition | None) -> None:
        """Play a definition once without saving it, None = the one that is saved.

        Raises:
            KeyError: there is none of that name.
            WrongDefinition: it does not follow the grammar.
        """
