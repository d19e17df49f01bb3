"""OBS's ticks, as they come over OSC, move the pacer's grid; nonsense is refused."""

from __future__ import annotations

import pytest

from vtbridge.app.obs_ticks import obs_ticks
from vtbridge.clock import ManualClock
from vtbridge.errors import PacketError
from vtbridge.flow.pacer import Pacer
from vtbridge.osc import OscArgument

INTERVAL_NS = 16_666_666


def test_ticks_lock_the_pacer() -> None:
    clock = ManualClock()
    pacer = Pacer(60, clock)
    hear = obs_ticks(pacer.lock)
    assert not pacer.locked
    hear((clock.now_ns(), INTERVAL_NS))
    assert pacer.locked


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (1,),
        (1.0, 2.0),
        ("1", "2"),
        (None, INTERVAL_NS),
        (0, 0),
        (0, -1),
        (1 << 62, INTERVAL_NS),
        (0, INTERVAL_NS, 0),
    ],
)
def test_ticks_that_make_no_sense_are_refused(arguments: tuple[OscArgument, ...]) -> None:
    pacer = Pacer(60, ManualClock())
    with pytest.raises(PacketError):
        obs_ticks(pacer.lock)(arguments)
    assert not pacer.locked
