"""What plugins inject, laid over tracked faces: fresh for a second, then let go smoothly."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from vtbridge.clock import NS_PER_S
from vtbridge.control.vts.errors import ErrorId, RefusedError
from vtbridge.control.vts.face_draft import FaceDraft
from vtbridge.control.vts.parameters import DEFAULT_PARAMETERS, Parameter
from vtbridge.datatypes import FaceFrame

FRESH_NS = NS_PER_S
"""A value that is not sent again for this long is let go."""
SOURCE = "vts"
"""Source of faces that are made of injected values alone."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One value that a plugin sends.

    Attributes:
        name: of the parameter.
        value: in the parameter's unit.
        weight: 0..1, how far it takes the tracked value's place; not used where it is added.
    """

    name: str
    value: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class _Held:
    value: float
    weight: float
    plugin: str
    t_ns: int


class ParameterOverlay:
    """Keep the injected values of all plugins; safe from any thread.

    Args:
        fade_s: seconds in which a value that is not renewed goes.
    """

    def __init__(self, fade_s: float) -> None:
        self._fade_ns = max(round(fade_s * NS_PER_S), 1)
        self._lock = threading.Lock()
        self._set: dict[str, _Held] = {}
        self._added: dict[str, dict[str, _Held]] = {}
        self._found_ns: dict[str, int] = {}

    def inject(
        self,
        plugin: str,
        values: Iterable[Injection],
        *,
        add: bool = False,
        face_found: bool = False,
        now_ns: int,
    ) -> None:
        """Take the values of ``plugin``: all of them, or on an error none.

        Raises:
            RefusedError: another plugin sets one of the parameters.
        """
        values = list(values)
        with self._lock:
            if not add:
                for one in values:
                    held = self._set.get(one.name)
                    if held and held.plugin != plugin and now_ns - held.t_ns < FRESH_NS:
                        raise RefusedError(
                            ErrorId.INJECT_CONTROLLED_BY_OTHER,
                            f"{one.name} is set by {held.plugin.partition(chr(0))[0]}",
                        )
            for one in values:
                held = _Held(one.value, one.weight, plugin, now_ns)
                if add:
                    self._added.setdefault(one.name, {})[plugin] = held
                else:
                    self._set[one.name] = held
            if face_found:
                self._found_ns[plugin] = now_ns

    def forget(self, name: str) -> None:
        """Drop a parameter that was deleted, at once."""
        with self._lock:
            self._set.pop(name, None)
            self._added.pop(name, None)

    def face_found(self, now_ns: int) -> bool:
        """Return whether a plugin says so that there is a face."""
        with self._lock:
            return any(now_ns - t_ns < FRESH_NS for t_ns in self._found_ns.values())

    def active(self, now_ns: int) -> bool:
        """Return whether anything is injected or still going, and drop what has gone."""
        with self._lock:
            return self._active(now_ns)

    def value(self, parameter: Parameter, base: float, now_ns: int) -> float:
        """Return the value of ``parameter`` where without plugins it would be ``base``."""
        with self._lock:
            return self._value(parameter.name, base, now_ns)

    def blended(self, face: FaceFrame, now_ns: int) -> FaceFrame:
        """Return ``face`` with the injected values; the very same if there are none.

        A face that its tracker lost is replaced by the injected values alone.
        """
        if not face.tracked:
            return self.alone(now_ns, t_ns=face.t_ns, source=face.source) or face
        with self._lock:
            if not self._active(now_ns):
                return face
            draft = FaceDraft(face)
            return draft.frame(face.t_ns, face.source) if self._write(draft, now_ns) else face

    def alone(
        self, now_ns: int, *, t_ns: int | None = None, source: str = SOURCE
    ) -> FaceFrame | None:
        """Return a face of the injected values and nothing else, None if there are none."""
        with self._lock:
            if not self._active(now_ns):
                return None
            draft = FaceDraft(None)
            if not self._write(draft, now_ns):
                return None
            return draft.frame(now_ns if t_ns is None else t_ns, source)

    def _write(self, draft: FaceDraft, now_ns: int) -> bool:
        """Write what moves a face into ``draft`` and return whether there was anything."""
        goals = []
        for name in self._set.keys() | self._added.keys():
            parameter = DEFAULT_PARAMETERS.get(name)
            if parameter is not None and parameter.write is not None:
                base = parameter.default
                if parameter.read is not None and (told := parameter.read(draft)) is not None:
                    base = told
                goals.append((_RANK[name], parameter.write, self._value(name, base, now_ns)))
        # Read before anything is written: one parameter's value is not another's base. The
        # order makes a parameter that stands for one part win over one that stands for more.
        for _, write, goal in sorted(goals, key=itemgetter(0)):
            write(draft, goal)
        return bool(goals)

    def _value(self, name: str, base: float, now_ns: int) -> float:
        held = self._set.get(name)
        value = base
        if held is not None:
            value += (held.value - base) * held.weight * self._share(held, now_ns)
        added = self._added.get(name, {}).values()
        return value + sum(held.value * self._share(held, now_ns) for held in added)

    def _share(self, held: _Held, now_ns: int) -> float:
        """Return how far ``held`` still counts: 1 while fresh, then eased to 0."""
        left = 1.0 - (now_ns - held.t_ns - FRESH_NS) / self._fade_ns
        if left >= 1.0:
            return 1.0
        return 0.0 if left <= 0.0 else left * left * (3.0 - 2.0 * left)

    def _active(self, now_ns: int) -> bool:
        for name in [n for n, held in self._set.items() if self._is_gone(held, now_ns)]:
            del self._set[name]
        for name, plugins in list(self._added.items()):
            for plugin in [p for p, held in plugins.items() if self._is_gone(held, now_ns)]:
                del plugins[plugin]
            if not plugins:
                del self._added[name]
        for plugin in [p for p, t_ns in self._found_ns.items() if now_ns - t_ns >= FRESH_NS]:
            del self._found_ns[plugin]
        return bool(self._set or self._added)

    def _is_gone(self, held: _Held, now_ns: int) -> bool:
        return now_ns - held.t_ns >= FRESH_NS + self._fade_ns


_RANK: Mapping[str, int] = {
    name: rank for rank, name in enumerate(("Brows", "FaceAngry", *DEFAULT_PARAMETERS))
} | {"Brows": -2, "FaceAngry": -1}
