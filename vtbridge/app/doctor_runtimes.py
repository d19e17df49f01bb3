"""What the doctor says about runtimes: which is taken, and why each other is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vtbridge.app.finding import Finding, Verdict
from vtbridge.config.schema import Config

if TYPE_CHECKING:
    from vtbridge.render.selection.candidates import Tried


def runtimes(config: Config, *, daemon_runs: bool) -> Iterator[Finding]:
    """Compare the runtimes, or tell what earlier comparisons came to.

    Args:
        config: all settings.
        daemon_runs: a daemon computes at this moment: it is not disturbed.
    """
    from vtbridge.render.live.cpu_budget import cores_here, cpu_budget
    from vtbridge.render.runtimes.runtime import request_of
    from vtbridge.render.selection.candidates import Outcome
    from vtbridge.render.selection.selection import Selection
    from vtbridge.render.settings import RuntimeName
    from vtbridge.render.weights.store import WeightStore

    settings = config.render
    store = WeightStore()
    if store.is_student(settings.weights):
        seen = f"{settings.weights} is a THA4 student, which runs on the CPU by itself"
        yield Finding("runtimes", Verdict.OK, seen)
        return
    # As the daemon asks, or what is remembered here would be of no use to it.
    budget = cpu_budget(settings.cpu_budget, cores_here(), threads=settings.threads)
    allowed = settings.model_copy(update={"threads": budget.threads})
    selection = Selection(RuntimeName.AUTO, request_of(allowed, store))
    known = selection.recall() if daemon_runs else selection.survey()
    best = next((each for each in known if each.candidate == selection.taken), None)
    wanted = config.render.runtime
    for each in known:
        yield _finding(each, best, wanted is RuntimeName.AUTO)
    if daemon_runs:
        yield Finding(
            "runtimes", Verdict.OK, "not measured now: they are left to the running daemon"
        )
    elif not any(
        each.outcome is Outcome.RIGHT and wanted in (RuntimeName.AUTO, each.candidate.name)
        for each in known
    ):
        if wanted is RuntimeName.AUTO:
            yield Finding("runtimes", Verdict.FAILURE, "no runtime can pose a picture here")
        else:
            seen = f"{wanted} is chosen and cannot pose a picture here"
            yield Finding(
                "runtimes", Verdict.FAILURE, seen, 'set runtime = "auto" in [render] of config.toml'
            )


def _finding(tried: Tried, best: Tried | None, automatic: bool) -> Finding:
    from vtbridge.render.selection.candidates import Outcome
    from vtbridge.render.selection.selection import reason_of

    check = f"runtime {tried.candidate}"
    if tried.outcome is Outcome.RIGHT:
        parts = [tried.description or str(tried.candidate)]
        if tried.frame_ms is not None:
            parts.append(f"{tried.frame_ms:.0f} ms a pose")
        if tried.noise_db is not None:
            parts.append(f"{tried.noise_db:.0f} dB right")
        if best is not None and tried.candidate == best.candidate:
            parts.append("taken" if automatic else "what auto would take")
        elif best is not None:
            parts.append(f"not taken: {reason_of(tried, best)}")
        return Finding(check, Verdict.OK, ", ".join(parts))
    why = tried.why or "it was not compared yet"
    if tried.outcome is Outcome.WRONG:
        why = f"wrong pictures, {why}"
    no_fault = (
        Outcome.NOT_INSTALLED,
        Outcome.NOT_PREPARED,
        Outcome.NOT_COMPARED,
        Outcome.NOT_HERE,
    )
    verdict = Verdict.OK if tried.outcome in no_fault else Verdict.WARNING
    return Finding(check, verdict, f"not taken: {why}", tried.remedy)
