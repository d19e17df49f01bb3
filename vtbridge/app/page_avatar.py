"""The avatar as page and API have it: with the desks where it is posed, tuned and made anew."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from vtbridge.app.character_switch import CharacterSwitch
from vtbridge.app.control_api import RunningAvatar
from vtbridge.app.doctor_desk import RunningDoctor
from vtbridge.app.live_settings import LiveSettings
from vtbridge.app.manual_pose import ManualPose
from vtbridge.app.poser_desk import RunningPoser
from vtbridge.app.status import DaemonStatus
from vtbridge.app.stills import Stills, exact_settings
from vtbridge.render.tha3 import open_poser
from vtbridge.telemetry import Telemetry


def open_avatar(
    stack: contextlib.AsyncExitStack,
    status: DaemonStatus,
    characters: CharacterSwitch,
    manual: ManualPose,
    settings: LiveSettings,
    take_neutral: Callable[[], None],
) -> RunningAvatar:
    """Return the avatar of a daemon.

    Args:
        stack: closes what is opened, and keeps the settings that were changed.
        status: of the daemon.
        characters: knows who is shown.
        manual: takes the poses that are held.
        settings: changes them.
        take_neutral: begins a calibration.
    """
    render = status.config.render
    stills = Stills(render, status.clock)
    stack.callback(stills.close)
    stack.callback(settings.save)
    poser = RunningPoser(
        manual,
        stills,
        picture=lambda: characters.shown.picture,
        pose=lambda: status.render.pose,
        weights=render.weights,
        schema=lambda: characters.shown.schema,
    )
    # Networks of its own: a drawing is judged exactly, whatever the avatar is shown by.
    doctor = RunningDoctor(partial(open_poser, exact_settings(render), Telemetry()))
    return RunningAvatar(status, take_neutral, poser, settings, doctor)
