"""What the store and its throw-away converter tell each other, as JSON; needs no torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vtbridge.render.models.tha4_student import StudentNetwork
from vtbridge.render.models.variants import Family, Network

AnyNetwork = Network | StudentNetwork


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ConversionFile(_Message):
    """One file to convert, and of which system its network is."""

    network: AnyNetwork
    family: Family = Family.THA3
    source: Path
    target: Path


class ConversionJob(_Message):
    """What the process is started for; every target lies in ``output``."""

    output: Path
    files: tuple[ConversionFile, ...]


class ConversionResult(_Message):
    """What became of one file: the variant it belongs to, or why it was refused."""

    network: AnyNetwork
    variant: str = ""
    problem: str = ""
