"""The unit that comes along says what the supervisor does."""

from __future__ import annotations

import configparser
from pathlib import Path

from vtbridge import errors

UNIT = Path(__file__).parents[3] / "integrations" / "systemd" / "vtbridge.service"


def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(UNIT)
    return unit["Service"]


def test_it_starts_run_and_reloads_by_sighup() -> None:
    assert service()["ExecStart"].endswith("vtbridge run")
    assert service()["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service()["Type"] == "notify"


def test_mistakes_of_the_user_are_not_tried_again() -> None:
    codes = {int(code) for code in service()["RestartPreventExitStatus"].split()}
    mistakes = (errors.ConfigError, errors.PictureError, errors.WeightsError, errors.AlreadyRunning)
    assert codes == {error.exit_code for error in mistakes}
    assert errors.KeepsFailing.exit_code not in codes


def test_its_watchdog_is_more_patient_than_the_supervisor() -> None:
    assert int(service()["WatchdogSec"]) > 60
