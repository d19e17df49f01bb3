"""The webcam or a video file as a source of faces, tracked on a thread of its own.

    thread          owns                           ends
    ==============  =============================  =====================================
    webcam          the tracker; a video file      when stopped
    webcam-reader   the camera, while it is open   when stopped, or the camera is gone
    ==============  =============================  =====================================

Only the newest picture counts: what the tracker has no time for is dropped, so the face
is never late. A camera that is gone is tried again, with longer and longer pauses.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.flow.slot import LatestSlot, Stamped
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.settings import WebcamSettings
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus
from vtbridge.tracking.webcam.camera import Camera, open_camera
from vtbridge.tracking.webcam.tracker import FaceTracker
from vtbridge.tracking.webcam.video_file import VideoFile, VideoPicture, open_video

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 10.0

_SILENT_AFTER_NS = 2 * NS_PER_S
_PICTURE_TIMEOUT_S = 0.2
_READER_TIMEOUT_S = 1.0
_LONGEST_SLEEP_NS = NS_PER_S // 10
_EARLY_NS = NS_PER_S // 125
_EARLY_SHARE = 0.25

Picture = tuple[U8Array, int]
"""A picture and when it arrived, monotonic nanoseconds."""


class WebcamSource(ThreadService):
    """Track the face that a webcam sees or a video file shows; survives unplugging.

    Args:
        settings: which device, how many pictures, looping.
        open_tracker: makes the tracker, on this thread; may raise ``VtbridgeError``.
        sink: takes each face, on this thread, also those that say that there is none.
        telemetry: gets ``tracking.webcam.*`` counters and durations.
        clock: the time of arrival, and the pace of a video file.
        open_camera: opens the webcam of a number with a rate and a width.
        first_retry_s: pause before a device is tried again; doubled each time.
    """

    def __init__(
        self,
        settings: WebcamSettings,
        open_tracker: Callable[[], FaceTracker],
        sink: Callable[[FaceFrame], object],
        telemetry: Telemetry,
        clock: Clock,
        *,
        open_camera: Callable[[int, float, int], Camera] = open_camera,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        super().__init__("webcam")
        self._settings = settings
        self._open_tracker = open_tracker
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._open_camera = open_camera
        self._first_retry_s = first_retry_s
        self._camera = camera_number(settings.device)
        self._source = source_name(settings.device)
        self._place = place_of(settings.device)
        self._tracker: FaceTracker | None = None
        self._trouble: str | None = None
        self._pictures = 0
        self._rate = RateMeter()
        self._face: FaceFrame | None = None
        self._last_picture_ns: int | None = None

    def serve(self) -> None:
        """Track until stopped; what fails is tried again with back-off."""
        log.info("opening %s", self._place)
        retry_s = self._first_retry_s
        while not self.stopping.is_set():
            pictures_before = self._pictures
            try:
                tracker = self._ready_tracker()
                if self._camera is not None:
                    self._track_camera(tracker, self._camera)
                else:
                    self._track_video(tracker, Path(str(self._settings.device)).expanduser())
                    return
            except VtbridgeError as error:
                self._tell(str(error))
            if self._pictures > pictures_before:
                retry_s = self._first_retry_s
            if not self.stopping.is_set():
                self.stopping.wait(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)

    def status(self) -> SourceStatus:
        """Return what the webcam is doing; safe to call from any thread."""
        face, trouble = self._face, self._trouble
        last_ns = self._last_picture_ns
        if trouble is not None:
            state = SourceState.BLOCKED
        elif last_ns is None or face is None:
            state = SourceState.WAITING
        elif self._clock.now_ns() - last_ns > _SILENT_AFTER_NS:
            state = SourceState.SILENT
        else:
            state = SourceState.LIVE if face.tracked else SourceState.NO_FACE
        return SourceStatus(
            source=self._source,
            title="Webcam" if self._camera is not None else "Video file",
            place=self._place,
            state=state,
            fps=self._rate.fps if state.speaks else 0.0,
            jitter_ms=self._rate.jitter_ms if state.speaks else 0.0,
            packets=self._pictures,
            last_ns=last_ns,
            trouble=trouble,
            face=face,
        )

    def _ready_tracker(self) -> FaceTracker:
        if self._tracker is None:
            with self._telemetry.timed("tracking.webcam.load"):
                self._tracker = self._open_tracker()
        self._tracker.reset()
        return self._tracker

    def _track_camera(self, tracker: FaceTracker, number: int) -> None:
        """Track until stopped or the camera is gone.

        Raises:
            VtbridgeError: the camera cannot be opened, or gives no more pictures.
        """
        camera = self._open_camera(number, self._settings.fps, self._settings.width)
        newest: LatestSlot[Picture] = LatestSlot()
        reader = _CameraReader(camera, newest, self._clock)
        reader.start()
        try:
            seen = 0
            limit = _RateLimit(self._settings.fps)
            introduction = _Introduction(self._place)
            while not self.stopping.is_set():
                stamped = newest.wait_newer(seen, timeout_s=_PICTURE_TIMEOUT_S)
                if stamped is None:
                    if not reader.alive:
                        raise VtbridgeError(
                            f"webcam {number} gives no more pictures: plug it in again, or end "
                            "the program that took it"
                        )
                    continue
                self._telemetry.count("tracking.webcam.dropped", stamped.seq - seen - 1)
                seen = stamped.seq
                rgb, t_ns = stamped.value
                introduction.saw(stamped)
                if limit.takes(t_ns):
                    self._track(tracker, rgb, t_ns)
        finally:
            reader.stop(timeout_s=_READER_TIMEOUT_S)

    def _track_video(self, tracker: FaceTracker, path: Path) -> None:
        """Play a video at its own rate, again and again if it is to loop.

        Raises:
            VtbridgeError: it cannot be read.
        """
        with open_video(path) as video:
            _introduce(self._place, video.width, video.height, float(video.fps))
            while True:
                if not self._play(tracker, video):
                    raise VtbridgeError(f"{path} holds no picture: choose another video file")
                if self.stopping.is_set() or not self._settings.loop:
                    return

    def _play(self, tracker: FaceTracker, video: VideoFile) -> bool:
        """Show the video once; return whether there was anything to show."""
        begin_ns = self._clock.now_ns()
        frame_ns = round(NS_PER_S / video.fps)
        limit = _RateLimit(self._settings.fps)
        ended_ns = begin_ns
        shown = False
        for picture in video.pictures():
            shown = True
            shown_ns = begin_ns + round(picture.t_s * NS_PER_S)
            ended_ns = shown_ns + frame_ns
            if self._is_late(picture, shown_ns, frame_ns):
                self._telemetry.count("tracking.webcam.dropped")
                continue
            if not limit.takes(shown_ns):
                continue
            if not self._sleep_until(shown_ns):
                return shown
            self._track(tracker, picture.rgb, self._clock.now_ns())
        self._sleep_until(ended_ns)  # the last picture is shown as long as the others
        return shown

    def _is_late(self, picture: VideoPicture, shown_ns: int, frame_ns: int) -> bool:
        """Return True if the next picture is due already; the first is always shown."""
        return picture.index > 0 and self._clock.now_ns() > shown_ns + frame_ns

    def _sleep_until(self, t_ns: int) -> bool:
        """Sleep in short pieces; return False once the service is to stop."""
        while not self.stopping.is_set():
            now_ns = self._clock.now_ns()
            if now_ns >= t_ns:
                return True
            self._clock.sleep_until(min(t_ns, now_ns + _LONGEST_SLEEP_NS))
        return False

    def _track(self, tracker: FaceTracker, rgb: U8Array, t_ns: int) -> None:
        self._tell(None)
        with self._telemetry.timed("tracking.webcam"):
            face = tracker.track(rgb, t_ns, self._source)
        self._pictures += 1
        self._last_picture_ns = t_ns
        self._telemetry.count("tracking.webcam.pictures")
        self._rate.saw(t_ns)
        if not face.tracked:
            self._telemetry.count("tracking.webcam.no_face")
        self._face = face
        self._sink(face)

    def _tell(self, trouble: str | None) -> None:
        """Remember what keeps the source from working, and log it when it changes."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            log.info("tracking the face from %s", self._place)
        else:
            log.warning("%s (tried again in the background)", trouble)


class _RateLimit:
    """Choose pictures so that at most ``fps`` a second remain; cameras are never exact."""

    def __init__(self, fps: float) -> None:
        self._interval_ns = round(NS_PER_S / fps)
        self._early_ns = min(_EARLY_NS, round(self._interval_ns * _EARLY_SHARE))
        self._due_ns: int | None = None

    def takes(self, t_ns: int) -> bool:
        """Return whether a picture of ``t_ns`` is due, and count it if so."""
        due_ns = t_ns if self._due_ns is None else self._due_ns
        if t_ns < due_ns - self._early_ns:
            return False
        on_time = t_ns - due_ns < self._interval_ns
        self._due_ns = (due_ns if on_time else t_ns) + self._interval_ns
        return True


class _Introduction:
    """Log once what a camera really gives, a second after its first picture."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._first: Stamped[Picture] | None = None
        self._made = False

    def saw(self, picture: Stamped[Picture]) -> None:
        """Count a picture, and those that were dropped before it."""
        if self._made:
            return
        if self._first is None:
            self._first = picture
        rgb, t_ns = picture.value
        elapsed_ns = t_ns - self._first.value[1]
        if elapsed_ns >= NS_PER_S:
            height, width, _ = rgb.shape
            fps = (picture.seq - self._first.seq) * NS_PER_S / elapsed_ns
            _introduce(self._place, width, height, fps)
            self._made = True


def _introduce(place: str, width: int, height: int, fps: float) -> None:
    log.info("%s: %dx%d at %.3g fps", place, width, height, fps)


class _CameraReader(ThreadService):
    """Read a camera as fast as it gives pictures, so that none waits in the driver."""

    def __init__(self, camera: Camera, newest: LatestSlot[Picture], clock: Clock) -> None:
        super().__init__("webcam-reader")
        self._camera = camera
        self._newest = newest
        self._clock = clock

    def serve(self) -> None:
        """Read until stopped or the camera is gone, then give it back."""
        try:
            while not self.stopping.is_set():
                rgb = self._camera.read()
                if rgb is None:
                    return
                self._newest.put((rgb, self._clock.now_ns()))
        finally:
            self._camera.close()


def camera_number(device: int | str) -> int | None:
    """Return the number of the webcam that ``device`` means, None if it means a file."""
    return int(device) if isinstance(device, int) or device.isdecimal() else None


def source_name(device: int | str) -> str:
    """Return what faces of a device are called: ``webcam:0``, ``webcam:me.mp4``."""
    number = camera_number(device)
    return f"webcam:{Path(str(device)).name if number is None else number}"


def place_of(device: int | str) -> str:
    """Return where faces come in, for people: ``webcam 0``, ``me.mp4``."""
    number = camera_number(device)
    return Path(str(device)).name if number is None else f"webcam {number}"
