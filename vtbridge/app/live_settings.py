"""Settings that are changed while the avatar is live: shown at once, kept in config.toml."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vtbridge.atomic_file import write_atomically
from vtbridge.config.edit import edited
from vtbridge.config.load import config_from_tables, parse_config
from vtbridge.config.problems import key_of, sentence_of
from vtbridge.config.schema import Config
from vtbridge.errors import ConfigError

log = logging.getLogger(__name__)

SAVE_AFTER_S = 1.0
"""Quiet after the last change until it is written: a slider that is dragged changes often."""


class LiveSettings:
    """Hold the settings, change them, and keep what was changed; safe from any thread.

    Args:
        config: as they are at the start.
        file: that the changes are kept in, None = nowhere.
        use: makes new settings hold.
        save_after_s: see ``SAVE_AFTER_S``.
    """

    def __init__(
        self,
        config: Config,
        file: Path | None,
        use: Callable[[Config], None],
        *,
        save_after_s: float = SAVE_AFTER_S,
    ) -> None:
        self._file = file
        self._use = use
        self._save_after_s = save_after_s
        self._lock = threading.Lock()
        self._config = config
        self._waiting: dict[tuple[str, ...], object] = {}
        self._timer: threading.Timer | None = None
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """Why changes are not kept, and the remedy; empty if they are."""
        return self._trouble

    def change(self, tables: Mapping[str, object]) -> None:
        """Let other settings hold from the next frame on.

        Args:
            tables: a part of config.toml; None in place of a value or table is its default.

        Raises:
            ConfigError: they cannot be so; nothing changes.
        """
        changes = dict(_leaves(tables))
        with self._lock:
            config = _changed(self._config, changes)
            if config == self._config:
                return
            self._config = config
            self._waiting |= changes
            self._use(config)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._save_after_s, self.save)
            self._timer.daemon = True
            self._timer.start()

    def take(self, config: Config) -> None:
        """Let the settings of an edited file hold from the next frame on."""
        with self._lock:
            self._config = config
            self._use(config)

    def save(self) -> None:
        """Write what waits; what cannot be written waits on, and ``trouble`` tells why."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._waiting or self._file is None:
                return
            # A link to a file elsewhere, as some keep all their settings, stays one.
            file = self._file.resolve()
            try:
                text = file.read_text("utf-8") if file.exists() else ""
                changed = edited(text, self._waiting)
                parse_config(changed, str(file))
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, changed.encode())
            except (OSError, ValueError, ConfigError) as error:
                self._trouble = f"changed settings are not kept in {file}: {error}"
                log.warning("%s", self._trouble)
                return
            self._waiting.clear()
            self._trouble = ""


def _leaves(
    tables: Mapping[str, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _changed(config: Config, changes: Mapping[tuple[str, ...], object]) -> Config:
    """Return ``config`` with other values.

    Raises:
        ConfigError: there is no such setting, or they do not fit together.
    """
    tables = config.model_dump(mode="json")
    defaults = Config().model_dump(mode="json")
    for path, value in changes.items():
        table: Any = tables
        default: Any = defaults
        for key in path[:-1]:
            table = table.get(key) if isinstance(table, dict) else None
            default = default.get(key) if isinstance(default, dict) else None
        if not isinstance(table, dict) or path[-1] not in table:
            raise ConfigError(f"there is no setting {'.'.join(path)}")
        table[path[-1]] = default[path[-1]] if value is None else value
    try:
        return config_from_tables(tables)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ConfigError(f"{'.'.join(key_of(problem))}: {sentence_of(problem)}") from error
