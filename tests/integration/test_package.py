"""What pip installs: an sdist from which the wheel can be built, and a wheel that is complete."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, skip_loudly

BUILD_TIMEOUT_S = 300
pytestmark = pytest.mark.timeout(2 * BUILD_TIMEOUT_S)

STUDIO = ("index.html", "live.js", "style.css")


def shipped() -> list[str]:
    """Return the files that setup.py promises to put into the wheel."""
    tree = ast.parse(REPOSITORY.joinpath("setup.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHIPPED":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError("setup.py has no SHIPPED")


def copy_sources(target: Path) -> None:
    """Copy what git would commit: no extension that was built in place, no weights."""
    if shutil.which("git") is None or not REPOSITORY.joinpath(".git").exists():
        skip_loudly("the package is built from a git checkout, and this is none")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def hasty_compiler(folder: Path) -> dict[str, str]:
    """Return an environment in which C is compiled without optimising, in a tenth of the time.

    What is in the wheel and whether it loads is tested here, never how fast it is.
    """
    compiler = folder / "cc"
    real = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    compiler.write_text(f'#!/bin/sh\nexec {real} "$@" -O0\n', "utf-8")
    compiler.chmod(0o755)
    return os.environ | {"CC": str(compiler)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist and the wheel that was built from the sdist alone."""
    checkout = tmp_path_factory.mktemp("checkout")
    dist = tmp_path_factory.mktemp("dist")
    copy_sources(checkout)
    env = hasty_compiler(tmp_path_factory.mktemp("compiler"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(checkout)],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
        cwd=dist,
        env=env,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dist


@pytest.fixture(scope="module")
def unpacked(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the wheel installs."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)  # noqa: S202 - built just now from this repository
    return folder


def test_sdist_holds_what_lies_beside_the_package(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*shipped(), "config.toml", "CHANGELOG.md", "README.md", "LICENSE", "setup.py"}
    assert wanted - names == set()
    assert not [name for name in names if name.endswith((".so", ".pyd"))]


def test_wheel_holds_every_file_that_is_read_at_run_time(unpacked: Path) -> None:
    package = unpacked / "vtbridge"
    for name in shipped():
        assert package.joinpath("_data", name).read_bytes() == (REPOSITORY / name).read_bytes()
    for name in STUDIO:
        assert package.joinpath("control", "studio", name).stat().st_size > 0
    assert package.joinpath("characters", "builtin", "michi.png").stat().st_size > 0
    assert package.joinpath("characters", "face_landmarks.safetensors").stat().st_size > 0
    for folder, name in (("publish", "_vtbf"), ("render", "_alpha")):
        built = {path.suffix for path in package.joinpath(folder).glob(f"{name}.*")}
        assert built & {".so", ".pyd"}
    assert not (unpacked / "tests").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-m", "vtbridge", "--version"], "vtbridge "),
        (["-m", "vtbridge", "config", "show"], "[avatar]"),
        (["-m", "vtbridge", "weights", "list"], "tha3"),
        (
            [
                "-c",
                "import vtbridge.publish._vtbf as a, vtbridge.render._alpha as b;"
                "print(a.__file__, b.__file__)",
            ],
            "",
        ),
    ],
    ids=["version", "config", "weights", "extensions"],
)
def test_unpacked_wheel_runs_anywhere(
    unpacked: Path, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(unpacked), "HOME": str(tmp_path), "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    assert (expected or str(unpacked)) in done.stdout
