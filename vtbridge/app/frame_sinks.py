"""Where frames go first: the shared-memory segment, and the TCP port."""

from __future__ import annotations

import contextlib
import logging

from vtbridge.app.no_segment import NoSegment
from vtbridge.app.render_loop import Segment
from vtbridge.config.schema import Config
from vtbridge.errors import PortInUse, SegmentsUnsupported
from vtbridge.publish.media_tcp import MediaServer
from vtbridge.publish.vtbf import FrameWriter
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)


def open_segment(stack: contextlib.AsyncExitStack, config: Config) -> Segment:
    """Return the shared-memory segment, or on a system without any a stand-in, loudly.

    Args:
        stack: closes it.
        config: names it, and says how large frames may be.

    Raises:
        FrameTransportError: it cannot be made, or another daemon has it.
    """
    publish, side = config.publish, config.render.size
    try:
        return stack.enter_context(
            FrameWriter.open(
                publish.name,
                max_width=max(publish.max_width, side),
                max_height=max(publish.max_height, side),
                slot_count=publish.slot_count,
                nominal_fps=config.avatar.fps,
            )
        )
    except SegmentsUnsupported as error:
        log.warning("%s", error)
        return NoSegment()


def open_media(config: Config, telemetry: Telemetry) -> MediaServer | None:
    """Return the TCP sink; a taken port costs only that, not the avatar."""
    side = config.render.size
    try:
        return MediaServer(
            port=config.publish.media_port, width=side, height=side, telemetry=telemetry
        )
    except PortInUse as error:
        log.warning("no frames over TCP: %s", error)
        return None
