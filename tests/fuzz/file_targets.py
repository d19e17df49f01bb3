"""Files that people give one another or edit by hand: recordings, settings, pictures, weights."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.fuzz.target import Target, file_of
from tests.support.baking import manifest_of, picture_of
from tests.support.expressions import NAMES
from tests.support.face_bundles import members, metadata
from tests.support.segment import segment_bytes
from vtbridge.characters.decode import decode_drawing
from vtbridge.characters.package import read_record as read_character
from vtbridge.characters.picture import load_picture
from vtbridge.config.document import documented_defaults
from vtbridge.config.edit import edited
from vtbridge.config.load import parse_config
from vtbridge.datatypes import FaceFrame
from vtbridge.errors import ConfigError, PictureError, WeightsError
from vtbridge.expressions.edit import with_expression, without_expression
from vtbridge.expressions.grammar import ConditionError, Sight, parse_condition
from vtbridge.expressions.library import builtin_text, parse_library, tables_of
from vtbridge.pose_params import POSE_SIZE
from vtbridge.publish import _vtbf
from vtbridge.remote.key import new_key, parse_key
from vtbridge.render.baked.model_file import read_model, write_model
from vtbridge.render.models.variants import Network
from vtbridge.render.pose_file import read_poses
from vtbridge.render.weights.archive import copy_member, open_archive
from vtbridge.render.weights.manifest import read_manifest
from vtbridge.render.weights.record import read_record
from vtbridge.render.weights.tensors import parse_tensors
from vtbridge.render.weights.trained import read_trained
from vtbridge.resources import shipped_file
from vtbridge.tracking.recordings.face_json import encode_face, parse_face
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    Record,
    RecordedDatagram,
    RecordedFace,
    SessionHeader,
    encode_header,
    encode_record,
)
from vtbridge.tracking.webcam.bundle import read_bundle
from vtbridge.tracking.webcam.canonical_face import parse_canonical_face

T0 = 10**12
MEMBER_LIMIT = 1 << 20


def file_targets() -> list[Target]:
    """Return the targets."""
    return [
        Target("recording", _recording, _recordings),
        Target("recorded-face", lambda data: parse_face(data, T0, "fuzz"), _faces),
        Target("config", _config, lambda: [documented_defaults().encode()], (ConfigError,)),
        Target("config-edit", _config_edit, _few_settings, (ConfigError,)),
        Target("expressions", _expressions, _libraries, (ConfigError,)),
        Target("expression-edit", _expression_edit, _libraries, (ConfigError,)),
        Target("condition", _condition, _conditions, (ConditionError,), longest=4096),
        Target("picture", _picture, _pictures, (PictureError,)),
        Target("drawing", lambda data: decode_drawing(data, "d"), _pictures, (PictureError,)),
        Target("character-record", _in_folder("character.json", read_character), _characters),
        Target("archive", _archive, _archives, (WeightsError,)),
        Target("face-bundle", lambda d: read_bundle(file_of(d, "f.task")), _archives),
        Target("canonical-face", parse_canonical_face, lambda: [metadata()], (ValueError,)),
        Target("tensors", parse_tensors, _tensors, (WeightsError,)),
        Target("trained-network", _trained, _trained_files, (WeightsError,)),
        Target("baked-model", lambda data: read_model(file_of(data, "m")), _models),
        Target("weights-manifest", _weights_manifest, _manifests, (WeightsError,)),
        Target("weights-record", _in_folder("record.json", read_record), _records),
        Target("poses", lambda data: read_poses(file_of(data, "p.json")), _poses, (ConfigError,)),
        Target("remote-key", _key, lambda: [new_key().text.encode()], (ConfigError,), longest=200),
        Target("vtbf-header", _header, lambda: [segment_bytes()[:4096]], ()),
    ]


def _in_folder(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    return lambda data: read(file_of(data, f"folder-{name}/{name}").parent)


def _recording(data: bytes) -> None:
    for _ in open_recording(file_of(data, "any")).records():
        pass


def _recordings() -> Iterable[bytes]:
    records: list[Record] = [
        RecordedDatagram(T0, "vmc:127.0.0.1", "vmc", b"/VMC/Ext/OK\0,i\0\0\0\0\0\1"),
        RecordedFace(T0 + 1, FaceFrame(T0 - 9, "webcam:0", blendshapes={"jawOpen": 0.5})),
    ]
    whole = encode_header(SessionHeader("1")) + b"".join(map(encode_record, records))
    yield whole
    yield gzip.compress(whole, mtime=0)
    yield b"Timecode,BlendshapeCount,JawOpen,HeadYaw\n00:00:01:02.5,61,0.5,0.1\n"


def _faces() -> list[bytes]:
    return [encode_face(FaceFrame(T0, "vmc", blendshapes={"jawOpen": 0.5}), 5)]


def _config(data: bytes) -> None:
    parse_config(data.decode("utf-8", "replace"), "config.toml")


def _config_edit(data: bytes) -> None:
    changes = {("avatar", "fps"): 30.0, ("retarget", "smoothing", "mouth", "beta"): None}
    edited(data.decode("utf-8", "replace"), changes)


def _few_settings() -> list[bytes]:
    return [
        b"[avatar] # mine\nfps = 60\n\n[retarget.smoothing.mouth]\nbeta = 1\n",
        b"avatar = { fps = 60 }\nretarget.smoothing = {mouth = {beta = 2}}\n",
    ]


def _expressions(data: bytes) -> None:
    parse_library(data.decode("utf-8", "replace"), "x.toml", NAMES)


def _libraries() -> list[bytes]:
    return [
        builtin_text().encode(),
        b"version = 1\n[expressions.cat]\nvalues = { head_x = 1 }\nwhen = 'jawOpen > 0.5'\n"
        b"[expressions.nod]\nmode = 'one_shot'\n[[expressions.nod.keyframes]]\n"
        b"at_s = 0.5\nvalues = {head_x = 0.5}\n"
        b"[random.r]\nevery_s = [1, 2]\nchoose = {nod = 1}\n",
    ]


def _expression_edit(data: bytes) -> None:
    """Change and remove expressions of any file that can be read."""
    text = data.decode("utf-8", "replace")
    own, _ = tables_of(text, "x.toml")
    for name, table in list(own.items())[:3]:
        with_expression(text, name, table)
        with_expression(text, "another", table)
        without_expression(text, name)


def _condition(data: bytes) -> None:
    condition = parse_condition(data.decode("utf-8", "replace"), NAMES)
    for level in (-1.0, 0.0, 1.0):
        sight = Sight([level] * POSE_SIZE, {"jawOpen": level}, tracked=level > 0)
        assert condition.holds(sight) in (True, False)


def _conditions() -> list[bytes]:
    return [
        b"jawOpen > 0.5 and not tracked",
        b"max(mouth_aaa, abs(head_x)) * 2 - 1 <= 0.25 or tracked",
    ]


def _picture(data: bytes) -> None:
    picture = load_picture(file_of(data, "picture"))
    assert picture.rgba.shape == (512, 512, 4)


def _pictures() -> Iterable[bytes]:
    rgba = np.zeros((48, 48, 4), np.uint8)
    rgba[4:, 16:32] = (40, 90, 200, 255)
    for suffix in (".png", ".webp"):
        yield cv2.imencode(suffix, rgba)[1].tobytes()
    yield cv2.imencode(".png", rgba.astype(np.uint16) * 257)[1].tobytes()
    yield cv2.imencode(".jpg", rgba[..., :3])[1].tobytes()


def _characters() -> list[bytes]:
    return [b'{"name": "Momo", "credit": "by somebody"}']


def _archive(data: bytes) -> None:
    path = file_of(data, "a.zip")
    with open_archive(path) as archive:
        for name in archive.namelist()[:4]:
            copy_member(archive, name, path.with_suffix(".out"), limit=MEMBER_LIMIT)


def _archives() -> Iterable[bytes]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, content in members().items():
                archive.writestr(zipfile.ZipInfo(name), content, method)
        yield buffer.getvalue()


def _tensors() -> list[bytes]:
    from safetensors.numpy import save

    return [save({"a": np.ones(3, np.float32), "b": np.ones((2, 1), np.float16)})]


def _trained(data: bytes) -> None:
    read_trained(data, Network.FACE_MORPHER, "fuzz")


def _trained_files() -> list[bytes]:
    from safetensors.numpy import save

    about = {
        "network": "morpher",
        **{"image_size": "64", "start_channels": "8", "bottleneck_size": "8"},
        **{"bottleneck_blocks": "2", "max_channels": "32"},
    }
    return [save({"a": np.ones(3, np.float32)}, about), save({"a": np.ones(3, np.float32)})]


def _models() -> list[bytes]:
    path = file_of(b"", "whole-model")
    tensors: dict[str, NDArray[Any]] = {
        "face.a": np.ones(3, np.float32),
        "body.b": np.ones((2, 2), np.int16),
    }
    write_model(path, manifest_of(picture_of()), tensors)
    return [path.read_bytes()]


def _weights_manifest(data: bytes) -> None:
    read_manifest(file_of(data, "manifest.toml"))


def _manifests() -> list[bytes]:
    return [shipped_file("weights/manifest.toml").read_bytes()]


def _records() -> list[bytes]:
    stored: dict[str, object] = {"size": 12, "sha256": "0" * 64}
    stored |= {"file": "a.bin", "source_sha256": "0" * 64, "source_size": 12}
    record = {"kind": "picture", "author": "a", "license": "MIT", "credit": "c", "source": "s"}
    return [json.dumps({**record, "files": {"a.bin": stored}}).encode()]


def _poses() -> list[bytes]:
    return [json.dumps([[0] * POSE_SIZE, [0.5] * POSE_SIZE]).encode()]


def _key(data: bytes) -> None:
    parse_key(data.decode("utf-8", "replace"))


def _header(data: bytes) -> None:
    """Look at the head of a segment of as many bytes as it has, as its end says, and of many."""
    for size in (len(data), int.from_bytes(data[-8:], "little"), 1 << 40):
        problem, text, geometry = _vtbf.check_header(data, size)
        assert text
        assert (problem == _vtbf.FINE) == (geometry is not None)
