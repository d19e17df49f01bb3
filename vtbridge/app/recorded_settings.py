"""Which settings a recording keeps, and which of a stranger's recording are used.

They are those that poses depend on. A protocol reads what it is sent without asking the
settings, so that of ``[tracking]`` no address, path or device needs to be kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError
from vtbridge.tracking.recordings.open import Recording

log = logging.getLogger(__name__)

_KEPT: Mapping[str, set[str] | bool] = {
    "avatar": {"fps"},
    "tracking": {"fusion", "takeover_s"},
    "retarget": True,
    "idle": True,
}
_NOT_KEPT = {"retarget": {"calibration": {"person"}}}
_NAMED = 5
"""So many of the settings that are left out are named in the warning."""


def kept_settings(config: Config) -> dict[str, object]:
    """Return the tables of ``config`` that poses depend on, as JSON."""
    return config.model_dump(mode="json", include=_KEPT, exclude=_NOT_KEPT)


def config_of_recording(recording: Recording, base: Config) -> Config:
    """Return ``base`` with what poses depend on as ``recording`` keeps it.

    Whatever else its header sets is not taken: a recording may come from anyone.

    Raises:
        ConfigError: this vtbridge cannot use it.
    """
    if recording.header is None:
        return base
    recorded, usual = recording.header.settings, kept_settings(Config())
    if ignored := sorted(_left_out(recorded, usual)):
        log.warning(
            "%s sets what no recording may, or what this vtbridge does not know; left out: %s%s",
            recording.path,
            ", ".join(f"{name!r:.60}" for name in ignored[:_NAMED]),
            f" and {len(ignored) - _NAMED} more" if len(ignored) > _NAMED else "",
        )
    tables = base.model_dump()
    for name in usual.keys() & recorded.keys():
        tables[name] = _taken(recorded[name], usual[name], tables[name])
    try:
        return Config.model_validate(tables)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise unusable(recording, f"{where}: {problem['msg']}") from error


def unusable(recording: Recording, trouble: str) -> ConfigError:
    """Return the error that says why what ``recording`` keeps cannot be used."""
    by = recording.header.vtbridge if recording.header else "?"
    return ConfigError(
        f"{recording.path}: the settings in it, of vtbridge {by!r:.40}, cannot be used "
        f"({trouble}); replay it with your own: --config FILE"
    )


def _taken(recorded: object, usual: object, own: object) -> object:
    """Return ``own`` with each value that a recording keeps as in ``recorded``, or as usual."""
    if not (isinstance(recorded, Mapping) and isinstance(usual, Mapping)):
        return recorded
    kept = dict(own) if isinstance(own, Mapping) else {}
    for name, value in usual.items():
        kept[name] = _taken(recorded.get(name, value), value, kept.get(name))
    return kept


def _left_out(recorded: Mapping[str, object], usual: Mapping[str, object]) -> Iterator[str]:
    """Yield the dotted names in ``recorded`` that no recording of ours has."""
    for name, value in recorded.items():
        if name not in usual:
            yield name
            continue
        inner = usual[name]
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            yield from (f"{name}.{rest}" for rest in _left_out(value, inner))
