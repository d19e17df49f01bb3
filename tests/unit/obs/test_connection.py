"""The daemon's connection: it comes back by itself, and never hammers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fake_obs import FakeObs, Refuse
from vtbridge.errors import ConfigError, ObsAuthError, ObsError, ObsUnreachable
from vtbridge.obs.client import ObsRefused, Requests
from vtbridge.obs.connection import Backoff, ObsConnection, ObsState, probe_obs
from vtbridge.obs.password import Password
from vtbridge.obs.scene import SHARED_MEMORY_KIND, WantedScene, set_up_scene
from vtbridge.obs.settings import ObsSettings
from vtbridge.telemetry import Telemetry

QUICK = Backoff(first_s=0.01, max_s=0.05)
Connect = Callable[..., ObsConnection]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 10 s"
        time.sleep(0.005)


@pytest.fixture
def fake() -> Iterator[FakeObs]:
    with FakeObs() as server:
        yield server


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Start connections to a port, and stop them after the test."""
    started: list[ObsConnection] = []

    def start(port: int, password: str | None = None, **options: object) -> ObsConnection:
        connection = ObsConnection(
            ObsSettings(port=port, timeout_s=2),
            lambda: None if password is None else Password(password),
            backoff=QUICK,
            **options,  # type: ignore[arg-type]
        )
        connection.start()
        started.append(connection)
        return connection

    yield start
    for connection in started:
        assert connection.stop(timeout_s=5)
        assert connection.failure is None
        assert connection.state is ObsState.STOPPED


def test_requests_of_many_threads_each_get_their_own_answer(
    fake: FakeObs, connect: Connect
) -> None:
    fake.handlers["Echo"] = lambda data: {"got": data["number"]}
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    wrong: list[int] = []

    def ask(start: int) -> None:
        wrong.extend(
            number
            for number in range(start, start + 50)
            if connection.request("Echo", {"number": number}) != {"got": number}
        )

    threads = [threading.Thread(target=ask, args=(1000 * index,)) for index in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert fake.requests.count("Echo") == 200
    assert fake.connections == 1


def test_refusal_reaches_the_caller_and_the_connection_stays(
    fake: FakeObs, connect: Connect
) -> None:
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    with pytest.raises(ObsRefused, match="204"):
        connection.request("Nothing")
    assert connection.request("GetVersion") == {"obsVersion": "99.0"}
    assert fake.connections == 1


def test_obs_restarted_is_found_again_and_set_up_again(fake: FakeObs, connect: Connect) -> None:
    telemetry = Telemetry()
    set_up: list[str] = []

    def on_ready(obs: Requests) -> None:
        set_up.append(obs.request("GetVersion")["obsVersion"])

    connection = connect(fake.port, on_ready=on_ready, telemetry=telemetry, ping_s=0.02)
    for round_number in range(1, 6):
        wait_for(lambda: connection.state is ObsState.READY)
        assert len(set_up) == round_number
        assert connection.trouble == ""
        fake.shut()
        wait_for(lambda: connection.state is not ObsState.READY)
        with pytest.raises(ObsUnreachable):
            connection.request("GetVersion")
        fake.open()
    wait_for(lambda: connection.state is ObsState.READY)
    assert telemetry.counters() == {"obs.connected": 6, "obs.lost": 5}


def test_time_out_breaks_the_connection_and_a_new_one_answers(
    fake: FakeObs, connect: Connect
) -> None:
    fake.handlers["Slow"] = lambda _: {"slow": True}
    fake.delays["Slow"] = 0.5
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    with pytest.raises(ObsUnreachable, match="Slow"):
        connection.request("Slow", timeout_s=0.1)
    wait_for(lambda: connection.state is ObsState.READY and fake.connections == 2)
    assert connection.request("GetVersion") == {"obsVersion": "99.0"}


def test_refused_password_is_tried_once_until_told_otherwise(connect: Connect) -> None:
    with FakeObs(password="right") as fake:
        connection = connect(fake.port, "wrong")
        wait_for(lambda: connection.state is ObsState.REFUSED)
        time.sleep(0.2)  # twenty times the first pause of the back-off
        assert fake.connections == 1
        with pytest.raises(ObsAuthError):
            connection.request("GetVersion")
        fake.password = "wrong"
        connection.retry()
        wait_for(lambda: connection.state is ObsState.READY)


@pytest.fixture
def guarded() -> Iterator[FakeObs]:
    """An OBS whose password is ``right``."""
    with FakeObs(password="right") as server:
        yield server


class Keeper:
    """Where a password is kept, and how often it was asked for."""

    def __init__(self, *kept: Password | None) -> None:
        self.kept = list(kept)
        self.asked = 0

    def __call__(self) -> Password | None:
        self.asked += 1
        return self.kept[self.asked % len(self.kept)]


@pytest.fixture
def keep(guarded: FakeObs) -> Iterator[Callable[[Callable[[], Password | None]], ObsConnection]]:
    """Start a connection to ``guarded`` that looks for another password all the time."""
    started: list[ObsConnection] = []

    def start(password: Callable[[], Password | None]) -> ObsConnection:
        connection = ObsConnection(
            ObsSettings(port=guarded.port), password, backoff=QUICK, recheck_s=0.001
        )
        connection.start()
        started.append(connection)
        return connection

    yield start
    for connection in started:
        assert connection.stop(timeout_s=5)
        assert connection.failure is None


Keep = Callable[[Callable[[], Password | None]], ObsConnection]


def test_password_stored_after_a_refusal_is_found_and_tried(guarded: FakeObs, keep: Keep) -> None:
    keeper = Keeper(Password("wrong", "a file"))
    connection = keep(keeper)
    wait_for(lambda: keeper.asked > 20)
    assert connection.state is ObsState.REFUSED
    assert guarded.connections == 1
    keeper.kept = [Password("wrong", "the keyring")]  # the same one at another place
    wait_for(lambda: keeper.asked > 40)
    assert guarded.connections == 1
    keeper.kept = [Password("right")]
    wait_for(lambda: connection.state is ObsState.READY)
    assert guarded.connections == 2


def test_sources_that_take_turns_do_not_bring_a_refused_password_back(
    guarded: FakeObs, keep: Keep
) -> None:
    keeper = Keeper(Password("wrong"), None, Password("also wrong"))
    keep(keeper)
    wait_for(lambda: guarded.connections == 3)
    asked = keeper.asked
    wait_for(lambda: keeper.asked > asked + 30)
    assert guarded.connections == 3


def test_password_file_that_became_unsafe_after_a_refusal_is_told(keep: Keep) -> None:
    unsafe = False

    def password() -> Password | None:
        if unsafe:
            raise ConfigError("mode 0644 lets others read the OBS password")
        return Password("wrong")

    connection = keep(password)
    wait_for(lambda: connection.state is ObsState.REFUSED)
    unsafe = True
    wait_for(lambda: "0644" in connection.trouble)


def test_password_file_that_others_can_read_stops_the_attempts(fake: FakeObs) -> None:
    def refuse() -> Password | None:
        raise ConfigError("mode 0644 lets others read the OBS password")

    connection = ObsConnection(ObsSettings(port=fake.port), refuse, backoff=QUICK)
    connection.start()
    wait_for(lambda: connection.state is ObsState.REFUSED)
    assert "0644" in connection.trouble
    assert connection.stop(timeout_s=5)
    assert connection.failure is None
    assert fake.connections == 0


def test_failed_set_up_is_logged_and_the_connection_stays(
    fake: FakeObs, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def on_ready(_: Requests) -> None:
        raise ObsError("the source's name is taken")

    connection = connect(fake.port, on_ready=on_ready)
    wait_for(lambda: connection.state is ObsState.READY)
    assert "the source's name is taken" in caplog.text


@pytest.mark.parametrize(
    "odd",
    [{}, {"sceneItemId": None}, {"sceneItemId": "first"}, {"sceneItemId": float("inf")}],
)
def test_odd_answer_is_told_and_the_set_up_is_tried_again(
    fake: FakeObs, connect: Connect, caplog: pytest.LogCaptureFixture, odd: dict[str, object]
) -> None:
    answers = [odd, odd]
    kinds = {"inputKinds": [SHARED_MEMORY_KIND]}
    fake.handlers |= {
        "CreateScene": lambda _: {},
        "GetInputSettings": lambda _: {"inputKind": SHARED_MEMORY_KIND, "inputSettings": {}},
        "GetInputKindList": lambda _: kinds,
        "SetInputSettings": lambda _: {},
        "GetSceneItemId": lambda _: answers.pop() if answers else {"sceneItemId": 1},
    }
    connection = connect(fake.port, on_ready=lambda obs: set_up_scene(obs, WantedScene()))
    wait_for(lambda: connection.state is ObsState.READY)
    assert fake.connections == 3
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize("trouble", [KeyError("x"), TypeError("x"), ValueError("x")])
def test_set_up_that_trips_over_an_answer_is_tried_again(
    fake: FakeObs, connect: Connect, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    troubles = [trouble]

    def on_ready(_: Requests) -> None:
        if troubles:
            raise troubles.pop()

    connection = connect(fake.port, on_ready=on_ready)
    wait_for(lambda: connection.state is ObsState.READY)
    assert fake.connections == 2
    assert "cannot be used" in caplog.text


def test_obs_without_a_password_is_warned_about(
    fake: FakeObs, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "Enable Authentication" in warnings[0].getMessage()


def test_absent_obs_is_told_once_however_often_it_is_tried(
    fake: FakeObs, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    fake.shut()
    attempts: list[int] = []

    def password() -> Password | None:
        attempts.append(1)
        return None

    connection = ObsConnection(ObsSettings(port=fake.port), password, backoff=QUICK)
    connection.start()
    wait_for(lambda: len(attempts) > 5)
    assert connection.stop(timeout_s=5)
    assert caplog.text.count("no answer from OBS") == 1


def test_stop_ends_the_wait_for_an_answer_at_once(fake: FakeObs, connect: Connect) -> None:
    fake.handlers["Slow"] = lambda _: {}
    fake.delays["Slow"] = 1.5
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    failures: list[ObsError] = []

    def ask() -> None:
        try:
            connection.request("Slow")
        except ObsError as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(lambda: "Slow" in fake.requests)
    assert connection.stop(timeout_s=1.0)
    asking.join(5)
    assert len(failures) == 1


def test_request_before_the_start_is_refused() -> None:
    connection = ObsConnection(ObsSettings(), lambda: None)
    assert connection.state is ObsState.IDLE
    with pytest.raises(ObsUnreachable, match="not started"):
        connection.request("GetVersion")


def test_pauses_grow_from_half_a_second_to_thirty() -> None:
    backoff = Backoff()
    longest = [backoff.delay_s(failures, 1.0) for failures in range(1, 12)]
    assert longest[:4] == [0.5, 1.0, 2.0, 4.0]
    assert longest[-1] == 30.0
    assert backoff.delay_s(10_000, 1.0) == 30.0
    assert all(backoff.delay_s(n, 0.0) == backoff.delay_s(n, 1.0) / 2 for n in range(1, 12))


def test_probe_tells_version_and_whether_a_password_is_required(
    fake: FakeObs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    sentence = probe_obs(ObsSettings(port=fake.port))
    assert "OBS 99.0" in sentence
    assert "NO password required" in sentence


def test_unknown_code_is_not_swallowed(fake: FakeObs, connect: Connect) -> None:
    def refuse(_: object) -> dict[str, object]:
        raise Refuse(703, "")

    fake.handlers["Strange"] = refuse
    connection = connect(fake.port)
    wait_for(lambda: connection.state is ObsState.READY)
    with pytest.raises(ObsRefused, match="no reason given"):
        connection.request("Strange")
