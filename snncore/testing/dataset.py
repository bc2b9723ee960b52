"""The conformance kit of datasets."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from snncore.testing.conformance import Conformance


class DatasetConformance(Conformance):
    """What every map-style dataset of the platform promises, as tests.

    Attributes:
        params: constructor parameters, for example ``{"root": ...}``.
        items: how many items are looked at, spread over the dataset.

    A dataset whose files are not in its default folder is skipped with its own words; one with a
    ``root`` in ``params`` is not. Where parameters come from fixtures, override :meth:`make`.

    Example:
        >>> class TestDigits(DatasetConformance):
        ...     component = "snn-datasets/digits"
        ...     params = {"protocol": "last_writers"}
    """

    kind: ClassVar[str] = "dataset"
    params: Mapping[str, Any] = {}
    items: int = 6

    @pytest.fixture(autouse=True)
    def _skip_without_files(self, _adopt_declared: None) -> None:
        if "root" in self.params:
            return
        try:
            self.dataset()
        except FileNotFoundError as error:
            pytest.skip(f"{self.label}: {str(error).splitlines()[0]}")

    def dataset(self, **more: Any) -> Any:
        """A fresh dataset."""
        return self.make(**{**self.params, **more})

    def some(self, dataset: Any) -> list[int]:
        """Indices of a few items from first to last."""
        last = len(dataset) - 1
        return sorted({round(i * last / (self.items - 1)) for i in range(self.items)})

    def test_lengths(self) -> None:
        for split in ("train", "test"):
            dataset = self.dataset(split=split)
            assert len(dataset) > 0, f"{self.label}: split {split!r} is empty"
            assert len(dataset.targets) == len(dataset), (
                f"{self.label}: split {split!r} has {len(dataset)} items and "
                f"{len(dataset.targets)} targets"
            )

    def test_splits_are_disjoint(self) -> None:
        """No looked-at item of one split is an item of the other."""
        train, test = self.dataset(split="train"), self.dataset(split="test")
        assert tuple(train.classes) == tuple(test.classes), (
            f"{self.label}: splits differ in classes"
        )
        if hasattr(train, "indices"):
            both = set(np.asarray(train.indices).tolist()) & set(np.asarray(test.indices).tolist())
            assert not both, f"{self.label}: items {sorted(both)[:5]} are in both splits"
        for i in self.some(train):
            for j in self.some(test):
                assert not _same(train[i], test[j]), (
                    f"{self.label}: item {i} of train is item {j} of test"
                )

    def test_indexing_is_that_of_a_list(self) -> None:
        dataset = self.dataset()
        count = len(dataset)
        for index in self.some(dataset):
            _assert_same(dataset[index - count], dataset[index], f"{self.label}[{index - count}]")
        _assert_same(dataset[np.int64(0)], dataset[0], f"{self.label}[np.int64(0)]")
        for index in (count, -count - 1):
            with pytest.raises(IndexError):
                dataset[index]

    def test_items_have_the_declared_form(self) -> None:
        """Float32 frames ``[T, P, H, W]`` if temporal, else images ``[C, H, W]`` in [0, 1]."""
        for split in ("train", "test"):
            dataset = self.dataset(split=split)
            dims = 4 if dataset.temporal else 3
            for index in self.some(dataset):
                x, y = dataset[index]
                where = f"{self.label}, split {split!r}, item {index}"
                assert isinstance(x, Tensor), f"{where}: x is a {type(x).__name__}, no tensor"
                assert x.dtype == torch.float32, f"{where}: x is {x.dtype}, expected float32"
                assert tuple(x.shape) == tuple(dataset.sample_shape), (
                    f"{where}: x has shape {list(x.shape)}, sample_shape says "
                    f"{list(dataset.sample_shape)}"
                )
                assert x.dim() == dims, (
                    f"{where}: temporal = {dataset.temporal} asks for {dims} dimensions, got "
                    f"{x.dim()}"
                )
                assert x.isfinite().all(), f"{where}: x is not finite"
                if not dataset.temporal:
                    low, high = x.min().item(), x.max().item()
                    assert low >= 0.0, f"{where}: x begins at {low:g}, expected [0, 1]"
                    assert high <= 1.0, f"{where}: x ends at {high:g}, expected [0, 1]"
                assert type(y) is int, f"{where}: y is a {type(y).__name__}, expected int"
                assert 0 <= y < len(dataset.classes), (
                    f"{where}: y = {y}, but there are {len(dataset.classes)} classes"
                )

    def test_targets_are_the_labels_of_the_items(self) -> None:
        dataset = self.dataset()
        targets = dataset.targets
        assert isinstance(targets, np.ndarray), (
            f"{self.label}: targets is a {type(targets).__name__}, expected a numpy array"
        )
        assert targets.dtype == np.int64, f"{self.label}: targets are {targets.dtype}, not int64"
        for index in self.some(dataset):
            label = dataset[index][1]
            assert label == targets[index], (
                f"{self.label}: item {index} has label {label}, targets say {targets[index]}"
            )

    def test_targets_need_no_samples(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def loaded(*_: object) -> None:
            raise AssertionError(f"{self.label}: reading targets loads samples")

        cls = type(self.dataset())
        for name in ("__getitem__", "load"):
            if hasattr(cls, name):
                monkeypatch.setattr(cls, name, loaded)
        assert len(self.dataset().targets) > 0

    def test_items_depend_on_seed_epoch_and_index_alone(self) -> None:
        for seed in (0, 1):
            first, other = self.dataset(seed=seed), self.dataset(seed=seed)
            indices = self.some(first)
            for epoch in (0, 1):
                first.set_epoch(epoch)
                expected = [first[i] for i in indices]
                other.set_epoch(epoch)
                backwards = [other[i] for i in reversed(indices)][::-1]
                _assert_all_same(
                    backwards, expected, f"{self.label}, another instance, items in reverse order"
                )
            first.set_epoch(0)
            other.set_epoch(0)
            _assert_all_same(
                [first[i] for i in indices],
                [other[i] for i in indices],
                f"{self.label}, back in epoch 0",
            )

    @pytest.mark.parametrize("workers", [0, 2])
    def test_workers_change_nothing(self, workers: int) -> None:
        dataset = self.dataset()
        dataset.set_epoch(3)
        indices = self.some(dataset)
        with warnings.catch_warnings():
            # Forking beside torch's threads is the loader's choice, not the dataset's.
            warnings.simplefilter("ignore", DeprecationWarning)
            loader = DataLoader(
                Subset(dataset, indices), batch_size=2, num_workers=workers, collate_fn=list
            )
            loaded = [item for batch in loader for item in batch]
        _assert_all_same(
            loaded, [dataset[i] for i in indices], f"{self.label} through {workers} workers"
        )

    def test_items_are_the_callers_own(self) -> None:
        dataset = self.dataset()
        before = dataset[0][0].clone()
        dataset[0][0].fill_(0.375)
        assert torch.equal(dataset[0][0], before), (
            f"{self.label}: writing into an item changes the dataset; return a copy"
        )

    def test_pickle(self) -> None:
        dataset = self.dataset()
        dataset.set_epoch(2)
        indices = self.some(dataset)
        expected = [dataset[i] for i in indices]
        twin = pickle.loads(pickle.dumps(dataset))
        _assert_all_same([twin[i] for i in indices], expected, f"{self.label} after pickle")

    def test_transforms_are_applied(self) -> None:
        plain = self.dataset()
        dataset = self.dataset(transform=_double, target_transform=_negate)
        for index in self.some(plain):
            x, y = plain[index]
            _assert_same(dataset[index], (_double(x), _negate(y)), f"{self.label}, transformed")


def _double(x: Tensor) -> Tensor:
    return 2 * x


def _negate(y: int) -> int:
    return -y - 1


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return torch.equal(one[0], other[0]) and one[1] == other[1]


def _assert_same(got: tuple[Any, Any], expected: tuple[Any, Any], what: str) -> None:
    assert _same(got, expected), f"{what}: the item differs"


def _assert_all_same(
    got: Sequence[tuple[Any, Any]], expected: Sequence[tuple[Any, Any]], what: str
) -> None:
    assert len(got) == len(expected), f"{what}: {len(got)} items, expected {len(expected)}"
    for i, (one, other) in enumerate(zip(got, expected, strict=True)):
        _assert_same(one, other, f"{what}, number {i}")
