"""The OBS plugin's reader: nothing in a segment hurts it, and no torn frame gets through."""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from tests.support.segment import PAGE, Segment, segment_bytes
from tests.support.vtbf import C_SOURCES, REPOSITORY, compile_c, shaded_frames, unused_name
from vtbridge.publish.vtbf import FrameWriter, segment_path

SOURCES = REPOSITORY / "integrations" / "obs-plugin" / "src"
ROUNDS = 100_000
FRAMES = 20_000
WATCH_S = 3
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OWN = ("-DOWN_SEGMENT", "-Wconversion", "-Wno-sign-conversion")
LAST_LOOK = """  take = look_at_seq(r, at, n);
  if (take == TAKE_FRAME && slot->crc32"""
"""The look at the sequence number that comes after the pixels were copied."""


def build(folder: Path, *flags: str, sources: Path = SOURCES, system: bool = False) -> Path:
    """Compile the driver with the reader, over memory or over the system's segments."""
    parts = ["vtbf_reader.c", "segment_name.c"] + ["segment_posix.c"] * system
    own = () if system else OWN
    files = [str(sources / part) for part in parts]
    return compile_c(C_SOURCES / "plugin_reader.c", folder, *own, *flags, f"-I{sources}", *files)


def counts_of(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.returncode == 0, done.stderr
    return {word: int(count) for word, count in map(str.split, done.stdout.splitlines())}


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def changed_sources(folder: Path, old: str, new: str) -> Path:
    """Return a copy of the sources in which the reader reads ``new`` for ``old``."""
    copy = folder / "src"
    shutil.copytree(SOURCES, copy)
    reader = copy / "vtbf_reader.c"
    text = reader.read_text()
    assert text.count(old) == 1, "the reader no longer reads like this"
    reader.write_text(text.replace(old, new))
    return copy


def test_mutated_segments_do_not_hurt_the_reader(tmp_path: Path) -> None:
    counts = counts_of(run(build(tmp_path, *SANITIZERS), "fuzz", ROUNDS, 1))
    states = {"absent", "refused", "ended", "hung", "waiting", "live"}
    assert sum(counts[state] for state in states) == 4 * ROUNDS
    assert [word for word, count in counts.items() if count == 0] == [], "all has to be reached"


@pytest.mark.parametrize(
    ("guard", "instead"),
    [
        ("problem = vtbf_check_slot(&r->geometry, slot, n);", "problem = VTBF_FINE;"),
        (
            "problem = vtbf_check_header(&header, vtb_segment_bytes(r->segment), &r->geometry);",
            "(void)vtbf_check_header(&header, UINT64_MAX, &r->geometry);\n"
            "    r->geometry.slot_count = header.slot_count;\n    problem = VTBF_FINE;",
        ),
    ],
    ids=["slot", "header"],
)
def test_fuzzer_notices_a_missing_check(tmp_path: Path, guard: str, instead: str) -> None:
    sources = changed_sources(tmp_path, guard, instead)
    done = run(build(tmp_path, *SANITIZERS, sources=sources), "fuzz", ROUNDS, 1)
    assert done.returncode != 0
    told = ("ERROR: AddressSanitizer", "runtime error", "promise broken")
    assert any(one in done.stderr for one in told), done.stderr


def test_writer_that_gets_ahead_between_any_two_reads_is_never_shown_torn(tmp_path: Path) -> None:
    counts = counts_of(run(build(tmp_path, *SANITIZERS), "race", FRAMES, 1))
    assert counts["mixed"] == 0
    assert counts["torn"] > FRAMES / 10
    assert counts["skipped"] > 0


def test_race_shows_torn_frames_once_the_last_look_is_missing(tmp_path: Path) -> None:
    missing = re.sub(r"take = look_at_seq\(.*?\);", "take = TAKE_FRAME;", LAST_LOOK)
    sources = changed_sources(tmp_path, LAST_LOOK, missing)
    counts = counts_of(run(build(tmp_path, *SANITIZERS, sources=sources), "race", FRAMES, 1))
    assert counts["mixed"] > 0


def test_frames_of_a_writer_at_full_speed_arrive_whole(tmp_path: Path) -> None:
    program = build(tmp_path, "-O2", system=True)
    frames = shaded_frames(128, 128)
    with unused_name() as name, contextlib.ExitStack() as stack:
        with FrameWriter.open(name, max_width=128, max_height=128, slot_count=2) as writer:
            number = writer.write(frames[1])
            reader = subprocess.Popen(
                [program, "watch", name, str(FRAMES)], stdout=subprocess.PIPE, text=True
            )
            stack.callback(reader.kill)
            began_s = time.monotonic()
            while reader.poll() is None and time.monotonic() < began_s + WATCH_S:
                for _ in range(100):
                    number = writer.write(frames[(number + 1) % len(frames)])
        said, _ = reader.communicate(timeout=60)
        counts = counts_of(subprocess.CompletedProcess([], reader.returncode, said, "broken"))
    print(counts)
    assert counts["frames"] > 1
    assert counts["mixed"] == 0
    assert counts["listed"] == 1


@pytest.mark.parametrize(("difference", "frames"), [(0, 1), (1, 0)], ids=["right", "wrong"])
def test_checksum_counts_where_a_writer_stores_one(
    tmp_path: Path, difference: int, frames: int
) -> None:
    content = bytearray(segment_bytes())
    pixels = PAGE + 128
    crc = zlib.crc32(content[pixels : pixels + 64 * 64 * 4]) ^ difference
    struct.pack_into("<I", content, PAGE + 64, crc)
    program = build(tmp_path, *SANITIZERS, system=True)
    with unused_name() as name, Segment(segment_path(name), bytes(content)):
        counts = counts_of(run(program, "watch", name, 1))
    assert counts["frames"] == frames
    assert counts["refused"] == 1 - frames


def test_parts_without_obs_compile_without_a_warning(tmp_path: Path) -> None:
    for part in ("vtbf_reader", "segment_name", "segment_posix", "osc_link"):
        for level in ("-O0", "-O2"):
            compile_c(SOURCES / f"{part}.c", tmp_path, "-c", level, "-Wconversion", "-pedantic")
