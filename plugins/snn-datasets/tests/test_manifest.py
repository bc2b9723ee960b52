from __future__ import annotations

import pytest

from snn_datasets import Archive, Info


def manifest(*archives: Archive) -> Info:
    return Info("a", "A", "CC0", "nobody", "https://a.example", "1 MB", {"valid": 3}, archives)


def test_what_a_manifest_leaves_out_has_defaults() -> None:
    info = manifest(Archive("a.zip"))
    assert (info.sensor, info.classes, info.manual) == (None, None, None)
    assert (info.formats, info.quirks, info.counts) == ((), (), {})
    archive = info.archives[0]
    assert (archive.access, archive.page, archive.note) == ("auto", None, None)


def test_one_file_to_be_fetched_by_hand_makes_a_dataset_manual() -> None:
    assert manifest().access == "auto"
    assert manifest(Archive("a.zip"), Archive("b.zip")).access == "auto"
    assert manifest(Archive("a.zip"), Archive("b.zip", access="manual")).access == "manual"


def test_another_access_is_refused() -> None:
    with pytest.raises(ValueError, match=r"archive a\.zip: access must be 'auto' or 'manual'"):
        Archive("a.zip", access="form")  # type: ignore[arg-type]


def test_lists_of_a_manifest_are_tuples() -> None:
    info = Info.load("n_mnist")
    assert info.sensor == (34, 34)
    assert info.formats == ("snn-datasets/bin40",)
    assert len(info.quirks) == 3
    assert all(quirk.endswith(".") for quirk in info.quirks)
