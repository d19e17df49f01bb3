"""A machine tells its class, by which ratios are compared."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from vtbridge.render.benchmark.machine import describe_machine


@pytest.mark.parametrize(
    ("told", "instructions", "bf16"),
    [
        ("flags : fpu avx2 avx512f avx512_vnni avx512_bf16", "bf16", True),
        ("flags : fpu avx2 avx512f avx512_vnni", "vnni", False),
        ("flags : fpu avx2 avx512f", "avx512", False),
        ("flags : fpu avx2", "avx2", False),
        ("Features : fp asimd", "neon", False),
        ("nothing : known", "plain", False),
    ],
)
def test_the_class_is_what_the_processor_can_do(
    tmp_path: Path, told: str, instructions: str, *, bf16: bool
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor : 0\nmodel name : Some CPU\n{told}\n")
    machine = describe_machine(info)
    assert machine["cpu"] == "Some CPU"
    assert machine["bf16"] is bf16
    usable = machine["usable_threads"]
    assert machine["class"] == f"{platform.machine()} {instructions}, {usable} threads"


def test_a_system_that_does_not_tell_is_plain(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path / "absent")
    assert machine["bf16"] is False
    assert machine["cpu"]
