"""The variants of what trackers send, as users choose them."""

from __future__ import annotations

from enum import StrEnum


class ProtocolName(StrEnum):
    """The protocols of the table in ``protocols.table``, for the command line."""

    VMC = "vmc"
    FMV3 = "fmv3"
    FACEMOTION3D = "facemotion3d"
    IFACIALMOCAP = "ifacialmocap"
    VTS_PHONE = "vts_phone"
    LIVELINK = "livelink"
    OPENSEEFACE = "openseeface"
    FACE_CAP = "face_cap"
    VISAGE = "visage"
    ZIG_SIM = "zig_sim"
    PHIZ = "phiz"
    MEDIAPIPE_OSC = "mediapipe_osc"
    VRCFT = "vrcft"


MICROPHONE = "microphone"
SOURCE_KINDS = (*ProtocolName, "webcam", MICROPHONE)
"""What the name of a source begins with."""


class Packing(StrEnum):
    """How the messages of one VMC frame are put into datagrams."""

    BUNDLE = "bundle"
    PACKETS = "packets"
    SINGLE = "single"


class TextVersion(StrEnum):
    """The two text formats of iFacialMocap."""

    V1 = "v1"
    V2 = "v2"
