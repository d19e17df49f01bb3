"""The base of every stage's settings: typed, frozen, unknown keys refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StageSettings(BaseModel):
    """One table of config.toml.

    A subclass gives every field its default, its bounds and a description whose
    first word after the meaning is the unit. ``config/`` composes the tables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
