"""Frames for browsers: the newest one, sent only when a page asks for the next.

A page pulls. So nothing queues between the render thread and the screen, a slow page
sees fewer frames, and one that does not ask costs nothing.
"""

from __future__ import annotations

import asyncio
import struct

from vtbridge.datatypes import Frame

PROTOCOL = "vtbridge.preview"
# Width, height, flags, frame number; the premultiplied RGBA bytes follow.
FRAME_HEADER = struct.Struct("<IIII")


class PreviewHub:
    """Hand frames from the render thread to the pages that wait for one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0
        self._pending = False
        self._seq = 0
        self._message = b""
        self._changed = asyncio.Event()

    @property
    def watched(self) -> bool:
        """True while a page waits for a frame; safe from any thread."""
        return self._waiting > 0

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on ``loop`` from now on."""
        self._loop = loop

    def offer(self, frame: Frame) -> None:
        """Show ``frame``; called by the render thread, copies only if a page waits for one."""
        if not self._waiting or self._pending or self._loop is None:
            return
        height, width, _ = frame.rgba.shape
        header = FRAME_HEADER.pack(width, height, int(frame.flags), (self._seq + 1) & 0xFFFFFFFF)
        message = header + frame.rgba.tobytes()
        self._pending = True
        try:
            self._loop.call_soon_threadsafe(self._publish, message)
        except RuntimeError:  # the loop closed between the check and the call
            self._loop = None

    async def wait_newer(self, seen: int) -> tuple[int, bytes]:
        """Return the number and the message of a frame newer than number ``seen``."""
        self._waiting += 1
        try:
            while self._seq <= seen:
                await self._changed.wait()
            return self._seq, self._message
        finally:
            self._waiting -= 1

    def _publish(self, message: bytes) -> None:
        self._seq += 1
        self._message = message
        self._pending = False
        # Waking the waiters and closing the door behind them needs no more than this.
        self._changed.set()
        self._changed = asyncio.Event()
