"""A reader survives any bytes under its segment's name."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.vtbf import C_SOURCES, HEADER, compile_c, shaded_frames, unused_name
from vtbridge.errors import FrameTransportError
from vtbridge.publish.vtbf import FrameReader, FrameWriter, segment_path

ROUNDS = 100_000
SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def fuzz(program: Path, rounds: int, seed: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, str(rounds), str(seed)], capture_output=True, text=True, check=False
    )


def test_c_reader_survives_mutated_segments_under_sanitizers(tmp_path: Path) -> None:
    result = fuzz(compile_c(C_SOURCES / "vtbf_fuzz.c", tmp_path, *SANITIZERS), ROUNDS, seed=1)
    assert result.returncode == 0, result.stderr
    counts = {
        (kind, int(number)): int(count)
        for kind, number, count in map(str.split, result.stdout.splitlines())
    }
    assert sum(count for (kind, _), count in counts.items() if kind == "problem") == ROUNDS
    never = [key for key, count in counts.items() if count == 0]
    assert never == [], "every refusal and every outcome has to be reached"


@pytest.mark.parametrize(
    "guard",
    [
        " || slot->payload > g->max_payload",
        "  if (slot->stride < slot->width * VTBF_BYTES_PER_PIXEL || "
        "slot->stride % VTBF_BYTES_PER_PIXEL)\n    return VTBF_BAD_STRIDE;\n",
        "  if (h->total_bytes > file_bytes) return VTBF_TOO_SHORT;\n",
        "  if (h->slot_count < VTBF_MIN_SLOTS || h->slot_count > VTBF_MAX_SLOTS) "
        "return VTBF_BAD_SLOT_COUNT;\n",
    ],
    ids=["payload", "stride", "total_bytes", "slot_count"],
)
def test_fuzzer_notices_a_missing_guard(guard: str, tmp_path: Path) -> None:
    header = HEADER.read_text()
    assert header.count(guard) == 1, "the guard no longer reads like this"
    (tmp_path / "vtbf.h").write_text(header.replace(guard, ""))
    flags = (*SANITIZERS, "-Wno-unused-parameter")
    program = compile_c(C_SOURCES / "vtbf_fuzz.c", tmp_path, *flags, include=tmp_path)
    result = fuzz(program, ROUNDS, seed=1)
    assert result.returncode != 0
    assert (
        "ERROR: AddressSanitizer" in result.stderr
        or "runtime error" in result.stderr
        or ("promise broken" in result.stderr)
    )


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 4400), st.binary(min_size=1, max_size=8)), max_size=4)
)
def test_python_reader_raises_nothing_but_transport_errors(
    changes: list[tuple[int, bytes]],
) -> None:
    with unused_name() as name:
        path = segment_path(name)
        with FrameWriter.open(name, max_width=8, max_height=8, slot_count=2) as writer:
            for frame in shaded_frames(8, 8)[1:3]:
                writer.write(frame)
            content = bytearray(path.read_bytes())
        for offset, new in changes:
            content[offset : offset + len(new)] = new
        path.touch(0o600)
        path.write_bytes(content)
        for use in (read_all, take_over):
            with contextlib.suppress(FrameTransportError):
                use(name)


def read_all(name: str) -> None:
    with FrameReader.attach(name) as reader:
        reader.read_newer(0, timeout_s=0)
        reader.liveness()
        reader.status()


def take_over(name: str) -> None:
    FrameWriter.open(name, max_width=8, max_height=8).close()
