"""Posing by hand: what the API needs of whoever does it, and what it takes and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue

from vtbridge.control.api.models import Answer, Order
from vtbridge.pose_schema import THA1, THA3, PoseParameter, PoseSchema, other_side

HTTP_HOLDER = "http"
"""Who holds a pose that came as a request: it stays until somebody releases it."""

_NAMED: dict[str, JsonValue] = {
    "additionalProperties": False,
    "propertyNames": {"enum": list(dict.fromkeys([*THA3.index, *THA1.index]))},
}
"""Tells programs the names; what else is sent is refused with the names that are near."""
Value = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]
PoseValues = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], Value],
    Field(max_length=64, json_schema_extra=_NAMED),
]
"""Values by parameter; what is left out is 0, and a value beyond its range is clamped to it."""


class Parameter(Answer):
    """One number that the character can be posed with."""

    name: str
    group: Literal["brows", "eyes", "mouth", "gaze", "head", "body"]
    low: float
    high: float
    as_drawn: float
    """At this value the picture looks as it was drawn."""
    mirrored: str
    """The parameter that has this one's value in a mirror: itself, or that of the other side."""
    sideways: bool
    """In a mirror its sign turns."""
    in_expressions: str
    """What expressions call it: they are written for the richest model, `THA3`."""

    @classmethod
    def of(cls, one: PoseParameter) -> Parameter:
        """Return what ``one`` is."""
        return cls(
            name=one.label,
            group=one.group.value,
            low=one.low,
            high=one.high,
            as_drawn=one.as_drawn,
            mirrored=other_side(one.label),
            sideways=one.sideways,
            in_expressions=one.shows[0][0].label,
        )


class Parameters(Answer):
    """What the character can be posed with."""

    model: str
    """Whose parameters these are: `THA3`, or `THA1` where its networks show the character."""
    parameters: list[Parameter]
    expressions: list[Parameter]
    """What expressions move; each model shows of it what it can."""

    @classmethod
    def of(cls, schema: PoseSchema) -> Parameters:
        """Return those of ``schema``."""
        return cls(
            model=schema.name,
            parameters=[Parameter.of(one) for one in schema.parameters],
            expressions=[Parameter.of(one) for one in THA3.parameters],
        )


class ShownPose(Answer):
    """The pose that is shown."""

    held: bool
    """It was set by hand; faces and expressions wait until it is released."""
    pose: dict[str, float]


class PoseOrder(Order):
    """A pose to hold."""

    pose: PoseValues


class StillOrder(Order):
    """A pose to draw as a picture."""

    pose: PoseValues
    quality: Literal["exact", "balanced", "fast", "baked"] = "exact"
    runtime: Annotated[str, Field(pattern=r"^[a-z]{1,20}$")] = "auto"
    """One of those that `GET /stills` lists."""
    weights: Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")] = ""
    """One of those that `GET /stills` lists; empty = those of the avatar."""


class StillChoices(Answer):
    """With what stills can be drawn here."""

    qualities: list[str]
    runtimes: list[str]
    weights: list[str]
    """The first is the avatar's own."""


@dataclass(frozen=True, slots=True)
class Still:
    """A character in one pose.

    Attributes:
        png: 512 x 512, straight alpha, sRGB; byte for byte what `vtbridge pose` writes.
        runtime: what computed, for people.
        milliseconds: that the pose took, its conversion included.
    """

    png: bytes
    runtime: str
    milliseconds: float


class PoserDesk(Protocol):
    """Poses by hand, and stills of any pose; safe from any thread."""

    def parameters(self) -> Parameters:
        """Return what the character can be posed with."""

    def shown(self) -> ShownPose:
        """Return the pose that is shown."""

    def hold(self, pose: Mapping[str, float], holder: str) -> None:
        """Show ``pose`` from the next frame on, whatever the face does.

        Args:
            pose: values by parameter, the rest 0.
            holder: may release it.

        Raises:
            KeyError: there is no such parameter; the message suggests near ones.
        """

    def release(self, holder: str | None = None) -> None:
        """Let the face move the character again, if ``holder`` (None = anybody) holds the pose."""

    def picture(self) -> bytes:
        """Return the drawing that is shown, as a PNG of 512 x 512; takes some milliseconds."""

    def choices(self) -> StillChoices:
        """Return with what stills can be drawn; reads the disk."""

    def still(self, order: StillOrder) -> Still:
        """Draw a pose; takes as long as the networks do.

        Raises:
            KeyError: there is no such parameter, runtime or weights.
            VtbridgeError: it cannot be drawn like that.
        """
