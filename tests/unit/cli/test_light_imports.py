"""The command line itself loads nothing native: a broken library leaves `doctor` standing."""

from __future__ import annotations

import subprocess
import sys

from vtbridge.app.doctor_libraries import LIBRARIES


def test_no_native_library_is_loaded_before_a_command_begins() -> None:
    native = sorted({"numpy", "psutil", *(library.module for library in LIBRARIES)})
    program = (
        "import sys; import vtbridge.cli.commands, vtbridge.app.doctor_process, "
        f"vtbridge.config.load; print([name for name in {native} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True
    )
    assert told.stdout == "[]\n"
