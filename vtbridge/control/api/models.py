"""What the API takes and answers; its description (OpenAPI) is made of these classes."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
"""Of an expression; another name is known to be unknown."""


class Answer(BaseModel):
    """What is sent: fields that are not described here are a mistake of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Order(BaseModel):
    """What is received: nothing is guessed, and a misspelt field is told."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Action(StrEnum):
    """What to do with an expression."""

    ON = "on"
    OFF = "off"
    TOGGLE = "toggle"
    RELEASE = "release"


class QualityName(StrEnum):
    """The best quality to be shown."""

    AUTO = "auto"
    EXACT = "exact"
    BALANCED = "balanced"
    FAST = "fast"


class Nothing(Order):
    """An order that needs no more words."""


class SwitchOrder(Order):
    """How to switch an expression."""

    action: Action = Action.TOGGLE
    """`off` lets go of a toggle or a hold; `release` also ends what would end by itself."""


class QualityOrder(Order):
    """Which quality is wanted."""

    quality: QualityName
    """`auto` begins with the best and steps down under load."""


class CharacterOrder(Order):
    """Which character is wanted."""

    name: str = Field(min_length=1, max_length=4096)
    """One that `GET /characters` lists, or the name of its file or folder without the ending."""


class Accepted(Answer):
    """The order was taken; it takes effect with the next frame."""

    accepted: Literal[True] = True


class Expression(Answer):
    """One expression and its state."""

    name: str
    """What orders call it."""
    label: str
    """What people read."""
    active: bool
    """Whether it is on; false while it only fades out, and where another computer knows."""
    amount: float = Field(ge=0, le=1)
    """How much of it is seen."""
    mode: Literal["toggle", "hold", "timed", "one_shot"]
    """How it begins and ends."""
    triggers: list[str]
    """Who keeps it on: `http`, `websocket`, `osc`, `obs`, `condition`, ..."""


class Expressions(Answer):
    """All expressions of the character."""

    expressions: list[Expression]
    """In the order of the file; empty where they are switched off."""
    trouble: str
    """What is wrong with expressions.toml, empty if nothing is."""


class Character(Answer):
    """A character that can be shown."""

    name: str
    """For `PUT /character` and `vtbridge run --character`."""
    kind: Literal["built-in", "fetched", "imported", "prepared", "own"]
    """`prepared`: a package among the user's characters; `own`: a picture named by its path."""
    shown: bool
    """Whether it is the one that is shown now."""


class Characters(Answer):
    """The characters on this computer."""

    shown: str
    """The one that is shown; `PUT /character` shows another one."""
    characters: list[Character]


class ShownCharacter(Answer):
    """Who is on the screen."""

    name: str
    """Empty where another computer knows."""
    coming: str
    """The one that is being gone over to; empty if none is."""
    trouble: str
    """Why the newest one asked for is not shown, empty if nothing is wrong."""


class Quality(Answer):
    """How frames are made just now."""

    quality: str
    """Shown at present: `exact`, `balanced`, `fast` or `baked`; empty where another computer is."""
    wanted: str
    """The best that is wanted, one of `choices`; else as `quality`."""
    choices: list[QualityName]
    """What may be wanted; empty for a prepared character, which has its own."""
    runtime: str
    """What computes, for people."""
    trouble: str
    """What is wrong with it, empty if nothing is."""


class Latency(Answer):
    """Percentiles of one stage's duration."""

    p50: float
    """Milliseconds."""
    p99: float
    """Milliseconds."""


class Live(Answer):
    """How live frames are made just now."""

    runtime: str
    """What computes, for people; empty while nothing does."""
    quality: str
    """At present."""
    fps: float
    """Frames a second aimed at."""
    fresh_fps: float
    """Poses a second that the networks computed lately."""
    networks_ms: float
    """What they need for one, milliseconds."""
    added_delay_ms: float
    """How far behind the newest computed pose the picture is, milliseconds."""
    below_wanted: bool
    """Load keeps the frames from being what was asked for."""
    failing: bool
    """The networks give nothing that could be shown."""
    fallback: bool
    """Another runtime than the first one computes."""
    trouble: str
    """What is wrong, empty if nothing is."""


class BakeProgress(Answer):
    """How far preparing the character is."""

    phase: str
    baked_s: float
    """Seconds so far."""
    wanted_s: float
    """Of so many."""
    psnr_db: float | None
    """Likeness of the best model, null while there is none."""


class LearnProgress(Answer):
    """How far learning from what is shown is."""

    phase: str
    turns: int
    """Turns of head and body that it knows."""
    written: int
    """Models written since it began."""
    psnr_db: float | None
    """Likeness of the best model, null before it was judged."""


class Preparation(Answer):
    """How far the prepared character is."""

    state: str
    """`waiting`, `not needed`, `baking`, `elsewhere`, `shown`, `learning` or `failed`."""
    progress: BakeProgress | None
    shown_db: float | None
    """Likeness of the model that is shown, null while the networks are."""
    trouble: str
    learning: LearnProgress | None
    learning_waits: bool
    """Learning stands still because frames came late."""
    text: str
    """All of it in one phrase, for people; empty if there is nothing to say."""


class Face(Answer):
    """A face as a tracker sees it."""

    source: str
    tracked: bool
    """The tracker sees it now."""
    age_s: float
    """Seconds since it came."""
    blendshapes: dict[str, float]
    """ARKit names, 0 to 1."""
    presets: dict[str, float]
    """VRM names, 0 to 1."""
    head_deg: dict[str, float] | None
    """Degrees: `pitch` up, `yaw` to the own right, `roll` right shoulder."""
    left_eye_deg: dict[str, float] | None
    right_eye_deg: dict[str, float] | None


class Source(Answer):
    """One source of faces: a tracker's port, a webcam, a microphone."""

    source: str
    title: str
    """What people call it."""
    place: str
    """Where it comes in: an address, a device, a file."""
    state: str
    """`blocked`, `waiting`, `silent`, `no face` or `live`."""
    fps: float
    """Faces a second."""
    jitter_ms: float
    """Mean deviation of the interval, milliseconds."""
    packets: int
    """Taken in so far."""
    lost: int | None
    """Missing by the sender's own numbers, null where it has none."""
    rejects: dict[str, int]
    """What was refused, by reason."""
    age_s: float | None
    """Seconds since the last word, null before the first."""
    trouble: str | None
    """What keeps it from working, and the remedy."""
    asked: str | None
    """The device that is asked to send and does not answer."""


class SourceWithFace(Source):
    """One source and its newest face."""

    face: Face | None


class Trackers(Answer):
    """All sources of faces and what they see."""

    name: str
    """Of the avatar."""
    sources: list[SourceWithFace]
    movers: dict[str, str]
    """Which source moves which part of the face."""
    face: Face | None
    """What is shown, null before the first."""


class Alert(Answer):
    """Something that a streamer would want to know."""

    about: str
    """`tracking`, `rendering`, `character`, `load`, `settings`, `expressions`, `renderer` or
    `stopped`."""
    text: str


class Renderer(Answer):
    """The other computer, where the frames are made."""

    address: str
    """And its port."""
    connected: bool
    trouble: str
    """What keeps poses from arriving, and the remedy; empty if nothing does."""
    poses_received: int
    """So far, as it says itself."""


class Health(Answer):
    """Whether the avatar is well."""

    live: bool
    """The render loop keeps its beat."""
    ready: bool
    """Frames of the character are shown."""
    degraded: list[str]
    """What is wrong: `input_down`, `tracker_lost`, `inference_failed`, `runtime_fallback`, `slow`,
    `recorder_off`, `obs_unreachable`."""
    heartbeat_age_s: float
    """Since the render loop's last sign of life."""


class Status(Answer):
    """The whole state of the avatar."""

    name: str
    """`[publish] name`."""
    renderer: Renderer | None = None
    """Null unless frames are made by another computer, of which this one knows no more."""
    picture: str
    credit: str
    """The line that has to be shown with the character."""
    runtime: str
    fps: float
    """Frames a second over the last two seconds."""
    fps_wanted: float
    frames: int
    beats: int
    """Deadlines so far."""
    dropped: int
    """Deadlines without a new frame."""
    locked: bool
    """The beat follows a consumer's."""
    live: Live | None
    """Null where another computer makes the frames."""
    preparation: Preparation | None
    tracked: bool
    """A face is seen."""
    tracker: str
    """Who sees it, for people."""
    sources: list[Source]
    obs: str
    """The connection to OBS, for people."""
    shown: bool = True
    """Somebody looks, so the networks work."""
    watchers: dict[str, str] = {}
    """Who looks."""
    expressions: list[Expression] = []
    expressions_trouble: str = ""
    warnings: list[Alert]
    """What a streamer would want to know."""
    stopped: list[str]
    """Parts that died."""
    restarts: int = 0
    """How often the renderer was started again since `vtbridge run`."""
    health: Health | None = None
    """Null where another computer makes the frames."""
    latency_ms: dict[str, Latency]
    """By stage."""
    counters: dict[str, int]


class Tracking(Answer):
    """Whether a face is seen."""

    tracked: bool
    source: str
    """Who sees it; empty while nobody does."""


class Obs(Answer):
    """The connection to OBS."""

    state: str
    """`ready`, or what it is instead; `off` where vtbridge makes none."""
    trouble: str
    """Why there is none, and the remedy; empty if nothing is wrong."""


class Wrong(Answer):
    """One mistake in an order."""

    where: str
    """The field; empty for the whole."""
    wrong: str


class Problem(Answer):
    """Why a request was refused (RFC 9457)."""

    type: str
    """Says what it is, for programs: `urn:vtbridge:unknown-expression`."""
    title: str
    """Says what it is, for people; the same for every case."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong in this case."""
    remedy: str
    """What to do."""
    errors: list[Wrong] = []
    """Each mistake in the body."""
