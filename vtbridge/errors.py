"""Every error this package raises on purpose.

::

    VtbridgeError            anything a user can be told in a sentence
    ├── ConfigError          config.toml or an option is wrong (names file, line and key)
    ├── PacketError          bytes from the network are not what the protocol says
    ├── PictureError         a picture cannot be read or does not fit the specification
    ├── WeightsError         a weight file is missing, damaged or refused
    │   └── AlreadyBaking    another process prepares this character
    ├── RuntimeUnavailable   an inference runtime cannot run on this machine
    ├── InferenceError       a network failed or gave numbers that must not be shown
    ├── FrameTransportError  the shared-memory segment cannot be made or read
    │   ├── AlreadyRunning   another daemon holds the segment
    │   └── SegmentsUnsupported  this system has no shared-memory transport yet
    ├── ObsError             OBS refused something
    │   ├── ObsUnreachable   nothing answers there
    │   └── ObsAuthError     the password is wrong or missing
    ├── PortInUse            a port that vtbridge must listen on is taken
    ├── KeepsFailing         the renderer died as often as it was started again
    ├── DatasetError         a data set or one of its characters cannot be used
    └── TrainingError        a training run cannot be begun, gone on with or evaluated

The command line prints the message and leaves with the class's ``exit_code``; a
message names the thing, its value and the remedy.
"""

from __future__ import annotations


class VtbridgeError(Exception):
    """Base of all errors meant for the user."""

    exit_code = 1


class ConfigError(VtbridgeError):
    """A setting is unknown, has the wrong type or is out of range."""

    exit_code = 2


class PacketError(VtbridgeError):
    """A datagram does not follow its protocol; it is dropped and counted.

    Attributes:
        reason: one of a few fixed phrases to count by; the message tells the rest.
    """

    def __init__(self, message: str, *, reason: str = "malformed") -> None:
        super().__init__(message)
        self.reason = reason


class PictureError(VtbridgeError):
    """A picture cannot be loaded safely or does not fit the specification."""

    exit_code = 3


class WeightsError(VtbridgeError):
    """A weight file is missing, has the wrong hash or cannot be converted."""

    exit_code = 4


class AlreadyBaking(WeightsError):
    """Another living process prepares the character of this package."""

    exit_code = 11


class RuntimeUnavailable(VtbridgeError):
    """An inference runtime or its device does not exist on this machine."""

    exit_code = 5


class InferenceError(VtbridgeError):
    """A network raised, or its output is not finite."""

    exit_code = 6


class RuntimeTurnedWrong(InferenceError):
    """A runtime that passed its self-test gives wrong pictures now."""


class FrameTransportError(VtbridgeError):
    """A vtbf segment cannot be created, attached or trusted."""

    exit_code = 7


class AlreadyRunning(FrameTransportError):
    """Another living process writes to the segment of this name."""

    exit_code = 8


class SegmentsUnsupported(FrameTransportError):
    """vtbf is not written for this operating system yet; frames leave by other ways."""


class ObsError(VtbridgeError):
    """OBS answered a request with a failure."""

    exit_code = 9


class ObsUnreachable(ObsError):
    """No obs-websocket server answers at the configured address."""


class ObsAuthError(ObsError):
    """obs-websocket refused the password; retrying would not help."""


class PortInUse(VtbridgeError):
    """A port is taken by another program."""

    exit_code = 10


class KeepsFailing(VtbridgeError):
    """The renderer was started again as often as the settings allow, and failed once more."""

    exit_code = 14


class DatasetError(VtbridgeError):
    """A data set, its recipe or one of its characters cannot be used."""

    exit_code = 12


class TrainingError(VtbridgeError):
    """A training run cannot be begun, gone on with or evaluated."""

    exit_code = 13
