"""The inputs of given settings, running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.daemon import network_inputs
from vtbridge.tracking.receivers.inputs import Inputs
from vtbridge.tracking.settings import TrackingSettings
from vtbridge.tracking.source_status import SourceState


def settings_for(ports: list[int], **others: Any) -> TrackingSettings:
    """Return VMC and iFacialMocap alone, at those two ports, and what ``others`` say."""
    tables: dict[str, Any] = {name: {"enabled": False} for name in network_inputs()}
    tables |= {"vmc": {"port": ports[0]}, "ifacialmocap": {"port": ports[1]}}
    return TrackingSettings.model_validate(tables | others)


@contextmanager
def started(inputs: Inputs) -> Iterator[Inputs]:
    """Run every service of ``inputs`` as long as the block; none may fail."""
    for service in inputs.services:
        service.start()
    try:
        yield inputs
    finally:
        stopped = [service.stop() for service in inputs.services]
    assert all(stopped)
    assert [service.failure for service in inputs.services] == [None] * len(inputs.services)


def states(inputs: Inputs) -> dict[str, SourceState]:
    """Return the state of each protocol."""
    return {status.source.partition(":")[0]: status.state for status in inputs.status()}
