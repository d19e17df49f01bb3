"""The neutral face, kept from one run to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import platformdirs

from vtbridge.errors import ConfigError
from vtbridge.retarget.retargeter import Retargeter

log = logging.getLogger(__name__)


def calibration_path(name: str) -> Path:
    """Return the file that holds the neutral face of who plays the avatar ``name``."""
    folder = Path(platformdirs.user_state_dir("vtbridge", appauthor=False))
    return folder / f"{name}.calibration.json"


def load_calibration(retargeter: Retargeter, name: str) -> None:
    """Give ``retargeter`` the neutral face saved last; a file it cannot use is ignored, loudly."""
    path = calibration_path(name)
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        retargeter.load_calibration(saved)
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError, TypeError, ConfigError) as error:
        log.warning("%s: not a saved calibration (%s); calibrate again", path, error)
        return
    log.info("your neutral face is the one of last time")


def save_calibration(retargeter: Retargeter, name: str) -> None:
    """Keep the neutral face of ``retargeter``, if it was calibrated."""
    if not retargeter.calibrated:
        return
    path = calibration_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(retargeter.save_calibration(), indent=1), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        log.warning("%s: the calibration could not be kept (%s)", path, error)
