"""How the renderer is watched."""

from __future__ import annotations

from pydantic import Field

from vtbridge.settings import StageSettings


class SupervisorSettings(StageSettings):
    """The parent that starts the renderer again when it dies or hangs."""

    enabled: bool = True
    """`vtbridge run --no-supervisor` does without it once, for a debugger."""

    hung_after_s: float = Field(default=5.0, ge=1, le=600)
    """A renderer that shows nothing new for so long is killed and started again, seconds."""

    start_within_s: float = Field(default=120.0, ge=5, le=3600)
    """One that is not ready by then, likewise. The first start may convert networks."""

    restarts: int = Field(default=5, ge=0, le=100)
    """Restarts within a minute; if it fails more often, vtbridge ends with a message, and OBS shows
    what you chose for an avatar that is away."""
