"""Run targets, each in a process of its own with bounds, and say what came of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.table import CORPUS, REPOSITORY, corpus_of, targets
from tests.fuzz.target import Target

WORK = REPOSITORY / ".cache" / "fuzz"
MEMORY_MB = 2048
HANG_S = 10
GRACE_S = 120
"""For what comes before and after the time that libFuzzer counts."""
SLOWEST_TRIED = 5
TIMES = 5
LARGEST_KEPT, MOST_KEPT = 3000, 5000
"""Bytes of one input of the corpus, and of all those of a target."""


@dataclass(frozen=True)
class Outcome:
    """What came of a target.

    Attributes:
        name: of the target.
        executions: inputs tried.
        coverage: edges of the program that were reached.
        slowest_ms: CPU time of the slowest input, without the fuzzer's own counting.
        finds: what is wrong, each with the command that repeats it.
    """

    name: str
    executions: int
    coverage: int
    slowest_ms: float
    finds: tuple[str, ...]

    def line(self) -> str:
        """Return it for a table."""
        state = "FOUND" if self.finds else "ok"
        return (
            f"{self.name:24} {self.executions:9} executions, coverage {self.coverage:5}, "
            f"slowest {self.slowest_ms:7.2f} CPU-ms  {state}"
        )


def fuzz(name: str, seconds: int) -> Outcome:
    """Fuzz the target ``name`` for ``seconds``."""
    target, folder = targets()[name], WORK / name
    corpus, slow, crashes = folder / "corpus", folder / "slow", folder / "crashes"
    shutil.rmtree(slow, ignore_errors=True)
    for needed in (corpus, crashes):
        needed.mkdir(parents=True, exist_ok=True)
    for data in (*target.seeds(), *corpus_of(name)):
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    before = set(crashes.iterdir())
    done = _engine(
        target,
        f"-max_total_time={seconds}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        str(corpus),
        slow=slow,
        limit_s=seconds + GRACE_S,
    )
    (folder / "log").write_text(done.stderr)
    finds = [f"{path.name}: {command_of(name, path)}" for path in set(crashes.iterdir()) - before]
    if done.returncode and not finds:
        finds.append(f"the fuzzer ended with {done.returncode}: see {folder / 'log'}")
    slowest_ms = _slowest_ms(target, slow)
    if target.budget_ms is not None and slowest_ms > target.budget_ms:
        finds.append(f"an input takes {slowest_ms:.1f} of {target.budget_ms} ms: see {slow}")
    return Outcome(
        name,
        _last(r"stat::number_of_executed_units: *(\d+)", done.stderr),
        _last(r"cov: (\d+)", done.stderr),
        slowest_ms,
        tuple(finds),
    )


def minimise(name: str) -> int:
    """Make the corpus in the repository of what was found, and return its size in bytes."""
    target, found = targets()[name], WORK / name / "corpus"
    merged = WORK / name / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    _engine(target, "-merge=1", str(merged), str(found), slow=WORK / name / "slow", limit_s=300)
    shutil.rmtree(CORPUS / name, ignore_errors=True)
    (CORPUS / name).mkdir(parents=True)
    size = 0
    for path in sorted(merged.iterdir(), key=lambda one: (one.stat().st_size, one.name)):
        data = path.read_bytes()
        if len(data) <= LARGEST_KEPT and size + len(data) <= MOST_KEPT:
            size += len(data)
            (CORPUS / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return size


def command_of(name: str, path: Path) -> str:
    """Return what repeats a find."""
    return f"python -m tests.fuzz {name} --repeat {path.relative_to(REPOSITORY)}"


def cost_ms(target: Target, data: bytes) -> float:
    """Return the CPU time that an input takes, the least of a few times."""
    taken_ns = []
    for _ in range(TIMES):
        begun_ns = time.thread_time_ns()
        target.accepts(data)
        taken_ns.append(time.thread_time_ns() - begun_ns)
    return min(taken_ns) / 1e6


def _slowest_ms(target: Target, slow: Path) -> float:
    newest = sorted(slow.glob("*"))[-SLOWEST_TRIED:]
    return max((cost_ms(target, path.read_bytes()) for path in newest), default=0.0)


def _engine(
    target: Target, *options: str, slow: Path, limit_s: float
) -> subprocess.CompletedProcess[str]:
    launcher = WORK / target.name / "engine"
    launcher.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m tests.fuzz.engine {target.name} "$@"'
    )
    launcher.chmod(0o755)
    return subprocess.run(
        [
            launcher,
            *(f"-rss_limit_mb={MEMORY_MB}", f"-timeout={HANG_S}", f"-max_len={target.longest}"),
            *options,
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "VTBRIDGE_FUZZ_SLOW": str(slow),
            "VTBRIDGE_FUZZ_LAUNCHER": str(launcher),
            "OPENBLAS_NUM_THREADS": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=limit_s,
    )


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
