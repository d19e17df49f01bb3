"""Programs: their memory, their threads, and what a wrong caller is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtbridge.render.native._native import Engine, Program
from vtbridge.render.native.program import Buffer, Kind, ProgramBuilder, _place

lifetimes = st.tuples(st.integers(1, 200), st.integers(0, 30), st.integers(0, 10))


@given(st.lists(lifetimes, max_size=30))
def test_buffers_that_live_together_never_share_memory(
    lives: list[tuple[int, int, int]],
) -> None:
    buffers = [Buffer(16 * n, first=first, last=first + length) for n, first, length in lives]
    total = _place(buffers)
    for i, a in enumerate(buffers):
        assert 0 <= a.offset <= total - a.floats
        assert a.offset % 16 == 0
        for b in buffers[:i]:
            if a.first <= b.last and b.first <= a.last:
                assert a.offset + a.floats <= b.offset or b.offset + b.floats <= a.offset


def test_buffers_that_never_meet_share_memory() -> None:
    buffers = [Buffer(64, first=n, last=n) for n in range(5)]
    assert _place(buffers) == 64


def halving_program(engine: Engine) -> Program:
    builder = ProgramBuilder(engine)
    src, dst = builder.array(4 * 64 * 64), builder.array(4 * 32 * 32)
    builder.add(Kind.HALVE, src, dst, 32, 4)
    return builder.build()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    image = np.random.default_rng(0).random((4, 64, 64), np.float32)
    results = []
    for threads in (1, 2, 3, 5):
        out = np.empty((4, 32, 32), np.float32)
        halving_program(Engine(threads)).run(image, out)
        results.append(out)
    assert all(np.array_equal(results[0], result) for result in results)


def test_programs_of_one_engine_take_turns_for_long() -> None:
    engine = Engine(3)
    programs = [halving_program(engine) for _ in range(3)]
    image, out = np.ones((4, 64, 64), np.float32), np.empty((4, 32, 32), np.float32)
    for _ in range(300):
        for program in programs:
            out[:] = 0
            program.run(image, out)
            assert (out == 1).all()


def test_an_engine_lives_as_long_as_its_programs() -> None:
    program = halving_program(Engine(2))
    out = np.zeros((4, 32, 32), np.float32)
    program.run(np.ones((4, 64, 64), np.float32), out)
    assert (out == 1).all()


def test_arrays_of_another_size_or_number_are_refused() -> None:
    program = halving_program(Engine(1))
    image, out = np.zeros((4, 64, 64), np.float32), np.zeros((4, 32, 32), np.float32)
    with pytest.raises(ValueError, match="2 arrays wanted"):
        program.run(image)
    with pytest.raises(ValueError, match="array 1 has"):
        program.run(image, out[:3])
    with pytest.raises(ValueError, match="contiguous"):
        program.run(image.transpose(0, 2, 1), out)


@pytest.mark.parametrize("threads", [0, -1, 65])
def test_threads_out_of_range_are_refused(threads: int) -> None:
    with pytest.raises(ValueError, match=r"threads must lie in 1\.\.64"):
        Engine(threads)


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match="this processor has no mmx"):
        Engine(1, "mmx")


def test_bytes_that_are_no_operations_are_refused() -> None:
    with pytest.raises(ValueError, match="no operations"):
        Program(Engine(1), b"abc", b"", 0, ())
