"""In place of the segment on systems that have none yet: frames leave by the other sinks."""

from __future__ import annotations

from vtbridge.datatypes import Frame
from vtbridge.publish.vtbf import HealthFlag


class NoSegment:
    """Takes frames and shows them to nobody."""

    def write(self, frame: Frame) -> int:
        """Do nothing with ``frame``; its number is always 0."""
        del frame
        return 0

    def heartbeat(self) -> None:
        """Do nothing: there is no reader to tell."""

    def set_health(self, flags: HealthFlag) -> None:
        """Do nothing: there is no reader to tell."""
