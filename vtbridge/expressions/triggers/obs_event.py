"""What in OBS can switch an expression, as people write it: ``scene:Gaming``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vtbridge.expressions.parameters import suggestion

MAX_NAME = 200


class ObsTriggerKind(StrEnum):
    """A state of OBS, or a moment."""

    SCENE = "scene"
    """A scene is in the program, from the beginning of the transition to it."""
    SOURCE_SHOWN = "source-shown"
    """A source is in the program."""
    MUTED = "muted"
    """A source with sound, such as the microphone, is muted."""
    STREAMING = "streaming"
    RECORDING = "recording"
    STREAMING_STARTED = "streaming-started"
    STREAMING_STOPPED = "streaming-stopped"
    RECORDING_STARTED = "recording-started"
    RECORDING_STOPPED = "recording-stopped"
    REPLAY_SAVED = "replay-saved"

    @property
    def named(self) -> bool:
        """True if a scene or source has to be named behind a colon."""
        return self in (self.SCENE, self.SOURCE_SHOWN, self.MUTED)

    @property
    def lasts(self) -> bool:
        """True for a state, False for a moment."""
        return self.named or self in (self.STREAMING, self.RECORDING)


@dataclass(frozen=True, slots=True)
class ObsTrigger:
    """One state or moment.

    Attributes:
        kind: which.
        name: of the scene or source, exactly as in OBS; empty where none belongs to it.
    """

    kind: ObsTriggerKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


def parse_obs_trigger(text: str) -> ObsTrigger:
    """Return what ``text`` names.

    Raises:
        ValueError: nothing in OBS is called that, or a name is missing or too much.
    """
    word, colon, name = text.partition(":")
    word, name = word.strip().lower(), name.strip()
    try:
        kind = ObsTriggerKind(word)
    except ValueError:
        known = [str(one) for one in ObsTriggerKind]
        near = suggestion(word, known) or f"; there are {', '.join(known)}"
        raise ValueError(f"OBS tells nothing called {word!r:.40}{near}") from None
    if kind.named and not name:
        raise ValueError(f"{kind} of what? Write it as {kind}:NAME, with the name that OBS shows")
    if colon and not kind.named:
        raise ValueError(f"no name belongs to {kind}; leave out {colon + name!r:.40}")
    if len(name) > MAX_NAME:
        raise ValueError(f"the name behind {kind} is longer than {MAX_NAME} characters")
    return ObsTrigger(kind, name)
