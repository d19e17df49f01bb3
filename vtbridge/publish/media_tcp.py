"""Raw frames over TCP for OBS's Media Source: nothing has to be installed in OBS.

Each client gets a stream of whole frames, straight-alpha RGBA of one fixed size,
rows top to bottom, and nothing else. A client that reads slowly misses frames; it
never delays another one, nor the renderer.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import threading

import cv2
import numpy as np

from vtbridge.datatypes import Frame, U8Array
from vtbridge.errors import PortInUse
from vtbridge.flow.service import ThreadService
from vtbridge.telemetry import Telemetry

log = logging.getLogger(__name__)

MAX_CLIENTS = 4
"""More are turned away; OBS opens one connection a source."""

_DISCARD_BYTES = 4096


def straight_from_premultiplied(rgba: U8Array, out: U8Array) -> None:
    """Divide the colours of uint8 [H, W, 4] ``rgba`` by its alpha, into ``out``.

    The result is ``round(255 * c / a)``, at most 255, and 0 where alpha is 0.
    """
    cv2.cvtColor(rgba, cv2.COLOR_mRGBA2RGBA, dst=out)


class _Client:
    """One connection and the frame on its way through it."""

    def __init__(self, connection: socket.socket, frame_bytes: int, seen: int) -> None:
        self.connection = connection
        self.seen = seen
        self.buffer = bytearray(frame_bytes)
        self.view = memoryview(self.buffer)
        self.sent = frame_bytes

    @property
    def idle(self) -> bool:
        return self.sent == len(self.buffer)

    def load(self, pixels: U8Array, seq: int) -> None:
        self.view[:] = pixels.data.cast("B")
        self.sent = 0
        self.seen = seq

    def send_some(self) -> None:
        """Send what fits now.

        Raises:
            OSError: the client is gone.
        """
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while not self.idle:
                self.sent += self.connection.send(self.view[self.sent :])

    def close(self) -> None:
        self.connection.close()


class MediaServer(ThreadService):
    """Serve the newest frame to everybody who connects to a loopback port."""

    def __init__(
        self,
        *,
        port: int = 0,
        width: int = 512,
        height: int = 512,
        host: str = "127.0.0.1",
        telemetry: Telemetry | None = None,
    ) -> None:
        """Bind the port.

        Args:
            port: TCP port, 0 for one that the system chooses (see ``address``).
            width: width of every frame in pixels.
            height: height of every frame in pixels.
            host: address to listen on.
            telemetry: counts ``media.sent``, ``media.clients`` and ``media.wrong_size``.

        Raises:
            PortInUse: another program listens there.
        """
        super().__init__("media")
        self.width = width
        self.height = height
        self._telemetry = telemetry or Telemetry()
        self._frame_bytes = width * height * 4
        self._listener = _listen(host, port)
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._clients: list[_Client] = []
        self._warned_size = False
        shape = (height, width, 4)
        self._lock = threading.Lock()
        self._offered: U8Array = np.zeros(shape, np.uint8)
        self._taken: U8Array = np.zeros(shape, np.uint8)
        self._straight: U8Array = np.zeros(shape, np.uint8)
        self._offered_seq = 0
        self._straight_seq = 0
        self._missed_seq = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port on which clients are awaited."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    @property
    def clients(self) -> int:
        """How many are connected now."""
        return len(self._clients)

    def offer(self, frame: Frame) -> None:
        """Take a copy of ``frame`` for whoever listens; never waits for a client.

        Costs nothing while nobody is connected: the first client gets the next frame.
        A frame of another size than the server's is dropped and counted: a Media
        Source cannot change its size.
        """
        if frame.rgba.shape != self._offered.shape:
            self._telemetry.count("media.wrong_size")
            if not self._warned_size:
                self._warned_size = True
                log.warning(
                    "frames of %dx%d are not served: the media server was opened for %dx%d",
                    frame.rgba.shape[1],
                    frame.rgba.shape[0],
                    self.width,
                    self.height,
                )
            return
        if not self._clients:
            return
        with self._lock:
            np.copyto(self._offered, frame.rgba)
            self._offered_seq += 1
        self._wake()

    def serve(self) -> None:
        """Accept clients and keep each supplied with the newest frame."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            try:
                while not self.stopping.is_set():
                    for key, events in selector.select():
                        self._handle(selector, key.fileobj, key.data, events)
                    self._supply(selector)
            finally:
                for client in self._clients:
                    client.close()
                self._clients.clear()
                self._close_own()

    def stop(self, *, timeout_s: float = 2.0) -> bool:
        """Close all connections and the port."""
        ended = super().stop(timeout_s=timeout_s)
        if not self.alive:
            self._close_own()
        return ended

    def interrupt(self) -> None:
        """Wake the thread from its wait for sockets."""
        self._wake()

    def _wake(self) -> None:
        # A full pipe means that the thread has been woken already; a closed one, that it ended.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def _close_own(self) -> None:
        for own in (self._listener, self._wake_in, self._wake_out):
            own.close()

    def _handle(
        self,
        selector: selectors.BaseSelector,
        fileobj: object,
        client: _Client | None,
        events: int,
    ) -> None:
        if fileobj is self._listener:
            self._accept(selector)
        elif fileobj is self._wake_out:
            with contextlib.suppress(BlockingIOError):
                self._wake_out.recv(_DISCARD_BYTES)
        elif client is not None:
            try:
                if events & selectors.EVENT_READ and not client.connection.recv(_DISCARD_BYTES):
                    raise ConnectionResetError(errno.ECONNRESET, "closed by the client")
                client.send_some()
            except BlockingIOError:
                return
            except OSError:
                self._drop(selector, client)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # gone again before it was accepted
            return
        if len(self._clients) >= MAX_CLIENTS:
            log.warning("a %dth client of the media server was turned away", MAX_CLIENTS + 1)
            connection.close()
            return
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # One frame on its way at most: what waits in the kernel is old before it is shown.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._frame_bytes)
        except OSError:  # some systems refuse it once the client is gone again
            connection.close()
            return
        if not self._clients:
            with self._lock:  # frames were not taken since the last client left
                self._missed_seq = self._offered_seq
        client = _Client(connection, self._frame_bytes, self._missed_seq)
        selector.register(connection, selectors.EVENT_READ, client)
        self._clients.append(client)
        self._telemetry.count("media.clients")

    def _drop(self, selector: selectors.BaseSelector, client: _Client) -> None:
        selector.unregister(client.connection)
        client.close()
        self._clients.remove(client)

    def _supply(self, selector: selectors.BaseSelector) -> None:
        """Start the newest frame with every client that has finished its last one."""
        for client in list(self._clients):
            try:
                if client.idle and self._refresh() > client.seen:
                    client.load(self._straight, self._straight_seq)
                    self._telemetry.count("media.sent")
                    client.send_some()
            except OSError:
                self._drop(selector, client)
                continue
            wanted = selectors.EVENT_READ | (0 if client.idle else selectors.EVENT_WRITE)
            selector.modify(client.connection, wanted, client)

    def _refresh(self) -> int:
        """Convert the newest frame if that was not done yet and return its number."""
        with self._lock:
            if self._offered_seq == self._straight_seq:
                return self._straight_seq
            self._offered, self._taken = self._taken, self._offered
            self._straight_seq = self._offered_seq
        straight_from_premultiplied(self._taken, self._straight)
        return self._straight_seq


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MAX_CLIENTS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} of the media server is taken; set another with [publish] media_port"
            ) from error
        raise
    return listener
