"""The data's way is the layout: a stage knows the shared vocabulary and itself, nobody else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vtbridge"
VOCABULARY = {
    "atomic_file",
    "clock",
    "closing",
    "datatypes",
    "errors",
    "flow",
    "osc",
    "pose_params",
    "pose_schema",
    "quiet_openvino",
    "redaction",
    "resources",
    "settings",
    "telemetry",
}
STAGES = {
    "tracking",
    "retarget",
    "expressions",
    "characters",
    "render",
    "publish",
    "obs",
    "control",
    "video",
    "remote",
    "supervise",
}
SETTINGS_OF_STAGES = {f"{stage}.settings" for stage in STAGES}


def parts_imported(source: str) -> set[str]:
    """Return what ``source`` imports below vtbridge: ``render.alpha``, ``clock``, ..."""
    parts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that this test can read them"
            names = [node.module or ""]
            if node.module == "vtbridge":
                names = [f"vtbridge.{alias.name}" for alias in node.names]
        else:
            continue
        parts |= {name.removeprefix("vtbridge.") for name in names if name.startswith("vtbridge.")}
    return parts - {"__version__"}


def breaches(module: str, source: str) -> set[str]:
    """Return the imports of ``module`` (``render.alpha``) that the rule forbids."""
    room = module.split(".")[0]
    imported = parts_imported(source)
    match room:
        case _ if room in STAGES:
            allowed = {part for part in imported if part.split(".")[0] in VOCABULARY | {room}}
        case _ if room in VOCABULARY:
            allowed = {part for part in imported if part.split(".")[0] in VOCABULARY}
        case "config":
            allowed = {
                part
                for part in imported
                if part in SETTINGS_OF_STAGES or part.split(".")[0] in VOCABULARY | {"config"}
            }
        case "app":
            allowed = {part for part in imported if part.split(".")[0] not in {"cli", "training"}}
        case "training":
            allowed = {part for part in imported if part.split(".")[0] not in {"cli", "app"}}
        case _:
            allowed = imported
    return imported - allowed


MODULES = sorted(
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")
)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_its_stage_may(module: str) -> None:
    source = PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    assert breaches(module, source) == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("render.tha3", "from vtbridge.publish.vtbf import FrameWriter"),
        ("tracking.vmc", "def f():\n    import vtbridge.config.load"),
        ("flow.slot", "from vtbridge import app"),
        ("config.schema", "from vtbridge.render.tha3 import Tha3Poser"),
        ("app.daemon", "from vtbridge.training.fit import fit"),
    ],
)
def test_rule_catches_a_breach(module: str, source: str) -> None:
    assert breaches(module, source)


@pytest.mark.parametrize("module", MODULES)
def test_openvino_is_imported_in_the_one_place_where_it_tells_nobody(module: str) -> None:
    source = PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    assert ("openvino" in names) == (module == "quiet_openvino")
