"""Which caches are whose. That they hold what was published is a test of the kit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import snncore


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
