"""The avatar's source in a real OBS, by script and by plugin.

The right pixels, no tears, and nothing hurts OBS.
"""

from __future__ import annotations

import contextlib
import os
import signal
import string
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.support import pattern
from tests.support.obs import (
    BACKGROUND,
    SCRIPT,
    ObsProcess,
    ObsSetup,
    running_obs,
    wait_until,
)
from tests.support.segment import Segment, segment_bytes
from vtbridge.datatypes import Frame, U8Array
from vtbridge.obs.client import ObsClient
from vtbridge.obs.scene import SHARED_MEMORY_KIND, Transport, WantedScene, set_up_scene
from vtbridge.obs.settings import Away, Look, Placement
from vtbridge.publish.vtbf import FrameWriter, segment_path

TOLERANCE = 2
"""Levels of 255 between the frame in shared memory, composited, and what OBS shows."""


class Stage:
    """A scene of its own with one avatar source, and an eye on it."""

    def __init__(self, obs: ObsProcess, client: ObsClient, name: str) -> None:
        self.obs = obs
        self.client = client
        self.name = name
        self.added: list[str] = []
        self.scene = obs.make_scene(client)
        self.wanted = WantedScene(
            scene=self.scene, source=f"avatar {name}", avatar=name, placement=Placement.KEEP
        )
        report = set_up_scene(client, self.wanted)
        assert report.transport is Transport.SHARED_MEMORY

    def set(self, **settings: str) -> None:
        self.client.request(
            "SetInputSettings", {"inputName": self.wanted.source, "inputSettings": settings}
        )

    def shot(self) -> U8Array:
        return self.obs.screenshot(self.client, self.scene)

    def live(self) -> bool:
        top, bottom = pattern.counters(self.shot())
        return top == bottom != 0

    def moving(self) -> bool:
        """True if the counter moves on between two looks."""
        first, _ = pattern.counters(self.shot())
        second, _ = pattern.counters(self.shot())
        return second > first > 0

    def empty(self) -> bool:
        return bool((self.shot() == BACKGROUND).all())

    def add(self, name: str) -> None:
        """Add one more avatar source, for the segment ``name``."""
        self.client.request(
            "CreateInput",
            {
                "sceneName": self.scene,
                "inputName": f"avatar {name}",
                "inputKind": SHARED_MEMORY_KIND,
                "inputSettings": {"avatar": name},
            },
        )
        self.added.append(f"avatar {name}")

    def add_picture(self, path: Path) -> None:
        """Add OBS's own image source."""
        name = f"picture {self.name}"
        self.client.request(
            "CreateInput",
            {
                "sceneName": self.scene,
                "inputName": name,
                "inputKind": "image_source",
                "inputSettings": {"file": str(path)},
            },
        )
        self.added.append(name)

    def scale(self, source: str, scale: float) -> None:
        """Show the source smaller, in the upper left corner."""
        where = {"sceneName": self.scene, "sourceName": source}
        item = self.client.request("GetSceneItemId", where)["sceneItemId"]
        size = {"scaleX": scale, "scaleY": scale, "positionX": 0.0, "positionY": 0.0}
        self.client.request(
            "SetSceneItemTransform",
            {"sceneName": self.scene, "sceneItemId": item, "sceneItemTransform": size},
        )

    def size_of(self, name: str) -> tuple[float, float]:
        """Return what OBS takes for the size of the source for ``name``."""
        found = self.client.request("GetSceneItemList", {"sceneName": self.scene})["sceneItems"]
        (transform,) = (
            item["sceneItemTransform"] for item in found if item["sourceName"] == f"avatar {name}"
        )
        return transform["sourceWidth"], transform["sourceHeight"]

    def close(self) -> None:
        for name in self.added:
            self.client.request("RemoveInput", {"inputName": name})
        self.client.request("RemoveInput", {"inputName": self.wanted.source})
        self.client.request("RemoveInput", {"inputName": f"{self.scene} background"})
        self.client.request("RemoveScene", {"sceneName": self.scene})


@pytest.fixture
def avatar_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a name of its own for the test; what is left of its segment is removed after it."""
    name = f"t{os.getpid() % 100000}-{zlib.crc32(request.node.nodeid.encode()) % 10000}"
    yield name
    path = segment_path(name)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)


PICTURE_NUMBER = 0b1010_0101

LETTERS = string.ascii_letters
"""One more letter makes a name for each further segment of a test."""


@pytest.fixture(scope="module", params=["script", "plugin"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObsProcess]:
    """Run an OBS that has the source from the script alone, or from the plugin.

    With the plugin it has the script, too, which then has to stay aside.
    """
    plugin = request.getfixturevalue("built_plugin") if request.param == "plugin" else None
    folder = tmp_path_factory.mktemp("obs")
    with running_obs(folder, ObsSetup(scripts=[SCRIPT], plugin=plugin)) as process:
        yield process


@pytest.fixture
def stage(host: ObsProcess, avatar_name: str) -> Iterator[Stage]:
    """Return a scene with an avatar source for which no daemon runs yet."""
    with host.client() as client:
        stage = Stage(host, client, avatar_name)
        yield stage
        stage.close()
    assert host.running, host.log[-4000:]


def test_scene_shows_the_published_frame_whole_and_moving(stage: Stage) -> None:
    with pattern.writing(stage.name):
        wait_until(stage.live, "the avatar is shown")
        seen = set()
        for _ in range(10):
            shown = stage.shot()
            top, bottom = pattern.counters(shown)
            assert top == bottom, "a torn frame was shown"
            seen.add(top)
            expected = pattern.over(pattern.frame_pixels(top), BACKGROUND)
            error = np.abs(shown[:, : pattern.SIDE] - expected)
            assert error.max() <= TOLERANCE
            assert (shown[:, pattern.SIDE :] == BACKGROUND).all()
        first = max(seen)
        wait_until(lambda: pattern.counters(stage.shot())[0] > first + 30, "30 more frames passed")


def test_writer_much_faster_than_obs_is_never_shown_torn(stage: Stage) -> None:
    """Each slot is written again before a slow reader is done; only the check saves it."""
    with pattern.writing(stage.name, fps=0, slots=3):
        wait_until(stage.live, "the avatar is shown")
        numbers = [pattern.counters(stage.shot()) for _ in range(15)]
    assert all(top == bottom for top, bottom in numbers)
    assert len(set(numbers)) > 3


def linear_from_encoded(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, low, high)


def encoded_from_linear(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, low, high)


def obs_look(colour: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    behind = linear_from_encoded(np.array(BACKGROUND) / 255)
    return encoded_from_linear(linear_from_encoded(colour * alpha) + behind * (1 - alpha))


def linear_look(colour: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    behind = linear_from_encoded(np.array(BACKGROUND) / 255)
    return encoded_from_linear(linear_from_encoded(colour) * alpha + behind * (1 - alpha))


def gamma_look(colour: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    return colour * alpha + np.array(BACKGROUND) / 255 * (1 - alpha)


LookModel = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


@pytest.mark.parametrize(
    ("look", "model"),
    [(Look.GAMMA, gamma_look), (Look.OBS, obs_look), (Look.LINEAR, linear_look)],
)
def test_look_mixes_half_transparent_colours_as_it_says(
    stage: Stage, look: Look, model: LookModel
) -> None:
    stage.set(look=look.value)
    with pattern.writing(stage.name):
        wait_until(stage.live, "the avatar is shown")
        shown = stage.shot().astype(np.float64)
    for index, patch in enumerate(pattern.PATCHES):
        expected = model(np.array(patch[:3]) / 255, patch[3] / 255) * 255
        error = np.abs(shown[pattern.patch_centre(index)] - expected).max()
        assert error <= TOLERANCE, (look, patch)


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_frame_looks_like_the_same_picture_in_obs_own_image_source(
    stage: Stage, tmp_path: Path, scale: float
) -> None:
    path = tmp_path / "picture.png"
    straight = pattern.unpremultiply(pattern.frame_pixels(PICTURE_NUMBER))
    Image.fromarray(straight).save(path)
    stage.set(look=Look.OBS.value)
    stage.scale(stage.wanted.source, scale)
    with pattern.showing(stage.name, PICTURE_NUMBER):
        wait_until(lambda: not stage.empty(), "the avatar is shown")
        ours = stage.shot().astype(np.float64)
    stage.set(away=Away.TRANSPARENT.value)
    wait_until(stage.empty, "nothing is shown")
    stage.add_picture(path)
    stage.scale(f"picture {stage.name}", scale)
    wait_until(lambda: not stage.empty(), "the picture is shown")
    assert np.abs(ours - stage.shot()).max() <= TOLERANCE


def test_scaled_edge_of_one_colour_has_no_fringe(stage: Stage) -> None:
    """White at every alpha over the background: never darker than it, and never coloured."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    y, x = np.mgrid[0:400, 0:400]
    rgba[:] = np.rint(np.clip((150 - np.hypot(x - 200, y - 200)) / 3, 0, 1) * 255)[..., None]
    stage.scale(stage.wanted.source, 0.7)
    with FrameWriter.open(stage.name) as writer:

        def shown() -> bool:
            writer.write(Frame(rgba, 1))
            return tuple(stage.shot()[140, 140]) == (255, 255, 255)

        wait_until(shown, "the disc is shown")
        picture = stage.shot().astype(np.float64)
    behind = np.array(BACKGROUND, np.float64)
    share = (picture - behind) / (255 - behind)  # of white, which all three channels agree on
    assert share.min() >= 0
    assert 0.2 < share[(share > 0.01) & (share < 0.99)].mean() < 0.8, "there is an edge"
    error = np.abs(share - share.mean(axis=-1, keepdims=True)) * (255 - behind)
    assert error.max() <= TOLERANCE


# Above every patch, below the upper counter; the silhouette's head; an opaque patch.
CLEAR, HEAD, OPAQUE = (40, 500), (192, 256), pattern.patch_centre(0)


@pytest.mark.parametrize("away", list(Away))
def test_killed_writer_leaves_what_the_user_chose_and_the_next_one_goes_on(
    stage: Stage, away: Away
) -> None:
    stage.set(away=away.value)
    with pattern.writing(stage.name) as writer:
        wait_until(stage.live, "the avatar is shown")
        assert not stage.empty()
        writer.kill()
        writer.wait(10)
    match away:
        case Away.HOLD:
            wait_until(lambda: not stage.moving(), "the picture stands")
            top, bottom = pattern.counters(stage.shot())
            assert top == bottom != 0
            assert tuple(stage.shot()[OPAQUE]) == (255, 0, 0)
        case Away.TRANSPARENT:
            wait_until(stage.empty, "nothing is shown")
        case Away.PLACEHOLDER:
            grey = 96 + np.array(BACKGROUND) * (1 - 160 / 255)
            wait_until(
                lambda: bool((np.abs(stage.shot()[HEAD] - grey) <= TOLERANCE).all()),
                "the silhouette is shown",
            )
            assert tuple(stage.shot()[CLEAR]) == BACKGROUND
    with pattern.writing(stage.name):
        took_s = wait_until(stage.moving, "the next writer's frames are shown")
        print(f"shown {took_s:.2f} s after the next writer's first frame")


def test_writer_that_says_goodbye_is_followed_by_the_next(stage: Stage) -> None:
    stage.set(away=Away.TRANSPARENT.value)
    for _ in range(2):
        with pattern.writing(stage.name):
            wait_until(stage.moving, "the avatar is shown")
        wait_until(stage.empty, "nothing is shown")


def test_hung_writer_counts_as_away_until_it_moves_again(stage: Stage) -> None:
    stage.set(away=Away.TRANSPARENT.value)
    with pattern.writing(stage.name) as writer:
        wait_until(stage.live, "the avatar is shown")
        writer.send_signal(signal.SIGSTOP)
        try:
            wait_until(stage.empty, "nothing is shown")
        finally:
            writer.send_signal(signal.SIGCONT)
        wait_until(stage.moving, "the avatar moves again")


def test_truncated_segment_does_not_hurt_obs(stage: Stage) -> None:
    with pattern.writing(stage.name) as writer:
        wait_until(stage.live, "the avatar is shown")
        os.truncate(segment_path(stage.name), 100)
        assert writer.wait(10) == -signal.SIGBUS, "the writer maps it, so it pays; OBS must not"
    for _ in range(10):
        stage.shot()
    assert stage.obs.running
    with pattern.writing(stage.name):
        wait_until(stage.moving, "the next writer's frames are shown")


def test_larger_frames_are_followed_to_their_new_segment(stage: Stage) -> None:
    def show(writer: FrameWriter, height: int, width: int) -> None:
        rgba = np.full((height, width, 4), (10, 20, 30, 255), np.uint8)

        def shown() -> bool:
            writer.write(Frame(rgba, 1))
            picture = stage.shot()
            inside, outside = picture[height - 2, width - 2], picture[height - 2, width + 2]
            return tuple(inside) == (10, 20, 30) and tuple(outside) == BACKGROUND

        wait_until(shown, f"{width}x{height} is shown")

    with FrameWriter.open(stage.name, max_width=64, max_height=64) as writer:
        show(writer, 64, 64)
        show(writer, 300, 500)
        show(writer, 100, 30)


def test_hand_made_segment_is_shown(stage: Stage) -> None:
    """The positive control of the hostile segments below."""
    with Segment(segment_path(stage.name), segment_bytes()):
        wait_until(lambda: tuple(stage.shot()[10, 10]) == (200, 100, 50), "it is shown")


def test_avatar_of_the_longest_name_is_shown(stage: Stage) -> None:
    longest = stage.name.ljust(16, "x")
    with Segment(segment_path(longest), segment_bytes()):
        stage.add(longest)
        wait_until(lambda: tuple(stage.shot()[10, 10]) == (200, 100, 50), "it is shown")


HOSTILE = {
    "empty": b"",
    "noise": np.random.default_rng(7).bytes(100_000),
    "zeros": bytes(100_000),
    "header only": segment_bytes()[:4096],
    "half a slot": segment_bytes()[:8192],
    "wrong magic": segment_bytes(magic=b"VTBFRM2\0"),
    "wrong abi": segment_bytes(abi_major=2),
    "no slots": segment_bytes(slot_count=0),
    "many slots": segment_bytes(slot_count=0xFFFFFFFF),
    "no header": segment_bytes(header_bytes=0),
    "endless header": segment_bytes(header_bytes=0xFFFFF000),
    "no slot header": segment_bytes(slot_header_bytes=0),
    "endless stride": segment_bytes(slot_stride=1 << 63),
    "no stride": segment_bytes(slot_stride=0),
    "endless payload": segment_bytes(max_payload=1 << 62, slot_stride=1 << 63),
    "largest payload": segment_bytes(
        max_payload=1 << 30, slot_stride=(1 << 30) + 4096, total_bytes=1 << 40
    ),
    "endless latest": segment_bytes(latest=(1 << 64) - 1),
    "late latest": segment_bytes(latest=(1 << 62) - 1),
    "wide": segment_bytes(width=0xFFFFFFFF),
    "flat": segment_bytes(height=0),
    "width times four overflows": segment_bytes(width=0x40000001, stride=4),
    "stride times height overflows": segment_bytes(stride=0x80000000, height=2, payload=0),
    "narrow stride": segment_bytes(stride=4, payload=64),
    "payload beyond its slot": segment_bytes(payload=0xFFFFFFFF),
    "unknown fourcc": segment_bytes(fourcc=0x12345678),
    "unknown alpha": segment_bytes(alpha_mode=9),
    "other frame": segment_bytes(frame_no=5),
    "odd sequence": segment_bytes(seq=3),
}


def test_hostile_segments_do_not_hurt_obs(stage: Stage) -> None:
    with contextlib.ExitStack() as segments:
        for number, content in enumerate(HOSTILE.values()):
            name = f"{stage.name}{LETTERS[number]}"
            segments.enter_context(Segment(segment_path(name), content))
            stage.add(name)
        for _ in range(8):
            assert stage.empty(), [
                label
                for number, label in enumerate(HOSTILE)
                if stage.size_of(f"{stage.name}{LETTERS[number]}") != (512, 512)
            ]
            time.sleep(0.1)
        assert stage.obs.running
        with pattern.writing(stage.name):
            wait_until(stage.moving, "a real writer's frames are shown beside them")


def test_garbage_in_a_live_segment_does_not_hurt_obs(stage: Stage) -> None:
    path = segment_path(stage.name)
    random = np.random.default_rng(11)
    with Segment(path, segment_bytes()) as segment:
        wait_until(lambda: tuple(stage.shot()[10, 10]) == (200, 100, 50), "it is shown")
        for _ in range(20):
            at = int(random.integers(0, 4096 + 128))
            segment.overwrite(at, random.bytes(int(random.integers(1, 64))))
            stage.shot()
            assert stage.obs.running
    with pattern.writing(stage.name):
        wait_until(stage.moving, "a real writer's frames are shown")


def _make_fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _make_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _make_public(path: Path) -> None:
    path.write_bytes(segment_bytes())
    path.chmod(0o644)


@pytest.mark.parametrize("make", [_make_fifo, _make_link, _make_public, Path.mkdir])
def test_something_else_under_the_name_is_left_alone(
    stage: Stage, make: Callable[[Path], None]
) -> None:
    make(segment_path(stage.name))
    for _ in range(4):
        assert stage.empty()
    assert stage.obs.running


def test_segment_that_others_may_read_is_not_shown(stage: Stage) -> None:
    name = f"{stage.name}x"
    path = segment_path(name)
    with Segment(path, segment_bytes()):
        path.chmod(0o640)
        stage.add(name)
        for _ in range(6):
            assert stage.empty()
        path.chmod(0o600)
        wait_until(lambda: tuple(stage.shot()[10, 10]) == (200, 100, 50), "it is shown")


def test_unlocked_segment_of_a_dead_daemon_is_not_shown(stage: Stage) -> None:
    with Segment(segment_path(stage.name), segment_bytes(), locked=False):
        for _ in range(6):
            assert stage.empty()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "x" * 200, "a b", "-", "é"])
def test_impossible_avatar_name_shows_nothing(stage: Stage, name: str) -> None:
    stage.set(avatar=name)
    for _ in range(3):
        assert stage.empty()
    assert stage.obs.running


def test_properties_offer_the_avatars_that_run(stage: Stage) -> None:
    with pattern.writing(stage.name):
        answer = stage.client.request(
            "GetInputPropertiesListPropertyItems",
            {"inputName": stage.wanted.source, "propertyName": "avatar"},
        )
    assert stage.name in {item["itemValue"] for item in answer["propertyItems"]}


def test_removing_one_of_two_sources_leaves_the_other_alive(stage: Stage) -> None:
    with pattern.writing(stage.name):
        wait_until(stage.live, "the avatar is shown")
        for number in range(3):
            twin = f"twin {number} {stage.name}"
            stage.client.request(
                "CreateInput",
                {
                    "sceneName": stage.scene,
                    "inputName": twin,
                    "inputKind": SHARED_MEMORY_KIND,
                    "inputSettings": {"avatar": stage.name},
                },
            )
            stage.shot()
            stage.client.request("RemoveInput", {"inputName": twin})
            wait_until(stage.moving, "the first one moves on")


def test_source_was_loaded_once_and_reported_no_error(
    host: ObsProcess, request: pytest.FixtureRequest
) -> None:
    """Last in this file, so that the log holds what all tests above did to it."""
    lines = [line for line in host.log.splitlines() if "vtbridge" in line]
    ready = [line for line in lines if "is ready" in line]
    assert len(ready) == 1
    assert ("[vtbridge] plugin" in ready[0]) == (request.node.callspec.id == "plugin")
    assert not [line for line in lines if "fail" in line.lower() or "error" in line.lower()]
