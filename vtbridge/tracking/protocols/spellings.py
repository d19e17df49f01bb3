"""The usual spellings of the 52 ARKit blendshapes, for senders that name them in each frame.

``shape_from_spelling`` understands more, and takes five times as long as a look in here.
"""

from __future__ import annotations

from collections.abc import Iterator

from vtbridge.tracking.arkit import ARKIT_NAMES


def _spellings(name: str) -> Iterator[str]:
    """Yield ``eyeBlinkLeft``, ``eyeBlink_L`` and both with a capital letter in front."""
    short = name
    for side in ("Left", "Right"):
        if name.endswith(side):
            short = f"{name.removesuffix(side)}_{side[0]}"
    for spelling in (name, short):
        yield spelling
        yield spelling[0].upper() + spelling[1:]


ARKIT_BY_SPELLING: dict[str, str] = {
    spelling: name for name in ARKIT_NAMES for spelling in _spellings(name)
}
"""Each usual spelling, and the name used in data; never changed."""
