"""Every order in which a weakly ordered processor may carry out vtbf's own accesses.

The accesses are not written down here: a C program prints them while it runs the
real functions of ``vtbf.h``. The model then lets writer and reader overlap in every
way that C11's fences allow and looks for an accepted frame that is torn. Mutants of
the header show that it would find one.

Reference: C11 (N1570) 7.17.3 and 7.17.4; two accesses of one thread may swap unless
they touch the same place or a fence or a release store lies between them.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.vtbf import C_SOURCES, HEADER, compile_c

SLOT_OF_ODD_FRAMES = 4096 + 4096  # two slots of one page each: frames 1, 3, 5 share the second
LATEST = 128
PLACES = {
    "latest": (LATEST, 8),
    "seq": (SLOT_OF_ODD_FRAMES, 8),
    "metadata": (SLOT_OF_ODD_FRAMES + 8, 120),
    "upper half": (SLOT_OF_ODD_FRAMES + 128, 32),
    "lower half": (SLOT_OF_ODD_FRAMES + 160, 32),
}
CONTENT = ("metadata", "upper half", "lower half")

Value = int | str
Trace = dict[str, list[str]]


@dataclass(frozen=True)
class Access:
    """One load or store of one place; a store carries what it leaves there."""

    place: str
    value: Value = 0


@dataclass(frozen=True)
class Thread:
    """Accesses of one side, and which of them must come before which (bit masks)."""

    accesses: tuple[Access, ...]
    before: tuple[int, ...]


@dataclass(frozen=True)
class Verdict:
    """What the model saw: accepted executions, and an accepted torn one if there is any."""

    accepted: int
    torn: tuple[Value, ...] | None


def traced(folder: Path, header: str) -> Trace:
    """Compile the tracing program against ``header`` and return its sections."""
    (folder / "vtbf.h").write_text(header)
    program = compile_c(C_SOURCES / "vtbf_trace.c", folder, "-O0", include=folder)
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    sections: Trace = {"decide": []}
    current: list[str] = []
    for line in lines.splitlines():
        if line.startswith("= "):
            current = sections.setdefault(line[2:], [])
        elif line.startswith("decide"):
            sections["decide"].append(line)
        else:
            current.append(line)
    return sections


def thread_from(lines: list[tuple[str, str]]) -> Thread:
    """Make a thread of traced lines, each with the name of the frame its copies hold."""
    events: list[tuple[Access | None, str]] = []  # a fence has no access
    for line, content in lines:
        kind, *rest = line.split()
        if kind == "fence":
            events.append((None, rest[0]))
        elif kind == "store":
            order, offset, value = rest[0], int(rest[1]), int(rest[2])
            events.extend((Access(place, value), order) for place in touched(offset, 8))
        else:
            span = touched(int(rest[0]), int(rest[1]))
            events.extend((Access(place, content), "plain") for place in span)
    count = len(events)
    before: list[set[int]] = [set() for _ in range(count)]
    for later in range(count):
        for earlier in range(later):
            if must_precede(events, earlier, later):
                before[later] |= {earlier} | before[earlier]
    kept = [index for index, (access, _) in enumerate(events) if access is not None]
    position = {index: bit for bit, index in enumerate(kept)}
    masks = [sum(1 << position[i] for i in before[index] if i in position) for index in kept]
    accesses = [access for access, _ in events if access is not None]
    return Thread(tuple(accesses), tuple(masks))


def touched(offset: int, size: int) -> list[str]:
    return [
        place
        for place, (start, length) in PLACES.items()
        if offset < start + length and start < offset + size
    ]


def must_precede(events: list[tuple[Access | None, str]], earlier: int, later: int) -> bool:
    """Return True if nothing may swap these two; transitive orders follow from it."""
    first, _ = events[earlier]
    second, second_order = events[later]
    if first is None or second is None:
        # A release fence holds back later stores, an acquire fence everything later; both
        # wait for what lies before them. One side only stores and the other only loads here.
        return True
    return first.place == second.place or second_order == "release"


def explore(writer: Thread, reader: Thread, memory: dict[str, Value], frame: int) -> Verdict:
    """Try every overlap; ``memory`` is what lies there before the writer's first access."""
    all_written = (1 << len(writer.accesses)) - 1
    all_read = (1 << len(reader.accesses)) - 1
    wanted = {"latest": frame, "seq": 2 * frame}
    counts: dict[tuple[int, int, tuple[Value, ...]], int] = {}
    torn: list[tuple[Value, ...]] = []

    def content_at(written: int, place: str) -> Value:
        value = memory[place]
        for index, access in enumerate(writer.accesses):  # one place is stored in program order
            if written >> index & 1 and access.place == place:
                value = access.value
        return value

    def visit(written: int, read: int, seen: tuple[Value, ...]) -> int:
        if read == all_read:
            if len(set(seen)) > 1 or (seen and seen[0] != f"frame {frame}"):
                torn.append(seen)
            return 1
        key = (written, read, tuple(sorted(map(str, seen))))
        if key in counts:
            return counts[key]
        accepted = 0
        for index in range(len(writer.accesses)):
            ready = writer.before[index] & ~written == 0
            if written != all_written and ready and not written >> index & 1:
                accepted += visit(written | 1 << index, read, seen)
        for index, access in enumerate(reader.accesses):
            if read >> index & 1 or reader.before[index] & ~read:
                continue
            value = content_at(written, access.place)
            if access.place in CONTENT:
                accepted += visit(written, read | 1 << index, (*seen, value))
            elif value == wanted[access.place]:
                accepted += visit(written, read | 1 << index, seen)
        counts[key] = accepted
        return accepted

    return Verdict(visit(0, 0, ()), torn[0] if torn else None)


def during_two_frames(trace: Trace, frame: int) -> Verdict:
    """The writer publishes 2, and 3 over 1, while a reader copies ``frame`` (1 or 3)."""
    memory: dict[str, Value] = dict.fromkeys(CONTENT, "frame 1") | {"latest": 1, "seq": 2}
    lines = [(line, f"frame {n}") for n in (2, 3) for line in trace[f"publish {n}"]]
    reader = thread_from([(line, "") for line in trace["read"]])
    return explore(thread_from(lines), reader, memory, frame)


def after_a_crash(trace: Trace, steps: int) -> Verdict:
    """The writer died ``steps`` accesses into frame 3; a reader copies its successor's 3."""
    memory: dict[str, Value] = dict.fromkeys(CONTENT, "frame 1") | {"latest": 2, "seq": 2}
    died = thread_from([(line, "the dead writer's frame") for line in trace["publish 3"]])
    for access in died.accesses[:steps]:
        memory[access.place] = access.value
    lines = [(line, "") for line in trace["take over"]]
    for section, n in (("publish 3 again", 3), ("publish 4", 4), ("publish 5", 5)):
        lines += [(line, f"frame {n}") for line in trace[section]]
    reader = thread_from([(line, "") for line in trace["read"]])
    return explore(thread_from(lines), reader, memory, frame=3)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    return traced(tmp_path_factory.mktemp("trace"), HEADER.read_text())


@pytest.mark.parametrize("frame", [1, 3])
def test_no_order_of_accesses_tears_a_frame(trace: Trace, frame: int) -> None:
    verdict = during_two_frames(trace, frame)
    assert verdict.torn is None
    assert verdict.accepted > 0


def test_no_order_tears_a_frame_after_a_crash_at_any_step(trace: Trace) -> None:
    steps = len(thread_from([(line, "") for line in trace["publish 3"]]).accesses)
    assert steps == 6  # odd, pixels in two halves, metadata, even, latest
    for died_after in range(steps):  # after the last one, frame 3 is the dead writer's own
        verdict = after_a_crash(trace, died_after)
        assert verdict.torn is None
        assert verdict.accepted > 0


def test_reader_accepts_only_the_same_even_number_twice(trace: Trace) -> None:
    outcomes = {tuple(map(int, line.split()[1:3])): line.split()[3] for line in trace["decide"]}
    assert len(outcomes) == 36
    assert [looks for looks, outcome in outcomes.items() if outcome == "1"] == [(2, 2)]


ODD = "  vtbf_store_relaxed_u64((uint64_t *)(void *)slot, 2 * w->frame_no + 1);\n"
EVEN = "  vtbf_store_release_u64((uint64_t *)(void *)slot, 2 * n);\n"
METADATA = (
    "  memcpy(slot + sizeof m.seq, (const unsigned char *)&m + sizeof m.seq, "
    "sizeof m - sizeof m.seq);\n"
)
LATEST_STORE = "  vtbf_store_release_u64(&h->latest, n);\n"
LAST_LOOK = "    return VTBF_READ_GONE;\n  return vtbf_pread_verify(fd, at, n);\n"
LAST_FENCE = "  vtbf_fence_acquire(); /* all that was read before lies before this look at seq */\n"
FIRST_FENCES = (
    "  vtbf_fence_acquire();\n  return failed;\n",
    "  vtbf_fence_acquire(); /* a second pread, because one read promises no order inside */\n",
)
MUTANTS: dict[str, tuple[tuple[str, str], ...]] = {
    "slot not marked while written": ((ODD, ""),),
    "no fence after the mark": ((ODD + "  vtbf_fence_release();\n", ODD),),
    "slot marked after the pixels": (
        (ODD, ""),
        (METADATA, ODD.replace("w->frame_no + 1", "n - 1") + METADATA),
    ),
    "complete before the metadata": (
        (EVEN, ""),
        (LATEST_STORE, ""),
        (METADATA, EVEN + LATEST_STORE + METADATA),
    ),
    "completion stored relaxed": (
        (EVEN, EVEN.replace("release", "relaxed")),
        (LATEST_STORE, LATEST_STORE.replace("release", "relaxed")),
    ),
    "no second look": ((LAST_LOOK, LAST_LOOK.replace("vtbf_pread_verify(fd, at, n)", "1")),),
    "no fence before the second look": ((LAST_FENCE, ""),),
    "no fence before the pixels": (
        (FIRST_FENCES[0], "  return failed;\n"),
        (FIRST_FENCES[1], ""),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_model_catches_the_mutant(name: str, tmp_path: Path) -> None:
    header = HEADER.read_text()
    for original, replacement in MUTANTS[name]:
        assert header.count(original) == 1, "the mutant no longer fits the header"
        header = header.replace(original, replacement)
    mutant = traced(tmp_path, header)
    assert any(during_two_frames(mutant, frame).torn for frame in (1, 3))
