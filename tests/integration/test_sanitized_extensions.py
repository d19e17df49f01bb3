"""The C extensions stay within their memory: built with ASan and UBSan, tried with their tests.

Costs about 15 s of CPU for the build, once, and 15 s for the tests; `make sanitize` runs all.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support import sanitized

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None,
    reason="the sanitizers' libraries are those of GCC on Linux",
)
QUICK = (
    "tests/unit/publish/test_vtbf.py",
    "tests/unit/publish/test_vtbf_damage.py",
    "tests/unit/render/test_alpha.py",
    "tests/unit/render/test_carry.py",
    "tests/unit/render/baked/test_face.py",
)
OVERFLOW = "int at(int *p, int i); int at(int *p, int i) { return p[i]; }"
READ_BEHIND = """
import ctypes, sys
at = ctypes.CDLL(sys.argv[1]).at
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
print(at(ctypes.c_void_p(libc.malloc(16)), 4))
"""


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    sanitized.WORK.mkdir(parents=True, exist_ok=True)
    with FileLock(sanitized.WORK / "lock"):
        sanitized.build()


def test_it_is_the_sanitized_extensions_that_are_tried() -> None:
    for name in sanitized.EXTENSIONS:
        ran = sanitized.python("-c", f"import {name} as it; print(it.__file__)")
        assert ran.returncode == 0, ran.stderr
        file = Path(ran.stdout.strip())
        assert file.is_relative_to(sanitized.LIBRARY)
        content = file.read_bytes()
        assert b"__asan_" in content
        assert b"__ubsan_" in content


def test_a_read_behind_the_end_does_not_go_unnoticed(tmp_path: Path) -> None:
    source, library = tmp_path / "at.c", tmp_path / "at.so"
    source.write_text(OVERFLOW)
    flags = ["-g", "-fsanitize=address", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, str(source), "-o", str(library)], check=True)
    ran = sanitized.python("-c", READ_BEHIND, library)
    assert ran.returncode != 0
    assert "heap-buffer-overflow" in ran.stderr


def test_extensions_stay_within_their_memory() -> None:
    ran = sanitized.python(*sanitized.pytest_arguments(*QUICK))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
