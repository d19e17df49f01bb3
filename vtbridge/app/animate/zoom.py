"""How near the character is shown, as users choose it; light, for the command line imports it."""

from __future__ import annotations

from enum import StrEnum


class Zoom(StrEnum):
    """What part of the character is shown, as ``--zoom`` names it."""

    FULL = "full"
    BUST = "bust"
    FACE = "face"
