"""The networks rest only when it is sure that nobody looks."""

from __future__ import annotations

import pytest

from vtbridge.app.audience import LINGER_S, Audience
from vtbridge.clock import NS_PER_S, ManualClock
from vtbridge.obs.sight import Sight


def later(clock: ManualClock, seconds: float) -> None:
    clock.sleep_until(clock.now_ns() + round(seconds * NS_PER_S))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_without_obs_somebody_always_looks(clock: ManualClock) -> None:
    audience = Audience(clock)
    audience.join("page", lambda: False)
    later(clock, 3600)
    assert audience.looks()
    assert audience.status() == {"shown": True, "watchers": {"obs": "not asked", "page": "no"}}


@pytest.mark.parametrize("sight", [Sight.UNKNOWN, Sight.SHOWN])
def test_what_is_not_known_counts_as_a_look(clock: ManualClock, sight: Sight) -> None:
    audience = Audience(clock)
    audience.idle_by(lambda: sight)
    later(clock, 3600)
    assert audience.looks()


def test_hidden_in_obs_rests_after_a_while_and_wakes_with_the_next_beat(
    clock: ManualClock,
) -> None:
    sight = Sight.SHOWN
    audience = Audience(clock)
    audience.idle_by(lambda: sight)
    assert audience.looks()
    sight = Sight.HIDDEN
    later(clock, LINGER_S - 0.1)
    assert audience.looks()
    later(clock, 0.2)
    assert not audience.looks()
    assert audience.status() == {"shown": False, "watchers": {"obs": "hidden"}}
    sight = Sight.SHOWN
    assert audience.looks()


def test_anyone_else_who_looks_keeps_it_awake(clock: ManualClock) -> None:
    watching = False
    audience = Audience(clock)
    audience.idle_by(lambda: Sight.HIDDEN)
    leave = audience.join("page", lambda: watching)
    later(clock, LINGER_S + 1)
    assert not audience.looks()
    watching = True
    assert audience.looks()
    leave()
    later(clock, LINGER_S + 1)
    assert not audience.looks()
    assert audience.status()["watchers"] == {"obs": "hidden"}


def test_look_wakes_for_a_while(clock: ManualClock) -> None:
    audience = Audience(clock)
    audience.idle_by(lambda: Sight.HIDDEN)
    later(clock, LINGER_S + 1)
    assert not audience.looks()
    audience.look()
    assert audience.looks()
    later(clock, LINGER_S + 0.1)
    assert not audience.looks()


def test_one_name_joins_once(clock: ManualClock) -> None:
    audience = Audience(clock)
    leave = audience.join("page", lambda: True)
    with pytest.raises(ValueError, match="page"):
        audience.join("page", lambda: True)
    leave()
    audience.join("page", lambda: True)
