"""What OBS is asked for: never a Media Source that could not show a frame."""

from __future__ import annotations

import socket

import psutil
import pytest

from tests.support.fake_obs import FakeObs, Refuse
from vtbridge.app.obs_scene import wanted_scene
from vtbridge.config.load import parse_config
from vtbridge.errors import ObsError
from vtbridge.obs.client import NOT_FOUND, UNKNOWN_KIND, ObsClient
from vtbridge.obs.scene import MEDIA_KIND, MediaFeed, media_settings, set_up_scene

# 192.0.2.0/24 is set aside for documentation: no machine has such an address.
USELESS = [
    ("[publish]\nmedia_enabled = false\n", "media_enabled = true"),
    ("[publish]\nmedia_port = 0\n", "media_port"),
    ("[obs]\nhost = '192.0.2.7'\n", "192.0.2.7"),
]


@pytest.fixture
def scriptless() -> FakeObs:
    """An OBS to which the script was not added; to be entered."""

    def refuse_unknown(data: object) -> dict[str, object]:
        assert isinstance(data, dict)
        if data["inputKind"] != MEDIA_KIND:
            raise Refuse(UNKNOWN_KIND)
        return {}

    def find_nothing(_: object) -> dict[str, object]:
        raise Refuse(NOT_FOUND)

    return FakeObs(
        handlers={
            "CreateScene": lambda _: {},
            "GetInputSettings": find_nothing,
            "GetInputKindList": lambda _: {"inputKinds": [MEDIA_KIND]},
            "CreateInput": refuse_unknown,
        }
    )


OWN_ADDRESSES = sorted(
    {
        found.address
        for addresses in psutil.net_if_addrs().values()
        for found in addresses
        if found.family == socket.AF_INET
    }
)


@pytest.mark.parametrize("host", ["localhost", *OWN_ADDRESSES])
def test_obs_on_this_machine_may_read_the_port_of_the_settings(host: str) -> None:
    text = f"[obs]\nhost = '{host}'\n[publish]\nmedia_port = 5999\n"
    wanted = wanted_scene(parse_config(text, "config.toml"))
    assert wanted.media == MediaFeed("127.0.0.1", 5999)
    assert wanted.no_media == ""


@pytest.mark.parametrize(("text", "remedy"), USELESS)
def test_useless_media_source_is_not_made_and_the_remedy_is_told(
    scriptless: FakeObs, text: str, remedy: str
) -> None:
    wanted = wanted_scene(parse_config(text, "config.toml"))
    assert wanted.media is None
    with (
        scriptless as fake,
        ObsClient("127.0.0.1", fake.port, None, timeout_s=5) as client,
        pytest.raises(ObsError, match=remedy),
    ):
        set_up_scene(client, wanted)


@pytest.mark.parametrize(("text", "remedy"), USELESS)
def test_media_source_that_became_useless_is_told_too(
    scriptless: FakeObs, text: str, remedy: str
) -> None:
    found = {
        "inputKind": MEDIA_KIND,
        "inputSettings": media_settings(MediaFeed("127.0.0.1", 5601)),
    }
    scriptless.handlers["GetInputSettings"] = lambda _: found
    wanted = wanted_scene(parse_config(text, "config.toml"))
    with (
        scriptless as fake,
        ObsClient("127.0.0.1", fake.port, None, timeout_s=5) as client,
        pytest.raises(ObsError, match=remedy),
    ):
        set_up_scene(client, wanted)
    assert "SetInputName" not in fake.requests


def test_host_that_is_no_name_counts_as_another_machine() -> None:
    text = f"[obs]\nhost = '{'x' * 64}'\n"  # a label too long for any name service
    assert wanted_scene(parse_config(text, "config.toml")).media is None
