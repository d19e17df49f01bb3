"""The README's table of trackers names every protocol with its port and what it was tried with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vtbridge.tracking.protocols.table import PROTOCOLS, Evidence, ProtocolRow
from vtbridge.tracking.settings import TrackingSettings

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
HEADER = "| you have | do this | tried with |"
NAMES = {
    "vmc": "VMC",
    "vrcft": "VRCFaceTracking",
    "visage": "Visage",
    "phiz": "Phiz",
    "zig_sim": "ZIG SIM Pro",
    "face_cap": "Face Cap",
    "mediapipe_osc": "MediaPipe-OSC",
    "fmv3": "Facemotion3d 1.4.6 or later",
    "facemotion3d": "Facemotion3d",
    "ifacialmocap": "iFacialMocap",
    "vts_phone": "VTube Studio",
    "livelink": "Live Link Face",
    "openseeface": "OpenSeeFace",
}
"""How the README calls each protocol, in bold."""
BESIDE = {"webcam", "microphone", "iFacialMocap 1.5.3 or later", "MeowFace"}
"""What is in bold without being the name of a protocol's row."""
FACEMOTION3D_UDP_PORT = 49993
"""No default of ours: it is what the app's `udp_port` must be set to."""
WORDS = {
    Evidence.REAL_SENDER: {"real sender"},
    Evidence.CAPTURE: {"capture", "recording"},
    Evidence.SPECIFICATION: {"specification"},
}


def rows() -> list[tuple[str, str, str]]:
    """Return the cells of each row of the README's table."""
    lines = README.partition(HEADER)[2].strip().splitlines()[1:]
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        you_have, do_this, tried_with = (cell.strip() for cell in line.strip("|").split("|"))
        found.append((you_have, do_this, tried_with))
    return found


def bold(cell: str) -> set[str]:
    return set(re.findall(r"\*\*(.+?)\*\*", cell))


def row_of(protocol: ProtocolRow) -> tuple[str, str, str]:
    (row,) = (row for row in rows() if NAMES[protocol.name] in bold(row[0]))
    return row


def test_readme_and_table_name_the_same_trackers() -> None:
    assert set(NAMES) == {protocol.name for protocol in PROTOCOLS}
    assert set().union(*(bold(row[0]) for row in rows())) == set(NAMES.values()) | BESIDE


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_readme_says_what_each_tracker_was_tried_with(protocol: ProtocolRow) -> None:
    tried_with = row_of(protocol)[2]
    said = {
        evidence for evidence, words in WORDS.items() if any(word in tried_with for word in words)
    }
    assert protocol.evidence in said
    if protocol.evidence is Evidence.SPECIFICATION:
        assert said == {Evidence.SPECIFICATION}, "more than is so"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_readme_names_the_ports_and_settings_there_are(protocol: ProtocolRow) -> None:
    do_this = row_of(protocol)[1]
    settings = TrackingSettings()
    told = {int(number) for number in re.findall(r"\b\d{4,5}\b", do_this)}
    if told:
        table = protocol.settings(settings)
        assert table.port in told
        assert told <= {*table.model_dump().values(), FACEMOTION3D_UDP_PORT}
    else:
        assert f"[tracking.{protocol.name}]" in do_this, "neither a port nor a table"
    for table, key in re.findall(r"`\[tracking\.(\w+)\]`(?: `(\w+) =)?", do_this):
        assert not key or hasattr(getattr(settings, table), key)
