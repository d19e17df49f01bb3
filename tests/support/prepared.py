"""A character that was really prepared, in seconds, once for all tests.

It is shown on a tenth of a core. The networks would take all of them from the tests beside, so that
tests whose promise is not the networks' show this one.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.conftest import REPOSITORY
from vtbridge.app.background_bake import BackgroundBake, BakeProgress, bake_command
from vtbridge.app.characters import open_picture
from vtbridge.characters import BUILTIN
from vtbridge.render.baked.store import find_model
from vtbridge.render.weights import DEFAULT_WEIGHTS, WeightStore

_KEPT = REPOSITORY / ".cache" / "prepared"
_MADE_BY = ("training/distill", "render/baked")
_PATIENCE_S = 280.0


@pytest.fixture(scope="session")
def prepared_michi(weight_store: WeightStore) -> Path:
    """Return the mascot's package; read it, never write to it."""
    return prepared_package(weight_store)


def prepared_package(weight_store: WeightStore) -> Path:
    """Return the mascot's package, made now if no test or benchmark has made it before."""
    root = _KEPT / _key(weight_store)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_suffix(".lock")):
        return _found(root) or _baked(root)


def shown_prepared(package: Path) -> tuple[str, ...]:
    """Return the options that have ``vtbridge run`` and its like show ``package``."""
    return ("--character", str(package), "--quality", "baked")


def _baked(root: Path) -> Path:
    heard: list[BakeProgress] = []
    command = bake_command("michi", root / "michi", minutes=0.1, weights=DEFAULT_WEIGHTS, threads=0)
    bake = BackgroundBake(command, heard.append)
    bake.start()
    give_up = time.monotonic() + _PATIENCE_S
    while bake.alive and time.monotonic() < give_up:
        time.sleep(0.05)
    assert bake.trouble == ""
    assert heard[-1].psnr_db is not None
    assert heard[-1].baked_s >= heard[0].baked_s
    found = _found(root)
    assert found is not None
    return found


def _found(root: Path) -> Path | None:
    return find_model(open_picture("michi"), root)


def _key(store: WeightStore) -> str:
    """Return a name for all that the package is made of and by."""
    digest = hashlib.sha256()
    for path in (store.directory(DEFAULT_WEIGHTS) / "record.json", *_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield BUILTIN["michi"]
    for folder in _MADE_BY:
        found = (REPOSITORY / "vtbridge" / folder).glob("*.[pc]*")
        yield from sorted(path for path in found if path.suffix in {".py", ".c"})
