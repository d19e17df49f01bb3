"""``vtbridge record`` says once where to look when nothing arrives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from vtbridge.cli.commands import app


class Session:
    """A recording at which the clock moves one second with each wait."""

    def __init__(self, comes_at_s: int | None) -> None:
        self.seconds = 0.0
        self.writer = SimpleNamespace(records=0, lost=0, size=0, trouble="")
        self._comes_at_s = comes_at_s

    def wait(self, period_s: float, seconds: float | None) -> bool:
        self.seconds += 1
        if self.seconds == self._comes_at_s:
            self.writer.records = 1
        return self.seconds < 30

    def stop(self) -> None: ...

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *reason: object) -> None: ...


@pytest.mark.parametrize(("comes_at_s", "times"), [(None, 1), (10, 1), (3, 0)])
def test_silence_is_told_once_with_where_to_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, comes_at_s: int | None, times: int
) -> None:
    monkeypatch.setattr(
        "vtbridge.app.recorder.RecordingSession", lambda *arguments: Session(comes_at_s)
    )
    settings = tmp_path / "config.toml"
    settings.touch()
    ran = CliRunner().invoke(app, ["record", "bug.vtbrec", "--config", str(settings)])
    told = " ".join(ran.stderr.split())
    assert told.count("nothing yet: see `vtbridge trackers --addresses`") == times
