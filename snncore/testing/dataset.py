"""The conformance kit of datasets."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from snncore.testing.conformance import Conformance
from snncore.testing.format import EVENT


class DatasetConformance(Conformance):
    """What every map-style dataset of the platform promises, as tests.

    Attributes:
        params: constructor parameters, for example ``{"root": ...}``.
        items: how many items are looked at, spread over the dataset.
        classifies: whether ``y`` is the number of a class. If not, it is an array (boxes, say), and
            ``targets`` are its lengths.
        sorted_events: whether the times of recordings ascend, where the dataset has ``events``.
        prepares: whether the dataset is prepared as well, which may take long and writes beside
            its files: for small ones.
        start_methods: of worker processes that items are also fetched through, "spawn" and
            "forkserver"; each takes seconds.

    Splits are those of the attribute ``splits``, else train and test; they are divided in each
    way of the attribute ``protocols``. The first dimension of ``sample_shape`` may be -1 where
    sequences differ in length.

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
    classifies: bool = True
    sorted_events: bool = True
    prepares: bool = False
    start_methods: Sequence[str] = ()

    _flags: ClassVar[tuple[str, ...]] = ("classifies", "sorted_events")

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

    def splits(self) -> list[str]:
        """Names of the splits that the dataset has."""
        return list(getattr(self.dataset(), "splits", ("train", "test")))

    def protocols(self) -> list[dict[str, str]]:
        """Parameters that choose each way of dividing the dataset whose files are there."""
        found = list[dict[str, str]]()
        if "protocol" not in self.params:
            for name in getattr(self.dataset(), "protocols", ()):
                try:
                    self.dataset(protocol=name)
                except FileNotFoundError:
                    continue
                found.append({"protocol": name})
        return found or [{}]

    def recorded(self) -> Any:
        """A dataset of recordings; the test is skipped for others."""
        dataset = self.dataset()
        if not hasattr(dataset, "events"):
            pytest.skip(f"{self.label} has no recordings of events")
        return dataset

    def some(self, dataset: Any) -> list[int]:
        """Indices of a few items from first to last."""
        last = len(dataset) - 1
        return sorted({round(i * last / (self.items - 1)) for i in range(self.items)})

    def test_lengths(self) -> None:
        for split in self.splits():
            dataset = self.dataset(split=split)
            assert len(dataset) > 0, f"{self.label}: split {split!r} is empty"
            assert len(dataset.targets) == len(dataset), (
                f"{self.label}: split {split!r} has {len(dataset)} items and "
                f"{len(dataset.targets)} targets"
            )

    def test_splits_are_disjoint(self) -> None:
        """No looked-at item of one split is an item of another."""
        for protocol in self.protocols():
            parts = [(name, self.dataset(split=name, **protocol)) for name in self.splits()]
            for (one, left), (other, right) in combinations(parts, 2):
                assert tuple(left.classes) == tuple(right.classes), (
                    f"{self.label}: splits differ in classes"
                )
                both = _indices(left) & _indices(right)
                assert not both, (
                    f"{self.label}: items {sorted(both)[:5]} are in both splits{_by(protocol)}"
                )
                for i in self.some(left):
                    for j in self.some(right):
                        assert not _same(left[i], right[j]), (
                            f"{self.label}: item {i} of {one} is item {j} of {other}{_by(protocol)}"
                        )

    def test_results_can_name_the_split(self) -> None:
        """``split`` and ``protocol`` say how the dataset was divided; unknown ones are refused."""
        names = getattr(self.dataset(), "protocols", ())
        for protocol in self.protocols():
            for split in self.splits():
                dataset = self.dataset(split=split, **protocol)
                assert dataset.split == split, (
                    f"{self.label}: split is {dataset.split!r}, asked for was {split!r}"
                )
                if names:
                    assert dataset.protocol in names, (
                        f"{self.label}: protocol is {dataset.protocol!r}, which is none of {names}"
                    )
                    assert protocol.get("protocol", dataset.protocol) == dataset.protocol
        for name in ("split", "protocol") if names else ("split",):
            with pytest.raises(ValueError, match="no such thing"):
                self.dataset(**{name: "no such thing"})

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
        for split in self.splits():
            dataset = self.dataset(split=split)
            dims = 4 if dataset.temporal else 3
            for index in self.some(dataset):
                x, y = dataset[index]
                where = f"{self.label}, split {split!r}, item {index}"
                assert isinstance(x, Tensor), f"{where}: x is a {type(x).__name__}, no tensor"
                assert x.dtype == torch.float32, f"{where}: x is {x.dtype}, expected float32"
                assert _fits(tuple(x.shape), tuple(dataset.sample_shape)), (
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
                if not self.classifies:
                    assert isinstance(y, np.ndarray), (
                        f"{where}: y is a {type(y).__name__}, expected an array, since it declares "
                        "classifies = False"
                    )
                    continue
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
            y = dataset[index][1]
            label = y if self.classifies else len(y)
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

    def test_fresh_processes_change_nothing(self) -> None:
        methods = [m for m in self.start_methods if m in multiprocessing.get_all_start_methods()]
        if not methods:
            pytest.skip(f"{self.label} is tried with the default start method alone")
        for method in methods:
            dataset = self.dataset()
            dataset.set_epoch(1)
            indices = self.some(dataset)
            loader = DataLoader(
                Subset(dataset, indices),
                batch_size=None,
                num_workers=1,
                multiprocessing_context=method,
            )
            expected = [dataset[i] for i in indices]
            _assert_all_same(list(loader), expected, f"{self.label} through {method}")

    def test_recordings_are_events_of_the_platform(self) -> None:
        dataset = self.recorded()
        planes = dataset.sample_shape[1]
        width, height = getattr(dataset, "sensor", (1 << 15, 1 << 15))
        for index in self.some(dataset):
            events = dataset.events(index)
            where = f"{self.label}, events of item {index}"
            assert isinstance(events, np.ndarray), f"{where}: no array"
            assert events.dtype == EVENT, f"{where}: dtype {events.dtype}, not {EVENT}"
            assert events.ndim == 1, f"{where}: an array of {events.ndim} dimensions"
            for name, most in (("x", width), ("y", height), ("p", max(planes, 2))):
                wrong = events[(events[name] < 0) | (events[name] >= most)]
                assert not wrong.size, (
                    f"{where}: {name} must be from 0 to {most - 1}, but there is {wrong[0]}"
                )
            if self.sorted_events:
                falls = np.flatnonzero(np.diff(events["t"]) < 0)
                assert not falls.size, (
                    f"{where}: times descend at event {falls[:1] + 1}; sort them, or declare "
                    "sorted_events = False and say why"
                )
            again = dataset.events(index).copy()
            assert np.array_equal(events, again), f"{where}: another time they are others"
            events["t"] += 1
            assert np.array_equal(dataset.events(index), again), (
                f"{where}: writing into them changes the dataset; return a copy"
            )

    def test_prepared_is_the_same(self) -> None:
        dataset = self.recorded()
        if not self.prepares:
            pytest.skip(f"{self.label} is not prepared here; prepares = True does")
        dataset.cache = None
        indices = self.some(dataset)
        expected = [(dataset.events(i), dataset[i]) for i in indices]
        dataset.prepare(progress=False)
        for twin in (dataset, self.dataset(), pickle.loads(pickle.dumps(dataset))):
            assert twin.cache is not None, f"{self.label}: what was prepared is not used"
            for i, (events, item) in zip(indices, expected, strict=True):
                assert np.array_equal(twin.events(i), events), (
                    f"{self.label}: prepared, item {i} has other events"
                )
                _assert_same(twin[i], item, f"{self.label}, prepared, item {i}")

    def test_the_manifest_is_complete(self) -> None:
        """``info`` says what a person wants to know before anything is fetched."""
        info = getattr(self.dataset(), "info", None)
        if info is None:
            pytest.skip(f"{self.label} has no info")
        for name in ("name", "title", "licence", "citation", "homepage", "size"):
            assert getattr(info, name, ""), f"{self.label}: info.{name} is empty"
        unknown = set(info.samples) - set(self.splits())
        assert not unknown, f"{self.label}: info counts items of {unknown}, which is no split"
        for archive in info.archives:
            where = f"{self.label}: archive {archive.file}"
            if archive.access == "manual":
                steps = info.manual or archive.note or archive.page
                assert steps, f"{where} is fetched by hand, and nothing says how"
            else:
                assert archive.urls, f"{where} has no address; say access = 'manual'"
                assert archive.md5 or archive.sha256 or archive.note, (
                    f"{where} has no checksum, and no note says why"
                )
        for quirk in info.quirks:
            assert quirk.endswith("."), f"{self.label}: the quirk {quirk!r} is no sentence"
        assert info.sensor in (None, getattr(self.dataset(), "sensor", info.sensor)), (
            f"{self.label}: info.sensor is {info.sensor}, that of the dataset is another"
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


def _negate(y: Any) -> Any:
    return y[::-1] if isinstance(y, np.ndarray) else -y - 1


def _indices(dataset: Any) -> set[int]:
    return set(np.asarray(getattr(dataset, "indices", ())).tolist())


def _by(protocol: Mapping[str, str]) -> str:
    return "".join(f" of protocol {name!r}" for name in protocol.values())


def _fits(shape: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    return shape == declared or (declared[0] == -1 and shape[1:] == declared[1:])


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return torch.equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def _assert_same(got: tuple[Any, Any], expected: tuple[Any, Any], what: str) -> None:
    assert _same(got, expected), f"{what}: the item differs"


def _assert_all_same(
    got: Sequence[tuple[Any, Any]], expected: Sequence[tuple[Any, Any]], what: str
) -> None:
    assert len(got) == len(expected), f"{what}: {len(got)} items, expected {len(expected)}"
    for i, (one, other) in enumerate(zip(got, expected, strict=True)):
        _assert_same(one, other, f"{what}, number {i}")
