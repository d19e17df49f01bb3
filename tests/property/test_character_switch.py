"""Whatever the order of wishes, fades and failures: the newest that can be shown is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.switching import NAMES, Stage
from vtbridge.render.live.crossing import Outcome

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("show"), st.sampled_from(NAMES)),
        st.tuples(st.just("ask"), st.sampled_from((*NAMES, "nobody"))),
        st.tuples(st.just("show while opening"), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(("tend", "begin", "shown", "failed")), st.just("")),
    ),
    max_size=30,
)


@given(STEPS, st.sets(st.sampled_from(NAMES[1:]), max_size=2))
def test_the_newest_that_can_be_shown_is_shown_in_the_end(
    steps: list[tuple[str, str]], broken: set[str]
) -> None:
    stage = Stage()
    stage.broken = broken
    wanted = "michi"

    def show(name: str) -> None:
        nonlocal wanted
        wanted = name
        stage.switch.show(name)

    for step, name in steps:
        match step:
            case "show":
                show(name)
            case "ask":
                stage.switch.ask(name)
                wanted = wanted if name == "nobody" else name
            case "show while opening":
                stage.while_opening = lambda name=name: show(name)  # type: ignore[misc]
            case "tend":
                stage.switch.tend()
            case "begin":
                stage.display.begin()
            case _:
                stage.display.end(Outcome.SHOWN if step == "shown" else Outcome.FAILED)
        open_now = [one for one in stage.lives if not one.live.closed]  # type: ignore[attr-defined]
        assert len(open_now) <= 3, "shown, fading in, and offered; nothing else is kept"
    stage.while_opening = lambda: None
    stage.settle()
    # One that was lost on its way is asked for again, as its user would.
    trouble = stage.switch.casting().trouble
    if trouble:
        show(wanted)
        stage.settle()
    shown = stage.shown
    assert stage.switch.shown.name == shown
    assert stage.switch.casting().coming == ""
    if wanted not in broken:
        assert shown == wanted
        assert stage.switch.casting().trouble == ""
    else:
        assert shown not in broken
        assert wanted in stage.switch.casting().trouble
    assert [one.name for one in stage.lives if not one.live.closed] == [shown]  # type: ignore[attr-defined]
