"""What a benchmark ran on, so that its numbers can be compared with others."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

import vtbridge


def describe_machine() -> dict[str, str | int | float]:
    """Return processor, cores, memory, load and versions, ready for JSON."""
    return {
        "cpu": _cpu_name(),
        "cores": psutil.cpu_count(logical=False) or 0,
        "threads": psutil.cpu_count() or 0,
        "usable_threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(psutil.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "vtbridge": vtbridge.__version__,
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
