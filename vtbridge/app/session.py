"""From settings to a daemon: with the user's trackers, or with the built-in performance."""

from __future__ import annotations

from vtbridge.app.daemon import Daemon
from vtbridge.app.performance_source import PerformanceSource
from vtbridge.characters import find_picture
from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame, Picture
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot
from vtbridge.render.weights.store import WeightStore
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.inputs import open_inputs


def open_picture(name_or_path: str, store: WeightStore | None = None) -> Picture:
    """Return a character by path, or by the name of a built-in or fetched one.

    Raises:
        PictureError: there is none of that name, or it cannot be posed.
    """
    fetched = (store or WeightStore()).picture("character-lambda")
    return find_picture(name_or_path, extra={"lambda": fetched} if fetched else {})


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
