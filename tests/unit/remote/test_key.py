"""The shared key: typed once, kept for its owner alone, shown nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtbridge.errors import ConfigError
from vtbridge.remote import key as remote_key
from vtbridge.remote.key import ENVIRONMENT_VARIABLE, find_key, keep_key, new_key, parse_key


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "remote-key"
    monkeypatch.setattr(remote_key, "key_file", lambda: path)
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    return path


def test_key_is_read_as_people_type_it() -> None:
    key = new_key()
    sloppy = f"  {key.text.upper().replace('-', ' ').replace('0', 'O').replace('1', 'l')} "
    assert parse_key(sloppy) == key
    assert parse_key(key.text).secret == key.secret
    assert new_key() != key


def test_most_slips_of_the_finger_are_told_at_once() -> None:
    caught = 0
    for _ in range(200):
        text = new_key().text
        wrong = ("2" if text[0] != "2" else "3") + text[1:]
        try:
            parse_key(wrong)
        except ConfigError as error:
            caught += wrong not in str(error)
    assert caught > 170, "31 of 32"


@pytest.mark.parametrize("text", ["", "abcd", "u" * 20, "a" * 21, "hunter2 hunter2 hunter2"])
def test_what_is_no_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_key(text)
    assert not text or text not in str(refusal.value)


def test_kept_key_is_found_and_only_its_owner_may_read_it(file: Path) -> None:
    assert find_key() is None
    key = new_key()
    keep_key(key)
    assert file.stat().st_mode & 0o777 == 0o600
    assert find_key() == key
    other = new_key()
    assert find_key({ENVIRONMENT_VARIABLE: other.text}) == other


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_file_that_others_can_read_is_refused_with_the_remedy(file: Path) -> None:
    keep_key(new_key())
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_key()


def test_damaged_file_is_refused_without_its_content(file: Path) -> None:
    keep_key(new_key())
    file.write_bytes(b"\xff secret canary")
    with pytest.raises(ConfigError, match="holds no key") as refusal:
        find_key()
    assert "canary" not in str(refusal.value)


def test_key_shows_in_no_repr() -> None:
    key = new_key()
    assert key.text.replace("-", "")[:6] not in repr(key)
