"""Where a daemon takes commands: a file that others may have damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.control.address import ControlAddress, address_path, read_address, write_address


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_an_address_comes_back() -> None:
    address = ControlAddress(39541, "0" * 32)
    write_address("me", address)
    assert read_address("me") == address


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"port": "x", "token": ""}'),
        *(b'{"port": Infinity, "token": ""}', b'{"port": null, "token": ""}'),
    ],
)
def test_a_damaged_file_is_no_address(content: bytes) -> None:
    write_address("me", ControlAddress(1, "t"))
    address_path("me").write_bytes(content)
    assert read_address("me") is None
