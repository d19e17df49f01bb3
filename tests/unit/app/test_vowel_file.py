from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vtbridge.app.vowel_file import load_vowels, save_vowels, vowel_path
from vtbridge.errors import VtbridgeError
from vtbridge.tracking.microphone.vowels import VowelProfile

PROFILE = VowelProfile(np.arange(60.0).reshape(5, 12), np.ones(12))


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_saved_vowels_come_back(tmp_path: Path) -> None:
    path = save_vowels(PROFILE)
    assert path.is_relative_to(tmp_path)
    loaded = load_vowels()
    assert loaded is not None
    np.testing.assert_allclose(loaded.centroids, PROFILE.centroids)
    assert list(path.parent.iterdir()) == [path]


def test_nothing_saved_is_nothing_said(caplog: pytest.LogCaptureFixture) -> None:
    assert load_vowels() is None
    assert caplog.records == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 99_999, b'{"vowels": {}}']
)
def test_damaged_file_is_ignored_loudly(content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    vowel_path().parent.mkdir(parents=True)
    vowel_path().write_bytes(content)
    assert load_vowels() is None
    (warning,) = caplog.records
    assert str(vowel_path()) in warning.message
    assert "calibrate --vowels" in warning.message


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "vtbridge").write_bytes(b"a file is in the way")
    with pytest.raises(VtbridgeError, match=r"vowels\.json: the vowels could not be kept"):
        save_vowels(PROFILE)
