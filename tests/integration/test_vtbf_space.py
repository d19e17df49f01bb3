"""A full or limited shared memory is a clean error, never a signal later."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import skip_loudly
from tests.support.vtbf import REPOSITORY

OPEN_LARGE = """
import sys
from pathlib import Path
import numpy as np
from vtbridge.datatypes import Frame
from vtbridge.errors import FrameTransportError
from vtbridge.publish.vtbf import FrameWriter, list_segments
folder = Path(sys.argv[1])
try:
    FrameWriter.open("large", max_width=1024, max_height=1024, directory=folder)
except FrameTransportError as error:
    print(error)
assert list_segments(directory=folder) == [], "a segment without room must not stay"
with FrameWriter.open("small", max_width=16, max_height=16, directory=folder) as writer:
    writer.write(Frame(np.zeros((16, 16, 4), np.uint8), 1))
    try:
        writer.write(Frame(np.zeros((1024, 1024, 4), np.uint8), 1))
    except FrameTransportError:
        print("and no room to grow")
assert list_segments(directory=folder) == []
"""


def run_limited(
    folder: Path, prefix: list[str], limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", OPEN_LARGE, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=limit,
    )


def test_full_file_system_is_told_with_numbers_and_remedy(tmp_path: Path) -> None:
    """On a tmpfs of 1 MB in a mount namespace of its own, so that nothing is left mounted."""
    unshare = shutil.which("unshare")
    if unshare is None:
        skip_loudly("unshare is not installed (apt install util-linux)")
    namespace = [str(unshare), "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = f'mount -t tmpfs -o size=1m tmpfs {tmp_path} && exec "$@"'
    if subprocess.run([*namespace, "sh", "-c", mount, "sh", "true"], check=False).returncode:
        skip_loudly("this machine lets nobody but root mount a tmpfs")
    result = run_limited(tmp_path, [*namespace, "sh", "-c", mount, "sh"])
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert "large needs 16.8 MB" in first
    assert "1.0 MB free (No space left on device)" in first
    assert "remount,size=" in first
    assert second == "and no room to grow"


def test_limit_on_file_size_is_a_clean_error(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    result = run_limited(tmp_path, [], limit)
    assert result.returncode == 0, result.stderr
    assert "(File too large)" in result.stdout
    assert "and no room to grow" in result.stdout
