from __future__ import annotations

import re

import pytest

import snncore
from snn_datasets import Info

NAMES = [
    "asl_dvs",
    "bullying10k",
    "cifar10_dvs",
    "dsec",
    "dvs_gesture",
    "dvs_lip",
    "es_imagenet",
    "gen1",
    "hardvs",
    "n_caltech101",
    "n_cars",
    "nav_gesture_sit",
    "nav_gesture_walk",
]


@pytest.mark.parametrize("name", NAMES)
def test_manifests_say_what_the_classes_say(name: str) -> None:
    info = Info.load(name)
    cls = snncore.get("dataset", f"snn-datasets/{name}")
    assert cls.info == info
    assert info.sensor == cls.sensor
    assert cls.format in info.formats
    assert info.quirks
    assert all(quirk.endswith(".") for quirk in info.quirks)
    assert set(info.samples) <= set(cls.splits)
    for text in (info.licence, info.citation, info.homepage, info.size):
        assert text


@pytest.mark.parametrize("name", NAMES)
def test_every_file_can_be_had_or_it_is_told_how(name: str) -> None:
    info = Info.load(name)
    assert info.archives
    for archive in info.archives:
        assert archive.access == "manual" or archive.urls
        assert archive.md5 is None or re.fullmatch("[0-9a-f]{32}", archive.md5)
        # Addresses that give programs nothing.
        assert not any("ndownloader" in url or "dropbox" in url for url in archive.urls)
    if info.access == "manual":
        assert info.manual


def test_counts_name_their_reading() -> None:
    info = Info.load("dvs_gesture")
    assert info.samples == {"train": 1176, "test": 288}
    assert info.counts["the paper"] == {"all": 1342}
    cars = Info.load("n_cars")
    for split in ("train", "test"):
        assert sum(counts[split] for counts in cars.counts.values()) == cars.samples[split]
