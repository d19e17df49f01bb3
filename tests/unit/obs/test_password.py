"""The password: found in the right order, kept from other eyes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vtbridge.errors import ConfigError
from vtbridge.obs import password as module
from vtbridge.obs.password import (
    ENVIRONMENT_VARIABLE,
    Password,
    find_password,
    read_password_file,
    store_password,
)

CANARY = "canary-91be7d"


class MemoryKeyring:
    """A keyring that works."""

    def __init__(self, kept: str | None = None) -> None:
        self.kept = kept

    def get_password(self, service_name: str, username: str) -> str | None:
        return self.kept

    def set_password(self, service_name: str, username: str, password: str) -> None:
        self.kept = password


class BrokenKeyring(MemoryKeyring):
    """A keyring whose backend fails."""

    def get_password(self, service_name: str, username: str) -> str | None:
        raise RuntimeError("no session bus")

    def set_password(self, service_name: str, username: str, password: str) -> None:
        raise RuntimeError("no session bus")


class ForgetfulKeyring(MemoryKeyring):
    """A keyring that takes everything and keeps nothing, like keyring's null backend."""

    def set_password(self, service_name: str, username: str, password: str) -> None:
        del password


class HangingKeyring(MemoryKeyring):
    """A keyring that waits for a dialog nobody sees."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def get_password(self, service_name: str, username: str) -> str | None:
        self.release.wait(30)
        return None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "obs-password"
    path.touch(0o600)
    path.write_text("from-file\n")
    return path


def test_keyring_comes_before_environment_before_file(file: Path) -> None:
    environment = {ENVIRONMENT_VARIABLE: "from-environment"}
    found = find_password(environment=environment, file=file, keyring=MemoryKeyring("from-keyring"))
    assert found is not None
    assert found.reveal() == "from-keyring"
    found = find_password(environment=environment, file=file, keyring=MemoryKeyring())
    assert found is not None
    assert found.reveal() == "from-environment"
    found = find_password(environment={}, file=file, keyring=MemoryKeyring())
    assert found is not None
    assert found.reveal() == "from-file"


def test_nothing_kept_is_none(tmp_path: Path) -> None:
    assert find_password(environment={}, file=tmp_path / "no", keyring=MemoryKeyring()) is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o666, 0o610])
def test_file_that_others_can_reach_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        read_password_file(file)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", b"x" * 1025, b"x" * 100_000]
)
def test_file_without_one_line_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="obs-password"):
        read_password_file(file)


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="not a file"):
        read_password_file(path)


def test_working_keyring_keeps_the_password_and_no_file_is_written(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    where = store_password(CANARY, file=tmp_path / "f", keyring=keyring)
    assert where == "the keyring"
    assert keyring.kept == CANARY
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("keyring", [BrokenKeyring(), ForgetfulKeyring()])
def test_password_goes_to_a_private_file_where_no_keyring_works(
    tmp_path: Path, keyring: MemoryKeyring
) -> None:
    path = tmp_path / "new" / "obs-password"
    before = os.umask(0)
    try:
        assert store_password("older", file=path, keyring=keyring) == str(path)
        assert store_password(CANARY, file=path, keyring=keyring) == str(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [child.name for child in path.parent.iterdir()] == ["obs-password"]
    found = find_password(environment={}, file=path, keyring=keyring)
    assert found is not None
    assert found.reveal() == CANARY


@pytest.mark.parametrize("text", ["", "a\nb", "a\0b", "x" * 1025])
def test_impossible_password_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="one line") as caught:
        store_password(text, file=tmp_path / "f", keyring=MemoryKeyring())
    assert not text or text not in str(caught.value)


def test_keyring_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_READ_TIMEOUT_S", 0.05)
    keyring = HangingKeyring()
    assert find_password(environment={}, file=tmp_path / "no", keyring=keyring) is None
    keyring.release.set()


def test_password_shows_neither_in_repr_nor_str_nor_pickle() -> None:
    secret = Password(CANARY, "the test")
    assert CANARY not in repr(secret) + str(secret) + f"{secret}{[secret]}{ ({1: secret}) }"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_system_without_a_keyring_neither_hangs_nor_complains(tmp_path: Path) -> None:
    """The real keyring package, without a desktop session behind it."""
    program = (
        "from pathlib import Path; from vtbridge.obs.password import *; "
        "import sys; print(store_password(sys.stdin.readline().strip())); "
        "print(find_password().reveal() == 'canary-91be7d')"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        input=CANARY,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=Path(__file__).parents[3],
        check=True,
    )
    where, found = done.stdout.splitlines()
    assert where == str(tmp_path / "config" / "vtbridge" / "obs-password")
    assert found == "True"
    assert done.stderr == ""
