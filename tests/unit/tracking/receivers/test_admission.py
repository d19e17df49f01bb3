"""A port listens to one allowed sender at a time, and to no more than its share."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from vtbridge.clock import NS_PER_S
from vtbridge.tracking.receivers.admission import (
    SAME_HOST_SILENCE_NS,
    TOKENS_PER_S,
    Admission,
    TokenBucket,
    Verdict,
)

T0 = NS_PER_S
ALICE, BOB = ("192.168.1.20", 5000), ("192.168.1.21", 5000)
RELEASE_NS = 2 * NS_PER_S


def test_first_valid_sender_keeps_the_port_until_it_falls_silent() -> None:
    admission = Admission((), RELEASE_NS)
    assert admission.judge(ALICE, 100, T0) is Verdict.CANDIDATE
    admission.accept(ALICE, T0)
    assert admission.judge(ALICE, 100, T0 + 1) is Verdict.OWNER
    assert admission.judge(BOB, 100, T0 + RELEASE_NS - 1) is Verdict.OTHER_SENDER
    assert admission.judge(BOB, 100, T0 + RELEASE_NS) is Verdict.CANDIDATE
    admission.accept(BOB, T0 + RELEASE_NS)
    assert admission.owner == BOB
    assert admission.judge(ALICE, 100, T0 + RELEASE_NS + 1) is Verdict.OTHER_SENDER


def test_sender_of_nonsense_never_owns_the_port() -> None:
    admission = Admission((), RELEASE_NS)
    assert admission.judge(BOB, 100, T0) is Verdict.CANDIDATE
    assert admission.judge(ALICE, 100, T0) is Verdict.CANDIDATE


def test_another_program_on_the_same_computer_is_another_sender() -> None:
    admission = Admission((), RELEASE_NS)
    for t_ns in (T0, T0 + 1):
        admission.accept(ALICE, t_ns)
    other = (ALICE[0], 6000)
    assert admission.judge(other, 100, T0 + 2) is Verdict.OTHER_SENDER
    assert admission.judge(other, 100, T0 + SAME_HOST_SILENCE_NS) is Verdict.OTHER_SENDER
    assert admission.judge(other, 100, T0 + 1 + SAME_HOST_SILENCE_NS) is Verdict.CANDIDATE
    assert admission.judge(BOB, 100, T0 + 1 + SAME_HOST_SILENCE_NS) is Verdict.OTHER_SENDER


def test_sender_that_takes_a_new_port_for_each_message_is_heard_whole() -> None:
    admission = Admission((), RELEASE_NS)
    admission.accept((ALICE[0], 40_000), T0)
    for port in range(40_001, 41_000):
        t_ns = T0 + port
        assert admission.judge((ALICE[0], port), 100, t_ns) is Verdict.SUCCESSOR
        admission.accept((ALICE[0], port), t_ns)


def test_single_message_long_ago_has_no_successor() -> None:
    admission = Admission((), RELEASE_NS)
    admission.accept(ALICE, T0)
    other = (ALICE[0], 6000)
    assert admission.judge(other, 100, T0 + RELEASE_NS - 1) is Verdict.SUCCESSOR
    assert admission.judge(other, 100, T0 + RELEASE_NS) is Verdict.CANDIDATE


def test_program_that_begins_after_single_messages_is_a_sender_of_its_own() -> None:
    admission = Admission((), RELEASE_NS)
    program = (ALICE[0], 6000)
    for sender in (ALICE, program):
        admission.accept(sender, T0)
    assert admission.judge(program, 100, T0 + 1) is Verdict.CANDIDATE
    admission.accept(program, T0 + 1)
    assert admission.judge(program, 100, T0 + 2) is Verdict.OWNER


def test_two_programs_of_one_computer_that_begin_at_once_do_not_take_turns() -> None:
    admission = Admission((), RELEASE_NS)
    heard = []
    for frame in range(100):
        for port in (5000, 6000):
            t_ns = T0 + frame * NS_PER_S // 60 + port
            verdict = admission.judge((ALICE[0], port), 100, t_ns)
            if verdict is not Verdict.OTHER_SENDER:
                admission.accept((ALICE[0], port), t_ns)
                heard.append(port)
    assert len(set(heard[2:])) == 1


def test_channel_of_this_computer_alone_hears_no_other_one() -> None:
    admission = Admission((), RELEASE_NS, loopback_only=True)
    assert admission.judge(ALICE, 1, T0) is Verdict.NOT_ALLOWED
    assert admission.judge(("127.0.0.1", 5000), 1, T0) is Verdict.CANDIDATE


@pytest.mark.parametrize(
    ("network", "verdict"),
    [
        ("192.168.1.20/32", Verdict.CANDIDATE),
        ("192.168.1.0/24", Verdict.CANDIDATE),
        ("10.0.0.0/8", Verdict.NOT_ALLOWED),
    ],
)
def test_allow_list_decides_who_may_speak(network: str, verdict: Verdict) -> None:
    assert Admission([IPv4Network(network)], RELEASE_NS).judge(ALICE, 1, T0) is verdict


def test_flood_is_throttled_and_the_sender_recovers() -> None:
    admission = Admission((), RELEASE_NS)
    admission.accept(ALICE, T0)
    verdicts = [admission.judge(ALICE, 60, T0) for _ in range(3 * TOKENS_PER_S)]
    assert verdicts.count(Verdict.OWNER) == TOKENS_PER_S
    assert admission.judge(ALICE, 60, T0 + NS_PER_S) is Verdict.OWNER


def test_long_datagrams_cost_more() -> None:
    admission = Admission((), RELEASE_NS)
    verdicts = [admission.judge(ALICE, 65_000, T0) for _ in range(1_000)]
    assert verdicts.count(Verdict.CANDIDATE) == 9


def test_single_message_vmc_at_60_fps_passes_for_long() -> None:
    admission = Admission((), RELEASE_NS)
    admission.accept(ALICE, T0)
    for frame in range(60 * 20):
        t_ns = T0 + frame * NS_PER_S // 60
        assert all(admission.judge(ALICE, 68, t_ns) is Verdict.OWNER for _ in range(129))


def test_bucket_saves_up_for_one_second_only() -> None:
    bucket = TokenBucket(10)
    assert not bucket.take(11, T0)
    assert bucket.take(10, T0 + 3600 * NS_PER_S)
    assert not bucket.take(1, T0 + 3600 * NS_PER_S)
    assert bucket.take(1, T0 + 3600 * NS_PER_S + NS_PER_S // 10)
