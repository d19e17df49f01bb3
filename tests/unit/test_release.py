"""A release is what its tag says: one version, told by the changelog, made by what exists."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import vtbridge
from tests.conftest import REPOSITORY

CHANGELOG = """# Changelog

## Unreleased

## [0.2.0] - 2026-12-01

### Added
- two

## 0.1.0
- one
"""
WORKFLOWS = sorted(REPOSITORY.joinpath(".github", "workflows").glob("*.yml"))
_MAKE = re.compile(r"^make((?: [a-z-]+)+)$", re.MULTILINE)


def module_of(name: str) -> ModuleType:
    """Return .ci/NAME.py as a module; a folder with a dot is no package."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / ".ci" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def notes() -> ModuleType:
    """Return what prints a release's notes."""
    return module_of("release_notes")


def test_the_changelog_begins_with_this_version_or_with_what_is_unreleased(
    notes: ModuleType,
) -> None:
    newest = next(iter(notes.sections(REPOSITORY.joinpath("CHANGELOG.md").read_text("utf-8"))))
    assert newest in {notes.UNRELEASED, vtbridge.__version__}


def test_the_version_stands_in_one_place(notes: ModuleType) -> None:
    source = REPOSITORY.joinpath("vtbridge", "__init__.py").read_text("utf-8")
    assert notes.version_of(source) == vtbridge.__version__
    project = tomllib.loads(REPOSITORY.joinpath("pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "vtbridge.__version__"}


@pytest.mark.parametrize(("version", "text"), [("0.2.0", "### Added\n- two"), ("0.1.0", "- one")])
def test_notes_are_the_section_of_the_version(notes: ModuleType, version: str, text: str) -> None:
    assert notes.release_notes(f"v{version}", version, CHANGELOG) == text


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v0.2.1", "0.2.0", "the tag v0.2.1 is not v0.2.0"),
        ("0.2.0", "0.2.0", "the tag 0.2.0 is not v0.2.0"),
        ("v0.3.0", "0.3.0", "says nothing of 0.3.0"),
    ],
)
def test_no_release_of_what_the_changelog_does_not_tell(
    notes: ModuleType, tag: str, version: str, why: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        notes.release_notes(tag, version, CHANGELOG)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_is_there(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    makefile = REPOSITORY.joinpath("Makefile").read_text("utf-8")
    presets = json.loads(
        REPOSITORY.joinpath("integrations", "obs-plugin", "CMakePresets.json").read_text("utf-8")
    )
    named = {preset["name"] for preset in presets["buildPresets"]}
    for job in workflow["jobs"].values():
        if "uses" in job:
            assert REPOSITORY.joinpath(job["uses"]).is_file()
        for step in job.get("steps", []):
            command = step.get("run", "")
            for target in " ".join(_MAKE.findall(command)).split():
                assert f"\n{target}:" in makefile
            for script in re.findall(r"\.ci/\w+(?:\.py)?", command):
                assert REPOSITORY.joinpath(script).is_file()
            if "working-directory" not in step:
                for preset in re.findall(r"--preset (\w+)", command):
                    assert preset in named


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_write_only_where_they_release(path: Path) -> None:
    workflow: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        if path.stem != "release" or name not in {"pypi", "page"}:
            assert "permissions" not in job


def test_hashed_locks_pin_what_the_lock_pins() -> None:
    lock = dict(
        line.split("==")
        for line in REPOSITORY.joinpath("requirements.lock").read_text("utf-8").splitlines()
        if "==" in line
    )
    text = REPOSITORY.joinpath("requirements-hashed.lock").read_text("utf-8")
    pins = re.findall(
        r"^([a-z0-9-]+)==([^\s;]+)(.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+)", text, re.M
    )
    hashed = {name: version for name, version, _ in pins}
    assert len(pins) == len(re.findall(r"^[a-z]", text, re.M))
    assert {name: hashed.get(name) for name in lock} == lock | {"torch": None}


def test_a_bundle_brings_its_weights_once_and_leaves_the_users_alone(tmp_path: Path) -> None:
    bundle = module_of("bundle")
    brought, root = tmp_path / "brought", tmp_path / "home" / "weights"
    brought.joinpath(bundle.WEIGHTS).mkdir(parents=True)
    brought.joinpath(bundle.WEIGHTS, "record.json").write_text("brought", "utf-8")
    assert bundle.bring_weights(brought, root)
    kept = root / bundle.WEIGHTS / "record.json"
    assert kept.read_text("utf-8") == "brought"
    kept.write_text("the user's", "utf-8")
    assert not bundle.bring_weights(brought, root)
    assert kept.read_text("utf-8") == "the user's"
    assert [path.name for path in root.iterdir()] == [bundle.WEIGHTS]


def test_a_bundle_without_weights_goes_on(tmp_path: Path) -> None:
    assert not module_of("bundle").bring_weights(tmp_path, tmp_path / "weights")
    assert not tmp_path.joinpath("weights").exists()
