"""Segments with names of their own, frames that show tearing, and the C compiler."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vtbridge.datatypes import Frame, U8Array, read_only
from vtbridge.publish.vtbf import FrameWriter, segment_path

REPOSITORY = Path(__file__).parents[2]
HEADER = REPOSITORY / "integrations" / "include" / "vtbf.h"
C_SOURCES = REPOSITORY / "tests" / "data"
SHADES = 16
SMALL = Frame(np.arange(8 * 12 * 4, dtype=np.uint8).reshape(8, 12, 4), t_capture_ns=77)


@contextlib.contextmanager
def unused_name() -> Iterator[str]:
    """Yield a segment name that nobody has, and delete its segment whatever happens."""
    name = f"t{uuid.uuid4().hex[:14]}"
    try:
        yield name
    finally:
        segment_path(name).unlink(missing_ok=True)


def shaded_frames(width: int, height: int) -> list[Frame]:
    """Return frames of one value each; frame number n is to show ``n % SHADES``."""
    return [
        Frame(read_only(np.full((height, width, 4), shade, np.uint8)), t_capture_ns=1)
        for shade in range(SHADES)
    ]


def leave_dead_segment(name: str, frames: int = 1) -> bytes:
    """Leave behind what a killed writer of 32x32 frames leaves, and return its bytes."""
    path = segment_path(name)
    with FrameWriter.open(name, max_width=32, max_height=32) as writer:
        for number in range(1, frames + 1):
            writer.write(shaded_frames(8, 8)[number % 16])
        content = path.read_bytes()
    path.touch(0o600)
    path.write_bytes(content)
    return content


def shows(rgba: U8Array, frame_no: int) -> bool:
    """Return True if every byte is that of frame ``frame_no``: not torn, not another one."""
    return int(rgba.min()) == int(rgba.max()) == frame_no % SHADES


def compile_c(source: Path, folder: Path, *flags: str, include: Path = HEADER.parent) -> Path:
    """Compile one C file with all warnings as errors and return the program."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    assert compiler, "a C compiler is needed, as it is for vtbridge itself"
    program = folder / source.stem
    subprocess.run(
        [
            *(compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"),
            *(f"-I{include}", *flags, str(source), "-o", str(program)),
        ],
        check=True,
    )
    return program


@contextlib.contextmanager
def script(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python script of the tests with pipes at both ends; kill it at the end if needed."""
    process = subprocess.Popen(
        [sys.executable, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
