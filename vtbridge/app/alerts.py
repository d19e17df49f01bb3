"""What a streamer would want to know, put into words."""

from __future__ import annotations

from collections.abc import Iterable

from vtbridge.control.api.models import Alert
from vtbridge.tracking.source_status import SourceStatus


def alerts(
    lost: Iterable[str], sources: Iterable[SourceStatus], others: Iterable[tuple[str, str]] = ()
) -> list[Alert]:
    """Return what is wrong, the gravest first.

    Args:
        lost: names of the services that died.
        sources: of faces.
        others: what else may be wrong, and in which words; empty words are no alert.
    """
    found = [("stopped", f"{name} stopped") for name in sorted(lost)]
    found += [("tracking", f"{one.title}: {one.trouble}") for one in sources if one.trouble]
    found += others
    return [Alert(about=about, text=text) for about, text in found if text]
