"""Where the files shipped beside the code lie: in a checkout, or in the wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent
_WHEEL_DATA = _PACKAGE / "_data"


def in_checkout() -> bool:
    """Return True if the package runs from a source checkout."""
    return (_CHECKOUT / "weights" / "manifest.toml").is_file()


def shipped_file(relative: str) -> Path:
    """Return the path of a file shipped with vtbridge.

    Args:
        relative: path from the top of the repository, such as ``weights/manifest.toml`` or
            ``integrations/obs-script/vtbridge.lua``; ``setup.py`` copies the same
            files into the wheel.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    path = (_CHECKOUT if in_checkout() else _WHEEL_DATA) / relative
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; reinstall vtbridge")
    return path
