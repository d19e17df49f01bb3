"""Requests about parameters: what there is, what it is just now, and what plugins inject."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vtbridge.control.vts.envelope import flag_of, number_of, text_of
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.overlay import Injection
from vtbridge.control.vts.parameters import (
    DEFAULT_PARAMETERS,
    MAX_CUSTOM,
    MAX_CUSTOM_OF_PLUGIN,
    Parameter,
)
from vtbridge.control.vts.plugins import CustomParameter
from vtbridge.control.vts.session import (
    OWN_PARAMETERS,
    Services,
    Session,
    custom_parameters,
    plugin_of,
)

Data = Mapping[str, object]

_CUSTOM_NAME = re.compile(r"[A-Za-z0-9]{4,32}")
_MAX_EXPLANATION = 255
_MAX_INJECTED = 1000


def list_inputs(services: Services, _session: Session, _data: Data) -> Data:
    """Answer InputParameterListRequest."""
    custom = custom_parameters(services.book.read())
    return {
        **services.model_fields(),
        "customParameters": [_plain(services, row, by) for row, by in custom.values()],
        "defaultParameters": [
            _plain(services, row, OWN_PARAMETERS) for row in DEFAULT_PARAMETERS.values()
        ],
    }


def parameter_value(services: Services, _session: Session, data: Data) -> Data:
    """Answer ParameterValueRequest."""
    name = text_of(data, "name")
    found = services.parameter(name)
    if found is None:
        raise RefusedError(ErrorId.PARAMETER_NOT_FOUND, f"no parameter is called {name!r:.60}")
    return _plain(services, *found)


def list_pose(services: Services, _session: Session, _data: Data) -> Data:
    """Answer Live2DParameterListRequest with the character's own pose parameters."""
    return {
        **services.model_fields(),
        "parameters": [
            {
                "name": one.name,
                "value": one.value,
                "min": one.low,
                "max": one.high,
                "defaultValue": 0.0,
            }
            for one in services.avatar.pose()
        ],
    }


def create_parameter(services: Services, session: Session, data: Data) -> Data:
    """Answer ParameterCreationRequest."""
    plugin = plugin_of(session)
    name, explanation = text_of(data, "parameterName"), text_of(data, "explanation")
    if name in DEFAULT_PARAMETERS:
        raise RefusedError(ErrorId.CUSTOM_PARAMETER_IS_DEFAULT, f"{name} is there already")
    if not _CUSTOM_NAME.fullmatch(name):
        raise RefusedError(
            ErrorId.CUSTOM_PARAMETER_NAME_INVALID,
            "parameterName must be 4 to 32 letters and digits",
        )
    if len(explanation) > _MAX_EXPLANATION:
        raise RefusedError(
            ErrorId.CUSTOM_PARAMETER_EXPLANATION_TOO_LONG,
            f"explanation must have at most {_MAX_EXPLANATION} characters",
        )
    low, high, default = (number_of(data.get(key)) for key in ("min", "max", "defaultValue"))
    if low is None or high is None or default is None or low >= high:
        raise RefusedError(
            ErrorId.CUSTOM_PARAMETER_VALUES_INVALID,
            "min, max and defaultValue must be numbers within a million of 0, min below max",
        )
    plugins = services.book.read().plugins
    for one in plugins:
        if one.plugin != plugin and any(row.name == name for row in one.parameters):
            raise RefusedError(
                ErrorId.CUSTOM_PARAMETER_OF_OTHER_PLUGIN, f"{name} was added by {one.plugin.name}"
            )
    own = _own_parameters(services, session)
    kept = tuple(row for row in own if row.name != name)
    if len(kept) >= MAX_CUSTOM_OF_PLUGIN:
        raise RefusedError(
            ErrorId.CUSTOM_PARAMETERS_OF_PLUGIN_FULL, f"a plugin may add {MAX_CUSTOM_OF_PLUGIN}"
        )
    if len(kept) == len(own) and sum(len(one.parameters) for one in plugins) >= MAX_CUSTOM:
        raise RefusedError(ErrorId.CUSTOM_PARAMETERS_FULL, f"all plugins may add {MAX_CUSTOM}")
    fresh = CustomParameter(name, low, high, default, explanation)
    if fresh not in own:
        services.book.keep_parameters(plugin, (*kept, fresh))
    return {"parameterName": name}


def delete_parameter(services: Services, session: Session, data: Data) -> Data:
    """Answer ParameterDeletionRequest."""
    plugin, name = plugin_of(session), text_of(data, "parameterName")
    if name in DEFAULT_PARAMETERS:
        raise RefusedError(ErrorId.DELETION_OF_DEFAULT, f"{name} cannot be deleted")
    if not _CUSTOM_NAME.fullmatch(name):
        raise RefusedError(
            ErrorId.DELETION_NAME_INVALID, "parameterName must be 4 to 32 letters and digits"
        )
    own = _own_parameters(services, session)
    if not any(row.name == name for row in own):
        if name in custom_parameters(services.book.read()):
            raise RefusedError(
                ErrorId.DELETION_OF_OTHER_PLUGIN, f"{name} was added by another plugin"
            )
        raise RefusedError(ErrorId.DELETION_NOT_FOUND, f"no parameter is called {name}")
    services.book.keep_parameters(plugin, tuple(row for row in own if row.name != name))
    services.faces.overlay.forget(name)
    return {"parameterName": name}


def inject(services: Services, session: Session, data: Data) -> Data:
    """Answer InjectParameterDataRequest: all of it is taken, or nothing."""
    plugin = plugin_of(session)
    mode = text_of(data, "mode") or "set"
    if mode not in ("set", "add") or not isinstance(data.get("mode", ""), str | None):
        raise RefusedError(ErrorId.INJECT_MODE_UNKNOWN, 'mode must be "set" or "add"')
    rows = data.get("parameterValues")
    if not isinstance(rows, list) or not 0 < len(rows) <= _MAX_INJECTED:
        raise RefusedError(
            ErrorId.INJECT_NO_DATA, f"parameterValues must be a list of 1 to {_MAX_INJECTED}"
        )
    custom = custom_parameters(services.book.read())
    values = [_injection(row, custom) for row in rows]
    services.faces.overlay.inject(
        plugin.key,
        values,
        add=mode == "add",
        face_found=flag_of(data, "faceFound"),
        now_ns=services.clock.now_ns(),
    )
    services.faces.fill()
    return {}


def _injection(row: object, custom: Mapping[str, object]) -> Injection:
    if not isinstance(row, dict):
        raise RefusedError(ErrorId.INJECT_NO_DATA, "parameterValues holds objects")
    name = text_of(row, "id")
    if name not in DEFAULT_PARAMETERS and name not in custom:
        raise RefusedError(
            ErrorId.INJECT_PARAMETER_NOT_FOUND, f"no parameter is called {name!r:.60}"
        )
    value = number_of(row.get("value"))
    if value is None:
        raise RefusedError(
            ErrorId.INJECT_VALUE_INVALID, f"the value of {name} must be within a million of 0"
        )
    weight = number_of(1.0 if row.get("weight") is None else row["weight"])
    if weight is None or not 0.0 <= weight <= 1.0:
        raise RefusedError(ErrorId.INJECT_WEIGHT_INVALID, f"the weight of {name} must be 0 to 1")
    return Injection(name, value, weight)


def _own_parameters(services: Services, session: Session) -> tuple[CustomParameter, ...]:
    known = services.book.read().find(plugin_of(session))
    return () if known is None else known.parameters


def _plain(services: Services, parameter: Parameter, added_by: str) -> dict[str, object]:
    return {
        "name": parameter.name,
        "addedBy": added_by,
        "value": services.value(parameter),
        "min": parameter.low,
        "max": parameter.high,
        "defaultValue": parameter.default,
    }
