"""The C extensions built with AddressSanitizer and UBSan, beside a copy of the package.

``python -m tests.support.sanitized`` builds them and runs what tests C; the first error of a
sanitizer ends the tests' process. GCC and Linux: the interpreter itself knows nothing of
sanitizers, so their libraries are loaded before it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.vtbf import REPOSITORY

WORK = REPOSITORY / ".cache" / "sanitize"
LIBRARY = WORK / "lib"
EXTENSIONS = (
    *("vtbridge.publish._vtbf", "vtbridge.render._alpha", "vtbridge.render._carry"),
    *("vtbridge.render._compositor", "vtbridge.render._enlarge", "vtbridge.render.baked._body"),
    *("vtbridge.render.baked._face", "vtbridge.render.native._native"),
    "vtbridge.render.siren._siren",
)
TESTS = (
    "tests/unit/publish",
    *(f"tests/unit/render/test_{name}.py" for name in ("alpha", "carry", "compositor", "enlarge")),
    *(f"tests/unit/render/{name}" for name in ("baked", "native", "siren")),
    *(f"tests/property/test_{name}.py" for name in ("alpha", "compositor", "baked_body")),
)
"""What calls the extensions, without a network or a weight file."""
READERS = ("tests/property/test_vtbf_hostile_segments.py", "tests/property/test_plugin_reader.py")
"""These compile the C readers with sanitizers themselves: 100 000 mutated headers each."""


def build() -> Path:
    """Build the package with sanitized extensions, and return the folder that it is in."""
    subprocess.run(
        [
            *(sys.executable, "setup.py", "-q", "build"),
            *("--build-base", WORK / "build", "--build-lib", LIBRARY),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "VTBRIDGE_SANITIZE": "1"},
        check=True,
    )
    return LIBRARY


def environment() -> dict[str, str]:
    """Return what a Python needs that loads sanitized libraries."""
    found = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}.so"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan", "libubsan")
    ]
    return {
        **os.environ,
        "LD_PRELOAD": ":".join(found),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",  # Python itself never frees all
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": f"{LIBRARY}{os.pathsep}{REPOSITORY}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def python(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a Python that loads the sanitized extensions."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=LIBRARY,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def pytest_arguments(*tests: str) -> list[str]:
    """Return what runs tests of the repository with the sanitized package."""
    return [
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
        *("--rootdir", str(REPOSITORY), "-c", str(REPOSITORY / "pyproject.toml")),
        *("-o", f"pythonpath={LIBRARY} {REPOSITORY}"),
        *(str(REPOSITORY / test) for test in tests),
    ]


def main() -> int:
    """Build and run everything; return what the worst of the tests returned."""
    build()
    with_extensions = subprocess.run(
        [sys.executable, *pytest_arguments(*TESTS)], cwd=REPOSITORY, env=environment(), check=False
    )
    readers = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *READERS],
        cwd=REPOSITORY,
        check=False,
    )
    return max(with_extensions.returncode, readers.returncode, key=abs)


if __name__ == "__main__":
    sys.exit(main())
