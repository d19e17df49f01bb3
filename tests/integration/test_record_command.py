"""``vtbridge record`` however it ends: what was heard is kept, and what is there is not lost."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import run_isolated
from tests.support.daemon import run_vtbridge, running, unique_name, wait_until, write_config
from tests.support.recorder import CAPTURES, PATIENCE_S, count_of, recorder, wait_until_still
from tests.support.recordings import (
    LEAST_HEARD,
    as_sent,
    data_of,
    faces_of,
    is_subsequence,
    kinds_of,
)
from vtbridge.clock import MonotonicClock
from vtbridge.tracking.recordings.open import open_recording
from vtbridge.tracking.recordings.session import (
    RecordedCalibration,
    RecordedDatagram,
    iter_session,
    read_header,
)
from vtbridge.tracking.senders.playback import bursts_of_capture, play

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from vtbridge.cli.main import main
sys.argv[0] = "vtbridge"
main()
"""


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
        options = (
            (str(path),) if command == "record" else ("--no-supervisor", "--record", str(path))
        )
        refused = run_isolated(
            tmp_path, command, *options, "--config", str(tmp_path / "config.toml")
        )
        assert refused.returncode == 1
        assert "is there already" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert path.read_bytes() == b"precious"


def test_avatar_records_while_it_runs_and_has_the_trackers(
    captures: Path, tmp_path: Path, prepared_michi: Path
) -> None:
    path = tmp_path / "stream.vtbrec"
    with running(tmp_path, "run", "--record", str(path), package=prepared_michi) as daemon:
        beside = run_vtbridge(
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
        assert run_isolated(tmp_path, "calibrate", *config).returncode == 0
        wait_until_still(lambda: kinds_of(open_recording(path))[RecordedCalibration])
        assert daemon.terminate() == 0
    recording = open_recording(path)
    kinds, data = kinds_of(recording), data_of(recording)
    assert kinds == {RecordedDatagram: len(data), RecordedCalibration: 1}
    assert is_subsequence(data, data_of(open_recording(capture)))
    assert LEAST_HEARD * sent.datagrams <= len(data)
    assert faces_of(recording) == faces_of(as_sent(data, "ifacialmocap"))
