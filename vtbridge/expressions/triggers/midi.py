"""Expressions pressed on MIDI devices: found, lost and found again while the avatar runs."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from typing import Protocol

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.triggers.midi_keys import MidiKeys, press_from_message
from vtbridge.flow.service import ThreadService

log = logging.getLogger(__name__)

ANY_DEVICE = "*"
_LOOK_S = 1.0
_MAX_WAITING = 1024
_INSTALL = "; `pip install vtbridge[midi]`, or leave [control] midi empty"
_NO_SYSTEM = "; on Linux `modprobe snd-seq` gives it, else leave [control] midi empty"

Hear = Callable[[bytes], None]
"""Takes one whole message, on whatever thread."""


class OpenPort(Protocol):
    """A device that is being heard."""

    def close(self) -> None:
        """Stop hearing it; called once."""


class MidiPorts(Protocol):
    """The MIDI devices of this computer."""

    def names(self) -> list[str]:
        """Return the devices that can be heard just now.

        Raises:
            RuntimeUnavailable: the system has no MIDI.
        """

    def open(self, name: str, hear: Hear) -> OpenPort:
        """Begin to hear one.

        Raises:
            RuntimeUnavailable: it cannot be opened; another program may have it for itself.
        """


class MidiTrigger(ThreadService):
    """Hears the wanted devices and hands what they send to ``keys``, on this thread alone.

    Args:
        keys: what controls mean.
        ports: the devices.
        wanted: a part of the name of those to hear, whatever its case; ``*`` = all.
        clock: the monotonic clock.
    """

    def __init__(self, keys: MidiKeys, ports: MidiPorts, wanted: str, clock: Clock) -> None:
        super().__init__("midi")
        self._keys = keys
        self._ports = ports
        self._wanted = wanted
        self._clock = clock
        self._messages: queue.Queue[tuple[str, bytes]] = queue.Queue(_MAX_WAITING)
        self._open: dict[str, OpenPort] = {}
        self._refused: set[str] = set()
        self._trouble = ""
        self._next_look_ns = 0

    @property
    def devices(self) -> tuple[str, ...]:
        """Those that are heard."""
        return tuple(self._open)

    def serve(self) -> None:
        """Listen until asked to stop."""
        try:
            while not self.stopping.is_set():
                self.step(patience_s=_LOOK_S / 2)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the devices; on the thread that calls ``step``."""
        for name in list(self._open):
            self._open.pop(name).close()
            self._keys.lost(name)

    def step(self, *, patience_s: float) -> None:
        """Look for devices when it is time to, and take a message if one comes in time."""
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_look_ns:
            self._next_look_ns = now_ns + round(_LOOK_S * NS_PER_S)
            self._look()
        try:
            device, data = self._messages.get(timeout=patience_s)
        except queue.Empty:
            return
        press = press_from_message(data)
        if press is not None and device in self._open:
            self._keys.hear(device, press)

    def _look(self) -> None:
        try:
            present = [name for name in self._ports.names() if is_wanted(self._wanted, name)]
        except RuntimeUnavailable as error:
            present = []
            self._tell_once(str(error))
        else:
            self._trouble = ""
        for name in [name for name in self._open if name not in present]:
            self._open.pop(name).close()
            self._keys.lost(name)
            log.info("MIDI device %s is gone", name)
        self._refused.intersection_update(present)
        for name in present:
            if name not in self._open:
                self._begin(name)

    def _begin(self, name: str) -> None:
        def hear(data: bytes) -> None:
            try:
                self._messages.put_nowait((name, data))
            except queue.Full:
                log.debug("MIDI comes faster than it can be heard")

        try:
            self._open[name] = self._ports.open(name, hear)
        except RuntimeUnavailable as error:
            if name not in self._refused:
                self._refused.add(name)
                log.warning("MIDI device %s: %s (tried again in the background)", name, error)
        else:
            self._refused.discard(name)
            log.info("hearing MIDI device %s", name)

    def _tell_once(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("no MIDI: %s", trouble)


class MidoPorts:
    """The devices that mido shows; ``MIDO_BACKEND`` names another way to them than its own.

    Raises:
        RuntimeUnavailable: mido or its backend is absent, or the system has no MIDI.
    """

    def __init__(self) -> None:
        try:
            import mido
        except ImportError as error:
            raise RuntimeUnavailable(f"mido is not installed{_INSTALL}") from error
        self._mido = mido
        self.names()

    def names(self) -> list[str]:
        """Return the devices that can be heard just now, each once."""
        try:
            return list(dict.fromkeys(self._mido.get_input_names()))
        except Exception as error:  # each backend has errors of its own
            raise RuntimeUnavailable(
                f"MIDI devices cannot be listed ({error!s:.200}){_NO_SYSTEM}"
            ) from error

    def open(self, name: str, hear: Hear) -> OpenPort:
        """Begin to hear ``name``; ``hear`` is called on the backend's thread."""
        try:
            port: OpenPort = self._mido.open_input(
                name, callback=lambda message: hear(bytes(message.bytes()))
            )
        except Exception as error:
            raise RuntimeUnavailable(
                f"it cannot be opened ({error!s:.200}); close the program that has it"
            ) from error
        return port


def is_wanted(wanted: str, name: str) -> bool:
    """Return whether the device ``name`` is one of those that ``wanted`` asks for."""
    return wanted == ANY_DEVICE or wanted.casefold() in name.casefold()
