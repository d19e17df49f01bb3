"""From settings to a daemon: with the user's trackers, or with the built-in performance."""

from __future__ import annotations

from vtbridge.app.characters import open_picture
from vtbridge.app.daemon import Daemon
from vtbridge.app.performance_source import PerformanceSource
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import open_inputs


def tracked_daemon(config: Config) -> Daemon:
    """Return a daemon fed by the trackers that ``config`` enables.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
    """

    def open_trackers(
        faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock
    ) -> list[ThreadService]:
        return list(open_inputs(config.tracking, faces, telemetry, clock))

    return Daemon(config, open_picture(config.avatar.picture), open_trackers)


def demo_daemon(config: Config) -> Daemon:
    """Return a daemon fed by the built-in face performance.

    Raises:
        PictureError: the picture of ``config`` cannot be used.
    """

    def open_performance(
        faces: LatestSlot[FaceFrame], telemetry: Telemetry, clock: Clock
    ) -> list[ThreadService]:
        del telemetry
        return [PerformanceSource(faces, clock)]

    picture = open_picture(config.avatar.picture)
    return Daemon(config, picture, open_performance, keep_calibration=False)
