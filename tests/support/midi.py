"""MIDI devices that are not there, over a JACK server without a sound card."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import skip_loudly
from tests.support.daemon import unique_name, wait_until
from vtbridge.errors import RuntimeUnavailable
from vtbridge.expressions.triggers.midi import MidoPorts

PATIENCE_S = 20.0
BACKEND = "mido.backends.rtmidi/UNIX_JACK"


@contextlib.contextmanager
def jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run one; who asks for MIDI meanwhile, here or in a process begun here, finds it there."""
    if shutil.which("jackd") is None:
        skip_loudly("jackd is not installed")
    if importlib.util.find_spec("mido") is None or importlib.util.find_spec("rtmidi") is None:
        skip_loudly("mido and python-rtmidi are not installed (the extra midi)")
    import mido

    name = unique_name()
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("MIDO_BACKEND", BACKEND)
    before = mido.backend
    mido.set_backend(BACKEND)
    server = subprocess.Popen(
        ["jackd", "-n", name, "-r", "--no-mlock", "-d", "dummy", "-p", "512"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _pad_when_there_is_a_server():
            yield
    finally:
        mido.set_backend(before)
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def _pad_when_there_is_a_server() -> Iterator[None]:
    with contextlib.ExitStack() as stack:

        def found() -> bool:
            with contextlib.suppress(RuntimeUnavailable, OSError, SystemError):
                stack.enter_context(pad("first"))
                return any(":first" in name for name in MidoPorts().names())
            return False

        wait_until(found, PATIENCE_S, "JACK answers")
        yield


@contextlib.contextmanager
def pad(name: str) -> Iterator[Callable[..., None]]:
    """Plug in a virtual device, and yield what sends a message from it."""
    import mido

    port = mido.open_output(name, virtual=True)
    try:
        yield lambda kind, **values: port.send(mido.Message(kind, **values))
    finally:
        port.close()
