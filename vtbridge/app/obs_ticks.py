"""When OBS takes frames, as its script or plugin tells over OSC: ``/vtbridge/tick``."""

from __future__ import annotations

from collections.abc import Callable

from vtbridge.errors import PacketError
from vtbridge.osc import OscArgument

OSC_TICK = "/vtbridge/tick"


def obs_ticks(
    lock_phase: Callable[[int, int], None],
    look: Callable[[], None] = lambda: None,
) -> Callable[[tuple[OscArgument, ...]], None]:
    """Return what takes the arguments of ``OSC_TICK``: tick and interval, in nanoseconds.

    Args:
        lock_phase: has frames ready just before the ticks; raises ValueError for ticks of
            another clock and for intervals that no display has.
        look: told that somebody sees the avatar, for only a source that is shown sends ticks.
    """

    def hear(arguments: tuple[OscArgument, ...]) -> None:
        match arguments:
            case (int(tick_ns), int(interval_ns)):
                look()
                try:
                    lock_phase(tick_ns, interval_ns)
                except ValueError as error:
                    raise PacketError(f"{OSC_TICK}: {error}", reason="values") from error
            case _:
                raise PacketError(
                    f"{OSC_TICK}: expected two whole numbers, got {arguments!r:.60}",
                    reason="values",
                )

    return hear
