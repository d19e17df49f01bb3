"""``vtbridge record`` and ``replay`` as a user meets them: real sockets, processes and files."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.daemon import (
    isolated_environment,
    running,
    unique_name,
    wait_until,
    write_config,
)
from vtbridge.app.recorder import open_recorded_trackers
from vtbridge.app.replay import moments
from vtbridge.clock import NS_PER_S, MonotonicClock
from vtbridge.config.load import load_config
from vtbridge.config.schema import Config
from vtbridge.datatypes import FaceFrame
from vtbridge.flow.slot import LatestSlot
from vtbridge.publish.vtbf import FrameReader
from vtbridge.telemetry import Telemetry
from vtbridge.tracking.recordings.open import Recording, open_recording
from vtbridge.tracking.recordings.session import (
    Record,
    RecordedCalibration,
    RecordedDatagram,
    iter_session,
    read_header,
)
from vtbridge.tracking.senders.playback import bursts_of_capture, play

INPUTS = ("vmc", "ifacialmocap", "livelink", "openseeface")
CAPTURES = {
    "vmc": "vmc_osc-js_xranimator-layout.udpcap",
    "ifacialmocap": "ifacialmocap_v1_ExpressionAppBridge.udpcap",
    "openseeface": "openseeface_model0.udpcap",
}
PATIENCE_S = 60.0
QUIET_S = 2.0
"""Some turns of the writer without a record: what is still missing was lost."""
LEAST_HEARD = 0.7
"""UDP may lose what a loaded machine has no time to read, but not most of a capture."""
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from vtbridge.cli.main import main
sys.argv[0] = "vtbridge"
main()
"""


@dataclass
class Recorder:
    """A running ``vtbridge record``."""

    process: subprocess.Popen[str]
    path: Path
    ports: dict[str, int]
    log: list[str] = field(default_factory=list)

    def send(self, capture: Path, protocol: str, speed: float = 5.0) -> int:
        """Send a capture to the input of ``protocol`` and return how many datagrams it was."""
        to = ("127.0.0.1", self.ports[protocol])
        return play(bursts_of_capture(capture), to, MonotonicClock(), speed=speed).datagrams

    def wait_until_quiet(self) -> None:
        """Return once the file holds something and nothing more is added to it."""
        wait_until_still(lambda: count_of(self.path))

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def told(self) -> str:
        return "\n".join(self.log)


def count_of(path: Path) -> int:
    return sum(1 for _ in iter_session(path))


def wait_until_still(count: Callable[[], int], least: int = 1) -> None:
    """Return once ``count()`` is at least ``least`` and, for a while, grows no more."""
    newest, since_s = 0, 0.0

    def is_still() -> bool:
        nonlocal newest, since_s
        now_s, before = time.monotonic(), newest
        newest = count()
        since_s = since_s if newest == before else now_s
        return newest >= least and now_s - since_s >= QUIET_S

    wait_until(is_still, PATIENCE_S, f"{least} records and then no more")


@contextlib.contextmanager
def recorder(
    folder: Path, *options: str, file: str = "bug.vtbrec", code: str = ""
) -> Iterator[Recorder]:
    """Start ``vtbridge record`` and wait until it records."""
    ports = write_config(folder, unique_name(), inputs=INPUTS)
    path = folder / file
    program = ["-c", code] if code else ["-m", "vtbridge"]
    arguments = ["record", str(path), "--config", str(folder / "config.toml"), *options]
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(folder),
    )
    made = Recorder(process, path, ports)
    ready: queue.Queue[bool] = queue.Queue()

    def follow() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            made.log.append(line.rstrip())
            if "Ctrl-C to stop" in line:
                ready.put(True)
        ready.put(False)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        assert ready.get(timeout=PATIENCE_S), made.told
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)
        follower.join(PATIENCE_S)
        assert process.stderr is not None
        process.stderr.close()


def vtbridge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vtbridge", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=isolated_environment(folder),
    )


def faces_of(recording: Recording) -> list[FaceFrame]:
    """Return the faces of a recording, without what differs from one run to the next."""
    found = moments(recording, Config().tracking, Telemetry())
    return [replace(moment.face, t_ns=0, source="") for moment in found if moment.face is not None]


def of_one_source(recording: Recording, protocol: str) -> Recording:
    def records() -> Iterator[RecordedDatagram]:
        for record in recording.records():
            if isinstance(record, RecordedDatagram) and record.protocol == protocol:
                yield record

    return replace(recording, records=records)


def data_of(recording: Recording) -> list[bytes]:
    return [record.data for record in recording.records() if isinstance(record, RecordedDatagram)]


def kinds_of(recording: Recording) -> Counter[type[Record]]:
    return Counter(type(record) for record in recording.records())


def as_sent(datagrams: list[bytes], protocol: str) -> Recording:
    """Return a recording of ``datagrams`` from a sender that nothing holds up."""
    records = [
        RecordedDatagram(NS_PER_S + n * NS_PER_S // 30, f"{protocol}:x", protocol, data)
        for n, data in enumerate(datagrams)
    ]
    return Recording(Path("sent"), "as sent", lambda: iter(records))


def is_subsequence(kept: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(any(data == other for other in rest) for data in kept)


class AllFaces(LatestSlot[FaceFrame]):
    """Keeps every face that the inputs showed."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: list[FaceFrame] = []

    def put(self, value: FaceFrame) -> int:
        self.faces.append(value)
        return super().put(value)


def test_replay_shows_each_face_that_was_shown_live_at_its_time(
    captures: Path, tmp_path: Path
) -> None:
    ports = write_config(tmp_path, unique_name(), inputs=INPUTS)
    config = load_config(tmp_path / "config.toml")
    shown, path = AllFaces(), tmp_path / "live.vtbrec"
    clock, telemetry = MonotonicClock(), Telemetry()
    writer, inputs = open_recorded_trackers(path, config, 1, shown, telemetry, clock)
    for service in inputs.services:
        service.start()

    def send(protocol: str) -> None:
        to = ("127.0.0.1", ports[protocol])
        play(bursts_of_capture(captures / CAPTURES[protocol]), to, clock, speed=3.0)

    together = [threading.Thread(target=send, args=(protocol,)) for protocol in CAPTURES]
    for sender in together:
        sender.start()
    for sender in together:
        sender.join()
    wait_until_still(lambda: writer.records)
    for service in reversed(inputs.services):
        assert service.stop(timeout_s=30)
        assert service.failure is None
    assert writer.lost == 0
    found = moments(open_recording(path), config.tracking, Telemetry())
    replayed = [moment.face for moment in found if moment.face is not None]
    assert len(shown.faces) >= 80
    assert replayed == shown.faces


def test_what_was_recorded_live_replays_to_the_same_faces(captures: Path, tmp_path: Path) -> None:
    with recorder(tmp_path) as live:
        sent = {
            protocol: live.send(captures / capture, protocol)
            for protocol, capture in CAPTURES.items()
        }
        live.wait_until_quiet()
        assert live.end() == 0, live.told
    recording = open_recording(live.path)
    for protocol, capture in CAPTURES.items():
        original = data_of(open_recording(captures / capture))
        kept = of_one_source(recording, protocol)
        assert len(original) == sent[protocol]
        assert is_subsequence(data_of(kept), original), "nothing is changed, added or moved"
        share = len(data_of(kept)) / len(original)
        assert share >= LEAST_HEARD, f"{protocol}: {1 - share:.0%} got lost on the loopback"
        if protocol != "vmc":  # a sender that is held up within a frame of VMC makes two
            assert faces_of(kept) == faces_of(as_sent(data_of(kept), protocol))
    assert recording.header is not None
    assert set(recording.header.settings) == {"avatar", "tracking", "retarget", "idle"}


def test_poses_of_a_live_recording_are_the_same_on_every_run(
    captures: Path, tmp_path: Path
) -> None:
    with recorder(tmp_path, file="bug.vtbrec.gz") as live:
        live.send(captures / CAPTURES["vmc"], "vmc")
        live.wait_until_quiet()
        assert live.end(signal.SIGTERM) == 0, live.told
    assert live.path.read_bytes().startswith(b"\x1f\x8b")
    first = vtbridge(tmp_path, "replay", str(live.path), "--poses-out", "-")
    assert first.returncode == 0, first.stderr
    rows = [json.loads(line) for line in first.stdout.splitlines()]
    assert rows[0]["fps"] == 30.0, "as in the recorded settings"
    assert len(rows) > 5
    assert all(len(row["pose"]) == 45 for row in rows[1:])
    for speed in ("0", "10"):
        out = tmp_path / f"{speed}.jsonl"
        again = vtbridge(
            tmp_path, "replay", str(live.path), "--poses-out", str(out), "--speed", speed
        )
        assert again.returncode == 0, again.stderr
        assert out.read_text("utf-8") == first.stdout


def test_recording_ends_by_itself_and_tells_how_much_it_holds(
    captures: Path, tmp_path: Path
) -> None:
    with recorder(tmp_path, "--seconds", "4") as live:
        live.send(captures / "vmc_node-osc.udpcap", "vmc", speed=4.0)
        assert live.process.wait(PATIENCE_S) == 0
    held = count_of(live.path)
    assert f"holds {held} datagrams and faces" in " ".join(live.told.split())


def test_recording_into_which_nothing_came_leaves_no_file(tmp_path: Path) -> None:
    with recorder(tmp_path, "--seconds", "0.2") as live:
        assert live.process.wait(PATIENCE_S) == 1
    assert "nothing came" in live.told
    assert "vtbridge doctor" in " ".join(live.told.split())
    assert not live.path.exists()


def test_killed_recording_is_read_up_to_the_kill(captures: Path, tmp_path: Path) -> None:
    with recorder(tmp_path) as live:
        sent = live.send(captures / CAPTURES["vmc"], "vmc")
        start = len(live.path.read_bytes())
        wait_until(lambda: live.path.stat().st_size > max(start, 50_000), 30, "it is written")
        live.process.kill()
        live.process.wait(PATIENCE_S)
    kept = list(iter_session(live.path))
    assert 0 < len(kept) <= sent
    assert read_header(live.path).idle_seed >= 0


def test_full_disk_ends_the_recording_and_is_told(captures: Path, tmp_path: Path) -> None:
    with recorder(tmp_path, code=LIMITED) as live:
        live.send(captures / CAPTURES["vmc"], "vmc", speed=20.0)
        assert live.process.wait(PATIENCE_S) == 1
    told = " ".join(live.told.split())
    assert told.count("recording to") == 2, told  # the greeting, and one warning
    assert "File too large" in told
    assert "make room and record again" in told
    assert "Traceback" not in told
    assert live.path.stat().st_size <= 20_000
    assert len(list(iter_session(live.path))) >= 0


def test_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    write_config(tmp_path, unique_name())
    path = tmp_path / "precious.vtbrec"
    path.write_bytes(b"precious")
    for command in ("record", "run"):
        options = (str(path),) if command == "record" else ("--record", str(path))
        refused = vtbridge(tmp_path, command, *options, "--config", str(tmp_path / "config.toml"))
        assert refused.returncode == 1
        assert "is there already" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("absent.vtbrec",), 2, "there is no recording absent.vtbrec"),
        (("config.toml", "--poses-out", "-"), 1, "is no recording"),
        (("CAPTURE", "--poses-out", "-", "--loop"), 2, "leave out --loop"),
        (("CAPTURE", "--speed", "0"), 2, "--speed 0 is for --poses-out"),
        (("CAPTURE", "--poses-out", "absent/poses.jsonl"), 2, "cannot be written"),
        (("CAPTURE", "--poses-out", "-", "--config", "absent.toml"), 2, "absent.toml"),
    ],
)
def test_mistake_is_one_message_and_an_exit_code(
    captures: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    write_config(tmp_path, unique_name())
    capture = str(captures / "vmc_node-osc.udpcap")
    names = {"CAPTURE": capture, "config.toml": str(tmp_path / "config.toml")}
    finished = vtbridge(tmp_path, "replay", *(names.get(a, a) for a in arguments))
    assert finished.returncode == code, finished.stderr
    assert told in " ".join(finished.stderr.split())
    assert "Traceback" not in finished.stderr


def test_reader_of_the_poses_may_leave_early(captures: Path, tmp_path: Path) -> None:
    capture = captures / CAPTURES["ifacialmocap"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vtbridge", "replay", str(capture), "--poses-out", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=isolated_environment(tmp_path),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE_S) == 0, told
    assert "Traceback" not in told
    assert "Exception" not in told


@pytest.mark.usefixtures("weight_store")
def test_avatar_records_while_it_runs_and_has_the_trackers(captures: Path, tmp_path: Path) -> None:
    path = tmp_path / "stream.vtbrec"
    with running(tmp_path, "run", "--record", str(path)) as daemon:
        beside = vtbridge(
            tmp_path,
            *("record", str(tmp_path / "b.vtbrec"), "--config", str(tmp_path / "config.toml")),
        )
        assert beside.returncode == 1
        assert f"vtbridge run --record {tmp_path / 'b.vtbrec'}" in " ".join(beside.stderr.split())
        assert not (tmp_path / "b.vtbrec").exists()
        to = ("127.0.0.1", daemon.ports["ifacialmocap"])
        capture = captures / CAPTURES["ifacialmocap"]
        sent = play(bursts_of_capture(capture), to, MonotonicClock(), speed=5.0)
        config = ("--config", str(tmp_path / "config.toml"))
        assert vtbridge(tmp_path, "calibrate", *config).returncode == 0
        wait_until_still(lambda: kinds_of(open_recording(path))[RecordedCalibration])
        assert daemon.terminate() == 0
    recording = open_recording(path)
    kinds, data = kinds_of(recording), data_of(recording)
    assert kinds == {RecordedDatagram: len(data), RecordedCalibration: 1}
    assert is_subsequence(data, data_of(open_recording(capture)))
    assert LEAST_HEARD * sent.datagrams <= len(data)
    assert faces_of(recording) == faces_of(as_sent(data, "ifacialmocap"))


@pytest.mark.usefixtures("weight_store")
def test_replay_shows_the_avatar_like_a_tracker_and_ends(captures: Path, tmp_path: Path) -> None:
    capture = str(captures / CAPTURES["vmc"])
    with running(tmp_path, "replay", capture, "--loop") as daemon:
        with FrameReader.attach(daemon.name) as reader:
            seen = 0
            for _ in range(3):
                received = reader.read_newer(seen, timeout_s=20)
                assert received is not None
                seen = received.frame_no
        wait_until(lambda: any("face seen by vmc" in line for line in daemon.log), 60, "a face")
        assert daemon.terminate() == 0
    finished = vtbridge(
        tmp_path,
        *("replay", capture, "--speed", "4", "--config", str(tmp_path / "config.toml")),
    )
    assert finished.returncode == 0, finished.stderr
