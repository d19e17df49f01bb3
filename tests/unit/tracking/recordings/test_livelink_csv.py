"""Live Link Face's recordings are read by name and by time code, good rows whatever the bad."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze, HeadPose
from vtbridge.errors import PacketError
from vtbridge.tracking.livelink import ANGLE_NAMES, SHAPE_NAMES
from vtbridge.tracking.recordings.livelink_csv import MAX_LINE, iter_livelink_csv

COLUMNS = [*(name[0].upper() + name[1:] for name in SHAPE_NAMES), *ANGLE_NAMES]


def row(timecode: str, **values: str) -> str:
    cells = ["0"] * len(COLUMNS)
    for name, value in values.items():
        cells[COLUMNS.index(name)] = value
    return ",".join([timecode, "61", *cells])


def written(path: Path, *rows: str, columns: list[str] = COLUMNS) -> Path:
    path.write_text("\n".join([",".join(["Timecode", "BlendShapeCount", *columns]), *rows]) + "\n")
    return path


def seconds(faces: list[FaceFrame]) -> list[float]:
    return [(face.t_ns - NS_PER_S) / NS_PER_S for face in faces]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "MySlate_1_iPhone.csv"


def test_row_is_a_face(path: Path) -> None:
    values = {"JawOpen": "0.5", "MouthRight": "1.25", "HeadPitch": "0.1", "LeftEyeYaw": "0.2"}
    (face,) = iter_livelink_csv(written(path, row("10:00:00:00.000", **values)))
    assert (face.t_ns, face.source, face.tracked) == (NS_PER_S, "livelink:recording", True)
    assert len(face.blendshapes) == 52
    assert {n: w for n, w in face.blendshapes.items() if w} == {"jawOpen": 0.5, "mouthRight": 1.0}
    assert face.head == HeadPose(-0.1, 0.0, -0.0)
    assert face.left_eye == Gaze(-0.0, 0.2)


def test_columns_are_found_by_name(path: Path) -> None:
    columns = [*COLUMNS[::-1], "New"]
    cells = ["0"] * len(columns)
    cells[columns.index("JawOpen")] = "0.5"
    written(path, ",".join(["10:00:00:00.0", "61", *cells]), columns=columns)
    (face,) = iter_livelink_csv(path)
    assert face.blendshapes["jawOpen"] == 0.5
    assert sum(face.blendshapes.values()) == 0.5


def test_gzipped_recording_is_read_whatever_its_name(path: Path, tmp_path: Path) -> None:
    written(path, row("10:00:00:00.0", JawOpen="0.5"))
    packed = tmp_path / "take"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(iter_livelink_csv(packed)) == list(iter_livelink_csv(path))


def test_byte_order_mark_and_carriage_returns_are_read(path: Path) -> None:
    written(path, row("10:00:00:00.0", JawOpen="0.5"), "", "")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(list(iter_livelink_csv(path))) == 1


@pytest.mark.parametrize("rate", [24, 25, 30, 48, 50, 60])
def test_time_codes_count_at_the_rate_that_they_reach(path: Path, rate: int) -> None:
    codes = [f"10:00:{i // rate:02}:{i % rate:02}.000" for i in range(3 * rate)]
    faces = list(iter_livelink_csv(written(path, *map(row, codes))))
    assert seconds(faces) == pytest.approx([i / rate for i in range(3 * rate)], abs=1e-8)


def test_every_other_of_sixty_is_thirty_a_second(path: Path) -> None:
    codes = [f"10:00:{i // 30:02}:{2 * (i % 30):02}.491" for i in range(90)]
    faces = list(iter_livelink_csv(written(path, *map(row, codes))))
    assert seconds(faces) == pytest.approx([i / 30 for i in range(90)], abs=1e-8)


def test_rows_left_out_by_the_app_leave_a_gap(path: Path) -> None:
    codes = ["10:00:00:00.0", "10:00:00:58.0", "10:00:05:00.5", "10:00:06:30.0"]
    faces = list(iter_livelink_csv(written(path, *map(row, codes))))
    assert seconds(faces) == pytest.approx([0.0, 58 / 60, 5 + 0.5 / 60, 6.5])


def test_midnight_is_no_jump(path: Path) -> None:
    faces = list(iter_livelink_csv(written(path, row("23:59:59:30.0"), row("00:00:00:30.0"))))
    assert seconds(faces) == pytest.approx([0.0, 1.0])


def test_row_without_a_face_is_a_lost_face(path: Path) -> None:
    seen = row("10:00:00:00.0", JawOpen="0.5", HeadYaw="0.25")
    first, lost = iter_livelink_csv(written(path, seen, "10:00:00:02.0,0"))
    assert not lost.tracked
    assert (lost.blendshapes, lost.head) == (first.blendshapes, first.head)
    assert lost.t_ns > first.t_ns


@pytest.mark.parametrize(
    "bad",
    [
        "10:00:00:02",
        row("10-00-00"),
        row("10:00:00:02.0", JawOpen="wide"),
        row("10:00:00:02.0", JawOpen="nan"),
        row("10:00:00:02.0", JawOpen="1e9"),
        row("10:00:00:02.0", JawOpen=""),
        row("10:00:00:02.0", HeadYaw="inf"),
        row("09:59:58:02.0"),
        row("10:00:00:02.0")[:60],
        '"',
    ],
)
def test_bad_row_is_left_out_and_named(path: Path, bad: str) -> None:
    written(path, row("10:00:00:00.0"), bad, row("10:00:00:04.0"))
    troubles: list[str] = []
    faces = list(iter_livelink_csv(path, troubles.append))
    expected = 1 if bad == '"' else 2  # an open quote swallows what follows it
    assert len(faces) == expected
    (trouble,) = troubles
    assert str(path) in trouble
    assert ("line 4" if bad == '"' else "line 3") in trouble


def test_many_bad_rows_are_two_warnings(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(path, row("10:00:00:00.0"), *["bad"] * 50)
    with caplog.at_level(logging.WARNING):
        assert len(list(iter_livelink_csv(path))) == 1
    first, last = caplog.messages
    assert "line 3" in first
    assert "50 rows of 51" in last


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "empty"),
        ("Time,Value\n1,2\n", "line 1"),
        (",".join(["Timecode", "BlendShapeCount", *COLUMNS[:-1]]) + "\n", "RightEyeRoll"),
        (",".join(["Timecode", "BlendShapeCount", *COLUMNS]) + "\n", "no row"),
        (",".join(["Timecode", "BlendShapeCount", *COLUMNS]) + "\nbad\n", "line 2"),
        ("x" * (MAX_LINE + 1), "line 1"),
    ],
)
def test_what_is_no_recording_is_refused(path: Path, content: str, named: str) -> None:
    path.write_text(content)
    with pytest.raises(PacketError, match=named) as error:
        list(iter_livelink_csv(path, lambda trouble: None))
    assert str(path) in str(error.value)


def test_recording_cut_short_where_packed_gives_what_it_has_and_is_told(path: Path) -> None:
    written(path, *(row(f"10:00:00:{i:02}.0", JawOpen=f"0.{i * 7919}") for i in range(60)))
    path.write_bytes(gzip.compress(path.read_bytes())[:-40])
    faces: list[FaceFrame] = []
    with pytest.raises(PacketError, match="unpacked"):
        faces.extend(iter_livelink_csv(path))
    assert len(faces) > 10


def test_absent_recording_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(iter_livelink_csv(path))
