from __future__ import annotations

from types import SimpleNamespace

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.expressions.triggers.combination import parse_combination
from vtbridge.expressions.triggers.hotkeys import Hotkey, Hotkeys
from vtbridge.expressions.triggers.keyboard import key_name


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl+alt+1", {"ctrl", "alt", "1"}),
        ("Ctrl + Shift + A", {"ctrl", "shift", "a"}),
        ("f9", {"f9"}),
        ("shift+f9", {"shift", "f9"}),
        ("alt+plus", {"alt", "plus"}),
        ("cmd+ö", {"cmd", "ö"}),
    ],
)
def test_combination_is_the_set_of_its_keys(text: str, keys: set[str]) -> None:
    assert parse_combination(text) == keys


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no key is called ''"),
        ("control+1", "did you mean"),
        ("ctrl", "expected one key"),
        ("ctrl+a+b", "expected one key"),
        ("ctrl+ctrl+a", "expected one key"),
        ("a", "typed all the time"),
        ("shift+1", "typed all the time"),
        ("ctrl++", "no key is called ''"),
    ],
)
def test_what_is_no_combination_is_told_with_the_remedy(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_combination(text)


class Keyboard:
    def __init__(self) -> None:
        self.done: list[tuple[str, bool | None]] = []
        self.bindings = [
            Hotkey("smile", frozenset({"ctrl", "1"}), hold=False),
            Hotkey("glare", frozenset({"ctrl", "alt", "1"}), hold=True),
            Hotkey("gone", frozenset({"f9"}), hold=False),
        ]
        self.hotkeys = Hotkeys(lambda: self.bindings, self.switch)
        self.now_s = 1.0

    def switch(self, name: str, on: bool | None) -> None:
        if name == "gone":
            raise KeyError(name)
        self.done.append((name, on))

    def type(self, *events: str) -> list[tuple[str, bool | None]]:
        """Press ``+key``, release ``-key``, let a moment pass by ``.``; return what was done."""
        for event in events:
            now_ns = round(self.now_s * NS_PER_S)
            if event == ".":
                self.now_s += 0.1
                self.hotkeys.settle(round(self.now_s * NS_PER_S))
            elif event[0] == "+":
                self.hotkeys.press(event[1:], now_ns)
            else:
                self.hotkeys.release(event[1:], now_ns)
            self.now_s += 0.001
        done, self.done = self.done, []
        return done


def test_a_press_goes_the_other_way_and_a_held_one_ends_with_its_key() -> None:
    keys = Keyboard()
    assert keys.type("+ctrl", "+1") == [("smile", None)]
    assert keys.type("-1", ".", "+alt", "+1") == [("glare", True)]
    assert keys.type(".", ".") == []
    assert keys.type("-1", ".") == [("glare", False)]


def test_modifiers_are_exactly_those_that_are_bound() -> None:
    keys = Keyboard()
    assert keys.type("+1", "-1", ".") == []
    assert keys.type("+ctrl", "+shift", "+1", "-1", ".", "-shift", ".") == []
    assert keys.type("+1") == [("smile", None)]


def test_the_next_key_may_follow_closely() -> None:
    keys = Keyboard()
    keys.bindings.append(Hotkey("wink", frozenset({"f8"}), hold=True))
    assert keys.type("+ctrl", "+1", "-ctrl", "-1", "+f8") == [("smile", None), ("wink", True)]


def test_a_key_that_repeats_is_pressed_once() -> None:
    keys = Keyboard()
    repeats = ["-1", "+1"] * 20
    assert keys.type("+ctrl", "+alt", "+1", *repeats) == [("glare", True)]
    assert keys.type("+1", "+1") == [], "some systems repeat without letting go"
    assert keys.type("-1") == []
    assert keys.hotkeys.waiting
    assert keys.type(".") == [("glare", False)]
    assert not keys.hotkeys.waiting


def test_bindings_may_change_and_names_may_go_while_keys_are_down() -> None:
    keys = Keyboard()
    assert keys.type("+f9", "-f9", ".") == []
    keys.type("+ctrl", "+alt", "+1")
    keys.bindings = []
    assert keys.type("-1", ".") == [("glare", False)], "what it began it ends"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (SimpleNamespace(char="A"), "a"),
        (SimpleNamespace(char="+"), "plus"),
        (SimpleNamespace(char=None, name="f9"), "f9"),
        (SimpleNamespace(name="ctrl"), "ctrl"),
        (SimpleNamespace(char=None, vk=3), ""),
        (None, ""),
    ],
)
def test_keys_of_the_system_get_our_names(key: object, name: str) -> None:
    assert key_name(key) == name
