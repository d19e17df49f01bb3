from __future__ import annotations

from vtbridge.clock import NS_PER_S
from vtbridge.supervise.progress import Progress


def started() -> Progress:
    return Progress(0, start_within_s=120, hung_after_s=5)


def test_a_start_may_take_its_time_but_not_for_ever() -> None:
    progress = started()
    assert not progress.trouble(119 * NS_PER_S)
    assert progress.trouble(120 * NS_PER_S) == "was not ready after 120 s"


def test_a_count_that_grows_is_well() -> None:
    progress = started()
    progress.told_ready(NS_PER_S)
    for second in range(2, 100, 4):
        assert progress.told(second, second * NS_PER_S)
        assert not progress.trouble((second + 3) * NS_PER_S)


def test_being_alive_is_not_getting_on() -> None:
    progress = started()
    progress.told_ready(0)
    progress.told(7, NS_PER_S)
    for second in range(2, 6):
        assert not progress.told(7, second * NS_PER_S)
    assert not progress.trouble(5 * NS_PER_S)
    assert progress.trouble(6 * NS_PER_S) == "showed nothing new for 5 s"


def test_a_renderer_that_never_told_its_count_is_hung_too() -> None:
    progress = started()
    progress.told_ready(10 * NS_PER_S)
    assert progress.trouble(15 * NS_PER_S)


def test_frames_before_it_is_ready_make_it_not_ready() -> None:
    progress = started()
    progress.told(1, NS_PER_S)
    assert not progress.ready
    progress.told_ready(2 * NS_PER_S)
    assert progress.ready
