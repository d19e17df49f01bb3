"""Open the fastest runtime whose pictures are right, and say why the others were not taken."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from vtbridge.errors import InferenceError, RuntimeUnavailable, VtbridgeError, WeightsError
from vtbridge.render.models.signatures import stage_signatures
from vtbridge.render.runtimes import runtime as table
from vtbridge.render.runtimes.runtime import NeverPrepared, Runtime, RuntimeRequest, open_row
from vtbridge.render.selection.candidates import (
    Candidate,
    Outcome,
    Tried,
    candidates,
    fastest_first,
    is_last_resort,
    missing,
)
from vtbridge.render.selection.golden import Golden, find_golden, make_golden
from vtbridge.render.selection.hardware import Hardware, this_machine
from vtbridge.render.selection.memory import ChoiceMemory, key_of_machine
from vtbridge.render.selection.probe import HURRY_S, PATIENCE_S, Probe, probe
from vtbridge.render.selection.probe_process import outcome_of
from vtbridge.render.selection.self_test import Grade, SelfTest
from vtbridge.render.selection.trust import PROCESS_BLAMES, Blames, TrustedRuntime
from vtbridge.render.settings import Precision, RuntimeName
from vtbridge.render.weights.runtime_files import prepare_runtime

log = logging.getLogger(__name__)


class Selection:
    """Choose among the runtimes for one request, again each time ``open`` is called.

    ``blame`` may be called from any thread, also while ``open`` hangs on another.

    Args:
        wanted: a runtime by name, or ``AUTO``.
        request: weights, device, precision, threads.
        blames: runtimes that are not taken any more.
        memory: what earlier comparisons came to.
        compare: opens, tests and times candidates.
        hardware: of this machine; None looks.
    """

    def __init__(
        self,
        wanted: RuntimeName,
        request: RuntimeRequest,
        *,
        blames: Blames = PROCESS_BLAMES,
        memory: ChoiceMemory | None = None,
        compare: Probe = probe,
        hardware: Hardware | None = None,
    ) -> None:
        self._wanted = wanted
        self._request = request
        self._blames = blames
        self._memory = memory or ChoiceMemory()
        self._compare = compare
        self._hardware = hardware or this_machine()
        self._rows = table.RUNTIMES
        self._tried: dict[Candidate, Tried] = {}
        self._current: Candidate | None = None
        self._opening = object()

    def open(self) -> Runtime[Any]:
        """Open, test and return a runtime.

        A runtime asked for by name is not replaced unless it was blamed. With ``AUTO`` the
        remembered choice is opened and tested; if there is none, what is here is compared.

        Raises:
            RuntimeUnavailable: none can run here as asked with right pictures.
            WeightsError: the weights are absent, or the runtime asked for by name cannot
                have its files.
        """
        self._tried = {}
        self._opening = object()
        self._request.store.record(self._request.weights)  # no runtime's fault
        self_test = self._self_test()
        blamed = self._blames.reasons().get(self._wanted)
        if self._wanted is not RuntimeName.AUTO and blamed is None:
            return self._open_named(self_test)
        if blamed is not None:
            log.warning("%s is not used any more (%s); another is taken", self._wanted, blamed)
        return self._open_fastest(self_test)

    def blame(self, reason: str) -> None:
        """Take what was opened last, or is being opened now, never again in this process."""
        if self._current is not None:
            self._blames.blame(self._current.name, reason)

    def explain(self) -> tuple[Tried, ...]:
        """Return what the last ``open`` or ``survey`` found, in the order of the table."""
        order = list(self._rows)
        return tuple(sorted(self._tried.values(), key=lambda t: order.index(t.candidate.name)))

    @property
    def taken(self) -> Candidate | None:
        """What ``open`` took last, or would take after ``survey``; None before."""
        return self._current

    def survey(self) -> tuple[Tried, ...]:
        """Compare everything that is here, the slow ones too, remember it and return it.

        Raises:
            WeightsError: the weights are absent.
        """
        self._tried = {}
        self._self_test()
        found = self._within_reach(self._here())
        self._compare_all(found, PATIENCE_S)
        self._memory.remember(self._key(), self.explain())
        order = self._order(self.explain(), found)
        self._current = order[0] if order else None
        return self.explain()

    def recall(self) -> tuple[Tried, ...]:
        """Return what is known without loading anything: what is missing, and what was compared.

        Raises:
            WeightsError: the weights are absent.
        """
        self._tried = {}
        found = self._within_reach(self._here())
        remembered = self._memory.recall(self._key())
        for each in remembered:
            self._tried.setdefault(each.candidate, each)
        order = self._order(remembered, found)
        self._current = order[0] if order else None
        for candidate in found:
            self._tried.setdefault(
                candidate, Tried(candidate=candidate, outcome=Outcome.NOT_COMPARED)
            )
        return self.explain()

    def _open_named(self, self_test: SelfTest | None) -> Runtime[Any]:
        candidate = Candidate(
            name=self._wanted, device=self._request.device, precision=self._request.precision
        )
        self._current = candidate
        try:
            runtime = open_row(self._wanted, self._request)
        except NeverPrepared:
            log.info(
                "preparing %s for %s, once; this takes about a minute",
                self._request.weights,
                self._wanted,
            )
            prepare_runtime(
                self._request.store,
                self._request.weights,
                self._wanted,
                precision=self._file_precision(),
            )
            runtime = open_row(self._wanted, self._request)
        try:
            grade = _tested(runtime, self_test)
        except InferenceError as error:
            runtime.close()
            raise RuntimeUnavailable(
                f"{self._wanted} fails at its self-test: {error}. Set runtime to auto"
            ) from error
        if grade.problem:
            runtime.close()
            raise RuntimeUnavailable(
                f"{self._wanted} gives wrong pictures here: {grade.problem}. Set runtime to auto, "
                "or precision to f32"
            )
        self._tried[candidate] = _right(candidate, runtime, grade)
        log.info("inference runs on %s", runtime.describe())
        return TrustedRuntime(runtime, self_test)

    def _file_precision(self) -> Precision:
        """Return which files a runtime lacks; OpenVINO makes any precision of one set."""
        if self._wanted is RuntimeName.OPENVINO or self._request.precision is not Precision.F16:
            return Precision.F32
        return Precision.F16

    def _open_fastest(self, self_test: SelfTest | None) -> Runtime[Any]:
        key = self._key()
        found = self._within_reach(self._here())
        if crashed := self._memory.take_unfinished(key):
            log.warning("%s ended vtbridge while it was opened; comparing anew", crashed)
            self._memory.forget(key)
        remembered = self._memory.recall(key)
        everyday = [each for each in found if not is_last_resort(each, self._rows)]
        if remembered:
            for each in remembered:
                self._tried.setdefault(each.candidate, each)
        elif self_test is not None and (len(everyday) > 1 or crashed):
            log.info(
                "trying %s, once on this machine; this takes some seconds",
                ", ".join(str(each) for each in everyday),
            )
            self._compare_all(everyday, HURRY_S)
            remembered = self.explain()
            self._memory.remember(key, remembered)
        opening = self._opening
        for candidate in self._order(remembered, found):
            if opening is self._opening:  # else given up as hanging, and opened anew elsewhere
                self._current = candidate
            runtime = self._opened(key, candidate, self_test)
            if runtime is not None:
                self._tell(candidate, runtime)
                return runtime
            self._memory.forget(key)  # it was right once: compare anew at the next start
        reasons = ". ".join(f"{each.candidate}: {told_of(each)}" for each in self.explain())
        raise RuntimeUnavailable(
            f"no runtime can be used{': ' if reasons else ' for that device'}{reasons}"
        )

    def _here(self) -> tuple[Candidate, ...]:
        return candidates(self._rows, self._request, self._hardware)

    def _within_reach(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Return those that may run; note why the others cannot."""
        blamed = self._blames.reasons()
        reachable = []
        for candidate in found:
            if candidate.name in blamed:
                self._tried[candidate] = Tried(
                    candidate=candidate, outcome=Outcome.BLAMED, why=blamed[candidate.name]
                )
            elif absent := missing(candidate, self._rows[candidate.name], self._request):
                self._tried[candidate] = absent
            else:
                reachable.append(candidate)
        return reachable

    def _compare_all(self, found: Sequence[Candidate], patience_s: float) -> None:
        """Compare candidates; what is wrong in its fastest precision is tried in float32."""
        tried = self._compare(found, self._request, patience_s=patience_s)
        self._tried.update({each.candidate: each for each in tried})
        again = [
            each.candidate.model_copy(update={"precision": Precision.F32})
            for each in tried
            if each.outcome is Outcome.WRONG and each.candidate.precision is Precision.AUTO
        ]
        if again:
            tried = self._compare(again, self._request, patience_s=patience_s)
            self._tried.update({each.candidate: each for each in tried})

    def _order(self, compared: Sequence[Tried], found: Sequence[Candidate]) -> list[Candidate]:
        """Return whom to open: the right ones by speed, those not compared, the last resorts."""
        blamed = self._blames.reasons()
        known = {each.candidate for each in compared if each.outcome != Outcome.NOT_COMPARED}
        ranked = [each.candidate for each in fastest_first(compared)]
        ranked += [each for each in found if each not in known]
        allowed = [each for each in ranked if each.name not in blamed]
        return sorted(allowed, key=lambda each: is_last_resort(each, self._rows))

    def _opened(
        self, key: str, candidate: Candidate, self_test: SelfTest | None
    ) -> Runtime[Any] | None:
        """Open and test one candidate; None if that failed, which is then noted."""
        request = RuntimeRequest(
            self._request.store,
            self._request.weights,
            candidate.device,
            candidate.precision,
            self._request.threads,
        )
        runtime: Runtime[Any] | None = None
        try:
            with self._memory.opening(key, candidate):
                runtime = open_row(candidate.name, request)
                grade = _tested(runtime, self_test)
        except VtbridgeError as error:
            if runtime is not None:
                runtime.close()
            self._tried[candidate] = Tried(
                candidate=candidate, outcome=outcome_of(error), why=str(error)
            )
            return None
        if grade.problem:
            description = runtime.describe()
            runtime.close()
            self._tried[candidate] = Tried(
                candidate=candidate,
                outcome=Outcome.WRONG,
                description=description,
                noise_db=grade.noise_db,
                why=grade.problem,
            )
            return None
        before = self._tried.get(candidate)
        measured = before.frame_ms if before is not None else None
        self._tried[candidate] = _right(candidate, runtime, grade).model_copy(
            update={"frame_ms": measured}
        )
        return TrustedRuntime(runtime, self_test)

    def _self_test(self) -> SelfTest | None:
        golden = self._golden()
        if golden is None:
            return None
        store, weights = self._request.store, self._request.weights
        return SelfTest(golden, stage_signatures(store.variant(weights)))

    def _golden(self) -> Golden | None:
        store, weights = self._request.store, self._request.weights
        golden = find_golden(store, weights)
        if golden is not None:
            return golden
        log.info("computing once what %s should give; this takes some seconds", weights)
        try:
            return make_golden(store, weights)
        except WeightsError as error:
            log.warning("no runtime can be tested with %s: %s", weights, error)
            return None

    def _key(self) -> str:
        return key_of_machine(self._rows, self._request, self._hardware)

    def _tell(self, taken: Candidate, runtime: Runtime[Any]) -> None:
        parts = [f"inference runs on {runtime.describe()}"]
        level = logging.INFO
        for each in self.explain():
            if each.candidate == taken or each.outcome in _NOT_WORTH_TELLING:
                continue
            parts.append(f"{each.candidate} was not taken: {reason_of(each, self._tried[taken])}")
            if each.outcome in _WORTH_A_WARNING:
                level = logging.WARNING
        log.log(level, "; ".join(parts))


_NOT_WORTH_TELLING = frozenset({Outcome.NOT_INSTALLED})
_WORTH_A_WARNING = frozenset({Outcome.DAMAGED, Outcome.WRONG, Outcome.FAILED, Outcome.BLAMED})


def reason_of(tried: Tried, taken: Tried | None) -> str:
    """Return why a candidate was not taken, such as ``slower, 130 ms against 97 ms``."""
    if tried.outcome is Outcome.WRONG:
        return f"wrong pictures, {tried.why}"
    if tried.outcome is not Outcome.RIGHT:
        return told_of(tried)
    if tried.frame_ms is None or taken is None or taken.frame_ms is None:
        return "not compared"
    return f"slower, {tried.frame_ms:.0f} ms against {taken.frame_ms:.0f} ms"


def told_of(tried: Tried) -> str:
    """Return what became of a candidate that was not right, and the remedy if there is one."""
    told = tried.why or str(tried.outcome)
    return f"{told}: run `{tried.remedy}`" if tried.remedy else told


def _tested(runtime: Runtime[Any], self_test: SelfTest | None) -> Grade:
    return Grade() if self_test is None else self_test.run(runtime)


def _right(candidate: Candidate, runtime: Runtime[Any], grade: Grade) -> Tried:
    return Tried(
        candidate=candidate,
        outcome=Outcome.RIGHT,
        description=runtime.describe(),
        noise_db=grade.noise_db,
    )
