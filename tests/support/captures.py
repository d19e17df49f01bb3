"""``.udpcap`` files, whole."""

from __future__ import annotations

from pathlib import Path

from vtbridge.tracking.recordings.udpcap import CapturedDatagram, iter_capture


def read_capture(path: Path) -> list[CapturedDatagram]:
    """Return all datagrams of a capture; raises as ``iter_capture`` does."""
    return list(iter_capture(path))
