"""Whatever is drawn becomes a character that can be posed, or is refused with a remedy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.support.drawings import png
from vtbridge.app.picture_doctor import FIXES, Wishes, diagnose
from vtbridge.characters import Severity, check_picture
from vtbridge.characters.prepare.face import HeadBox
from vtbridge.characters.prepare.matting import Matting
from vtbridge.datatypes import U8Array
from vtbridge.errors import PictureError
from vtbridge.render.poser import Poser

SIDES = st.integers(1, 96)
PLACES = st.floats(-4096, 8192)
HEADS = st.none() | st.builds(
    lambda x, y, side: HeadBox(x, y, side), PLACES, PLACES, st.floats(8, 8192)
)
NEAR_HEADS = st.builds(
    lambda x, y, side: HeadBox(x, y, side),
    st.floats(-20, 60),
    st.floats(-20, 60),
    st.floats(8, 90),
)
METHODS = st.sampled_from([one for one in Matting if one is not Matting.REMBG])


def noise(seed: int, height: int, width: int, alpha: str) -> U8Array:
    rng = np.random.default_rng(seed)
    rgba = rng.integers(0, 256, (height, width, 4), np.uint8)
    if alpha == "opaque":
        rgba[..., 3] = 255
    elif alpha == "patch":
        rgba[..., 3] = 0
        rgba[height // 4 :, width // 4 : -(width // 4) or None, 3] = 255
    elif alpha == "flat":
        rgba[:] = rgba[0, 0]
    return rgba


def no_poser() -> Poser:
    raise AssertionError("nothing is to be posed")


def prepared(content: bytes, wishes: Wishes) -> bool:
    """Return True if a character was made; fails if it cannot be posed, or without a message."""
    try:
        found = diagnose(content, "noise", wishes, no_poser)
    except PictureError as error:
        if len(str(error)) < 20:
            pytest.fail(f"the message tells nothing: {error}")
        return False
    side = len(found.placed)
    assert found.placed.shape == (side, side, 4)
    assert 512 <= side <= 2048
    assert not found.placed[found.placed[..., 3] == 0].any()
    problems = [one for one in check_picture(found.picture) if one.severity is Severity.ERROR]
    assert problems == []
    assert set(found.report()) >= {"matting", "scores", "findings", "done"}
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 999),
    height=SIDES,
    width=SIDES,
    alpha=st.sampled_from(["noise", "opaque", "patch", "flat"]),
    method=METHODS,
    head=HEADS | NEAR_HEADS,
    fixes=st.frozensets(st.sampled_from(sorted(FIXES))),
)
@example(0, 1, 1, "opaque", Matting.GRABCUT, None, frozenset())
@example(0, 2, 96, "opaque", Matting.GRABCUT, None, frozenset(FIXES))
def test_any_noise_becomes_a_character_or_is_refused(
    seed: int,
    height: int,
    width: int,
    alpha: str,
    method: Matting,
    head: HeadBox | None,
    fixes: frozenset[str],
) -> None:
    content = png(noise(seed, height, width, alpha))
    prepared(content, Wishes(method, head, fixes, posed=False))


def test_noise_in_the_place_of_a_head_is_prepared() -> None:
    # Else the promise above would be kept by refusing everything.
    content = png(noise(1, 90, 90, "patch"))
    assert prepared(content, Wishes(head=HeadBox(25, 24, 40), posed=False))


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1), bit=st.integers(0, 7), kind=st.sampled_from(["PNG", "JPEG", "WEBP"]))
def test_damaged_files_are_refused_or_prepared(place: float, bit: int, kind: str) -> None:
    rgba = noise(4, 40, 40, "patch")
    image = Image.fromarray(rgba)
    buffer = io.BytesIO()
    (image.convert("RGB") if kind == "JPEG" else image).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    content[int(place * (len(content) - 1))] ^= 1 << bit
    prepared(bytes(content), Wishes(head=HeadBox(10, 10, 20), posed=False))
