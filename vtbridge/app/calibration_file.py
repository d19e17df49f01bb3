"""The neutral faces of each person, kept from one run to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import platformdirs

from vtbridge.errors import ConfigError
from vtbridge.retarget.retargeter import Retargeter

log = logging.getLogger(__name__)


def calibration_path(person: str) -> Path:
    """Return the file that holds the neutral faces of ``person``, one for each tracker."""
    return _state_folder() / "people" / f"{person}.calibration.json"


def load_calibration(retargeter: Retargeter, person: str, *, avatar: str | None = None) -> None:
    """Give ``retargeter`` the neutral faces of ``person``; a file it cannot use is ignored, loudly.

    Whoever has no file yet gets the one neutral face that was once kept for ``avatar``.
    """
    path = calibration_path(person)
    if avatar is not None and not path.exists():
        path = _state_folder() / f"{avatar}.calibration.json"
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        retargeter.load_calibration(saved)
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError, AttributeError, TypeError, ConfigError) as error:
        log.warning("%s: not a saved calibration (%s); calibrate again", path, error)
        return
    log.info("your neutral face is the one of last time")


def save_calibration(retargeter: Retargeter, person: str) -> None:
    """Keep the neutral faces of ``retargeter`` as those of ``person``, if there are any."""
    if not retargeter.calibrated:
        return
    path = calibration_path(person)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(retargeter.save_calibration(), indent=1), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        log.warning("%s: the calibration could not be kept (%s)", path, error)


def _state_folder() -> Path:
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False))
