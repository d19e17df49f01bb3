"""A real daemon: an OSC button, the command line and a saved file change what is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import run_isolated
from tests.support.daemon import running, status_of, wait_until
from tests.support.expressions import QUICK, STILL
from tests.support.triggers import Button, Eye, expression_of
from vtbridge.publish.vtbf import FrameReader

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("weight_store")]

PATIENCE_S = 60.0


def test_expression_is_triggered_seen_told_and_reloaded(
    tmp_path: Path, prepared_michi: Path
) -> None:
    own = tmp_path / "expressions.toml"
    own.write_text(QUICK, encoding="utf-8")
    with (
        running(tmp_path, "run", inputs=("vmc",), extra=STILL, package=prepared_michi) as daemon,
        FrameReader.attach(daemon.name) as reader,
    ):
        button, eye = Button(daemon.ports["osc"]), Eye(reader)
        with button.socket:
            resting = eye.at_rest()

            button.press("cat", 1.0)
            eye.seconds_until_changed(resting)
            button.wait_told("cat", 1.0)
            state = expression_of(daemon, "cat")
            assert (state["active"], state["amount"], state["triggers"]) == (True, 1.0, ["osc"])
            button.press("cat", 0.0)
            button.wait_told("cat", 0.0)
            assert np.abs(eye.at_rest() - resting).max() <= 6, "the face's own again"
            assert not expression_of(daemon, "cat")["active"]

            own.write_text(QUICK + "easing = 'soon'\n", encoding="utf-8")
            wait_until(
                lambda: f"{own}:6: " in status_of(daemon)["expressions_trouble"],
                PATIENCE_S,
                "the line of the mistake is told",
            )
            wait_until(
                lambda: any(f"{own}:6: expressions.cat" in line for line in daemon.log),
                PATIENCE_S,
                "it is logged",
            )
            assert expression_of(daemon, "cat"), "the last good set stays"

            own.write_text(QUICK.replace("cat", "dog"), encoding="utf-8")
            wait_until(
                lambda: bool(expression_of(daemon, "dog")), PATIENCE_S, "the file is read again"
            )
            status = status_of(daemon)
            assert status["expressions_trouble"] == ""
            assert not expression_of(daemon, "cat")
            told = run_isolated(tmp_path, "expression", "trigger", "dog", "-n", daemon.name)
            assert told.returncode == 0, told.stderr
            eye.seconds_until_changed(resting)
            assert expression_of(daemon, "dog")["triggers"] == ["http"]
            wrong = run_isolated(tmp_path, "expression", "trigger", "dig", "-n", daemon.name)
            assert wrong.returncode == 2
            assert "did you mean dog" in wrong.stderr
            button.press("dog")
            resting = eye.at_rest()
            latency = status_of(daemon)["latency_ms"]
            assert "expressions" in latency
        assert daemon.terminate() == 0
