"""What real senders wrote becomes the faces that they saw."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.captures import read_capture
from vtbridge.clock import NS_PER_S
from vtbridge.datatypes import FaceFrame, Gaze
from vtbridge.tracking.arkit import ARKIT_NAMES
from vtbridge.tracking.protocols.ifacialmocap import IFacialMocapProtocol
from vtbridge.tracking.protocols.livelink import LiveLinkProtocol
from vtbridge.tracking.protocols.openseeface import FACE, OpenSeeFaceProtocol
from vtbridge.tracking.protocols.protocol import TrackerProtocol
from vtbridge.tracking.protocols.stream import TEXT_END, TextFramer
from vtbridge.tracking.protocols.table import PROTOCOLS
from vtbridge.tracking.recordings.livelink_csv import iter_livelink_csv
from vtbridge.tracking.settings import TrackingSettings

F64Array = NDArray[np.float64]

POINTS_2D = slice(86, 222)
FEATURE_COLUMNS = 14
"""The log's last columns; its heading names fewer points than its rows have."""


def replayed(path: Path, protocol: TrackerProtocol) -> list[FaceFrame]:
    protocol.reset("test")
    faces = [
        face
        for datagram in read_capture(path)
        for face in protocol.feed(datagram.data, NS_PER_S + round(datagram.t_s * NS_PER_S))
    ]
    assert protocol.values_dropped == 0
    return faces


@pytest.fixture(scope="module")
def webcam(captures: Path) -> list[FaceFrame]:
    """Return the faces of OpenSeeFace's capture."""
    return replayed(captures / "openseeface_model0.udpcap", OpenSeeFaceProtocol())


@pytest.fixture(scope="module")
def points_2d(captures: Path) -> F64Array:
    """Return where the 68 points lie in the picture, [faces, 68, 2], x to the right, y down."""
    packets = [d.data for d in read_capture(captures / "openseeface_model0.udpcap")]
    return np.array([FACE.unpack(data)[POINTS_2D] for data in packets]).reshape(-1, 68, 2)


def heads_deg(faces: list[FaceFrame]) -> F64Array:
    """Return pitch, yaw and roll in degrees, [faces, 3]."""
    heads = [face.head for face in faces]
    return np.degrees([[h.pitch_rad, h.yaw_rad, h.roll_rad] for h in heads if h is not None])


def gazes(eyes: list[Gaze | None]) -> F64Array:
    return np.array([[eye.pitch_rad, eye.yaw_rad] for eye in eyes if eye is not None])


def test_openseeface_says_what_its_own_log_says(captures: Path, webcam: list[FaceFrame]) -> None:
    with gzip.open(captures / "openseeface_model0.csv.gz", "rt") as file:
        heading, *rows = list(csv.reader(file))
    assert len(rows) == len(webcam) == 275
    names = heading[-FEATURE_COLUMNS:]
    for face, row in zip(webcam, rows, strict=True):
        logged = dict(zip(names, map(float, row[-FEATURE_COLUMNS:]), strict=True))
        logged |= dict(zip(heading[:19], map(_number, row[:19]), strict=True))
        shapes = face.blendshapes
        assert face.source == f"test#{logged['FaceID']:.0f}"
        assert face.tracked
        for side, letter in (("Left", "l"), ("Right", "r")):
            assert shapes[f"eyeBlink{side}"] == 1.0 - logged[f"{side}Open"]
            brow = shapes[f"browOuterUp{side}"] - shapes[f"browDown{side}"]
            assert brow == pytest.approx(logged[f"eyebrow_updown_{letter}"], abs=1e-6)
            corner = shapes[f"mouthFrown{side}"] - shapes[f"mouthSmile{side}"]
            assert corner == pytest.approx(logged[f"mouth_corner_updown_{letter}"], abs=1e-6)
        wide = shapes["mouthStretchLeft"] - shapes["mouthPucker"]
        assert wide == pytest.approx(logged["mouth_wide"], abs=1e-6)
        assert shapes["jawOpen"] == pytest.approx(max(logged["mouth_open"], 0.0), abs=1e-6)
        assert face.head is not None
        roll = math.degrees(face.head.roll_rad)
        assert roll == pytest.approx(logged["Euler.Z"] - 90, abs=4)  # the order differs
    jaw = [face.blendshapes["jawOpen"] for face in webcam]
    assert max(jaw) > 0.9


def _number(text: str) -> float:
    return float(text == "True") if text in ("True", "False") else float(text)


def test_openseefaces_angles_are_those_of_its_rotation(
    captures: Path, webcam: list[FaceFrame]
) -> None:
    """The Euler angles are read; the quaternion beside them says the same another way."""
    for datagram, head in zip(
        read_capture(captures / "openseeface_model0.udpcap"), heads_deg(webcam), strict=True
    ):
        x, y, z, w = FACE.unpack(datagram.data)[8:12]
        # Of the transposed matrix, in rows and columns of the picture: up, own right, back.
        nose_up, nose_right, nose_back = (
            2 * (x * z - y * w),
            2 * (y * z + x * w),
            1 - 2 * (x * x + y * y),
        )
        top_up, top_right = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z)
        side_up = 1 - 2 * (y * y + z * z)
        assert head[0] == pytest.approx(math.degrees(math.asin(nose_up)), abs=1e-3)
        assert head[1] == pytest.approx(math.degrees(math.atan2(nose_right, -nose_back)), abs=1e-3)
        assert abs(top_up) > 0.8
        assert abs(top_right) < 0.5
        assert abs(side_up) < 0.5


def test_openseefaces_head_turns_as_the_picture_shows(
    webcam: list[FaceFrame], points_2d: F64Array
) -> None:
    eyes = points_2d[:, 45] - points_2d[:, 36]  # from the own right eye to the own left one
    tilt = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))  # own left eye low: tilted to the left
    pitch, yaw, roll = heads_deg(webcam).T
    assert np.polyfit(tilt, roll, 1)[0] == pytest.approx(-1.0, abs=0.1)
    assert np.corrcoef(tilt, roll)[0, 1] < -0.99
    # Upright, the nose lies to the side to which the face turns: own left is the picture's right.
    across = eyes / np.linalg.norm(eyes, axis=1, keepdims=True)
    width = np.linalg.norm(eyes, axis=1)
    middle = (points_2d[:, 0] + points_2d[:, 16]) / 2
    nose = np.einsum("ij,ij->i", points_2d[:, 30] - middle, across) / width
    assert np.corrcoef(nose, yaw)[0, 1] < -0.5
    assert np.abs(pitch).max() < 20
    assert np.ptp(roll) > 30


def test_openseefaces_gaze_follows_the_pupils_of_the_picture(
    webcam: list[FaceFrame], points_2d: F64Array
) -> None:
    def pupil(point: int, outer: int, inner: int) -> F64Array:
        eye = points_2d[:, inner] - points_2d[:, outer]
        middle = (points_2d[:, inner] + points_2d[:, outer]) / 2
        across: F64Array = np.einsum("ij,ij->i", points_2d[:, point] - middle, eye)
        along: F64Array = across / np.einsum("ij,ij->i", eye, eye)
        return along

    to_picture_right = pupil(66, 36, 39) + pupil(67, 42, 45)
    yaw = gazes([face.left_eye for face in webcam])[:, 1]
    assert np.corrcoef(to_picture_right, yaw)[0, 1] < -0.5  # the picture's right is the own left


def test_pylivelinkface_example_moves_the_head_only(captures: Path) -> None:
    protocol = LiveLinkProtocol()
    faces = replayed(captures / "livelinkface_pylivelinkface.udpcap", protocol)
    assert len(faces) == 27
    for face in faces:
        assert face.tracked
        assert face.blendshapes == dict.fromkeys(ARKIT_NAMES, 0.0)
    assert (np.ptp(heads_deg(faces), axis=0) > 30).all()
    assert protocol.lost == 0  # its frame numbers jump to and fro: no loss can be told


def test_iphones_recording_is_what_its_columns_say(captures: Path) -> None:
    path = captures / "livelinkface_iphone_40s.csv.gz"
    faces = list(iter_livelink_csv(path))
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(faces) == len(rows) == 1201
    for face, row in zip(faces, rows, strict=True):
        assert face.tracked
        for name, weight in face.blendshapes.items():
            assert weight == float(row[name[0].upper() + name[1:]])
    intervals = np.diff([face.t_ns for face in faces]) / NS_PER_S
    assert intervals == pytest.approx(1 / 30, abs=1e-4)  # the time codes count 60 a second
    assert (faces[-1].t_ns - faces[0].t_ns) / NS_PER_S == pytest.approx(40, abs=0.01)


def test_iphones_eye_angles_agree_with_its_look_shapes(captures: Path) -> None:
    faces = list(iter_livelink_csv(captures / "livelinkface_iphone_40s.csv.gz"))

    def shape(name: str) -> F64Array:
        return np.array([face.blendshapes[name] for face in faces])

    left, right = gazes([f.left_eye for f in faces]), gazes([f.right_eye for f in faces])
    for eye, side, to_own_right in ((left, "Left", "In"), (right, "Right", "Out")):
        away = "Out" if to_own_right == "In" else "In"
        up = shape(f"eyeLookUp{side}") - shape(f"eyeLookDown{side}")
        aside = shape(f"eyeLook{to_own_right}{side}") - shape(f"eyeLook{away}{side}")
        assert np.corrcoef(up, eye[:, 0])[0, 1] > 0.99
        assert np.corrcoef(aside, eye[:, 1])[0, 1] > 0.99


def test_an_eyes_roll_shows_the_order_of_live_links_angles(captures: Path) -> None:
    """Without torsion, yaw-pitch-roll angles have roll = sin(yaw) tan(pitch), with this sign."""
    with gzip.open(captures / "livelinkface_iphone_40s.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    for eye in ("LeftEye", "RightEye"):
        yaw, pitch, roll = (
            np.array([float(row[eye + angle]) for row in rows])
            for angle in ("Yaw", "Pitch", "Roll")
        )
        assert roll == pytest.approx(np.arctan(np.sin(yaw) * np.tan(pitch)), abs=2e-3)
        assert np.abs(roll).max() > 0.02


def test_text_over_tcp_gives_the_same_faces(captures: Path) -> None:
    path = captures / "ifacialmocap_v1_ExpressionAppBridge.udpcap"
    expected = replayed(path, IFacialMocapProtocol())
    datagrams = read_capture(path)
    stream = b"".join(datagram.data + TEXT_END for datagram in datagrams)
    protocol, framer, faces = IFacialMocapProtocol(transport="tcp"), TextFramer(), []
    protocol.reset("test")
    times = iter(NS_PER_S + round(datagram.t_s * NS_PER_S) for datagram in datagrams)
    for start in range(0, len(stream), 1460):
        for record in framer.feed(stream[start : start + 1460]):
            faces += protocol.feed(record, next(times))
    assert faces == expected


@pytest.mark.parametrize(
    ("capture", "name"),
    [
        ("openseeface_model0.udpcap", "openseeface"),
        ("livelinkface_pylivelinkface.udpcap", "livelink"),
        ("ifacialmocap_v1_ExpressionAppBridge.udpcap", "ifacialmocap"),
        ("vmc_vmcp-pypi.udpcap", "vmc"),
    ],
)
def test_only_its_own_protocol_recognises_a_capture_first(
    captures: Path, capture: str, name: str
) -> None:
    protocols = [row.create(TrackingSettings()) for row in PROTOCOLS]
    for datagram in read_capture(captures / capture):
        first = next(p for p in protocols if p.recognises(datagram.data))
        assert first.name == name
