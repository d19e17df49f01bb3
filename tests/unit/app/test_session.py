"""What cannot be kept is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtbridge.app import session
from vtbridge.app.session import tracked_daemon
from vtbridge.config.schema import Config
from vtbridge.errors import VtbridgeError


@pytest.mark.parametrize(
    ("name", "told"),
    [("absent/x.vtbrec", "there is no folder"), ("here.vtbrec", "is there already")],
)
def test_recording_that_cannot_be_made_is_refused_before_the_avatar_loads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, told: str
) -> None:
    def load(*arguments: object, **options: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(session, "open_picture", load)
    monkeypatch.setattr(session, "Daemon", load)
    (tmp_path / "here.vtbrec").touch()
    with pytest.raises(VtbridgeError, match=told):
        tracked_daemon(Config(), record_to=tmp_path / name)
