"""No damage to a store's files is ever handed to a runtime."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.weights import small_store
from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import Network
from vtbridge.render.weights.record import RECORD_FILE
from vtbridge.render.weights.store import EntryState, WeightStore

REMEDY = "vtbridge weights import PATH --as small"
positions = st.floats(0, 1, exclude_max=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    return small_store(tmp_path_factory.mktemp("store"))


def read_or_remedy(store: WeightStore, network: Network) -> bytes | str:
    try:
        return store.network_bytes("small", network)
    except WeightsError as error:
        return REMEDY if REMEDY in str(error) else str(error)


@settings(max_examples=100, deadline=None)
@given(network=st.sampled_from(Network), position=positions, bit=st.integers(0, 7))
def test_flipped_bit_is_always_refused(
    store: WeightStore, network: Network, position: float, bit: int
) -> None:
    path = store.directory("small") / network.weight_file
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[int(position * len(whole))] ^= 1 << bit
    try:
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=network.weight_file):
            store.network_bytes("small", network)
    finally:
        path.write_bytes(whole)


@settings(max_examples=50, deadline=None)
@given(network=st.sampled_from(Network), position=positions)
def test_truncation_is_always_refused(
    store: WeightStore, network: Network, position: float
) -> None:
    path = store.directory("small") / network.weight_file
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[: int(position * len(whole))])
        assert not store.is_ready("small")
        with pytest.raises(WeightsError, match=network.weight_file):
            store.network_bytes("small", network)
    finally:
        path.write_bytes(whole)


@settings(max_examples=100, deadline=None)
@given(position=positions, replacement=st.binary(min_size=1, max_size=8))
def test_damaged_record_never_changes_what_is_read(
    store: WeightStore, position: float, replacement: bytes
) -> None:
    path = store.directory("small") / RECORD_FILE
    whole = path.read_bytes()
    right = {network: store.network_bytes("small", network) for network in Network}
    start = int(position * len(whole))
    try:
        path.write_bytes(whole[:start] + replacement + whole[start + len(replacement) :])
        for network in Network:
            assert read_or_remedy(store, network) in (right[network], REMEDY)
        assert isinstance(store.status()[-1].state, EntryState)
    finally:
        path.write_bytes(whole)
