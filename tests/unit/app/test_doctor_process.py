"""What crashes or hangs while the doctor looks at it is one finding, and the rest is looked at."""

from __future__ import annotations

import queue
import sys
from pathlib import Path
from typing import Any

import pytest

from vtbridge.app.doctor_process import examine_apart
from vtbridge.app.finding import Finding, Verdict
from vtbridge.config.schema import Config

PROGRAM = """
import faulthandler, json, os, sys, time

def tell(**word):
    print(json.dumps(word), flush=True)

json.load(sys.stdin)
for number, name in enumerate(["first", "bad", "last"]):
    if number >= int(sys.argv[1]):
        tell(begin=name, number=number)
        if name == "bad":
            BAD
        tell(check=name, verdict="ok", seen="well", remedy="")
tell(end=True)
"""


def findings(tmp_path: Path, bad: str, *, patience_s: float = 60.0) -> list[Finding]:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.replace("BAD", bad))
    command = [sys.executable, str(path)]
    return list(examine_apart(Config(), command=command, patience_s=patience_s))


def test_all_that_is_found_is_told_in_order(tmp_path: Path) -> None:
    found = findings(tmp_path, "pass")
    assert [finding.check for finding in found] == ["first", "bad", "last"]
    assert {finding.verdict for finding in found} == {Verdict.OK}


@pytest.mark.parametrize(
    ("bad", "seen"),
    [
        ("os.abort()", "crashes the program with SIGABRT"),
        ("os.kill(os.getpid(), 4)", "crashes the program with SIGILL"),
        ("os._exit(3)", "ends the program with exit code 0x3"),
        ("sys.exit('it is over')", "(it is over)"),
    ],
)
def test_crash_is_told_and_the_rest_is_looked_at(tmp_path: Path, bad: str, seen: str) -> None:
    first, crashed, last = findings(tmp_path, bad)
    assert (first.check, last.check) == ("first", "last")
    assert first.verdict is last.verdict is Verdict.OK
    assert crashed.check == "bad"
    assert crashed.verdict is Verdict.FAILURE
    assert seen in crashed.seen


class WaitsUntilItHangs(queue.Queue[Any]):
    """Loses its patience as soon as the bad check has begun, however slow the machine is."""

    last: Any = None

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self.last is not None and self.last.get("begin") == "bad":
            raise queue.Empty
        self.last = super().get()
        return self.last


def test_check_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "Queue", WaitsUntilItHangs)
    found = findings(tmp_path, "time.sleep(1000)", patience_s=3.0)
    assert [finding.check for finding in found] == ["first", "bad", "last"]
    assert "gives no answer within 3 s" in found[1].seen


def test_program_that_cannot_even_begin_is_told_with_its_reason() -> None:
    reason = "import surely_no_library"
    (found,) = examine_apart(Config(), command=[sys.executable, "-c", reason])
    assert found.verdict is Verdict.FAILURE
    assert "No module named 'surely_no_library'" in found.seen
    assert found.remedy
