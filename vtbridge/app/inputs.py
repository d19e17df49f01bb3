"""Open all that a face may come from: network, webcam and microphone."""

from __future__ import annotations

import logging
from collections.abc import Callable

from vtbridge.clock import Clock
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import VtbridgeError
from vtbridge.flow.slot import LatestSlot
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.receivers.inputs import Inputs, open_inputs
from vtbridge.tracking.source_status import SourceState, SourceStatus
from vtbridge.tracking.tap import Tap

log = logging.getLogger(__name__)


def open_trackers(
    config: Config,
    slot: LatestSlot[FaceFrame],
    telemetry: Telemetry,
    clock: Clock,
    *,
    tap: Tap | None = None,
) -> Inputs:
    """Return every input that ``config`` enables; starting and stopping is yours.

    One that cannot be opened is told and shown as blocked; the others work.

    Args:
        config: all settings.
        slot: gets the face to show.
        telemetry: gets counters and durations.
        clock: the time of arrival.
        tap: sees everything that comes in, for recording.

    Raises:
        PortInUse: there is nothing to listen to: not one port could be had.
    """
    inputs = open_inputs(config.tracking, slot, telemetry, clock, tap=tap)
    tracking = config.tracking
    if tracking.webcam.enabled:
        place = str(tracking.webcam.device)
        _add(inputs, "webcam", place, lambda: _add_webcam(inputs, config, telemetry, clock))
    if tracking.microphone.enabled:
        place = str(tracking.microphone.device) or "default"
        _add(inputs, "microphone", place, lambda: _add_microphone(inputs, config, telemetry, clock))
    if tracking.vrcft.enabled and tracking.vrcft.oscquery:
        _add(inputs, "oscquery", "mDNS", lambda: _add_oscquery(inputs, config))
    return inputs


def _add(inputs: Inputs, name: str, place: str, add: Callable[[], None]) -> None:
    """Run ``add``; what it lacks costs only itself and is shown as its trouble."""
    try:
        add()
    except (VtbridgeError, ImportError, OSError) as error:
        log.warning("no %s: %s", name, error)
        blocked = SourceStatus(
            source=name,
            title=name.capitalize(),
            place=place,
            state=SourceState.BLOCKED,
            trouble=str(error),
        )
        inputs.add_absent(blocked)


def _add_webcam(inputs: Inputs, config: Config, telemetry: Telemetry, clock: Clock) -> None:
    from vtbridge.app.face_tracker import open_face_tracker
    from vtbridge.tracking.webcam.source import WebcamSource

    settings = config.tracking.webcam
    webcam = WebcamSource(
        settings,
        lambda: open_face_tracker(settings.threads),
        inputs.offer_local,
        telemetry,
        clock,
    )
    inputs.add(webcam, lambda: [webcam.status()])


def _add_microphone(inputs: Inputs, config: Config, telemetry: Telemetry, clock: Clock) -> None:
    from vtbridge.app.vowel_file import load_vowels
    from vtbridge.tracking.microphone.source import MicrophoneSource
    from vtbridge.tracking.settings import MouthShapes

    settings = config.tracking.microphone
    vowels = load_vowels() if settings.shapes is MouthShapes.VOWELS else None
    microphone = MicrophoneSource(settings, inputs.offer_local, telemetry, clock, vowels=vowels)
    inputs.add(microphone, lambda: [microphone.status()])


def _add_oscquery(inputs: Inputs, config: Config) -> None:
    from vtbridge.tracking.oscquery import OscQueryHost

    name = f"vtbridge-{config.publish.name}"
    inputs.add(OscQueryHost(config.tracking.vrcft.port, name=name))
