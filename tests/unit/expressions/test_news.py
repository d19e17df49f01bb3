from __future__ import annotations

import pytest

from tests.support.expressions import Stage
from vtbridge.expressions.engine import ExpressionState
from vtbridge.expressions.news import ExpressionNews

SMILE = "[expressions.smile]\nvalues = { mouth_raised_corner = 1 }\n"


def test_listeners_hear_the_newest_state_and_no_more_once_they_leave() -> None:
    stage = Stage(SMILE)
    news = ExpressionNews(stage.engine)
    heard: list[tuple[ExpressionState, ...]] = []
    leave = news.subscribe(heard.append)
    stage.step()
    seen = news.tell(0, timeout_s=0)
    for _ in range(2):
        stage.engine.trigger("smile")
        stage.step()
        stage.engine.trigger("smile")
        stage.step()
    stage.engine.trigger("smile")
    stage.step()
    seen = news.tell(seen, timeout_s=0)
    assert [state.active for states in heard for state in states] == [False, True]
    assert news.tell(seen, timeout_s=0) == seen
    leave()
    leave()
    stage.engine.clear()
    stage.step()
    news.tell(seen, timeout_s=0)
    assert len(heard) == 2


def test_a_listener_that_fails_keeps_nothing_from_the_others() -> None:
    stage = Stage(SMILE)
    news = ExpressionNews(stage.engine)
    heard: list[object] = []

    def fail(_: object) -> None:
        raise RuntimeError("broken")

    news.subscribe(fail)
    news.subscribe(heard.append)
    stage.step()
    news.tell(0, timeout_s=0)
    assert len(heard) == 1


def test_listeners_are_bounded() -> None:
    news = ExpressionNews(Stage(SMILE).engine)
    for _ in range(64):
        news.subscribe(lambda _: None)
    with pytest.raises(RuntimeError, match="again and again"):
        news.subscribe(lambda _: None)


def test_the_thread_tells_and_ends() -> None:
    import threading

    stage = Stage(SMILE)
    news = ExpressionNews(stage.engine)
    told = threading.Event()
    news.subscribe(lambda _: told.set())
    news.start()
    stage.step()
    assert told.wait(20)
    assert news.stop(timeout_s=20)
