"""What a benchmark ran on, so that its numbers can be compared with others."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

_CPU_INFO = Path("/proc/cpuinfo")
_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_INSTRUCTIONS = (
    ("bf16", _BF16),
    ("vnni", frozenset({"avx512_vnni"})),
    ("avx512", frozenset({"avx512f"})),
    ("avx2", frozenset({"avx2"})),
    ("neon", frozenset({"asimd"})),
)
"""The best that a processor offers decides its class."""


def describe_machine(cpu_info: Path = _CPU_INFO) -> dict[str, str | int | float | bool]:
    """Return processor, class, cores, memory and load, ready for JSON.

    ``class`` is what ratios can be compared within: architecture, instruction set, threads.
    ``bf16`` tells whether the processor multiplies bf16 in hardware.

    Args:
        cpu_info: where Linux tells about the processor.
    """
    flags = _flags(cpu_info)
    usable = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else psutil.cpu_count() or 0
    )
    instructions = next((name for name, any_of in _INSTRUCTIONS if flags & any_of), "plain")
    return {
        "cpu": _cpu_name(cpu_info),
        "class": f"{platform.machine()} {instructions}, {usable} threads",
        "bf16": bool(flags & _BF16),
        "cores": psutil.cpu_count(logical=False) or 0,
        "threads": psutil.cpu_count() or 0,
        "usable_threads": usable,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(psutil.getloadavg()[0], 2),
        "system": platform.platform(),
    }


def _flags(cpu_info: Path) -> frozenset[str]:
    """Return what the processor says that it can do; nothing where the system does not tell."""
    for key in ("flags", "Features"):
        if words := _value(cpu_info, key):
            return frozenset(words.split())
    return frozenset()


def _cpu_name(cpu_info: Path) -> str:
    named = _value(cpu_info, "model name") or platform.processor()
    return named or platform.machine()


def _value(cpu_info: Path, key: str) -> str:
    try:
        lines = cpu_info.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    found = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in found if name.strip() == key), "")
