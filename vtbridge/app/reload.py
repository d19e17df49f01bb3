"""Which of new settings can hold at once, and which take another start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vtbridge.config.schema import Config

_LIVE = (("retarget",), ("idle",), ("avatar", "picture"), ("render", "quality"))


def at_once(old: Config, new: Config) -> Config:
    """Return ``old`` with all of ``new`` that can hold while the avatar is live."""
    return old.model_copy(
        update={
            "retarget": new.retarget,
            "idle": new.idle,
            "avatar": old.avatar.model_copy(update={"picture": new.avatar.picture}),
            "render": old.render.model_copy(update={"quality": new.render.quality}),
        }
    )


def after_a_start(old: Config, new: Config) -> tuple[str, ...]:
    """Return the keys of what has changed and waits for another start: ``publish.name``."""
    paths = _changed(old.model_dump(mode="json"), new.model_dump(mode="json"), ())
    return tuple(
        ".".join(path) for path in paths if not any(path[: len(live)] == live for live in _LIVE)
    )


def _changed(old: object, new: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _changed(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path
