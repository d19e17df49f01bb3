"""A library that does not load is told with what it is needed for."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from vtbridge.app.doctor_libraries import LIBRARIES, library_checks
from vtbridge.app.finding import Verdict
from vtbridge.config.schema import Config


def refuses(error: Exception) -> Any:
    def fail(name: str) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [ImportError("gone"), OSError("libportaudio"), ValueError("?")])
@pytest.mark.parametrize(("enabled", "verdict"), [(True, Verdict.FAILURE), (False, Verdict.OK)])
def test_library_is_missed_as_far_as_the_settings_need_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, enabled: bool, verdict: Verdict
) -> None:
    monkeypatch.setattr(importlib, "import_module", refuses(error))
    config = Config.model_validate({"tracking": {"microphone": {"enabled": enabled}}})
    (finding,) = library_checks()["library sounddevice"](config)
    assert finding.verdict is verdict
    assert str(error) in finding.seen
    assert "the microphone" in finding.seen
    assert ("pip install --force-reinstall sounddevice" in finding.remedy) is enabled


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.package)
def test_each_library_is_one_that_vtbridge_names_to_pip(library: Any) -> None:
    from importlib.metadata import requires

    wanted = [line.lower() for line in requires("vtbridge") or ()]
    assert any(line.startswith(library.package) for line in wanted)
    assert isinstance(library.needed(Config()), bool)


def test_optional_library_that_is_not_there_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert list(library_checks()["library onnxruntime"](Config())) == []
