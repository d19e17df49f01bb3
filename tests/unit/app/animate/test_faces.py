"""Each picture of the span gives one face, read back exactly; a broken-off pass leaves nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.support.animation import GreyTracker, brightness, write_clip
from vtbridge.app.animate.faces import WHOLE, FacesFound, FacesOfVideo, Span
from vtbridge.datatypes import FaceFrame, U8Array
from vtbridge.errors import ConfigError, VtbridgeError

FPS = 25
COUNT = 20


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    pictures = [brightness(index / COUNT, face=index % 4 != 3) for index in range(COUNT)]
    return write_clip(tmp_path / "clip.mp4", pictures, fps=FPS)


class Recorder(GreyTracker):
    """Remember when each picture was said to be taken."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def track(self, rgb: U8Array, t_ns: int, source: str = "webcam") -> FaceFrame:
        self.times.append(round(t_ns / 1e9, 4))
        return super().track(rgb, t_ns, source)


def test_every_picture_has_its_face_and_time(clip: Path, tmp_path: Path) -> None:
    faces = FacesOfVideo(clip, WHOLE, tmp_path, GreyTracker)
    steps: list[int] = []
    assert faces.track(steps.append) == FacesFound(COUNT, 15, 0)
    assert steps == list(range(1, COUNT + 1))
    read = list(faces)
    assert [face.t_ns for face in read] == [index * 40_000_000 for index in range(COUNT)]
    assert [face.tracked for face in read] == [index % 4 != 3 for index in range(COUNT)]
    assert read[10].blendshapes["jawOpen"] == pytest.approx(0.5, abs=0.03)
    assert read == list(faces)


def test_span_takes_its_own_pictures_only(clip: Path, tmp_path: Path) -> None:
    faces = FacesOfVideo(clip, Span(0.2, 0.4), tmp_path, GreyTracker)
    assert faces.track(lambda done: None) == FacesFound(5, 4, 5)
    assert [face.t_ns // 1_000_000 for face in faces] == [200, 240, 280, 320, 360]


def test_span_beyond_the_end_is_refused(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clip\.mp4 ends before 9 s"):
        FacesOfVideo(clip, Span(9.0), tmp_path, GreyTracker).track(lambda done: None)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_tracker_has_watched_the_beginning_before_its_word_counts(
    clip: Path, tmp_path: Path
) -> None:
    tracker = Recorder()
    FacesOfVideo(clip, Span(0.4), tmp_path, lambda: tracker).track(lambda done: None)
    counted = [0.4 + index / FPS for index in range(10)]
    assert tracker.times == pytest.approx([t - 15 for t in counted] + counted)


def test_done_once_is_never_done_again(clip: Path, tmp_path: Path) -> None:
    first = FacesOfVideo(clip, WHOLE, tmp_path, GreyTracker)
    found = first.track(lambda done: None)

    def refuse() -> GreyTracker:
        raise AssertionError("tracked again")

    again = FacesOfVideo(clip, WHOLE, tmp_path, refuse)
    assert again.track(lambda done: None) == found
    assert list(again) == list(first)


def test_pass_broken_off_leaves_nothing_and_begins_anew(clip: Path, tmp_path: Path) -> None:
    def interrupt(done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FacesOfVideo(clip, WHOLE, tmp_path, GreyTracker).track(interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    faces = FacesOfVideo(clip, WHOLE, tmp_path, GreyTracker)
    faces.track(lambda done: None)
    assert len(list(faces)) == COUNT


def test_equal_times_are_told_apart(tmp_path: Path) -> None:
    faces = FacesOfVideo(tmp_path / "none.mp4", WHOLE, tmp_path, GreyTracker)
    line = b'%d,{"tracked":false}\n'
    with gzip.open(tmp_path / "faces.jsonl.gz", "wb") as file:
        file.write(b"".join(line % t_ns for t_ns in (0, 40, 40, 40, 80)))
    assert [face.t_ns for face in faces] == [0, 40, 41, 42, 80]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("faces.jsonl.gz", b"\x1f\x8bnonsense"),
        ("faces.json", b"\x1f\x8bnonsense"),
        ("faces.json", b"[" * 100_000),
        ("faces.json", b"[Infinity, 1, 1]"),
    ],
    ids=["faces", "summary", "nested", "infinite"],
)
def test_damage_is_told_with_its_remedy(
    name: str, content: bytes, clip: Path, tmp_path: Path
) -> None:
    faces = FacesOfVideo(clip, WHOLE, tmp_path, GreyTracker)
    faces.track(lambda done: None)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VtbridgeError, match=rf"{name} is damaged .*--restart"):
        list(faces) if name.endswith("gz") else faces.track(lambda done: None)
