"""Look over everything a stream needs and say what is wrong and what to do."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil

from vtbridge import __version__
from vtbridge.app.doctor_libraries import library_checks
from vtbridge.app.finding import Finding, Verdict
from vtbridge.clock import MonotonicClock
from vtbridge.config.schema import Config
from vtbridge.datatypes import Frame
from vtbridge.errors import (
    FrameTransportError,
    ObsAuthError,
    ObsError,
    SegmentsUnsupported,
    VtbridgeError,
)
from vtbridge.publish.vtbf import FrameReader, FrameWriter, Liveness, list_segments, segment_path
from vtbridge.tracking.receivers.port_holder import holder_of_port

_SHM_WANTED_BYTES = 64 << 20
_SELF_TEST_FRAMES = 60
_LOOPBACK = "127.0.0.1"


Check = Callable[[Config], Iterator[Finding]]


def examine(config: Config) -> Iterator[Finding]:
    """Yield what each check finds, in the order of the data's way."""
    for name in CHECKS:
        yield from findings_of(name, config)


def findings_of(name: str, config: Config) -> Iterator[Finding]:
    """Yield what one of ``CHECKS`` finds; whatever it raises is a finding too."""
    try:
        yield from CHECKS[name](config)
    except SegmentsUnsupported as error:
        yield Finding(name, Verdict.WARNING, str(error))
    except VtbridgeError as error:
        yield Finding(name, Verdict.FAILURE, str(error))
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        yield Finding(name, Verdict.FAILURE, f"{type(error).__name__}: {error}")


def _machine(_config: Config) -> Iterator[Finding]:
    memory_gb = psutil.virtual_memory().total / 1e9
    yield Finding(
        "machine",
        Verdict.OK,
        f"vtbridge {__version__}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, {memory_gb:.0f} GB",
    )


def _runtimes(config: Config) -> Iterator[Finding]:
    from vtbridge.app.characters import with_character
    from vtbridge.app.doctor_runtimes import runtimes

    yield from runtimes(with_character(config), daemon_runs=_daemon_pid(config) is not None)


def _weights(config: Config) -> Iterator[Finding]:
    from vtbridge.app.characters import with_character
    from vtbridge.render.weights.store import WeightStore

    store = WeightStore()
    name = with_character(config).render.weights
    if store.is_ready(name):
        yield Finding("weights", Verdict.OK, f"{name} in {store.directory(name)}")
    else:
        yield Finding(
            "weights",
            Verdict.FAILURE,
            f"{name} is not in {store.directory(name)}",
            store.remedy(name),
        )


def _picture(config: Config) -> Iterator[Finding]:
    from vtbridge.app.characters import open_picture, with_character

    picture = open_picture(with_character(config).avatar.picture)
    yield Finding("picture", Verdict.OK, f"{picture.name} can be posed")


def _ports(config: Config) -> Iterator[Finding]:
    """Try every port that the daemon would take; a daemon that runs already has them."""
    from vtbridge.tracking.receivers.ports import listeners
    from vtbridge.tracking.receivers.streams import accepting_ports

    wanted: list[tuple[str, socket.SocketKind, str, int]] = []
    for listener in listeners(config.tracking):
        names = ", ".join(row.name for row in listener.homes)
        wanted.append((f"{names} port", socket.SOCK_DGRAM, listener.host, listener.port))
    for name, (host, port) in accepting_ports(config.tracking).items():
        wanted.append((f"{name} port", socket.SOCK_STREAM, host, port))
    if config.control.osc_enabled:
        wanted.append(("osc port", socket.SOCK_DGRAM, _LOOPBACK, config.control.osc_port))
    wanted.append(("page port", socket.SOCK_STREAM, _LOOPBACK, config.control.http_port))
    if config.publish.media_enabled:
        wanted.append(("media port", socket.SOCK_STREAM, _LOOPBACK, config.publish.media_port))
    own_pid = _daemon_pid(config)
    for check, kind, address, port in wanted:
        if port:
            yield _port(check, kind, address, port, own_pid)


def _port(
    check: str, kind: socket.SocketKind, address: str, port: int, own_pid: int | None
) -> Finding:
    seen = f"{'UDP' if kind is socket.SOCK_DGRAM else 'TCP'} {address}:{port}"
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM and os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            holder = holder_of_port(port, kind)
            if holder is not None and holder.pid == own_pid:
                return Finding(check, Verdict.OK, f"{seen} is held by the running daemon")
            by = f", held by {holder}" if holder else ""
            return Finding(
                check,
                Verdict.WARNING,
                f"{seen}: {error.strerror}{by}",
                "close that program, or set another port in config.toml",
            )
    return Finding(check, Verdict.OK, f"{seen} is free")


def _daemon_pid(config: Config) -> int | None:
    """Return the pid of the daemon that publishes the configured avatar now, if one does."""
    try:
        with FrameReader.attach(config.publish.name) as reader:
            status = reader.status()
            # A daemon whose frames take over a second looks hung, but it holds its ports.
            holds = reader.liveness() in {Liveness.LIVE, Liveness.HUNG}
            return status.writer_pid if status and holds else None
    except FrameTransportError:
        return None


def _face_model(config: Config) -> Iterator[Finding]:
    """Load the networks that find a face, where a camera is to be tracked."""
    from vtbridge.app.face_tracker import open_face_tracker

    if config.tracking.webcam.enabled:
        open_face_tracker(config.tracking.webcam.threads)
        yield Finding("face model", Verdict.OK, "a face can be tracked in a picture")


def _webcam(config: Config) -> Iterator[Finding]:
    """Take one picture from the webcam, or look into the video file."""
    from vtbridge.tracking.webcam.camera import open_camera
    from vtbridge.tracking.webcam.source import camera_number, place_of
    from vtbridge.tracking.webcam.video_file import open_video

    settings = config.tracking.webcam
    if not settings.enabled:
        return
    place = place_of(settings.device)
    number = camera_number(settings.device)
    if number is None:
        with open_video(Path(str(settings.device)).expanduser()) as video:
            seen = f"{place}: {video.width}x{video.height}, {float(video.fps):g} fps"
            yield Finding("webcam", Verdict.OK, seen)
        return
    if _daemon_pid(config) is not None:
        yield Finding("webcam", Verdict.OK, f"{place} is left to the running daemon")
        return
    camera = open_camera(number, settings.fps, settings.width)
    try:
        rgb = camera.read()
    finally:
        camera.close()
    if rgb is None:
        remedy = "end other programs that use it, or plug it in again"
        yield Finding("webcam", Verdict.FAILURE, f"{place} opens but gives no picture", remedy)
    else:
        yield Finding("webcam", Verdict.OK, f"{place}: {rgb.shape[1]}x{rgb.shape[0]}")


def _microphone(config: Config) -> Iterator[Finding]:
    """Hear one block of sound."""
    from vtbridge.tracking.microphone.portaudio import recorded
    from vtbridge.tracking.microphone.sound_file import is_sound_file, read_sound

    settings = config.tracking.microphone
    if not settings.enabled:
        return
    if is_sound_file(settings.device):
        path = Path(str(settings.device))
        if any(len(piece) for piece in read_sound(path)):
            yield Finding("microphone", Verdict.OK, f"{path} can be read")
        else:
            yield Finding(
                "microphone", Verdict.FAILURE, f"{path} holds no sound", "choose another file"
            )
        return
    names: list[str] = []
    for _ in recorded(settings.device, MonotonicClock(), threading.Event(), names.append):
        break
    yield Finding("microphone", Verdict.OK, f"{names[0]} is heard")


def _vowels(config: Config) -> Iterator[Finding]:
    from vtbridge.app.vowel_file import load_vowels, vowel_path
    from vtbridge.tracking.settings import MouthShapes

    settings = config.tracking.microphone
    if not settings.enabled or settings.shapes is not MouthShapes.VOWELS:
        return
    if load_vowels() is not None:
        yield Finding("vowels", Verdict.OK, f"saved in {vowel_path()}")
    else:
        seen = "none are saved, so that loudness alone opens the mouth"
        yield Finding("vowels", Verdict.WARNING, seen, "vtbridge calibrate --vowels")


def _receive_buffer(_config: Config) -> Iterator[Finding]:
    path = Path("/proc/sys/net/core/rmem_max")
    if not path.exists():
        return
    size = int(path.read_text())
    if size >= 4 << 20:
        yield Finding("receive buffer", Verdict.OK, f"rmem_max {size} bytes")
    else:
        yield Finding(
            "receive buffer",
            Verdict.OK,
            f"rmem_max {size} bytes: enough for trackers, not for bursts of 1000 packets",
        )


def _shared_memory(config: Config) -> Iterator[Finding]:
    if not sys.platform.startswith("linux"):
        yield Finding("shared memory", Verdict.WARNING, f"not verified on {platform.system()}")
        return
    folder = segment_path("any").parent
    free = shutil.disk_usage(folder).free
    seen = f"{free / 1e6:.0f} MB free in {folder}"
    if free >= _SHM_WANTED_BYTES:
        yield Finding("shared memory", Verdict.OK, seen)
    else:
        wanted = f"free {_SHM_WANTED_BYTES >> 20} MB there"
        yield Finding("shared memory", Verdict.FAILURE, seen, wanted)
    for path in list_segments():
        name = path.name.split("-", 2)[-1]
        try:
            with FrameReader.attach(name) as reader:
                liveness = reader.liveness()
        except FrameTransportError as error:
            yield Finding("segment", Verdict.WARNING, str(error))
            continue
        if liveness is Liveness.LIVE:
            yield Finding("segment", Verdict.OK, f"{path}: a daemon is live")
        elif liveness is Liveness.HUNG:
            seen = f"{path}: its daemon has shown no frame for over a second"
            yield Finding("segment", Verdict.WARNING, seen, "if that lasts, end it and start anew")
        else:
            seen = f"{path}: {liveness.name.lower()}; the next `vtbridge run` takes it over"
            yield Finding("segment", Verdict.WARNING, seen)


def _transport(_config: Config) -> Iterator[Finding]:
    """Write and read frames through a segment of our own, and see that all arrive whole."""
    import numpy as np

    name = f"doctor-{os.getpid()}"
    clock = MonotonicClock()
    rgba = np.zeros((512, 512, 4), np.uint8)
    delays_ms = []
    with FrameWriter.open(name) as writer, FrameReader.attach(name) as reader:
        seen = 0
        for shade in range(_SELF_TEST_FRAMES):
            rgba[:] = shade
            start_ns = clock.now_ns()
            writer.write(Frame(rgba, start_ns))
            received = reader.read_newer(seen, timeout_s=1.0)
            if received is None or (received.rgba != shade).any():
                yield Finding(
                    "frame transport", Verdict.FAILURE, f"frame {shade} came torn or late"
                )
                return
            seen = received.frame_no
            delays_ms.append((clock.now_ns() - start_ns) / 1e6)
    middle = sorted(delays_ms)[len(delays_ms) // 2]
    yield Finding(
        "frame transport",
        Verdict.OK,
        f"{_SELF_TEST_FRAMES} frames written and read back whole, {middle:.2f} ms each",
    )


def _obs(config: Config) -> Iterator[Finding]:
    from vtbridge.obs.connection import probe_obs
    from vtbridge.obs.install import find_installations
    from vtbridge.obs.plugin import find_plugins

    for installation in find_installations():
        yield Finding("obs script", Verdict.OK, str(installation))
    for installation in find_plugins():
        yield Finding("obs plugin", Verdict.OK, installation)
    try:
        yield Finding("obs", Verdict.OK, probe_obs(config.obs))
    except ObsAuthError as error:
        yield Finding("obs", Verdict.FAILURE, str(error), "vtbridge obs password")
    except ObsError as error:
        yield Finding("obs", Verdict.WARNING, str(error))


def _segment_name(config: Config) -> Iterator[Finding]:
    yield Finding("avatar", Verdict.OK, f"publishes to {segment_path(config.publish.name)}")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "machine": _machine,
        **library_checks(),
        "weights": _weights,
        "runtimes": _runtimes,
        "picture": _picture,
        "ports": _ports,
        "face model": _face_model,
        "webcam": _webcam,
        "microphone": _microphone,
        "vowels": _vowels,
        "receive buffer": _receive_buffer,
        "segment name": _segment_name,
        "shared memory": _shared_memory,
        "transport": _transport,
        "obs": _obs,
    }
)
