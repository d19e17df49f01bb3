"""The requests that read and change settings.

Only what moves the character may be changed from here: no path, port, device or address is
among it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from vtbridge.control.api.avatar import Avatar
from vtbridge.control.api.models import Order
from vtbridge.control.api.operation import Operation, get, order
from vtbridge.control.api.problem import refusal
from vtbridge.errors import ConfigError

CHANGEABLE = ("retarget", "idle")
"""Tables of config.toml that may be changed."""

FIXED = frozenset({"calibration"})
"""Tables below those that may not: they say whose face it is."""


def config_operations(config: type[BaseModel]) -> Sequence[Operation]:
    """Return the requests; ``config`` is the class of ``Avatar.config``."""
    return (
        get(
            "/config",
            "config",
            "The settings that hold, as in config.toml; secrets are not among them.",
            config,
            lambda avatar: avatar.config(),
        ),
        order(
            "PATCH",
            "/config",
            "changeConfig",
            "Change settings with the next frame, and keep them in config.toml; null is the "
            "default.",
            change_of(config),
            lambda avatar, _names, wanted: _change(avatar, wanted.model_dump(exclude_unset=True)),
            problems=(409,),
        ),
    )


def change_of(config: type[BaseModel]) -> type[BaseModel]:
    """Return the class of what may be changed: as ``config``, but everything may be left out."""
    tables = {name: config.model_fields[name].annotation for name in CHANGEABLE}
    return _partial("ConfigChange", "Settings to change.", tables)


def _partial(name: str, meaning: str, tables: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        key: (Annotated[_partial_of(table) | None, Field(description=table.__doc__)], None)
        for key, table in tables.items()
    }
    return create_model(name, __base__=Order, __doc__=meaning, **fields)


def _partial_of(model: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if name in FIXED:
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = _partial_of(kind)
        for bound in field.metadata:
            kind = Annotated[kind, bound]
        optional: UnionType = kind | None
        fields[name] = (Annotated[optional, Field(description=field.description)], None)
    return create_model(f"{model.__name__}Change", __base__=Order, __doc__=model.__doc__, **fields)


def _change(avatar: Avatar, tables: Mapping[str, object]) -> None:
    try:
        avatar.change_config(tables)
    except ConfigError as error:
        raise refusal(
            409,
            "settings-do-not-fit",
            "The settings cannot be so",
            str(error),
            "GET /api/v1/config shows those that hold",
        ) from error
