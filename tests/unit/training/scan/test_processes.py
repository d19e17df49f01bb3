"""Real processes, as few as show what is promised: each takes a second to start."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from vtbridge.errors import DatasetError
from vtbridge.training.figures.annotation import Annotation
from vtbridge.training.scan.card import Card, Task
from vtbridge.training.scan.processes import Processes, one_after_the_other
from vtbridge.training.scan.report import FigureReport


def a_task(folder: Path, name: str) -> Task:
    return Task(name, folder / f"{name}.pmx", folder, Annotation(), "", folder, draw=False)


def make_or_die(task: Task) -> Card:
    """Make a card that tells who made it; a name says what becomes of the process."""
    if task.name.startswith("killer"):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.name == "full":
        raise DatasetError("the disk is full")
    report = FigureReport(
        name=task.name, file="", digest="", content="", format="pmx", title=str(os.getpid())
    )
    return Card(report, new=True)


def test_a_model_that_kills_its_process_costs_only_itself(tmp_path: Path) -> None:
    names = ["a", "b", "killer", "c", "d", "e"]
    cards = list(Processes(2, make_or_die)([a_task(tmp_path, name) for name in names]))
    told = {card.report.name: card.report for card in cards}
    assert len(cards) == len(told)
    assert told.keys() == set(names)
    assert "was killed" in told.pop("killer").error
    assert not any(report.error for report in told.values())
    assert str(os.getpid()) not in {report.title for report in told.values()}


def test_a_scan_that_cannot_keep_anything_ends(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the disk is full"):
        list(Processes(1, make_or_die)([a_task(tmp_path, "full"), a_task(tmp_path, "a")]))


def test_in_this_process_each_is_looked_at_when_it_is_asked_for(tmp_path: Path) -> None:
    cards = one_after_the_other([a_task(tmp_path, name) for name in ("a", "b")])
    assert [(card.report.name, card.new) for card in cards] == [("a", True), ("b", True)]
