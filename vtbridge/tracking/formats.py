"""The variants of what trackers send, as users choose them."""

from __future__ import annotations

from enum import StrEnum


class ProtocolName(StrEnum):
    """The protocols of the table in ``protocols``."""

    VMC = "vmc"
    IFACIALMOCAP = "ifacialmocap"


class Packing(StrEnum):
    """How the messages of one VMC frame are put into datagrams."""

    BUNDLE = "bundle"
    PACKETS = "packets"
    SINGLE = "single"


class TextVersion(StrEnum):
    """The two text formats of iFacialMocap."""

    V1 = "v1"
    V2 = "v2"
