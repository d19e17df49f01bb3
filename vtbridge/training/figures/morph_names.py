"""What modellers call the morphs that pose parameters need, in Japanese and English.

Compared without regard to case, width, spaces, and hiragana or katakana; the first name of a row
that a figure has is taken. Names of one eye or brow stand in the rows of both: which side a morph
moves is told by its vertices, not by its name. Sources: the customs of MikuMikuDance (``ウィンク``
is one half of ``笑い``, ``ウィンク２`` of ``まばたき``), VRM's presets, VRoid's ``Fcl_`` morphs and
the 52 of ARKit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from vtbridge.pose_params import PoseParam

# Names between bars, the first choice first.
_ROWS: tuple[tuple[PoseParam, str], ...] = (
    (
        PoseParam.EYEBROW_TROUBLED_LEFT,
        "困る|困り|困り眉|困る左|困る右|困る眉|悲しい|悲しむ|sadness|sad|trouble|troubled|"
        "worry|Fcl_BRW_Sorrow|browInnerUp",
    ),
    (
        PoseParam.EYEBROW_ANGRY_LEFT,
        "怒り|怒る|怒り眉|怒り左|怒り右|怒り眉左|怒り眉右|anger|angry|Fcl_BRW_Angry",
    ),
    (
        PoseParam.EYEBROW_LOWERED_LEFT,
        "下|眉下|眉下げ|まゆ下|下左|下右|下げ|brow down|brows down|go down|down|lower|"
        "eyebrows_down|browDownLeft|browDownRight",
    ),
    (
        PoseParam.EYEBROW_RAISED_LEFT,
        "上|眉上|眉上げ|まゆ上|上左|上右|上げ|brow up|brows up|go up|up|upper|eyebrows_up|"
        "Fcl_BRW_Surprised|browOuterUpLeft|browOuterUpRight",
    ),
    (
        PoseParam.EYEBROW_HAPPY_LEFT,
        "にこり|にこり左|にこり右|にっこり|喜び|笑い眉|cheerful|happy|joy|Fcl_BRW_Joy|Fcl_BRW_Fun",
    ),
    (
        PoseParam.EYEBROW_SERIOUS_LEFT,
        "真面目|まじめ|真面目左|真面目右|キリッ|きりっ|serious|determined",
    ),
    (
        PoseParam.EYE_WINK_LEFT,
        "まばたき|瞬き|目閉じ|blink|eyes closed|eye close|close|Fcl_EYE_Close|ウィンク2|"
        "ウインク2|ウィンク2左|ウィンク2右|ウインク2左|ウインク2右|wink2|wink2 left|"
        "wink2 right|wink 2 right|wink_2_r|wink2_l|wink2_r|blinkLeft|blinkRight|blink_l|"
        "blink_r|まばたき左|まばたき右|eyeBlinkLeft|eyeBlinkRight|Fcl_EYE_Close_L|"
        "Fcl_EYE_Close_R|ウィンク|ウインク|ウィンク左|ウインク左|ウィンク右|ウインク右|wink|"
        "wink left|wink right|wink_l|wink_r",
    ),
    (
        PoseParam.EYE_HAPPY_WINK_LEFT,
        "笑い|笑い目|にこにこ|smile|blink happy|eye smile|Fcl_EYE_Joy|笑い左|笑い右|ウィンク|"
        "ウインク|ウィンク左|ウインク左|ウィンク右|ウインク右|wink|wink left|wink right|wink_l|"
        "wink_r|Fcl_EYE_Joy_L|Fcl_EYE_Joy_R",
    ),
    (
        PoseParam.EYE_SURPRISED_LEFT,
        "びっくり|驚き|見開き|surprise|surprised|eye surprise|wide|Fcl_EYE_Surprised|"
        "Fcl_EYE_Spread|eyeWideLeft|eyeWideRight",
    ),
    (PoseParam.EYE_RELAXED_LEFT, "なごみ|和み|calm|relax|relaxed|Fcl_EYE_Fun"),
    (
        PoseParam.EYE_UNIMPRESSED_LEFT,
        "じと目|ジト目|じとめ|じと目左|じと目右|stare|doubt|unimpressed|scornful eyes|half closed",
    ),
    (
        PoseParam.EYE_RAISED_LOWER_EYELID_LEFT,
        "下まぶた上げ|下瞼上げ|下まぶた上|下瞼上|下まぶた|下瞼|下眼上|下まぶた左|下まぶた右|"
        "lower eyelid|lower eyelid up|lower lid up|eyeSquintLeft|eyeSquintRight",
    ),
    (
        PoseParam.IRIS_SMALL_LEFT,
        "瞳小|瞳小さい|瞳小さく|瞳縮小|小瞳|縮瞳|瞳孔小|small pupil|pupil small|iris small|"
        "small iris",
    ),
    (
        PoseParam.MOUTH_LOWERED_CORNER_LEFT,
        "口角下げ|口角下|口角下げ左|口角下げ右|への字|∧|mouth corner down|mouth corner lower|"
        "frown|pout|Fcl_MTH_Down|mouthFrownLeft|mouthFrownRight",
    ),
    (
        PoseParam.MOUTH_RAISED_CORNER_LEFT,
        "口角上げ|口角上|口角上げ左|口角上げ右|にやり2|にっこり口|mouth corner up|"
        "mouth corner raise|smile mouth|mouth smile|Fcl_MTH_Fun|Fcl_MTH_Up|mouthSmileLeft|"
        "mouthSmileRight",
    ),
    (PoseParam.MOUTH_AAA, "あ|a|aa|ah|mouth a|vrc.v_aa|Fcl_MTH_A|あ2|jawOpen"),
    (PoseParam.MOUTH_III, "い|i|ih|mouth i|vrc.v_ih|Fcl_MTH_I|い2"),
    (PoseParam.MOUTH_UUU, "う|u|ou|mouth u|vrc.v_ou|Fcl_MTH_U|う2"),
    (PoseParam.MOUTH_EEE, "え|e|ee|mouth e|vrc.v_e|Fcl_MTH_E|え2"),
    (PoseParam.MOUTH_OOO, "お|o|oh|mouth o|vrc.v_oh|Fcl_MTH_O|お2"),
    (PoseParam.MOUTH_DELTA, "▲|△|三角|delta|triangle"),
    (PoseParam.MOUTH_SMIRK, "にやり|ニヤリ|にやけ|grin|smirk"),
)


def _folded(name: str) -> str:
    """Return ``name`` without what differs between spellings of one name."""
    text = unicodedata.normalize("NFKC", name).casefold()
    # Of VRoid's names only the end matters: ``Face.M_F00_000_00_Fcl_EYE_Close``.
    text = text[max(text.rfind("fcl_"), 0) :]
    text = re.sub(r"[\s_.・\-]+", "", text)
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)


NAMES: Mapping[PoseParam, tuple[str, ...]] = {
    param: tuple(dict.fromkeys(map(_folded, names.split("|")))) for param, names in _ROWS
}
"""Folded names, the first choice first; of parameters with a side the left one stands for both."""
_KNOWN = frozenset(name for names in NAMES.values() for name in names)


def is_known(name: str) -> bool:
    """Return True if the table has this name in some spelling."""
    return _folded(name) in _KNOWN


def morphs_called_for(param: PoseParam, morphs: Mapping[str, object]) -> list[str]:
    """Return which of the names of ``morphs`` may mean ``param``, the first choice first."""
    by_folded: dict[str, str] = {}
    for name in morphs:
        by_folded.setdefault(_folded(name), name)
    return [by_folded[name] for name in NAMES.get(left_of(param), ()) if name in by_folded]


def left_of(param: PoseParam) -> PoseParam:
    """Return the left one of a pair of parameters, any other as it is."""
    if param.name.endswith("_RIGHT"):
        return PoseParam[param.name.removesuffix("_RIGHT") + "_LEFT"]
    return param


def has_side(param: PoseParam) -> bool:
    """Return True if there is such a parameter for each side."""
    return param.name.endswith(("_LEFT", "_RIGHT"))
