"""Deliberately wrong datasets: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import torch

from snncore.testing.dataset import DatasetConformance

pytest_plugins = ["pytester"]


class Right:
    """Ten noisy images of two classes, the dataset that all the wrong ones are made from."""

    temporal = False
    classes = ("even", "odd")
    sample_shape = (1, 2, 3)

    def __init__(
        self,
        root: str | None = None,
        *,
        split: str = "train",
        transform: Any = None,
        target_transform: Any = None,
        seed: int = 0,
    ) -> None:
        self.root = root
        self.split = split
        self.transform = transform
        self.target_transform = target_transform
        self.seed = seed
        self.epoch = 0
        self.indices = np.arange(10) if split == "train" else np.arange(10, 14)
        self.targets = self.indices.astype(np.int64) % 2

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.indices)

    def load(self, index):
        chance = np.random.default_rng([self.seed, self.epoch, int(self.indices[index])])
        return torch.from_numpy(chance.random(self.sample_shape, dtype=np.float32))

    def __getitem__(self, index):
        position = operator.index(index)
        position += len(self) if position < 0 else 0
        if not 0 <= position < len(self):
            raise IndexError(index)
        x, y = self.load(position), int(self.targets[position])
        x = x if self.transform is None else self.transform(x)
        return x, y if self.target_transform is None else self.target_transform(y)


class EmptyTest(Right):
    def __len__(self):
        return len(self.indices) if self.split == "train" else 0


class MissingTargets(Right):
    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split)
        self.targets = self.targets[1:]


class SharesIndices(Right):
    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split)
        self.indices = self.indices - (1 if split == "test" else 0)


class SharesItems(Right):
    def load(self, index):
        return torch.full(self.sample_shape, index / 10)


class OtherClasses(Right):
    @property
    def classes(self):
        return ("even",) if self.split == "test" else ("even", "odd")


class NoNegative(Right):
    def __getitem__(self, index):
        return super().__getitem__(abs(index))


class Wraps(Right):
    def __getitem__(self, index):
        return super().__getitem__(index % len(self))


class Doubles(Right):
    def load(self, index):
        return super().load(index).double()


class OtherShape(Right):
    def load(self, index):
        return super().load(index)[0]


class TemporalImage(Right):
    temporal = True


class TooBright(Right):
    def load(self, index):
        return super().load(index) * 255


class TensorLabel(Right):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x, torch.tensor(y)


class OneClass(Right):
    classes = ("even",)


class OtherLabels(Right):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x, 1 - y


class LabelList(Right):
    def __init__(self, root: str | None = None) -> None:
        super().__init__(root)
        self.targets = self.targets.tolist()


class ReadsAllForTargets(Right):
    def __init__(self, root: str | None = None) -> None:
        super().__init__(root)
        self.targets = np.array([self[i][1] for i in range(len(self))])


class GlobalRandomness(Right):
    def load(self, index):
        return torch.rand(self.sample_shape)


class OrderMatters(Right):
    def load(self, index):
        self.calls = getattr(self, "calls", 0) + 1
        return super().load(index) * (0.5 + 0.5 / self.calls)


class KnowsItsWorker(Right):
    def load(self, index):
        info = torch.utils.data.get_worker_info()
        return super().load(index) * (1.0 if info is None else 0.5)


class HandsOutItsOwn(Right):
    def __init__(self, root: str | None = None) -> None:
        super().__init__(root)
        self.kept = {}

    def load(self, index):
        return self.kept.setdefault(index, super().load(index))


class ForgetsEpoch(Right):
    def __getstate__(self):
        return {**self.__dict__, "epoch": 0}


class IgnoresTransform(Right):
    def __getitem__(self, index):
        self.transform = None
        return super().__getitem__(index)


@pytest.mark.parametrize(
    ("wrong", "test", "text"),
    [
        (EmptyTest, "lengths", "split 'test' is empty"),
        (MissingTargets, "lengths", "10 items and 9 targets"),
        (SharesIndices, "splits_are_disjoint", r"items \[9\] are in both splits"),
        (SharesItems, "splits_are_disjoint", "item 0 of train is item 0 of test"),
        (OtherClasses, "splits_are_disjoint", "splits differ in classes"),
        (NoNegative, "indexing_is_that_of_a_list", r"\[-10\]: the item differs|IndexError|10"),
        (Wraps, "indexing_is_that_of_a_list", "DID NOT RAISE"),
        (Doubles, "items_have_the_declared_form", "x is torch.float64, expected float32"),
        (OtherShape, "items_have_the_declared_form", r"shape \[2, 3\], sample_shape says"),
        (TemporalImage, "items_have_the_declared_form", "temporal = True asks for 4 dimensions"),
        (TooBright, "items_have_the_declared_form", r"expected \[0, 1\]"),
        (TensorLabel, "items_have_the_declared_form", "y is a Tensor, expected int"),
        (OneClass, "items_have_the_declared_form", "y = 1, but there are 1 classes"),
        (OtherLabels, "targets_are_the_labels_of_the_items", "item 0 has label 1, targets say 0"),
        (LabelList, "targets_are_the_labels_of_the_items", "targets is a list"),
        (GlobalRandomness, "items_depend_on_seed_epoch_and_index_alone", "another instance"),
        (OrderMatters, "items_depend_on_seed_epoch_and_index_alone", "in reverse order"),
        (HandsOutItsOwn, "items_are_the_callers_own", "writing into an item"),
        (ForgetsEpoch, "pickle", "after pickle"),
        (IgnoresTransform, "transforms_are_applied", "transformed"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_dataset_is_caught(adopt, caught, wrong, test, text):
    name = f"test_{test}"
    kit = adopt(DatasetConformance, Right, make=lambda self, **kw: build(wrong, kw))
    with pytest.raises((*caught, IndexError), match=text):
        getattr(kit, name)()
    getattr(adopt(DatasetConformance, Right), name)()


def build(cls: type, params: dict[str, Any]) -> Any:
    """An instance whose constructor need not name the parameters that the test is not about."""
    dataset = cls(
        **{k: v for k, v in params.items() if k not in ("transform", "target_transform", "seed")}
    )
    for name, value in params.items():
        setattr(dataset, name, value)
    return dataset


def test_workers_that_matter_are_caught(adopt):
    kit = adopt(DatasetConformance, KnowsItsWorker)
    kit.test_workers_change_nothing(0)
    with pytest.raises(AssertionError, match="through 2 workers, number 0: the item differs"):
        kit.test_workers_change_nothing(2)
    adopt(DatasetConformance, Right).test_workers_change_nothing(2)


def test_targets_that_load_are_caught(adopt, monkeypatch):
    with pytest.raises(AssertionError, match="reading targets loads samples"):
        adopt(DatasetConformance, ReadsAllForTargets).test_targets_need_no_samples(monkeypatch)
    adopt(DatasetConformance, Right).test_targets_need_no_samples(monkeypatch)


ABSENT = """
    from snncore.testing.dataset import DatasetConformance

    class TestAbsent(DatasetConformance):
        def make(self, **params):
            raise FileNotFoundError("train.zip is missing; pass download=True")

    class TestNamed(TestAbsent):
        params = {"root": "here"}
"""


def test_missing_files_skip_unless_a_root_is_named(pytester):
    pytester.makepyfile(ABSENT)
    result = pytester.runpytest_subprocess("-rs", "-k", "lengths", "-p", "no:cacheprovider")
    result.assert_outcomes(skipped=1, failed=1)
    result.stdout.fnmatch_lines(["SKIPPED*TestAbsent: train.zip is missing; pass download=True"])
