from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.vtbf import REPOSITORY
from vtbridge.errors import FrameTransportError
from vtbridge.publish import _vtbf
from vtbridge.publish.segment import NAME_PATTERN, SEGMENT_DIRECTORY, list_segments, segment_path
from vtbridge.publish.settings import PublishSettings
from vtbridge.publish.vtbf import FrameReader, FrameWriter

ENDS = pytest.mark.parametrize("end", [FrameWriter.open, FrameReader.attach])


def test_path_holds_user_and_name() -> None:
    assert segment_path("cat") == SEGMENT_DIRECTORY / f"vtbf-{os.getuid()}-cat"


@pytest.mark.parametrize("bad", ["", "../etc", "a/b", "a b", ".hidden", "-x", "ü", "x" * 17, "a\n"])
def test_name_that_is_no_plain_file_name_is_refused(bad: str) -> None:
    with pytest.raises(FrameTransportError, match="letters, digits"):
        segment_path(bad)


def test_settings_and_transport_agree_on_names() -> None:
    longest = "x" * 16
    for settings in (PublishSettings(), PublishSettings(name=longest)):
        assert segment_path(settings.name).name.endswith(f"-{settings.name}")
    with pytest.raises(ValueError, match="pattern"):
        PublishSettings(name=longest + "x")


def test_obs_script_takes_names_as_long_as_the_transport_does() -> None:
    script = (REPOSITORY / "integrations" / "obs-script" / "vtbridge.lua").read_text()
    found = re.search(r"^local MAX_NAME = (\d+)$", script, re.MULTILINE)
    assert found is not None
    longest = int(found[1])
    assert re.fullmatch(NAME_PATTERN, "x" * longest)
    assert not re.fullmatch(NAME_PATTERN, "x" * (longest + 1))


def test_list_holds_own_segments_only(tmp_path: Path) -> None:
    with FrameWriter.open("mine", max_width=16, max_height=16, directory=tmp_path) as writer:
        (tmp_path / f"vtbf-{os.getuid() + 1}-other").touch()
        (tmp_path / "pulse-shm-1").touch()
        assert list_segments(directory=tmp_path) == [writer.path]
    assert list_segments(directory=tmp_path) == []


@ENDS
def test_symbolic_link_is_never_followed(end: type, name: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"")
    segment_path(name).symlink_to(target)
    with pytest.raises(FrameTransportError, match=rf"{segment_path(name)} .*symbolic link.*rm "):
        end(name)
    assert target.read_bytes() == b""
    assert segment_path(name).is_symlink()


@ENDS
def test_file_that_others_may_open_is_refused(end: type, name: str) -> None:
    path = segment_path(name)
    path.touch(0o600)
    path.chmod(0o640)
    with pytest.raises(FrameTransportError, match=rf"{path} .*mode 0640.*rm "):
        end(name)
    assert path.exists()


@ENDS
def test_fifo_is_refused_without_waiting(end: type, name: str) -> None:
    os.mkfifo(segment_path(name), 0o600)
    with pytest.raises(FrameTransportError, match="no ordinary file"):
        end(name)


@ENDS
def test_file_of_another_user_is_refused(
    end: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment_path(name)
    path.touch(0o600)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:  # nobody but root can give a file away, so be somebody else instead
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(FrameTransportError, match=rf"{path} .*belongs to user.*rm "):
        end(name)
    assert path.exists()


@ENDS
def test_file_that_is_no_segment_is_refused_and_kept(end: type, name: str) -> None:
    path = segment_path(name)
    content = b"a letter to my grandmother" * 1000
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(FrameTransportError, match=rf"{path} .*no vtbf segment.*rm "):
        end(name)
    assert path.read_bytes() == content


def test_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(FrameTransportError, match="nowhere"):
        FrameWriter.open("cat", directory=tmp_path / "nowhere")


@ENDS
def test_other_systems_are_told_so(end: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vtbf, "SUPPORTED", 0)
    monkeypatch.delattr(os, "getuid")
    with pytest.raises(FrameTransportError, match="not supported yet on this system"):
        end("cat")
    assert list_segments() == []
