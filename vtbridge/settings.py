"""The base of every stage's settings: typed, frozen, unknown keys refused."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, LiteralString

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError


class StageSettings(BaseModel):
    """One table of config.toml.

    A subclass gives every field its default, its bounds and a description whose
    first word after the meaning is the unit. ``config/`` composes the tables.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _is_an_address(value: object) -> object:
    return _checked(value, IPv4Address, 'an IPv4 address in quotes such as "192.168.1.20"')


def _is_a_network(value: object) -> object:
    return _checked(
        value,
        IPv4Network,
        'an IPv4 address or network in quotes such as "192.168.1.20" or "192.168.1.0/24"',
    )


def _checked(
    value: object, kind: type[IPv4Address] | type[IPv4Network], expected: LiteralString
) -> object:
    """Return ``value`` if it is one or spells one; a number, which ipaddress takes, does not."""
    if isinstance(value, kind):
        return value
    try:
        if isinstance(value, str):
            kind(value)
            return value
    except ValueError:
        pass
    raise PydanticCustomError("expected", expected)


Address = Annotated[IPv4Address, BeforeValidator(_is_an_address)]
"""An IPv4 address, refused in our own words."""

Network = Annotated[IPv4Network, BeforeValidator(_is_a_network)]
"""An IPv4 address or network, refused in our own words."""
