"""What is wrong around the render loop, as readers of the segment are told."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from vtbridge.clock import NS_PER_S
from vtbridge.control.api.models import Health
from vtbridge.obs.connection import ObsConnection
from vtbridge.publish.vtbf import HealthFlag
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.recordings.writer import SessionWriter
from vtbridge.tracking.source_status import SourceState

HUNG_AFTER_NS = NS_PER_S
"""Without a sign of life for so long, readers too take the writer for hung."""


class Reason(StrEnum):
    """Why an avatar is degraded, in the order of the data's way."""

    INPUT_DOWN = "input_down"
    TRACKER_LOST = "tracker_lost"
    INFERENCE_FAILED = "inference_failed"
    RUNTIME_FALLBACK = "runtime_fallback"
    SLOW = "slow"
    RECORDER_OFF = "recorder_off"
    OBS_UNREACHABLE = "obs_unreachable"


def health_around(inputs: Inputs, obs: ObsConnection | None, lost: Collection[str]) -> HealthFlag:
    """Return the flags that the render loop cannot know of itself.

    Args:
        inputs: the trackers, and what records them.
        obs: the connection to OBS, None where vtbridge makes none.
        lost: names of the services that died.
    """
    health = HealthFlag.NONE
    recorders = [one for one in inputs.services if isinstance(one, SessionWriter)]
    receivers = {one.name for one in inputs.services if not isinstance(one, SessionWriter)}
    if not receivers.isdisjoint(lost) or any(
        source.state is SourceState.BLOCKED for source in inputs.status()
    ):
        health |= HealthFlag.INPUT_DOWN
    if any(one.trouble or one.name in lost for one in recorders):
        health |= HealthFlag.RECORDER_OFF
    if obs is not None and (obs.trouble or obs.name in lost):
        health |= HealthFlag.OBS_UNREACHABLE
    return health


def reasons_of(health: HealthFlag) -> list[Reason]:
    """Return why an avatar of this ``health`` is degraded; empty = it is well."""
    return [reason for reason in Reason if health & HealthFlag[reason.name]]


def health_told(health: HealthFlag, heartbeat_age_ns: int) -> Health:
    """Return ``health`` for people and programs; the age is of the render loop's last beat."""
    live = heartbeat_age_ns < HUNG_AFTER_NS
    return Health(
        live=live,
        ready=live and bool(health & HealthFlag.READY),
        degraded=list(reasons_of(health)),
        heartbeat_age_s=round(max(heartbeat_age_ns, 0) / NS_PER_S, 3),
    )
