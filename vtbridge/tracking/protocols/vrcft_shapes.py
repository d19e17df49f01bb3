"""What VRCFaceTracking's parameters say, as ARKit blendshapes.

An avatar chooses which parameters it wants, from single expressions
(``MouthCornerPullLeft``) to combinations (``SmileFrown``, -1..1). Each blendshape has a
list of ways to find it, finest first; the first whose parameters have all come counts.

Source: the table of ARKit equivalents at docs.vrcft.io, and UnifiedExpressionsParameters,
UnifiedSimpleExpressions and EyeTrackingParams of benaclejames/VRCFaceTracking, whose
combinations are undone here: EyeLid = 0.75 open + 0.25 wide (0.8 and 0.2 in the older
EyeLidExpanded), MouthSmile = 0.8 pull + 0.2 slant, BrowDown = 0.75 lowerer + 0.25 pinch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vtbridge.tracking.arkit import ARKIT_NAMES

SIDES = ("Left", "Right")


@dataclass(frozen=True, slots=True)
class Mix:
    """A weighted sum of parameters, clamped to 0..1.

    Attributes:
        terms: parameter and factor.
        offset: added to the sum.
    """

    terms: tuple[tuple[str, float], ...]
    offset: float = 0.0

    def weight(self, values: Mapping[str, float]) -> float:
        """Return the blendshape's weight; every parameter must be in ``values``."""
        total = self.offset
        for name, factor in self.terms:
            total += factor * values[name]
        return 0.0 if total < 0.0 else 1.0 if total > 1.0 else total

    def known(self, values: Mapping[str, float]) -> bool:
        """Return whether every parameter is in ``values``."""
        return all(name in values for name, _ in self.terms)


def _one(name: str, factor: float = 1.0, offset: float = 0.0) -> Mix:
    return Mix(((name, factor),), offset)


def _mean(*names: str) -> Mix:
    return Mix(tuple((name, 1.0 / len(names)) for name in names))


def _corners(stem: str) -> Mix:
    return _mean(*(f"{stem}{lip}{side}" for lip in ("Upper", "Lower") for side in SIDES))


def _centre_ways() -> Iterator[tuple[str, tuple[Mix, ...]]]:
    yield "jawOpen", (_one("JawOpen"),)
    yield "jawForward", (_one("JawForward"), _one("JawZ"))
    yield "mouthClose", (_one("MouthClosed"),)
    yield "mouthShrugUpper", (_one("MouthRaiserUpper"),)
    yield "mouthShrugLower", (_one("MouthRaiserLower"),)
    yield "tongueOut", (_one("TongueOut"),)
    yield "cheekPuff", (_mean("CheekPuffLeft", "CheekPuffRight"), _one("CheekPuffSuck"))
    yield (
        "browInnerUp",
        (
            _mean("BrowInnerUpLeft", "BrowInnerUpRight"),
            _one("BrowInnerUp"),
            _mean("BrowUpLeft", "BrowUpRight"),
            _one("BrowUp"),
            _mean("BrowExpressionLeft", "BrowExpressionRight"),
            _one("BrowExpression"),
        ),
    )
    for lip in ("Upper", "Lower"):
        yield (
            f"mouthRoll{lip}",
            (
                _mean(f"LipSuck{lip}Left", f"LipSuck{lip}Right"),
                _one(f"LipSuck{lip}"),
                _one("LipSuck"),
                _one(f"LipSuckFunnel{lip}"),
            ),
        )
    yield (
        "mouthFunnel",
        (
            _corners("LipFunnel"),
            _one("LipFunnel"),
            _mean("LipFunnelUpper", "LipFunnelLower"),
            Mix((("LipSuckFunnelUpper", -0.5), ("LipSuckFunnelLower", -0.5))),
        ),
    )
    yield (
        "mouthPucker",
        (
            _corners("LipPucker"),
            _one("LipPucker"),
            _mean("LipPuckerUpper", "LipPuckerLower"),
            _mean("LipPuckerLeft", "LipPuckerRight"),
        ),
    )


def _sided_ways(side: str, sign: float) -> Iterator[tuple[str, tuple[Mix, ...]]]:
    """Yield the blendshapes of one side; ``sign`` is that of its direction, right positive."""
    yield (
        f"eyeBlink{side}",
        (
            _one(f"EyeClosed{side}"),
            _one(f"EyeOpen{side}", -1.0, 1.0),
            _one(f"EyeLid{side}", -4 / 3, 1.0),
            _one("EyeClosed"),
            _one("EyeOpen", -1.0, 1.0),
            _one("EyeLid", -4 / 3, 1.0),
            _one(f"{side}EyeLidExpanded", -1.25, 1.0),
            _one(f"{side}EyeLidExpandedSqueeze", -1.25, 1.0),
            _one(f"{side}EyeLid", -1.0, 1.0),
            _one("CombinedEyeLid", -1.0, 1.0),
        ),
    )
    yield (
        f"eyeWide{side}",
        (
            _one(f"EyeWide{side}"),
            _one(f"EyeLid{side}", 4.0, -3.0),
            _one("EyeWide"),
            _one("EyeLid", 4.0, -3.0),
            _one(f"{side}EyeWiden"),
            _one(f"{side}EyeLidExpanded", 5.0, -4.0),
            _one(f"{side}EyeLidExpandedSqueeze", 5.0, -4.0),
        ),
    )
    yield (
        f"eyeSquint{side}",
        (
            _one(f"EyeSquint{side}"),
            _one("EyeSquint"),
            _one("EyesSquint"),
            _one(f"{side}EyeSqueeze"),
            _one(f"{side}EyeLidExpandedSqueeze", -1.0),
        ),
    )
    yield (
        f"browDown{side}",
        (
            Mix(((f"BrowLowerer{side}", 0.75), (f"BrowPinch{side}", 0.25))),
            _one(f"BrowDown{side}"),
            _one("BrowDown"),
            _one(f"BrowExpression{side}", -1.0),
            _one("BrowExpression", -1.0),
        ),
    )
    yield (
        f"browOuterUp{side}",
        (
            _one(f"BrowOuterUp{side}"),
            _one("BrowOuterUp"),
            _one(f"BrowUp{side}"),
            _one("BrowUp"),
            _one(f"BrowExpression{side}"),
            _one("BrowExpression"),
        ),
    )
    yield f"cheekSquint{side}", (_one(f"CheekSquint{side}"), _one("CheekSquint"))
    yield f"noseSneer{side}", (_one(f"NoseSneer{side}"), _one("NoseSneer"))
    yield f"jaw{side}", (_one(f"Jaw{side}"), _one("JawX", sign))
    yield (
        f"mouth{side}",
        (
            _mean(f"MouthUpper{side}", f"MouthLower{side}"),
            Mix((("MouthUpperX", sign / 2), ("MouthLowerX", sign / 2))),
            _one("MouthX", sign),
        ),
    )
    yield (
        f"mouthSmile{side}",
        (
            Mix(((f"MouthCornerPull{side}", 0.8), (f"MouthCornerSlant{side}", 0.2))),
            _one(f"MouthSmile{side}"),
            _one(f"SmileFrown{side}"),
            _one(f"SmileSad{side}"),
            _one("SmileFrown"),
            _one("SmileSad"),
            _one(f"MouthCornerPull{side}"),
        ),
    )
    yield (
        f"mouthFrown{side}",
        (
            _one(f"MouthFrown{side}"),
            _one(f"SmileFrown{side}", -1.0),
            _one(f"MouthSad{side}"),
            _one(f"SmileSad{side}", -1.0),
            _one("SmileFrown", -1.0),
            _one("SmileSad", -1.0),
            _one(f"MouthCornerY{side}", -1.0),
            _one("MouthCornerY", -1.0),
        ),
    )
    yield (
        f"mouthStretch{side}",
        (
            _one(f"MouthStretch{side}"),
            _one("MouthStretch"),
            _one(f"MouthTightenerStretch{side}", -1.0),
            _one("MouthTightenerStretch", -1.0),
        ),
    )
    for stem in ("MouthUpperUp", "MouthLowerDown"):
        yield (
            f"m{stem[1:]}{side}",
            (_one(f"{stem}{side}"), _one(stem), _one("MouthOpen")),
        )
    for stem in ("MouthDimple", "MouthPress"):
        yield f"m{stem[1:]}{side}", (_one(f"{stem}{side}"), _one(stem))


WAYS: Mapping[str, tuple[Mix, ...]] = {
    **dict(_centre_ways()),
    **dict(_sided_ways("Left", -1.0)),
    **dict(_sided_ways("Right", 1.0)),
}
"""Ways to each blendshape, finest first; eyeLook is said by the gaze."""

PARAMETERS: frozenset[str] = frozenset(
    name for ways in WAYS.values() for mix in ways for name, _ in mix.terms
)
"""Every parameter that some way uses."""

FINEST: tuple[str, ...] = tuple(
    dict.fromkeys(
        name for shape in ARKIT_NAMES if shape in WAYS for name, _ in WAYS[shape][0].terms
    )
)
"""The parameters that say all there is, without repetition."""

EYE_SHAPES: frozenset[str] = frozenset(
    shape for shape in WAYS if shape.startswith(("eyeBlink", "eyeWide", "eyeSquint"))
)
"""Blendshapes that an eye tracker sees; the others are a face tracker's."""


def mixes_for(values: Mapping[str, float]) -> tuple[tuple[str, Mix], ...]:
    """Return how to find each blendshape that the parameters in ``values`` tell."""
    found: list[tuple[str, Mix]] = []
    for shape, ways in WAYS.items():
        mix = next((mix for mix in ways if mix.known(values)), None)
        if mix is not None:
            found.append((shape, mix))
    return tuple(found)
