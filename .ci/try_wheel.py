"""Try an installed vtbridge: ``python .ci/try_wheel.py``, anywhere but in the repository.

Every C extension is there and loads, and the doctor finds nothing wrong with the installation
itself. PyTorch may be absent: it converts weights and trains, and no frame needs it.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import vtbridge

EXTENSIONS = (
    "publish._vtbf",
    "render._alpha",
    "render._carry",
    "render._compositor",
    "render._enlarge",
    "render.baked._body",
    "render.baked._face",
)
NEEDS_GNU_C = ("render.native._native", "render.siren._siren")
DOCTOR_TIMEOUT_S = 300


def main() -> None:
    """Say what was found.

    Raises:
        SystemExit: something is wrong with the installation.
    """
    print(f"vtbridge {vtbridge.__version__} in {Path(vtbridge.__file__).parent}")
    wanted = EXTENSIONS if sys.platform == "win32" else EXTENSIONS + NEEDS_GNU_C
    for name in wanted:
        importlib.import_module(f"vtbridge.{name}")
    print(f"{len(wanted)} extensions load")
    done = subprocess.run(
        [sys.executable, "-m", "vtbridge", "doctor", "--json"],
        stdout=subprocess.PIPE,
        check=False,
        timeout=DOCTOR_TIMEOUT_S,
    )
    # On a bare machine there is no OBS, no weights, perhaps no sound: told as failures.
    # What must hold is that the doctor gets to its end and finds the libraries.
    findings = {found["check"]: found for found in json.loads(done.stdout)}
    for found in findings.values():
        print(f"{found['verdict']:8} {found['check']}: {found['seen']}")
    asked = [name for name in findings if name.startswith("library ")]
    bad = [name for name in asked if findings[name]["verdict"] == "failure"]
    if bad or not asked or "machine" not in findings:
        raise SystemExit(
            f"wrong with this installation: {', '.join(bad) or 'the doctor says little'}"
        )


if __name__ == "__main__":
    main()
