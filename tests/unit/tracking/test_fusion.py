"""Several trackers make one face: each part has one mover, and time never runs backwards."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.face_parts import Part
from vtbridge.tracking.fusion import HELD_NS, MAX_SOURCES, Fusion
from vtbridge.tracking.protocols.vmc import VmcProtocol
from vtbridge.tracking.settings import FusionSettings

T0 = NS_PER_S
TAKEOVER_NS = 3 * NS_PER_S // 2
FRAME_NS = NS_PER_S // 60

PHONE, WEBCAM, VOICE = "ifacialmocap:192.168.1.20", "webcam:0", "microphone:default"


class Stage:
    """A fusion, its counters and the last face it showed."""

    def __init__(self, **settings: Any) -> None:
        self.telemetry = Telemetry()
        self.fusion = Fusion(FusionSettings.model_validate(settings), TAKEOVER_NS, self.telemetry)
        self.face = FaceFrame(0)

    def offer(self, source: str, t_ns: int, *, tracked: bool = True, **parts: Any) -> bool:
        shown = self.fusion.offer(FaceFrame(t_ns, source, tracked, **parts))
        if shown is not None:
            self.face = shown
        return shown is not None

    def count(self, name: str) -> int:
        return self.telemetry.counters().get(f"tracking.{name}", 0)


def arkit(**weights: float) -> dict[str, float]:
    return {"jawOpen": 0.1, "browInnerUp": 0.2, "eyeBlinkLeft": 0.3, "eyeLookUpLeft": 0.4} | weights


def test_only_tracker_passes_untouched() -> None:
    fusion = Stage().fusion
    for frame in range(3):
        face = FaceFrame(T0 + frame, PHONE, frame != 1, blendshapes=arkit(), head=HeadPose())
        assert fusion.offer(face) is face


def test_second_tracker_does_not_fight_for_the_face() -> None:
    stage = Stage()
    for frame in range(300):
        t_ns = T0 + frame * FRAME_NS
        assert stage.offer(PHONE, t_ns)
        assert not stage.offer(WEBCAM, t_ns + 1)
        assert stage.face.source == PHONE
    assert stage.count("takeovers") == 1
    assert stage.count("not_owner") == 300


def test_second_tracker_takes_over_after_silence() -> None:
    stage = Stage()
    stage.offer(PHONE, T0)
    assert not stage.offer(WEBCAM, T0 + TAKEOVER_NS - 1)
    assert stage.offer(WEBCAM, T0 + TAKEOVER_NS)
    assert not stage.offer(PHONE, T0 + TAKEOVER_NS + FRAME_NS)
    assert stage.count("takeovers") == 2


def test_tracker_that_lost_the_face_keeps_it_until_another_sees_one() -> None:
    stage = Stage()
    stage.offer(PHONE, T0)
    for frame in range(1, 120):
        assert stage.offer(PHONE, T0 + frame * FRAME_NS, tracked=False)
    assert not stage.face.tracked
    t_ns = T0 + 120 * FRAME_NS
    assert not stage.offer(WEBCAM, t_ns, tracked=False)
    assert stage.offer(WEBCAM, t_ns)
    assert stage.face.source == WEBCAM


def test_sender_of_hands_alone_leaves_the_face_to_a_phone() -> None:
    hand = OscMessageBuilder("/VMC/Ext/Bone/Pos")
    for argument in ("LeftHand", *(0.0,) * 6, 1.0):
        hand.add_arg(argument)
    apply = OscMessageBuilder("/VMC/Ext/Blend/Apply").build().dgram
    vmc = VmcProtocol()
    vmc.reset("vmc:127.0.0.1")
    stage = Stage()
    t_ns = TAKEOVER_NS
    for _ in range(60):
        t_ns += FRAME_NS
        for datagram in (hand.build().dgram, apply):
            for frame in vmc.feed(datagram, t_ns):
                stage.fusion.offer(frame)
    assert stage.offer(PHONE, t_ns + 1)
    for frame in vmc.feed(apply, t_ns + 2):
        assert stage.fusion.offer(frame) is None
    assert stage.face.source == PHONE


def test_late_frame_does_not_replace_a_newer_one() -> None:
    stage = Stage()
    stage.offer(PHONE, T0 + 2)
    assert not stage.offer(PHONE, T0 + 1)
    assert stage.count("out_of_order") == 1


def test_face_that_nobody_was_shown_makes_no_other_late() -> None:
    stage = Stage()
    stage.offer(PHONE, T0)
    assert not stage.offer(WEBCAM, T0 + 2)
    assert stage.offer(PHONE, T0 + 1)


def test_face_older_than_the_one_shown_is_part_of_the_next() -> None:
    stage = Stage(mouth=["webcam"])
    stage.offer(PHONE, T0 + 2, blendshapes=arkit())
    assert not stage.offer(WEBCAM, T0 + 1, blendshapes=arkit(jawOpen=0.9))
    assert stage.offer(PHONE, T0 + 3, blendshapes=arkit())
    assert stage.face.blendshapes["jawOpen"] == 0.9


def test_face_of_a_new_owner_is_not_older_than_what_the_last_one_showed() -> None:
    stage = Stage()
    stage.offer(PHONE, T0 + 2 * TAKEOVER_NS, tracked=False)
    assert not stage.offer(WEBCAM, T0)
    assert stage.count("takeovers") == 2
    assert stage.offer(WEBCAM, T0 + 2 * TAKEOVER_NS)


def test_frame_that_came_twice_is_the_same_frame() -> None:
    stage = Stage()
    assert stage.offer(PHONE, T0, blendshapes=arkit())
    assert stage.offer(PHONE, T0, blendshapes=arkit())
    assert stage.face == FaceFrame(T0, PHONE, blendshapes=arkit())


@pytest.mark.parametrize("seed", range(20))
def test_shown_faces_never_run_backwards_whatever_arrives(seed: int) -> None:
    chance = random.Random(seed)
    stage = Stage(mouth=["webcam"], head=["vmc"])
    last_ns = 0
    for _ in range(500):
        source = chance.choice((PHONE, WEBCAM, VOICE, "vmc:10.0.0.2"))
        t_ns = T0 + chance.randrange(4 * NS_PER_S)
        tracked = chance.random() < 0.8
        parts: dict[str, Any] = {"blendshapes": arkit(), "head": HeadPose()}
        if source == VOICE:
            parts = {"presets": {"aa": chance.random()}}
        if stage.offer(source, t_ns, tracked=tracked, **parts):
            assert stage.face.t_ns >= last_ns
            last_ns = stage.face.t_ns


def test_lists_give_each_part_to_the_first_live_tracker() -> None:
    stage = Stage(mouth=["webcam"], head=["vmc", "webcam"], gaze=["ifacialmocap"])
    gaze = Gaze(0.1, 0.2)
    stage.offer(PHONE, T0, blendshapes=arkit(), head=HeadPose(1.0), left_eye=gaze)
    stage.offer(WEBCAM, T0 + 1, blendshapes=arkit(jawOpen=0.9, browInnerUp=0.9), head=HeadPose(2.0))
    assert stage.face.source == f"{PHONE}+{WEBCAM}"
    assert stage.face.blendshapes == arkit(jawOpen=0.9)
    assert stage.face.head == HeadPose(2.0)
    assert stage.face.left_eye == gaze
    assert stage.offer("vmc:10.0.0.2", T0 + 2, head=HeadPose(3.0))
    assert stage.face.head == HeadPose(3.0)
    assert stage.face.source == f"{PHONE}+vmc:10.0.0.2+{WEBCAM}"
    assert stage.fusion.movers[Part.HEAD] == "vmc:10.0.0.2"


def test_listed_tracker_that_lacks_the_part_leaves_it_to_the_next() -> None:
    stage = Stage(mouth=["vmc", "webcam"])
    stage.offer(PHONE, T0, blendshapes=arkit())
    assert not stage.offer("vmc:10.0.0.2", T0 + 1, head=HeadPose(1.0))
    stage.offer(WEBCAM, T0 + 2, blendshapes=arkit(jawOpen=0.9))
    assert stage.face.blendshapes["jawOpen"] == 0.9


def test_entry_may_name_one_source_and_no_other_whose_name_begins_alike() -> None:
    stage = Stage(mouth=["vmc:10.0.0.2"])
    stage.offer(PHONE, T0, blendshapes=arkit())
    assert not stage.offer("vmc:10.0.0.21", T0 + 1, blendshapes=arkit(jawOpen=1.0))
    assert not stage.offer("vmc:10.0.0.2@9000", T0 + 1, blendshapes=arkit(jawOpen=1.0))
    assert stage.offer("vmc:10.0.0.2", T0 + 2, blendshapes=arkit(jawOpen=0.8))
    assert stage.face.blendshapes["jawOpen"] == 0.8


def test_of_several_faces_of_a_listed_tracker_the_first_stays() -> None:
    stage = Stage(mouth=["openseeface"])
    stage.offer(PHONE, T0, blendshapes=arkit())
    for frame in range(60):
        t_ns = T0 + frame * FRAME_NS
        stage.offer(PHONE, t_ns, blendshapes=arkit())
        assert stage.offer("openseeface:127.0.0.1#0", t_ns + 1, blendshapes={"jawOpen": 0.5})
        assert not stage.offer("openseeface:127.0.0.1#1", t_ns + 2, blendshapes={"jawOpen": 0.7})


def test_part_goes_back_to_the_face_once_its_tracker_is_silent() -> None:
    stage = Stage(mouth=["webcam"])
    stage.offer(PHONE, T0, blendshapes=arkit())
    stage.offer(WEBCAM, T0, blendshapes=arkit(jawOpen=0.9))
    told = []
    for frame in range(1, 120):
        stage.offer(PHONE, T0 + frame * FRAME_NS, blendshapes=arkit())
        told.append(stage.face.blendshapes.get("jawOpen"))
    held, left_out = HELD_NS // FRAME_NS, TAKEOVER_NS // FRAME_NS
    assert told[: held - 1] == [0.9] * (held - 1)
    assert set(told[held : left_out - 2]) == {None}  # silence: the retargeter eases it
    assert told[left_out:] == [0.1] * len(told[left_out:])
    assert stage.face.source == PHONE


def test_tracker_without_a_face_says_nothing_while_another_moves_a_part() -> None:
    stage = Stage(mouth=["webcam"])
    stage.offer(PHONE, T0, blendshapes=arkit(), head=HeadPose(1.0))
    stage.offer(WEBCAM, T0, blendshapes=arkit(jawOpen=0.9))
    assert not stage.offer(PHONE, T0 + 1, tracked=False)
    assert stage.offer(WEBCAM, T0 + HELD_NS, blendshapes=arkit(jawOpen=0.8))
    assert stage.face.tracked
    assert stage.face.head is None
    assert stage.face.blendshapes == {"jawOpen": 0.8}
    assert stage.offer(WEBCAM, T0 + HELD_NS + 1, tracked=False)
    assert not stage.face.tracked, "nobody sees a face"


def arrivals(
    interval_ns: int, lateness_ns: int, voice_ns: int = 20_000_000, span_ns: int = 6 * NS_PER_S
) -> list[tuple[int, str, int]]:
    """Return when what arrives with which time: a late camera's faces among a voice's."""
    camera = [(t + lateness_ns, WEBCAM, T0 + t) for t in range(0, span_ns, interval_ns)]
    return sorted(camera + [(t, VOICE, T0 + t) for t in range(0, span_ns, voice_ns)])


@pytest.mark.parametrize(
    ("fps", "lateness_ms"), [(30, 40), (15, 80), (10, 100), (8, 120), (5, 100), (4, 500)]
)
def test_slow_and_late_camera_keeps_its_parts_beside_a_voice(fps: int, lateness_ms: int) -> None:
    stage = Stage()
    told = []
    for arrival, source, t_ns in arrivals(NS_PER_S // fps, lateness_ms * 1_000_000):
        parts = voice(0.5) if source == VOICE else {"blendshapes": arkit(), "head": HeadPose(1.0)}
        if stage.offer(source, t_ns, **parts) and arrival > NS_PER_S:
            told.append(stage.face.source)
    assert len(told) > 100
    assert set(told) == {WEBCAM}


@pytest.mark.parametrize("slow", [WEBCAM, VOICE])
def test_no_pace_is_so_slow_that_silence_is_held_beyond_the_takeover(slow: str) -> None:
    stage = Stage(mouth=["webcam"])
    for second in range(3):
        parts = voice(1.0) if slow == VOICE else {"blendshapes": arkit(jawOpen=0.9)}
        stage.offer(slow, T0 + second * NS_PER_S, **parts)
    opened = []
    for t_ns in (T0 + 2 * NS_PER_S + TAKEOVER_NS - 1, T0 + 2 * NS_PER_S + TAKEOVER_NS):
        stage.offer(PHONE, t_ns, blendshapes=arkit())
        opened.append(stage.face.blendshapes["jawOpen"] > 0.1)
    assert opened == [True, False]


def voice(weight: float) -> dict[str, Any]:
    return {"presets": {"aa": weight, "oh": 0.0}, "blendshapes": {"jawOpen": weight * 0.4}}


def test_voice_opens_the_mouth_as_far_as_face_or_voice_says() -> None:
    stage = Stage()
    stage.offer(PHONE, T0, blendshapes=arkit(jawOpen=0.3), head=HeadPose(1.0))
    assert stage.offer(VOICE, T0 + 1, **voice(1.0))
    assert stage.face.blendshapes["jawOpen"] == pytest.approx(0.4)
    assert stage.face.blendshapes["browInnerUp"] == 0.2
    assert stage.face.presets == {}, "vowels beside ARKit would be said twice"
    assert stage.face.head == HeadPose(1.0)
    assert stage.face.source == PHONE
    stage.offer(VOICE, T0 + 2, **voice(0.0))
    assert stage.face.blendshapes["jawOpen"] == 0.3
    stage.offer(PHONE, T0 + 3, blendshapes=arkit(jawOpen=0.6))
    assert stage.face.blendshapes["jawOpen"] == 0.6


def test_voice_speaks_vowels_to_a_face_that_does() -> None:
    stage = Stage()
    stage.offer("vmc:10.0.0.2", T0, presets={"aa": 0.2, "blink": 0.5, "happy": 1.0})
    stage.offer(VOICE, T0 + 1, **voice(0.7))
    assert stage.face.presets == {"aa": 0.7, "oh": 0.0, "blink": 0.5, "happy": 1.0}
    assert stage.face.blendshapes == {}


@pytest.mark.parametrize("microphone", ["max", "replace"])
def test_voice_alone_moves_the_mouth_and_nothing_else(microphone: str) -> None:
    stage = Stage(microphone=microphone)
    assert stage.offer(VOICE, T0, **voice(0.7))
    assert stage.face == FaceFrame(T0, VOICE, presets={"aa": 0.7, "oh": 0.0})
    assert stage.fusion.movers == {Part.MOUTH: VOICE}
    assert stage.count("takeovers") == 0
    assert stage.offer(PHONE, T0 + 1, blendshapes=arkit())
    assert stage.fusion.movers[Part.BROWS] == PHONE


def test_voice_is_the_mover_of_a_mouth_that_the_face_lacks() -> None:
    stage = Stage()
    stage.offer(PHONE, T0, head=HeadPose(1.0))
    assert stage.offer(VOICE, T0 + 1, **voice(0.7))
    assert stage.fusion.movers == {Part.HEAD: PHONE, Part.MOUTH: VOICE}
    assert stage.face == FaceFrame(
        T0 + 1, PHONE, presets={"aa": 0.7, "oh": 0.0}, head=HeadPose(1.0)
    )


def test_voice_does_not_hide_that_the_face_fell_silent() -> None:
    stage = Stage()
    stage.offer(PHONE, T0, blendshapes=arkit(), head=HeadPose(1.0))
    stage.offer(VOICE, T0 + HELD_NS - 1, **voice(0.7))
    assert stage.face.head is not None
    stage.offer(VOICE, T0 + HELD_NS, **voice(0.7))
    assert stage.face == FaceFrame(T0 + HELD_NS, VOICE, presets={"aa": 0.7, "oh": 0.0})


def test_voice_never_has_the_face() -> None:
    stage = Stage()
    for frame in range(200):
        stage.offer(VOICE, T0 + frame * FRAME_NS, **voice(0.7))
    t_ns = T0 + 200 * FRAME_NS
    assert stage.offer(PHONE, t_ns, blendshapes=arkit())
    assert stage.fusion.movers[Part.BROWS] == PHONE


@pytest.mark.parametrize("settings", [{"microphone": "replace"}, {"mouth": ["microphone"]}])
def test_voice_may_replace_the_mouth(settings: dict[str, Any]) -> None:
    stage = Stage(**settings)
    stage.offer(PHONE, T0, blendshapes=arkit(jawOpen=0.9))
    stage.offer(VOICE, T0 + 1, **voice(0.5))
    assert stage.face.blendshapes["jawOpen"] == pytest.approx(0.2)
    assert stage.face.blendshapes["eyeBlinkLeft"] == 0.3
    assert stage.face.source == f"{PHONE}+{VOICE}"


def test_voice_that_is_ranked_below_a_live_tracker_is_not_heard() -> None:
    stage = Stage(microphone="replace", mouth=["webcam", "microphone"])
    stage.offer(PHONE, T0, blendshapes=arkit())
    stage.offer(WEBCAM, T0 + 1, blendshapes=arkit(jawOpen=0.1))
    assert not stage.offer(VOICE, T0 + 2, **voice(1.0))
    assert stage.offer(WEBCAM, T0 + 3, blendshapes=arkit(jawOpen=0.15))
    assert stage.face.blendshapes["jawOpen"] == 0.15


def test_two_languages_become_one() -> None:
    stage = Stage(mouth=["vmc"])
    stage.offer(PHONE, T0, blendshapes=arkit(), presets={"happy": 0.5})
    stage.offer("vmc:10.0.0.2", T0 + 1, presets={"aa": 1.0, "blink": 1.0, "angry": 1.0})
    assert stage.face.presets == {"happy": 0.5}
    assert stage.face.blendshapes["jawOpen"] > 0.3
    assert stage.face.blendshapes["eyeBlinkLeft"] == 0.3


def test_sources_beyond_the_limit_are_forgotten_and_the_owner_is_not() -> None:
    stage = Stage()
    stage.offer(PHONE, T0)
    for number in range(10 * MAX_SOURCES):
        stage.offer(f"vmc:10.0.0.1#{number}", T0 + number)
    assert len(stage.fusion._sources) == MAX_SOURCES
    assert stage.offer(PHONE, T0 + 10 * MAX_SOURCES)
