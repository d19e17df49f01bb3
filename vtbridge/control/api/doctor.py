"""The picture doctor over the API: what it takes and answers, and who does it."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field

from vtbridge.control.api.models import Answer, Order

MAX_DRAWING_BYTES = 32 << 20
"""Of a drawing that a page sends."""
DRAWING_TYPES = ("image/png", "image/jpeg", "image/webp")

Pixels = Annotated[float, Field(ge=-4096, le=8192, allow_inf_nan=False)]


class HeadBox(Order):
    """Where the head is: a square from chin to crown, in the drawing's pixels."""

    x: Pixels
    y: Pixels
    side: Annotated[float, Field(ge=8, le=8192, allow_inf_nan=False)]


class DoctorOrder(Order):
    """How the drawing is to be examined."""

    matting: Literal["auto", "keep", "flood", "grabcut", "rembg"] = "auto"
    """How it is cut out."""
    head: HeadBox | None = None
    """Null looks for the face."""
    fixes: list[Literal["mouth"]] = Field(default=[], max_length=8)
    """What is retouched."""


class KeepOrder(Order):
    """Keep the examined character."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
    """What to call it."""


class Kept(Answer):
    """Where the character lies now."""

    character: str
    """For `PUT /character` and `vtbridge run --character`."""


class Movement(Answer):
    """One thing that the character should do."""

    name: str
    asks: str
    """What is asked for, for people."""
    seen: int
    """So many pixels change where they should."""
    wanted: int
    """So many are wanted."""
    passed: bool


class Found(Answer):
    """What is wrong with the drawing."""

    severity: str
    sentence: str
    remedy: str
    fix: str
    """What could be retouched, empty if nothing could."""


class Report(Answer):
    """What became of the drawing."""

    matting: str
    face_likeness: float | None
    """To a face, 0 to 1; null where the head was marked by hand."""
    done: list[str]
    scores: list[Movement]
    findings: list[Found]


class Patient(Answer):
    """The drawing that is with the doctor."""

    state: Literal["none", "busy", "done", "failed"]
    name: str
    """Of the drawing."""
    width: int
    """Of the drawing, in pixels; 0 before it could be read."""
    height: int
    doing: str
    """What is being done, for people."""
    share: float = Field(ge=0, le=1)
    """How much of it is done."""
    trouble: str
    """Why it failed, and the remedy; empty if it did not."""
    report: Report | None


class DoctorBusy(Exception):
    """The doctor has another drawing at hand."""


class NoPatient(Exception):
    """There is no drawing, or it is not examined yet."""


class DoctorDesk(Protocol):
    """Examines one drawing at a time, in the background; safe from any thread."""

    def patient(self) -> Patient:
        """Return how far it is."""

    def admit(self, content: bytes, name: str) -> None:
        """Begin with a new drawing.

        Raises:
            DoctorBusy: another one is being examined.
        """

    def examine(self, order: DoctorOrder) -> None:
        """Examine the drawing again.

        Raises:
            DoctorBusy: it is being examined.
            NoPatient: there is none.
        """

    def drawing(self) -> bytes:
        """Return the drawing as a PNG of at most 1024 pixels a side; raises NoPatient."""

    def sheet(self) -> bytes:
        """Return the sheet of the examination, a PNG; raises NoPatient."""

    def keep(self, name: str) -> str:
        """Make a character of it and return what `PUT /character` calls it.

        Raises:
            NoPatient: none is examined.
            VtbridgeError: it cannot be written.
        """
