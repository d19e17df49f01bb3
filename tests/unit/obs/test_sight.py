"""Whether OBS shows the avatar: every transport, by events, and never by guess."""

from __future__ import annotations

import pytest

from tests.support.obs_answers import FakeInput, ObsAnswers
from vtbridge.clock import NS_PER_S
from vtbridge.obs.client import ObsEvent
from vtbridge.obs.scene import MEDIA_KIND, SHARED_MEMORY_KIND, Transport
from vtbridge.obs.sight import RECHECK_S, AvatarSight, Sight
from vtbridge.obs.sources import AvatarFeeds, find_avatar_sources

FEEDS = AvatarFeeds("me", 5601)


def shared(avatar: str = "me", *, shown: bool = False) -> FakeInput:
    return FakeInput(SHARED_MEMORY_KIND, {"avatar": avatar}, shown=shown)


def media(url: str, *, shown: bool = False) -> FakeInput:
    return FakeInput(MEDIA_KIND, {"input": url, "input_format": "rawvideo"}, shown=shown)


def show(name: str, shown: bool) -> ObsEvent:
    return ObsEvent("InputShowStateChanged", {"inputName": name, "videoShowing": shown})


def now(sight: AvatarSight) -> Sight:
    return sight.sight


def test_sources_of_this_avatar_are_found_by_every_transport_and_no_others() -> None:
    obs = ObsAnswers(
        {
            "ours": shared(),
            "another avatar": shared("you"),
            "default avatar": FakeInput(SHARED_MEMORY_KIND),
            "by tcp": media("tcp://127.0.0.1:5601", shown=True),
            "another port": media("tcp://127.0.0.1:5602"),
            "a clip": FakeInput(MEDIA_KIND, {"local_file": "/clip.mkv"}),
            "no port": media("tcp://127.0.0.1:x"),
            "camera": FakeInput("v4l2_input"),
        }
    )
    found = find_avatar_sources(obs, FEEDS)
    assert [(one.name, one.transport, one.shown) for one in found] == [
        ("ours", Transport.SHARED_MEMORY, False),
        ("by tcp", Transport.MEDIA, True),
    ]
    assert [one.name for one in find_avatar_sources(obs, AvatarFeeds("vtbridge"))] == [
        "default avatar"
    ]


def test_source_removed_while_it_is_asked_for_is_left_out() -> None:
    obs = ObsAnswers({"ours": shared()})
    obs.answers["GetInputList"] = lambda: {
        "inputs": [
            {"inputName": "gone", "inputKind": SHARED_MEMORY_KIND},
            {"inputName": "ours", "inputKind": SHARED_MEMORY_KIND},
        ]
    }
    assert [one.name for one in find_avatar_sources(obs, FEEDS)] == ["ours"]


def test_nothing_is_known_before_obs_answers_nor_after_it_is_gone() -> None:
    sight = AvatarSight(FEEDS)
    assert now(sight) is Sight.UNKNOWN
    sight.read(ObsAnswers({"ours": shared()}))
    assert now(sight) is Sight.HIDDEN
    sight.lost()
    assert now(sight) is Sight.UNKNOWN


def test_obs_without_a_source_of_the_avatar_tells_nothing() -> None:
    sight = AvatarSight(FEEDS)
    sight.read(ObsAnswers({"other": shared("you")}))
    assert now(sight) is Sight.UNKNOWN


def test_answer_that_makes_no_sense_leaves_nothing_known() -> None:
    sight = AvatarSight(FEEDS)
    obs = ObsAnswers({"ours": shared()})
    sight.read(obs)
    obs.answers["GetInputList"] = lambda: {}
    with pytest.raises(KeyError):
        sight.read(obs)
    assert now(sight) is Sight.UNKNOWN


def test_shown_while_any_of_its_sources_is() -> None:
    sight = AvatarSight(FEEDS)
    obs = ObsAnswers({"one": shared(), "two": media("tcp://127.0.0.1:5601")})
    sight.read(obs)
    assert (sight.sight, sight.media_sources) == (Sight.HIDDEN, 1)
    for event, expected in (
        (show("two", True), Sight.SHOWN),
        (show("one", True), Sight.SHOWN),
        (show("two", False), Sight.SHOWN),
        (show("one", False), Sight.HIDDEN),
        (show("a stranger", True), Sight.HIDDEN),
    ):
        sight.heard(event, obs)
        assert now(sight) is expected


def test_transition_wakes_before_it_is_known_where_it_leads() -> None:
    told: list[str] = []
    sight = AvatarSight(FEEDS, about_to_change=lambda: told.append("look"))
    sight.heard(ObsEvent("SceneTransitionStarted", {"transitionName": "Fade"}), ObsAnswers())
    sight.heard(ObsEvent("InputVolumeChanged", {}), ObsAnswers())
    assert told == ["look"]


def test_source_made_renamed_or_removed_is_followed() -> None:
    sight = AvatarSight(FEEDS)
    obs = ObsAnswers()
    sight.read(obs)
    obs.inputs["ours"] = shared(shown=True)
    sight.heard(ObsEvent("InputCreated", {"inputName": "ours"}), obs)
    assert now(sight) is Sight.SHOWN
    obs.inputs["renamed"] = obs.inputs.pop("ours")
    sight.heard(ObsEvent("InputNameChanged", {"oldInputName": "ours"}), obs)
    sight.heard(show("renamed", False), obs)
    assert now(sight) is Sight.HIDDEN
    obs.inputs.clear()
    sight.heard(ObsEvent("InputRemoved", {"inputName": "renamed"}), obs)
    assert now(sight) is Sight.UNKNOWN


def test_change_that_obs_does_not_tell_is_found_after_a_while() -> None:
    sight = AvatarSight(FEEDS)
    obs = ObsAnswers({"ours": shared("you")})
    sight.read(obs)
    now_ns = 7 * NS_PER_S
    assert sight.tend(obs, now_ns) == RECHECK_S
    obs.inputs["ours"].settings["avatar"] = "me"
    assert 0 < sight.tend(obs, now_ns + NS_PER_S) < RECHECK_S
    assert now(sight) is Sight.UNKNOWN
    sight.tend(obs, now_ns + round(RECHECK_S * NS_PER_S))
    assert now(sight) is Sight.HIDDEN
