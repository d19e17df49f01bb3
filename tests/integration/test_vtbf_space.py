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
from vtbridge.publish.vtbf import FrameReader, FrameWriter, list_segments
folder = Path(sys.argv[1])
try:
    FrameWriter.open("large", max_width=1024, max_height=1024, directory=folder)
except FrameTransportError as error:
    print(error)
assert list_segments(directory=folder) == [], "a segment without room must not stay"
small = Frame(np.zeros((16, 16, 4), np.uint8), 1)
with (
    FrameWriter.open("small", max_width=16, max_height=16, directory=folder) as writer,
    FrameReader.attach("small", directory=folder) as reader,
):
    writer.write(small)
    inode = writer.path.stat().st_ino
    for _ in range(2):
        try:
            writer.write(Frame(np.zeros((1024, 1024, 4), np.uint8), 1))
        except FrameTransportError:
            print("and no room to grow")
    assert list(folder.iterdir()) == [writer.path], "an unfinished segment must not stay"
    assert writer.path.stat().st_ino == inode
    assert writer.write(small) == 2, "what fits goes on in the old segment"
    assert reader.read_newer(1, timeout_s=0).frame_no == 2
    assert reader.liveness().value == "live"
    if len(sys.argv) > 2:
        writer.path.unlink()
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        assert [writer.write(small) for _ in range(2)] == [3, 4]
        assert reader.read_newer(2, timeout_s=0).frame_no == 4
        assert list(folder.iterdir()) == [filler]
        filler.unlink()
        writer._retry_s = 0.0  # as if the pause between attempts were over
        assert writer.write(small) == 1
        assert reader.read_newer(4, timeout_s=0).frame_no == 1
        assert reader.reopened == 1
        print("and made anew once there is room")
assert list_segments(directory=folder) == []
"""


def run_limited(
    folder: Path, prefix: list[str], *options: str, limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", OPEN_LARGE, str(folder), *options],
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
    result = run_limited(tmp_path, [*namespace, "sh", "-c", mount, "sh"], "fill it")
    assert result.returncode == 0, result.stderr
    first, second, third, fourth = result.stdout.splitlines()
    assert "large needs 16.8 MB" in first
    assert "1.0 MB free (No space left on device)" in first
    assert "remount,size=" in first
    assert second == third == "and no room to grow"
    assert fourth == "and made anew once there is room"
    assert result.stderr.count("deleted by another program") == 2


def test_limit_on_file_size_is_a_clean_error(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    result = run_limited(tmp_path, [], limit=limit)
    assert result.returncode == 0, result.stderr
    assert "(File too large)" in result.stdout
    assert "and no room to grow" in result.stdout
