"""What may stand in an expressions.toml: the tables, their types and bounds.

What ties several entries together (names, ranges, moments in order) is checked in
``checks``, which can name the line of the entry that is wrong.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from vtbridge.expressions.easing import Easing
from vtbridge.pose_params import PoseGroup
from vtbridge.settings import StageSettings

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
MAX_EXPRESSIONS = 200
MAX_KEYFRAMES = 200

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Parameter = Annotated[str, StringConstraints(max_length=60)]
Value = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
FadeSeconds = Annotated[float, Field(ge=0, le=10)]


class Mode(StrEnum):
    """How an expression begins and ends."""

    TOGGLE = "toggle"
    """On until it is triggered again."""
    HOLD = "hold"
    """On while its key is held down."""
    TIMED = "timed"
    """On for ``duration_s``; triggered again it begins to count anew."""
    ONE_SHOT = "one_shot"
    """Plays its keyframes once; triggered while it plays, once more afterwards."""


class Blend(StrEnum):
    """How an expression meets what the face does."""

    OVERRIDE = "override"
    """Takes the face's place."""
    ADD = "add"
    """Comes on top of it."""
    MAX = "max"
    """The face, but at least this: whichever is farther on the expression's side of rest."""


class _Table(StageSettings):
    model_config = ConfigDict(allow_inf_nan=False)


class KeyframeTable(_Table):
    """One moment of a timeline."""

    at_s: float = Field(ge=0, le=60)
    """Seconds from the beginning."""
    values: dict[Parameter, Value] = Field(min_length=1)
    """Pose parameters at that moment; those left out go on to their next keyframe."""
    easing: Easing = Easing.SMOOTH
    """The way here from the keyframe before."""


class ExpressionTable(_Table):
    """One expression."""

    label: str = Field("", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")
    """What people read; the name in capitals if it is left out."""
    mode: Mode = Mode.TOGGLE
    """toggle, hold, timed or one_shot."""
    priority: int = Field(0, ge=-100, le=100)
    """The higher one is laid over the lower one."""
    group: str = Field("", pattern=r"^$|" + NAME_PATTERN)
    """Of those with the same group one is on at a time."""
    blend: Blend = Blend.OVERRIDE
    """override, add or max."""
    fade_in_s: FadeSeconds = 0.25
    """Seconds to come."""
    fade_out_s: FadeSeconds = 0.35
    """Seconds to go."""
    easing: Easing = Easing.SMOOTH
    """The shape of both fades."""
    easing_out: Easing | None = None
    """The shape of the going, where it is another."""
    duration_s: float | None = Field(None, ge=0.05, le=600)
    """How long a timed one stays, or a one_shot without keyframes."""
    values: dict[Parameter, Value] = Field(default_factory=dict)
    """Pose parameters; ``eye_wink`` means left and right."""
    weights: dict[Parameter, Share] = Field(default_factory=dict)
    """How much of each value counts, 1 where none is named."""
    rest: list[PoseGroup] = Field([], max_length=len(PoseGroup))
    """Parts whose other parameters are laid to rest: brows, eyes, mouth, gaze, head, body."""
    keyframes: list[KeyframeTable] = Field([], max_length=MAX_KEYFRAMES)
    """Values that change."""
    loop: bool = False
    """Begin the keyframes again at their end."""
    length_s: float | None = Field(None, ge=0.05, le=60)
    """Of the keyframes; the last one's moment if it is left out."""
    when: str | None = None
    """A condition that switches it on: ``mouth_aaa > 0.6``."""
    until: str | None = None
    """A condition that switches it off again; the end of ``when`` if it is left out."""
    on_after_s: float = Field(0.1, ge=0, le=60)
    """How long ``when`` must hold first."""
    off_after_s: float = Field(0.3, ge=0, le=60)
    """How long it must be over first."""
    key: str | None = Field(None, max_length=60)
    """A key that triggers it from anywhere, with [control] keyboard: ``ctrl+alt+1``."""
    midi: str | None = Field(None, max_length=60)
    """A control of a MIDI device that triggers it, with [control] midi: ``note:60``, ``cc:21``."""
    obs: list[Annotated[str, Field(max_length=260)]] = Field([], max_length=16)
    """What in OBS switches it on, with [obs] enabled: ``scene:Gaming``, ``streaming-started``."""


class RandomTable(_Table):
    """Something that the character does by itself now and then."""

    choose: dict[Name, Annotated[float, Field(gt=0, le=1000)]] = Field(min_length=1)
    """Timed and one_shot expressions, and how often each is taken against the others."""
    every_s: list[Annotated[float, Field(ge=1, le=3600)]] = Field(min_length=2, max_length=2)
    """Shortest and longest pause, seconds."""
    when: str | None = None
    """Only while this holds: ``not tracked``."""


class ExpressionFile(_Table):
    """A whole expressions.toml."""

    version: Literal[1] = 1
    """Of this format."""
    builtin: bool = True
    """Keep the built-in expressions; one of the same name takes its place."""
    expressions: dict[Name, ExpressionTable] = Field({}, max_length=MAX_EXPRESSIONS)
    random: dict[Name, RandomTable] = Field({}, max_length=16)
