"""What this process takes of the machine."""

from __future__ import annotations

import contextlib

import psutil

from vtbridge.control.api.avatar import ProcessFigures


def process_figures() -> ProcessFigures:
    """Return what this process takes now."""
    process = psutil.Process()
    with process.oneshot():
        times = process.cpu_times()
        return ProcessFigures(
            resident_bytes=process.memory_info().rss,
            cpu_s=times.user + times.system,
            threads=process.num_threads(),
            open_files=_open_files(process),
        )


def _open_files(process: psutil.Process) -> int:
    with contextlib.suppress(AttributeError, psutil.Error):  # Windows counts no descriptors
        return process.num_fds()
    return 0
