"""The microphone as a source of faces, beside cameras and phones."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from vtbridge.clock import NS_PER_S, Clock
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.flow.service import ThreadService
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.microphone.portaudio import recorded
from vtbridge.tracking.microphone.sound import SoundBlock
from vtbridge.tracking.microphone.sound_file import is_sound_file, played
from vtbridge.tracking.microphone.voice import Voice
from vtbridge.tracking.microphone.vowels import VowelProfile
from vtbridge.tracking.settings import MicrophoneSettings, MouthShapes
from vtbridge.tracking.source_status import RateMeter, SourceState, SourceStatus

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0
_SILENT_AFTER_NS = NS_PER_S
_NO_VOWELS = (
    "your vowels are not known, so the mouth follows loudness only; "
    "run `vtbridge calibrate --vowels`"
)


class MicrophoneSource(ThreadService):
    """Listen to a microphone or a sound file, and give 50 faces a second that carry a mouth.

    A microphone that is missing, taken or pulled out is tried again in the background.

    Args:
        settings: the table ``[tracking.microphone]``.
        sink: takes each face, on this thread.
        telemetry: gets ``microphone.*`` counters and durations.
        clock: the time of arrival, and the pace of a file.
        vowels: what the user's vowels sound like, None = not known.
    """

    def __init__(
        self,
        settings: MicrophoneSettings,
        sink: Callable[[FaceFrame], object],
        telemetry: Telemetry,
        clock: Clock,
        *,
        vowels: VowelProfile | None = None,
    ) -> None:
        super().__init__("microphone")
        self._settings = settings
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._vowels = vowels
        self._file = Path(str(settings.device)) if is_sound_file(settings.device) else None
        name = self._file.name if self._file else str(settings.device) or "default"
        self._source = f"microphone:{name}"
        self._place = name
        self._delay_ns = round(settings.delay_s * NS_PER_S)
        self._delayed: deque[FaceFrame] = deque()
        self._rate = RateMeter()
        self._face: FaceFrame | None = None
        self._blocks = 0
        self._trouble: str | None = None
        self._lacking = (
            _NO_VOWELS if settings.shapes is MouthShapes.VOWELS and vowels is None else None
        )

    def serve(self) -> None:
        """Listen until stopped; open the microphone anew, with back-off, after any trouble."""
        if self._lacking:
            log.warning("microphone: %s", self._lacking)
        retry_s = _FIRST_RETRY_S
        while not self.stopping.is_set():
            blocks_before = self._blocks
            try:
                self._listen()
            except VtbridgeError as error:
                self._have_trouble(str(error))
            if self._blocks > blocks_before:
                retry_s = _FIRST_RETRY_S
            self.stopping.wait(retry_s)
            retry_s = min(2 * retry_s, _LAST_RETRY_S)

    def status(self) -> SourceStatus:
        """Return what the microphone is doing; safe to call from any thread."""
        state = self._state()
        return SourceStatus(
            source=self._source,
            title="Microphone",
            place=self._place,
            state=state,
            fps=self._rate.fps if state.speaks else 0.0,
            jitter_ms=self._rate.jitter_ms if state.speaks else 0.0,
            packets=self._blocks,
            last_ns=self._rate.last_ns,
            trouble=self._obstacle() or self._lacking,
            face=self._face,
        )

    def _state(self) -> SourceState:
        if self._obstacle() is not None:
            return SourceState.BLOCKED
        last_ns = self._rate.last_ns
        if last_ns is None:
            return SourceState.WAITING
        silent = self._clock.now_ns() - last_ns > _SILENT_AFTER_NS
        return SourceState.SILENT if silent else SourceState.LIVE

    def _obstacle(self) -> str | None:
        if self.failure is not None:
            return f"listening ended by a defect ({self.failure}); start vtbridge again"
        return self._trouble

    def _listen(self) -> None:
        voice = Voice(self._settings, self._source, self._vowels)
        self._delayed.clear()
        for block in self._sound():
            self._blocks += 1
            self._trouble = None
            self._telemetry.count("microphone.blocks")
            self._delayed.append(voice.hear(block))
            self._telemetry.observe("microphone.hear", self._clock.now_ns() - block.t_ns)
            self._emit(block.t_ns)

    def _sound(self) -> Iterator[SoundBlock]:
        if self._file is not None:
            log.info("the mouth follows %s", self._file)
            return played(self._file, self._clock, self.stopping)
        return recorded(
            self._settings.device,
            self._clock,
            self.stopping,
            self._opened,
            lambda: self._telemetry.count("microphone.overflows"),
        )

    def _opened(self, name: str) -> None:
        self._place = name
        log.info("the mouth follows the microphone %s", name)

    def _emit(self, now_ns: int) -> None:
        """Hand on the faces whose delay has passed; they arrive, for others, when they are due."""
        while self._delayed and self._delayed[0].t_ns + self._delay_ns <= now_ns:
            heard = self._delayed.popleft()
            face = FaceFrame(
                t_ns=heard.t_ns + self._delay_ns,
                source=heard.source,
                presets=heard.presets,
                blendshapes=heard.blendshapes,
            )
            self._rate.saw(face.t_ns)
            self._face = face
            self._sink(face)

    def _have_trouble(self, trouble: str) -> None:
        self._telemetry.count("microphone.troubles")
        if trouble != self._trouble:
            log.warning("microphone: %s (tried again in the background)", trouble)
        self._trouble = trouble
