"""What pip installs: an sdist from which the wheel can be built, and a wheel that is complete."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.conftest import REPOSITORY, skip_loudly
from tests.support.daemon import unique_name, wait_until, write_config

BUILD_TIMEOUT_S = 300
COMMAND_TIMEOUT_S = 240
pytestmark = pytest.mark.timeout(2 * BUILD_TIMEOUT_S)


def studio_files() -> list[str]:
    """Return what the page is made of, as it lies in the repository."""
    root = REPOSITORY / "vtbridge" / "control" / "studio"
    found = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    assert {"index.html", "main.js", "locales/ja.json", "panels/pose.js"} <= set(found)
    return found


def shipped() -> list[str]:
    """Return the files that setup.py promises to put into the wheel."""
    tree = ast.parse(REPOSITORY.joinpath("setup.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHIPPED":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError("setup.py has no SHIPPED")


def tracked(folder: str) -> set[str]:
    """Return what git keeps below ``folder``, relative to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", folder], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout.decode()
    return set(filter(None, listed.split("\0")))


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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist and the wheel that was built from the sdist alone."""
    checkout = tmp_path_factory.mktemp("checkout")
    dist = tmp_path_factory.mktemp("dist")
    copy_sources(checkout)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(checkout)],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_TIMEOUT_S,
        cwd=dist,
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
    for name in studio_files():
        assert package.joinpath("control", "studio", name).stat().st_size > 0
    assert package.joinpath("characters", "builtin", "michi.png").stat().st_size > 0
    assert package.joinpath("characters", "face_landmarks.safetensors").stat().st_size > 0
    for folder, name in (("publish", "_vtbf"), ("render", "_alpha")):
        built = {path.suffix for path in package.joinpath(folder).glob(f"{name}.*")}
        assert built & {".so", ".pyd"}
    for folder in ("dataset/recipes", "learn/recipes"):
        assert list(package.joinpath("training", folder).glob("*.toml"))


def test_wheel_holds_no_tests_and_no_sources_of_extensions(unpacked: Path) -> None:
    assert {path.name.partition("-")[0] for path in unpacked.iterdir()} == {"vtbridge"}
    kept = [path for path in unpacked.rglob("*.[ch]") if "_data" not in path.parts]
    assert kept == []


def test_what_fetches_weights_is_installed_with_the_package(unpacked: Path) -> None:
    # uv, and pipx where it finds uv, make environments without pip; a test's own always has one.
    (info,) = unpacked.glob("*.dist-info")
    metadata = info.joinpath("METADATA").read_text("utf-8")
    assert re.search(r"^Requires-Dist: pip\b", metadata, re.MULTILINE)


def test_whatever_integrates_with_other_programs_is_shipped() -> None:
    assert tracked("integrations") <= set(shipped())


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


def without_settings() -> dict[str, str]:
    """Return the environment less what sets up Python, vtbridge or the user's folders."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "VTBRIDGE_", "PYTHON"))
    }


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the ``vtbridge`` that pip made from the wheel in an environment of its own.

    As pipx does it: one environment, the command found by its path. What vtbridge depends on is
    lent by the environment of the tests, or each run would copy 1.5 GB.
    """
    folder = tmp_path_factory.mktemp("pipx") / "venv"
    venv.create(folder, with_pip=False, symlinks=os.name == "posix")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
        env=without_settings(),
    )
    assert done.returncode == 0, done.stderr
    home = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", vars=home))
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Paths alone: an editable vtbridge among them is not followed.
    site.joinpath("lent.pth").write_text("\n".join(sorted(lent)), "utf-8")
    return scripts / "vtbridge"


@pytest.fixture
def stranger(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user who has nothing: an empty home, no settings."""
    cache = subprocess.run(
        [sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # What pip downloaded for other tests is not downloaded again.
    own = {"HOME": str(tmp_path), "PIP_CACHE_DIR": cache, "PYTHONUNBUFFERED": "1"}
    return without_settings() | own


def test_demo_performs_in_an_empty_home(
    installed: Path, stranger: dict[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    write_config(tmp_path, unique_name())
    done = subprocess.run(
        [installed, "demo", "--headless", "--seconds", "4", "--json", "--config", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
        cwd=tmp_path,
        env=stranger,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["frames"] >= 1
    assert list(tmp_path.rglob("weights/tha3-separable-float/record.json"))


@contextlib.contextmanager
def studio(command: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run the studio until the block ends, and give the address that it tells."""
    config = folder / "config.toml"
    write_config(folder, unique_name())
    log = folder / "studio.log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [command, "studio", "--no-browser", "--config", config],
            stderr=told,
            stdout=told,
            cwd=folder,
            env=environment,
        )
    try:
        wait_until(
            lambda: process.poll() is not None or "/#token=" in log.read_text("utf-8"),
            COMMAND_TIMEOUT_S,
            "the studio tells its address",
        )
        found = re.search(r"(http://127\.0\.0\.1:\d+/)#token=", log.read_text("utf-8"))
        assert found, log.read_text("utf-8")
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.usefixtures("weight_store")
def test_studio_answers_with_its_page(
    installed: Path, stranger: dict[str, str], tmp_path: Path
) -> None:
    weights = os.environ.get("VTBRIDGE_WEIGHTS_DIR", str(REPOSITORY / "weights"))
    environment = stranger | {"VTBRIDGE_WEIGHTS_DIR": weights}
    with studio(installed, tmp_path, environment) as url:
        for name in ("index.html", "main.js", "locales/ja.json"):
            page = "" if name == "index.html" else f"studio/{name}"
            with urlopen(url + page, timeout=30) as answer:  # noqa: S310 - loopback
                served = answer.read()
            wanted = REPOSITORY / "vtbridge" / "control" / "studio" / name
            assert served == wanted.read_bytes()
