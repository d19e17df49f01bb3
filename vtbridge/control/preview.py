"""Frames for browsers: the newest one, sent only when a page asks for the next.

A page pulls. So nothing queues anywhere between the render thread and the screen,
a slow page sees fewer frames, and a hidden one costs nothing.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from vtbridge.datatypes import Frame

# Width, height, flags, frame number; the premultiplied RGBA bytes follow.
FRAME_HEADER = struct.Struct("<IIII")


class PreviewHub:
    """Hand frames from the render thread to the pages that look at them."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers = 0
        self._seq = 0
        self._message = b""
        self._changed = asyncio.Condition()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on ``loop`` from now on."""
        self._loop = loop

    def offer(self, frame: Frame) -> None:
        """Show ``frame``; called by the render thread, costs a copy only if a page looks."""
        if not self._viewers or self._loop is None:
            return
        height, width, _ = frame.rgba.shape
        header = FRAME_HEADER.pack(width, height, int(frame.flags), (self._seq + 1) & 0xFFFFFFFF)
        message = header + frame.rgba.tobytes()
        try:
            self._loop.call_soon_threadsafe(self._publish, message)
        except RuntimeError:  # the loop closed between the check and the call
            self._loop = None

    @contextmanager
    def viewer(self) -> Iterator[None]:
        """Count one page while it is open."""
        self._viewers += 1
        try:
            yield
        finally:
            self._viewers -= 1

    async def wait_newer(self, seen: int) -> tuple[int, bytes]:
        """Return the number and the message of a frame newer than number ``seen``."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._seq > seen)
            return self._seq, self._message

    def _publish(self, message: bytes) -> None:
        self._seq += 1
        self._message = message
        self._wake = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
