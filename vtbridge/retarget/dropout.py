"""How far a face can be believed while its tracker falls silent and returns."""

from __future__ import annotations

from vtbridge.clock import NS_PER_S
from vtbridge.retarget.settings import DropoutSettings


class Presence:
    """Turn the times of face samples into a presence that never jumps.

    1 while samples come, held for ``hold_s`` of silence, eased to 0 in ``fade_s``, eased
    back in ``recover_s`` of returned samples.
    """

    def __init__(self, settings: DropoutSettings) -> None:
        self.configure(settings)
        self._seen_ns: int | None = None
        self._live_since_ns = 0
        self._untracked = True
        self._level = 0.0
        self._asked_ns: int | None = None

    def configure(self, settings: DropoutSettings) -> None:
        """Change the times while running."""
        self._hold_ns = round(settings.hold_s * NS_PER_S)
        self._fade_ns = settings.fade_s * NS_PER_S
        self._recover_ns = settings.recover_s * NS_PER_S
        self._lost_after_ns = settings.lost_after_s * NS_PER_S
        self._untracked_after_ns = min(settings.lost_after_s, settings.hold_s) * NS_PER_S

    def saw_face(self, t_ns: int) -> None:
        """Note a sample of a tracked face at ``t_ns``, newer than all before."""
        if self._seen_ns is None or t_ns - self._seen_ns > self._hold_ns:
            self.at(t_ns)  # lets the silence before count even if nobody asked meanwhile
            self._live_since_ns = t_ns
        self._seen_ns = t_ns
        self._untracked = False

    def saw_no_face(self) -> None:
        """Note that the tracker itself says it lost the face."""
        self._untracked = True

    def at(self, now_ns: int) -> float:
        """Return the presence 0..1 at ``now_ns``; time must not run backwards."""
        if self._seen_ns is None:
            return 0.0
        held_until_ns = self._seen_ns + self._hold_ns
        if self._asked_ns is None:
            self._asked_ns = self._live_since_ns
        elif self._level == 1.0 and now_ns <= held_until_ns:
            if now_ns > self._asked_ns:
                self._asked_ns = now_ns
            return 1.0
        rise_ns = min(now_ns, held_until_ns) - max(self._asked_ns, self._live_since_ns)
        fall_ns = now_ns - max(self._asked_ns, held_until_ns)
        if rise_ns > 0:
            self._level += rise_ns / self._recover_ns
        self._level = min(self._level, 1.0)
        if fall_ns > 0:
            self._level -= fall_ns / self._fade_ns
        self._level = max(self._level, 0.0)
        self._asked_ns = max(self._asked_ns, now_ns)
        return ease(self._level)

    def lost(self, now_ns: int) -> bool:
        """Return whether nobody has seen the face for ``lost_after_s``.

        When the tracker itself says so, ``hold_s`` is enough.
        """
        if self._seen_ns is None:
            return True
        limit_ns = self._untracked_after_ns if self._untracked else self._lost_after_ns
        return now_ns - self._seen_ns >= limit_ns


def ease(progress: float) -> float:
    """Return the smoothstep of ``progress``, 0..1 to 0..1, level at both ends."""
    bounded = min(max(progress, 0.0), 1.0)
    return bounded * bounded * (3.0 - 2.0 * bounded)
