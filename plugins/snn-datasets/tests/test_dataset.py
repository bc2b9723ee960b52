from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import snncore
from snn_datasets import NMNIST, Digits, Frames
from snncore.errors import ConfigError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is not the published file"),
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
]


def contents(loader: DataLoader[Any]) -> torch.Tensor:
    return torch.cat([x for x, _ in loader])


def test_indices_behave_like_those_of_a_list() -> None:
    dataset = Digits(split="test")
    assert dataset[-1][0].equal(dataset[len(dataset) - 1][0])
    assert dataset[np.int64(3)][0].equal(dataset[3][0])  # type: ignore[arg-type]
    for index in (359, -360):
        with pytest.raises(
            IndexError,
            match=rf"index {index} is out of range: snn-datasets/digits, split 'test', has 359",
        ):
            dataset[index]
    with pytest.raises(TypeError, match="integer"):
        dataset["0"]  # type: ignore[index]
    assert len(list(dataset)) == 359


def test_transforms_are_applied() -> None:
    dataset = Digits(transform=lambda x: x.sum(), target_transform=lambda y: -y)
    plain = Digits()
    assert dataset[5] == (plain[5][0].sum(), -plain[5][1])


def test_generators_depend_on_seed_epoch_and_index_alone() -> None:
    def draw(seed: int, epoch: int, index: int) -> float:
        dataset = Digits(seed=seed)
        dataset.set_epoch(epoch)
        return dataset.generator(index).random()

    assert draw(1, 2, 3) == np.random.default_rng([1, 2, 3]).random()
    assert draw(1, 2, -1) == draw(1, 2, len(Digits()) - 1)
    assert len({draw(*key) for key in [(1, 2, 3), (0, 2, 3), (1, 0, 3), (1, 2, 0)]}) == 4
    with pytest.raises(ValueError, match=r"the epoch must be >= 0, got -1"):
        Digits().set_epoch(-1)


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_change_nothing_and_follow_the_epoch(nmnist_root: Path, context: str) -> None:
    dataset = NMNIST(nmnist_root, shift=4, seed=2)
    dataset[0]  # so that an open file is there to be inherited
    alone = DataLoader(dataset, batch_size=3)
    # Persistent workers hold copies of the dataset made before the epoch changes.
    workers = DataLoader(
        dataset,
        batch_size=2,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context=context,
    )
    epochs = []
    for epoch in range(3):
        dataset.set_epoch(epoch)
        epochs.append(contents(workers))
        assert epochs[-1].equal(contents(alone))
    assert not epochs[0].equal(epochs[1])
    assert not epochs[1].equal(epochs[2])


def test_copies_are_equal_and_independent(nmnist_root: Path) -> None:
    dataset = NMNIST(nmnist_root, shift=4)
    dataset.set_epoch(3)
    before = dataset[0][0]
    for twin in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert twin.epoch == 3
        assert twin[0][0].equal(before)
        twin.set_epoch(4)
        assert dataset.epoch == 3
        assert not contents(DataLoader(twin)).equal(contents(DataLoader(dataset)))


def test_a_table_says_how_frames_are_made(nmnist_root: Path) -> None:
    table = {"binary": True, "shift": 1, "crop": [16, 12]}
    dataset = NMNIST(nmnist_root, T=4, by="time", integrate=table)
    rule = Frames(T=4, by="time", binary=True, shift=1, crop=(16, 12))
    assert dataset.sample_shape == (4, 2, 12, 16)
    for index in range(3):
        expected = rule(dataset.events(index), (34, 34))
        np.testing.assert_array_equal(dataset[index][0].numpy(), expected)
    assert dataset[0][0].max() == 1
    twin = snncore.build("dataset", "n_mnist", **snncore.config_of(dataset))
    assert twin[0][0].equal(dataset[0][0])


def test_a_table_that_cuts_itself_says_so_alone(nmnist_root: Path) -> None:
    dataset = NMNIST(nmnist_root, integrate={"count": 100})
    assert dataset.sample_shape == (-1, 2, 34, 34)
    events = dataset.events(0)
    np.testing.assert_array_equal(dataset[0][0], Frames(count=100)(events, (34, 34)))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"binery": True}, r"integrate: unknown parameter 'binery' \(did you mean 'binary'\?\)"),
        ({"shift": "two"}, r"integrate: shift: input should be a valid integer"),
        ({"crop": [40, 3]}, r"a crop of 40 x 3 pixels is larger than the frame of 34 x 34"),
    ],
)
def test_a_wrong_table_is_explained(nmnist_root: Path, table: dict[str, Any], text: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=text):
        NMNIST(nmnist_root, integrate=table)


def test_config_round_trip(nmnist_root: Path) -> None:
    dataset = snncore.build("dataset", "n_mnist", root=str(nmnist_root), T=4, by="time", shift=1)
    config = snncore.config_of(dataset)
    assert config["root"] == str(nmnist_root)
    twin = snncore.build("dataset", "snn-datasets/n_mnist", **config)
    assert contents(DataLoader(twin)).equal(contents(DataLoader(dataset)))


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"split": "val"}, r"split: input should be 'train' or 'test', got 'val'"),
        ({"protocol": "mine"}, r"protocol: input should be 'official', got 'mine'"),
        ({"T": 0}, r"T: input should be greater than 0, got 0"),
        ({"by": "events"}, r"by: input should be 'count' or 'time', got 'events'"),
        ({"shift": -1}, r"shift: input should be greater than or equal to 0, got -1"),
        ({"seed": -1}, r"seed: input should be greater than or equal to 0, got -1"),
        ({"transform": 3}, r"transform: input should be callable, got 3"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], text: str) -> None:
    for make in (NMNIST, lambda **p: snncore.build("dataset", "n_mnist", **p)):
        with pytest.raises(ConfigError, match=rf"dataset snn-datasets/n_mnist: {text}"):
            make(**parameters)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown parameter 'shfit' \(did you mean 'shift'\?\)"):
        snncore.build("dataset", "n_mnist", shfit=1)


def test_what_a_dataset_is_can_be_read() -> None:
    assert repr(Digits()) == (
        "Digits(split='train', protocol='stratified'): 1438 items of shape [1, 8, 8], 10 classes"
    )
    assert Digits.info.licence == "CC BY 4.0"
    names = [parameter.name for parameter in snncore.info("dataset", "n_mnist").parameters]
    assert names[:3] == ["root", "split", "protocol"]
    assert names[-3:] == ["integrate", "augment", "shift"]
