"""What was prepared is what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")

LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "asl_dvs": ("asl_dvs", {"mirrored": True}),
    "bullying10k": ("bullying10k", {}),
    "cifar10_dvs": ("cifar10_dvs", {"on_bit": 1}),
    "dsec": ("dsec", {"window_us": 33_000, "camera": "right"}),
    "dvs_gesture": ("gestures", {}),
    "dvs_lip": ("dvs_lip", {}),
    "es_imagenet": ("es_imagenet", {}),
    "gen1": ("gen1", {}),
    "hardvs": ("hardvs", {}),
    "n_caltech101": ("n_caltech101", {}),
    "n_cars": ("n_cars", {}),
    "nav_gesture_walk": ("nav_gesture", {}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_prepared_recordings_are_those_of_the_files(
    layouts: Any, tmp_path: Path, name: str
) -> None:
    layout, more = LAYOUTS[name]
    params = {"root": str(getattr(layouts, layout)(tmp_path)), "T": 3, **more}
    dataset = snncore.build("dataset", name, **params)
    assert dataset.cache is None
    chosen = range(0, len(dataset), max(len(dataset) // 4, 1))
    events = [dataset.events(i) for i in chosen]
    x = [dataset[i][0] for i in chosen]
    dataset.prepare(progress=False)
    for twin in (dataset, snncore.build("dataset", name, **params)):
        assert twin.cache is not None
        assert all(np.array_equal(twin.events(i), e) for i, e in zip(chosen, events, strict=True))
        assert all(twin[i][0].equal(was) for i, was in zip(chosen, x, strict=True))


def test_other_readings_of_a_file_have_caches_of_their_own(layouts: Any, tmp_path: Path) -> None:
    root = str(layouts.cifar10_dvs(tmp_path))
    plain = snncore.build("dataset", "cifar10_dvs", root=root)
    plain.prepare(progress=False)
    other = snncore.build("dataset", "cifar10_dvs", root=root, on_bit=1)
    assert other.cache is None
    # One cache serves all splits and protocols of the same archives.
    test = snncore.build(
        "dataset", "cifar10_dvs", root=root, split="test", protocol="stratified_9_1"
    )
    assert test.cache is not None


def test_other_boxes_of_gen1_are_other_items(layouts: Any, tmp_path: Path) -> None:
    root = str(layouts.gen1(tmp_path))
    snncore.build("dataset", "gen1", root=root).prepare(progress=False)
    assert snncore.build("dataset", "gen1", root=root, skip_us=0).cache is None
    assert snncore.build("dataset", "gen1", root=root, window_us=5_000).cache is None
    assert snncore.build("dataset", "gen1", root=root, T=3).cache is not None
