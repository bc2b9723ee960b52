"""The shipped recipes reach their accuracy on real data, or run on files of its layout."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import mean

import pytest

from snn_train import evaluate, load_recipe, train
from snn_train.parts import dataset_of

pytestmark = pytest.mark.slow


def folder_of(dataset: str) -> Path:
    root = os.environ.get("SNN_TEST_DATA")
    if not root:
        pytest.skip("SNN_TEST_DATA names no folder of recordings")
    if not (Path(root) / dataset).is_dir():
        pytest.skip(f"SNN_TEST_DATA holds no {dataset}")
    return Path(root) / dataset


def accuracy(recipe: str, seed: int, root: Path, *overrides: str) -> float:
    result = train(recipe, [f"run.seed={seed}", f"run.root={root}", *overrides])
    return result["test_accuracy"]


@pytest.mark.parametrize("seed", range(5))
def test_digits(seed: int, tmp_path: Path):
    assert accuracy("digits", seed, tmp_path) >= 0.97


@pytest.mark.parametrize("seed", range(2))
def test_digits_of_other_writers(seed: int, tmp_path: Path):
    assert accuracy("digits_hard", seed, tmp_path) >= 0.93


def test_mnist(tmp_path: Path):
    root = f"data.root={folder_of('mnist')}"
    assert accuracy("mnist", 0, tmp_path, root, "data.protocol=t10k_8k_2k") >= 0.97


@pytest.mark.filterwarnings("ignore:.*holds .* recordings")
def test_n_mnist(tmp_path: Path):
    root = f"data.root={folder_of('nmnist')}"
    found = [accuracy("n_mnist", seed, tmp_path, root) for seed in range(3)]
    assert mean(found) >= 0.90
    assert min(found) >= 0.87


@pytest.mark.parametrize("recipe", ["shd_like", "shd_like_alif", "shd_like_heterogeneous"])
def test_spoken_digits(recipe: str, tmp_path: Path):
    root = f"data.root={folder_of('shd_like')}"
    found = [accuracy(recipe, seed, tmp_path, root) for seed in range(2)]
    assert mean(found) >= 0.90
    assert min(found) >= 0.88


def test_dvs_gesture_runs_on_files_of_its_layout(tmp_path: Path):
    changes = [f"data.root={folder_of('dvsgesture_like')}", "train.epochs=2", "train.batch_size=3"]
    recipe = load_recipe("dvs_gesture", changes)
    # Each interval of the label files is an item, overlapping or not; no event of one is lost.
    counts = {
        split: [int(x.sum()) for x, _ in dataset_of(recipe, split)] for split in ("train", "test")
    }
    assert counts == {
        "train": [42045, 27261, 15073, 8769, 6757, 11753],
        "test": [13039, 3991, 1489],
    }
    result = train(recipe, [f"run.root={tmp_path}"])
    assert 0 <= result["test_accuracy"] <= 1
    again = evaluate(tmp_path / "dvs_gesture-seed0")
    assert again.accuracy == result["test_accuracy"]
    assert again.loss == pytest.approx(result["test_loss"])
