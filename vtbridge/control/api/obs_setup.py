"""What setting up OBS comes to."""

from __future__ import annotations

from vtbridge.control.api.models import Answer


class ObsSetUp(Answer):
    """What was made in OBS."""

    transport: str
    """How frames come into OBS now."""
    changes: list[str]
    """What was changed, for people; empty if all was as wanted."""
    advice: str
    """What could be done for more, empty if nothing."""
