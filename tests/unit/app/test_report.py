"""A report tells what is wrong here, and nothing that is secret."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from vtbridge.app.finding import Finding, Verdict
from vtbridge.app.report import write_report
from vtbridge.config.schema import Config
from vtbridge.control.address import ControlAddress, write_address
from vtbridge.errors import VtbridgeError
from vtbridge.obs.password import ENVIRONMENT_VARIABLE as OBS_VARIABLE
from vtbridge.remote.key import ENVIRONMENT_VARIABLE as KEY_VARIABLE
from vtbridge.remote.key import new_key

PASSWORD = "Canary obs phrase"
TOKEN = "canarytoken" + "0" * 21


def test_no_secret_and_no_name_is_in_any_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key().text
    home = tmp_path / "annabel"
    for name, value in (
        ("XDG_STATE_HOME", str(home / "state")),
        ("XDG_CONFIG_HOME", str(home / "config")),
        ("HOME", str(home)),
        ("LOGNAME", "annabel"),
        (OBS_VARIABLE, PASSWORD),
        (KEY_VARIABLE, key),
    ):
        monkeypatch.setenv(name, value)
    config = Config()
    write_address(config.publish.name, ControlAddress(port=1, token=TOKEN))
    said = f"{home}/me.png: {PASSWORD} {TOKEN} {key} by annabel"
    logs = home / "state" / "vtbridge" / "logs"
    logs.mkdir()
    for name in (f"{config.publish.name}.log", f"{config.publish.name}-renderer.log.1"):
        (logs / name).write_text(json.dumps({"message": said}) + "\n", encoding="utf-8")
    target = tmp_path / "bug.zip"
    taken, left_out = write_report(target, config, [Finding("obs", Verdict.FAILURE, said)])
    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert list(texts) == taken
    assert f"logs/{config.publish.name}-renderer.log.1" in texts
    assert "~/me.png" in json.loads(texts["doctor.json"])[0]["seen"]
    for name, text in texts.items():
        for canary in (PASSWORD, TOKEN, key, "annabel"):
            assert canary not in text, name
    assert any("does not answer" in each for each in left_out), "nobody listens on that port"


def test_file_that_is_there_stays(tmp_path: Path) -> None:
    target = tmp_path / "bug.zip"
    target.write_text("mine")
    with pytest.raises(VtbridgeError, match="there already"):
        write_report(target, Config(), [])
    assert target.read_text() == "mine"
