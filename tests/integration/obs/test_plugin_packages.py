"""The plugin's packages put its files where an OBS of one user, or of the system, looks."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.conftest import skip_loudly
from tests.support.obs import OBS_HEADER
from vtbridge.resources import shipped_file

TIMEOUT_S = 120
SOURCES = shipped_file("integrations/obs-plugin/CMakeLists.txt").parent
DATA = {str(path.relative_to(SOURCES)) for path in SOURCES.glob("data/**/*.*")}


def run(*command: str) -> bytes:
    """Run a program to its end and return what it said."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_S)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what cpack makes here."""
    if not OBS_HEADER.exists() or shutil.which("cpack") is None or shutil.which("dpkg-deb") is None:
        skip_loudly("libobs-dev, cmake or dpkg is missing")
    build = tmp_path_factory.mktemp("build")
    run("cmake", "-S", str(SOURCES), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release")
    run("cmake", "--build", str(build))
    run("cpack", "--config", str(build / "CPackConfig.cmake"), "-B", str(build / "packages"))
    return build / "packages"


def files_of(archive: tarfile.TarFile) -> set[str]:
    """Return the names of its plain files; whoever unpacks it owns them all and all may read."""
    members = [member for member in archive.getmembers() if not member.isdir()]
    assert all(member.isreg() and member.mode & 0o7444 == 0o444 for member in members)
    return {member.name.removeprefix("./") for member in members}


def test_archive_holds_one_plugin_folder_of_a_user(packages: Path) -> None:
    (path,) = packages.glob("*.tar.xz")
    with tarfile.open(path) as archive:
        names = files_of(archive)
    assert names == {"vtbridge/bin/64bit/vtbridge.so"} | {f"vtbridge/{name}" for name in DATA}


def test_debian_package_installs_where_the_systems_obs_looks(packages: Path) -> None:
    (path,) = packages.glob("*.deb")
    with tarfile.open(fileobj=io.BytesIO(run("dpkg-deb", "--fsys-tarfile", str(path)))) as archive:
        names = files_of(archive)
    (library,) = (name for name in names if name.endswith(".so"))
    # Beside the plugins that OBS itself brings.
    assert Path("/", library).with_name("image-source.so").exists()
    share = "usr/share/obs/obs-plugins/vtbridge"
    data = {name.replace("data", share, 1) for name in DATA}
    assert names == {library, "usr/share/doc/obs-vtbridge/copyright"} | data
    told = run("dpkg-deb", "--field", str(path), "Package", "Depends").decode()
    assert "Package: obs-vtbridge" in told
    assert "obs-studio" in told
    assert "libobs" not in told  # the OBS that loads it brings that, in whatever version
