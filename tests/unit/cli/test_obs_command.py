"""``vtbridge obs``: what is said before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.support.fake_obs import FakeObs, Refuse
from vtbridge.cli.obs import app
from vtbridge.errors import ObsError
from vtbridge.obs.client import NOT_FOUND, UNKNOWN_KIND

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this user's OBS nor this user's password."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_install_off_linux_names_what_works_before_asking_for_obs(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr("vtbridge.obs.install.sys.platform", system)
    error = runner.invoke(app, ["install"]).exception
    assert isinstance(error, ObsError)
    for words in ("needs Linux", "Media Source", "vtbridge obs setup"):
        assert words in str(error)
    assert "install OBS Studio" not in str(error)


def test_setup_offers_no_feed_that_the_daemon_does_not_serve(tmp_path: Path) -> None:
    def refuse(code: int) -> dict[str, object]:
        raise Refuse(code)

    path = tmp_path / "config.toml"
    path.write_text("[publish]\nmedia_enabled = false\n")
    with FakeObs(
        handlers={
            "CreateScene": lambda _: {},
            "GetInputSettings": lambda _: refuse(NOT_FOUND),
            "CreateInput": lambda _: refuse(UNKNOWN_KIND),
        }
    ) as fake:
        arguments = ["setup", "--config", str(path), "--port", str(fake.port)]
        error = runner.invoke(app, arguments).exception
    assert isinstance(error, ObsError)
    assert "media_enabled = true" in str(error)
    assert fake.requests.count("CreateInput") == 1
