"""What can be fetched or imported: ``weights/manifest.toml`` as typed values."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import VARIANTS, Family, Network
from vtbridge.resources import shipped_file

DEFAULT_WEIGHTS = "tha3-separable-float"
"""The entry that ``vtbridge weights pull`` fetches when none is named."""

FACE_LANDMARKER = "face-landmarker"
"""The entry with the face tracker's networks."""

REFERENCE_FILES: frozenset[str] = frozenset(
    family.reference_file(network) for family in Family for network in Network
)
"""The author's file names, of all his systems."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0, le=2**31)]


class EntryKind(StrEnum):
    """What an entry holds."""

    NETWORKS = "networks"
    PICTURE = "picture"
    FACE_MODEL = "face-model"


class Origin(StrEnum):
    """How an entry's files reach this machine."""

    WHEEL = "wheel"
    BY_HAND = "by-hand"
    SHIPPED = "shipped"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(_Table):
    """A wheel on the package index, pinned by hash; never installed."""

    requirement: str
    file: str
    sha256: Sha256
    size: Size
    license_metadata: str
    license_file: str


class WheelFile(_Table):
    """One member of a wheel; ``network`` is what it holds, None for a picture or a face model."""

    member: str
    sha256: Sha256
    size: Size
    network: Network | None = None

    @property
    def key(self) -> str:
        """Return what the store's record calls it: the network, else the file's name."""
        return self.network or self.file_name

    @property
    def file_name(self) -> str:
        """Return the member's name without its folders."""
        return self.member.rpartition("/")[2]


class Entry(_Table):
    """One set of weights or one picture, with its licence and author."""

    kind: EntryKind
    title: str
    author: str
    license: str
    credit: str
    origin: Origin
    variant: str = ""
    wheel: str = ""
    companions: tuple[str, ...] = ()
    files: tuple[WheelFile, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the record keys that make the entry complete."""
        if self.files or self.variant not in VARIANTS:
            return tuple(file.key for file in self.files)
        return VARIANTS[self.variant].family.networks

    @property
    def license_text(self) -> str:
        """Return the licence as people write it, such as ``CC BY 4.0``."""
        return re.sub(r"^(CC)-(BY(?:-\w{2})?)-(\d)", r"\1 \2 \3", self.license)


class Manifest(_Table):
    """The whole of ``weights/manifest.toml``."""

    format: Annotated[int, Field(ge=1, le=1)]
    wheels: dict[str, Wheel]
    entries: dict[str, Entry]

    def entry(self, name: str) -> Entry:
        """Return the entry ``name``.

        Raises:
            WeightsError: there is none.
        """
        try:
            return self.entries[name]
        except KeyError:
            known = ", ".join(self.entries)
            raise WeightsError(f"no weights are called {name!r}; known are {known}") from None


def read_manifest(path: Path | None = None) -> Manifest:
    """Read a manifest, by default the one shipped with vtbridge.

    Raises:
        WeightsError: it is missing or does not follow the schema.
    """
    try:
        path = path or shipped_file("weights/manifest.toml")
        manifest = Manifest.model_validate(tomllib.loads(path.read_text("utf-8")))
        _check_references(manifest)
    except (OSError, ValueError, WeightsError) as error:
        raise WeightsError(f"the weights manifest cannot be used: {error}") from error
    return manifest


def check_name(name: str) -> str:
    """Return ``name`` if it can be a folder of the store.

    Raises:
        WeightsError: it holds anything but lower-case letters, digits and dashes.
    """
    if not _NAME.fullmatch(name):
        raise WeightsError(
            f"{name!r} cannot name weights: use up to 64 lower-case letters, digits and dashes"
        )
    return name


def _check_references(manifest: Manifest) -> None:
    for name, entry in manifest.entries.items():
        check_name(name)
        if entry.origin is Origin.WHEEL and entry.wheel not in manifest.wheels:
            raise ValueError(f"{name} names the unknown wheel {entry.wheel!r}")
        if (entry.origin is Origin.WHEEL) != bool(entry.files):
            raise ValueError(f"{name}: files are listed for wheels, and only for them")
        if unknown := set(entry.companions) - set(manifest.entries):
            raise ValueError(f"{name} names unknown companions: {', '.join(sorted(unknown))}")
        is_networks = entry.kind is EntryKind.NETWORKS
        if is_networks and entry.variant not in VARIANTS:
            raise ValueError(f"{name} must name a variant: {', '.join(VARIANTS)}")
        if is_networks and set(entry.keys) != set(VARIANTS[entry.variant].family.networks):
            networks = VARIANTS[entry.variant].family.networks
            raise ValueError(f"{name} must hold {', '.join(networks)}")
        if any(file.network is not None and not is_networks for file in entry.files):
            raise ValueError(f"{name}: networks belong to entries of kind 'networks'")
        if not is_networks and len(entry.files) != 1:
            raise ValueError(f"{name}: an entry of kind {entry.kind.value!r} is one file")
