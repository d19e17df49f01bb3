"""The parent of ``vtbridge run`` and ``vtbridge studio``, and how its renderer knows of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vtbridge.config.schema import Config

_SIGNALLED = 128
"""What shells add to the number of the signal that ended a program."""


def supervise(settings: Config, *, seconds: float | None) -> int:
    """Keep a renderer running with this process's own arguments, and return its exit code.

    Args:
        settings: with the options of the command line.
        seconds: how long, None for ever.

    Raises:
        AlreadyRunning: an avatar of this name has a parent already.
        KeepsFailing: the renderer cannot be kept running.
        VtbridgeError: the lock's folder cannot be written.
    """
    from vtbridge.supervise.name_lock import held_name
    from vtbridge.supervise.supervisor import Supervisor
    from vtbridge.supervise.systemd import Systemd

    with held_name(settings.publish.name):
        supervisor = Supervisor(
            renderer_command(), settings.supervisor, systemd=Systemd.of(), seconds=seconds
        )
        supervisor.catch_signals()
        code = supervisor.run()
    return code if code >= 0 else _SIGNALLED - code


def renderer_command() -> list[str]:
    """Return the command that this process was started by."""
    module = [] if getattr(sys, "frozen", False) else ["-m", "vtbridge"]
    return [sys.executable, *module, *sys.argv[1:]]
