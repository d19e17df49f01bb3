"""The neutral face, kept from one run to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import platformdirs

from vtbridge.errors import ConfigError
from vtbridge.retarget.retargeter import Retargeter

log = logging.getLogger(__name__)


def calibration_path() -> Path:
    """Return the file that holds the neutral face."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False), "calibration.json")


def load_calibration(retargeter: Retargeter) -> None:
    """Give ``retargeter`` the neutral face saved last; a file it cannot use is ignored, loudly."""
    path = calibration_path()
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        retargeter.load_calibration(saved)
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError, ConfigError) as error:
        log.warning("%s: not a saved calibration (%s); calibrate again", path, error)


def save_calibration(retargeter: Retargeter) -> None:
    """Keep the neutral face of ``retargeter``, if it was calibrated."""
    if not retargeter.calibrated:
        return
    saved = retargeter.save_calibration()
    path = calibration_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(saved, indent=1), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        log.warning("%s: the calibration could not be kept (%s)", path, error)
