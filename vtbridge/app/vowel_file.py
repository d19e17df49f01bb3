"""What the user's vowels sound like, kept from one run to the next."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import platformdirs

from vtbridge.errors import ConfigError, VtbridgeError
from vtbridge.tracking.microphone.vowels import VowelProfile

log = logging.getLogger(__name__)


def vowel_path() -> Path:
    """Return the file that holds the vowels of who uses this computer."""
    return Path(platformdirs.user_state_dir("vtbridge", appauthor=False)) / "vowels.json"


def load_vowels() -> VowelProfile | None:
    """Return the vowels saved last, None if there are none; a damaged file is ignored, loudly."""
    path = vowel_path()
    try:
        return VowelProfile.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        log.warning(
            "%s: not saved vowels (%s); run `vtbridge calibrate --vowels` again", path, error
        )
        return None


def save_vowels(profile: VowelProfile) -> Path:
    """Keep ``profile`` for the runs to come and return the file that holds it.

    Raises:
        VtbridgeError: the file cannot be written.
    """
    path = vowel_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(profile.to_dict(), indent=1), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise VtbridgeError(
            f"{path}: the vowels could not be kept ({error.strerror}); free it or make it writable"
        ) from error
    return path
