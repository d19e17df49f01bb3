"""vtbf, the shared-memory frame transport: everything its users need, in one place.

One writer, any number of readers, no acknowledgements: no reader can block, slow or
crash the writer, and no reader ever shows a torn frame. ``integrations/PROTOCOL.md``
tells the protocol.
"""

from __future__ import annotations

from vtbridge.publish.frame_reader import FrameReader, ReceivedFrame
from vtbridge.publish.frame_writer import FrameWriter
from vtbridge.publish.segment import (
    AlphaMode,
    HealthFlag,
    Liveness,
    SegmentState,
    SegmentStatus,
    list_segments,
    segment_path,
)

__all__ = [
    "AlphaMode",
    "FrameReader",
    "FrameWriter",
    "HealthFlag",
    "Liveness",
    "ReceivedFrame",
    "SegmentState",
    "SegmentStatus",
    "list_segments",
    "segment_path",
]
