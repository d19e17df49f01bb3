"""Open, test and time one candidate: ``python -m vtbridge.render.selection.probe_process``.

Reads a ``ProbeJob``, answers ``ProbeReady``; then answers each further line with the time
of one pose in milliseconds; ends when stdin does. A process of its own, so that a library
that crashes or hangs, or one as large as PyTorch, never touches the daemon.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from vtbridge.errors import RuntimeUnavailable, VtbridgeError, WeightsError
from vtbridge.render.models.signatures import stage_signatures
from vtbridge.render.runtimes.runtime import NeverPrepared, RuntimeRequest, open_row
from vtbridge.render.selection.candidates import Candidate, Outcome, Tried
from vtbridge.render.selection.golden import find_golden
from vtbridge.render.selection.self_test import SelfTest
from vtbridge.render.weights.store import WeightStore


class ProbeJob(BaseModel):
    """What to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: Path
    weights: str
    threads: int
    candidate: Candidate


def main() -> None:
    """Talk to ``probe`` over stdin and stdout."""
    # Whatever a library prints must not end up between two answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    job = ProbeJob.model_validate_json(sys.stdin.readline())
    candidate = job.candidate
    store = WeightStore(job.store)
    request = RuntimeRequest(store, job.weights, candidate.device, candidate.precision, job.threads)

    def tell(line: str) -> None:
        answers.write(line + "\n")
        answers.flush()

    try:
        golden = find_golden(store, job.weights)
        if golden is None:
            raise WeightsError(f"nothing tells what {job.weights} should give")
        self_test = SelfTest(golden, stage_signatures(store.variant(job.weights)))
        runtime = open_row(candidate.name, request)
        grade = self_test.run(runtime)
    except VtbridgeError as error:
        failed = Tried(candidate=candidate, outcome=outcome_of(error), why=str(error))
        tell(failed.model_dump_json())
        return
    tell(
        Tried(
            candidate=candidate,
            outcome=Outcome.WRONG if grade.problem else Outcome.RIGHT,
            description=runtime.describe(),
            noise_db=grade.noise_db,
            why=grade.problem,
        ).model_dump_json()
    )
    if grade.problem:
        return
    for _ in sys.stdin:
        tell(f"{self_test.run(runtime, range(1)).frame_ms}")


def outcome_of(error: VtbridgeError) -> Outcome:
    """Return what an error of opening makes of a candidate."""
    if isinstance(error, NeverPrepared):
        return Outcome.NOT_PREPARED
    if isinstance(error, WeightsError):
        return Outcome.DAMAGED
    return Outcome.NOT_HERE if isinstance(error, RuntimeUnavailable) else Outcome.FAILED


if __name__ == "__main__":
    main()
