"""Deliberately wrong datasets: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

import operator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from snncore.testing.dataset import DatasetConformance
from snncore.testing.format import EVENT

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
        if split not in ("train", "test"):
            raise ValueError(f"split: train or test, got {split}")
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


class ForgetsItsSplit(Right):
    split = property(lambda self: "train", lambda self, given: None)


class TakesAnySplit(Right):
    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split if split == "train" else "test")
        self.split = split


class Divided(Right):
    """Three splits, in two ways."""

    splits = ("train", "valid", "test")
    protocols = ("thirds", "absent")

    def __init__(
        self, root: str | None = None, *, split: str = "train", protocol: str = "thirds"
    ) -> None:
        if split not in self.splits or protocol not in self.protocols:
            raise ValueError(f"got split {split}, protocol {protocol}")
        if protocol == "absent":
            raise FileNotFoundError("files of this way are missing")
        super().__init__(root)
        self.split, self.protocol = split, protocol
        self.indices = np.arange(5) + 5 * self.splits.index(split)
        self.targets = self.indices.astype(np.int64) % 2


class SharesValid(Divided):
    def __init__(
        self, root: str | None = None, *, split: str = "train", protocol: str = "thirds"
    ) -> None:
        super().__init__(root, split=split, protocol=protocol)
        self.indices = self.indices - (4 if split == "valid" else 0)


class EmptyValid(Divided):
    def __len__(self):
        return 0 if self.split == "valid" else 5


class ForgetsItsProtocol(Divided):
    protocol = property(lambda self: "halves", lambda self, given: None)


class Recorded(Right):
    """Recordings whose frames differ in number."""

    temporal = True
    sensor = (3, 2)
    sample_shape = (-1, 2, 2, 3)

    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split)
        self.cache = None

    def events(self, index):
        made = np.zeros(3 + index, EVENT)
        made["t"] = np.arange(3 + index)
        made["x"] = int(self.indices[index]) % 3
        return made

    def load(self, index):
        chance = np.random.default_rng([self.seed, self.epoch, int(self.indices[index])])
        return torch.from_numpy(chance.random((3 + index % 2, 2, 2, 3), dtype=np.float32))

    def prepare(self, *, progress=True):
        self.cache = KEPT
        return self.cache


KEPT: list[str] = ["kept"]


class Finds(Recorded):
    """Uses what was prepared in other instances as well."""

    prepared = False

    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split)
        self.cache = KEPT if Finds.prepared else None

    def prepare(self, *, progress=True):
        Finds.prepared = True
        return super().prepare()


class OtherWhenPrepared(Finds):
    def events(self, index):
        return super().events(index)[: None if self.cache is None else -1]


class WrongEvents(Recorded):
    change: Any = None

    def events(self, index):
        return type(self).change(super().events(index))


class Descends(WrongEvents):
    change = staticmethod(lambda events: events[::-1].copy())


class OffTheSensor(WrongEvents):
    @staticmethod
    def change(events):
        events["y"][-1] = 2
        return events


class OtherFields(WrongEvents):
    change = staticmethod(lambda events: events[["t", "x", "y"]])


class HandsOutItsEvents(Recorded):
    def __init__(self, root: str | None = None, *, split: str = "train") -> None:
        super().__init__(root, split=split)
        self.kept = {}

    def events(self, index):
        return self.kept.setdefault(index, super().events(index))


class OtherFrames(Recorded):
    def load(self, index):
        return super().load(index)[:, :1]


ARCHIVE = SimpleNamespace(
    file="a.zip", access="auto", urls=("https://a.example",), md5="0", sha256=None, note=None
)
INFO = SimpleNamespace(
    **dict.fromkeys(("name", "title", "licence", "citation", "homepage", "size"), "known"),
    **{"samples": {"train": 10}, "archives": (), "quirks": (), "sensor": None, "manual": None},
)


def informed(**changes: Any) -> type:
    info = SimpleNamespace(**{**vars(INFO), **changes})
    return type("Informed", (Recorded,), {"info": info})


def archive(**changes: Any) -> Any:
    return SimpleNamespace(**{**vars(ARCHIVE), "page": None, **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"licence": ""}, "info.licence is empty"),
        ({"samples": {"valid": 3}}, "info counts items of {'valid'}, which is no split"),
        ({"archives": (archive(urls=()),)}, r"a\.zip has no address; say access = 'manual'"),
        ({"archives": (archive(md5=None),)}, r"a\.zip has no checksum, and no note says why"),
        ({"archives": (archive(access="manual"),)}, "by hand, and nothing says how"),
        ({"quirks": ("x is mirrored",)}, "the quirk 'x is mirrored' is no sentence"),
        ({"sensor": (9, 9)}, r"info.sensor is \(9, 9\), that of the dataset is another"),
    ],
)
def test_an_incomplete_manifest_is_caught(adopt, caught, changes, text):
    def kit_of(cls):
        return adopt(DatasetConformance, Right, make=lambda self, **kw: build(cls, kw))

    kit = kit_of(informed(**changes))
    with pytest.raises(caught, match=text):
        kit.test_the_manifest_is_complete()
    whole = informed(archives=(archive(), archive(access="manual", note="ask")), sensor=(3, 2))
    kit_of(whole).test_the_manifest_is_complete()


@pytest.mark.parametrize("wrong", [Recorded, OtherWhenPrepared])
def test_what_is_prepared_and_not_used_or_other_is_caught(adopt, caught, wrong, monkeypatch):
    monkeypatch.setattr(Finds, "prepared", False)
    kit = adopt(DatasetConformance, wrong, make=lambda self, **kw: build(wrong, kw))
    kit.prepares = True
    text = "prepared is not used" if wrong is Recorded else "item 0 has other events"
    with pytest.raises(caught, match=text):
        kit.test_prepared_is_the_same()
    monkeypatch.setattr(Finds, "prepared", False)
    kit = adopt(DatasetConformance, Finds, make=lambda self, **kw: build(Finds, kw))
    kit.prepares = True
    kit.test_prepared_is_the_same()


class Boxes(Right):
    """``y`` is an array whose length differs."""

    def __getitem__(self, index):
        transform, self.target_transform = self.target_transform, None
        x, label = Right.__getitem__(self, index)
        self.target_transform = transform
        y = 10 * (index % len(self)) + np.arange(label)
        return x, y if transform is None else transform(y)


def test_boxes_are_legal_where_declared(adopt, caught):
    kit = adopt(DatasetConformance, Boxes, make=lambda self, **kw: build(Boxes, kw))
    with pytest.raises(caught, match="y is a ndarray, expected int"):
        kit.test_items_have_the_declared_form()
    kit.classifies = False
    kit.test_items_have_the_declared_form()
    kit.test_targets_are_the_labels_of_the_items()
    kit.test_indexing_is_that_of_a_list()
    kit.test_items_depend_on_seed_epoch_and_index_alone()
    kit.test_transforms_are_applied()


def test_what_is_no_array_is_caught_where_arrays_are_declared(adopt, caught):
    kit = adopt(DatasetConformance, Right, make=lambda self, **kw: build(Right, kw))
    kit.classifies = False
    with pytest.raises(caught, match="y is a int, expected an array, since it declares"):
        kit.test_items_have_the_declared_form()


@pytest.mark.parametrize("cls", [Divided, Recorded])
def test_other_splits_and_lengths_are_legal(adopt, cls):
    kit = adopt(DatasetConformance, cls, make=lambda self, **kw: build(cls, kw))
    kit.test_lengths()
    kit.test_splits_are_disjoint()
    kit.test_results_can_name_the_split()
    if cls is Recorded:
        kit.test_items_have_the_declared_form()
        kit.test_recordings_are_events_of_the_platform()


@pytest.mark.parametrize(
    ("wrong", "test", "text"),
    [
        (ForgetsItsSplit, "results_can_name_the_split", "split is 'train', asked for was 'test'"),
        (TakesAnySplit, "results_can_name_the_split", "DID NOT RAISE"),
        (ForgetsItsProtocol, "results_can_name_the_split", "protocol is 'halves', which is none"),
        (SharesValid, "splits_are_disjoint", r"items \[1, 2, 3, 4\] .* of protocol 'thirds'"),
        (EmptyValid, "lengths", "split 'valid' is empty"),
        (Descends, "recordings_are_events_of_the_platform", r"times descend at event \[1\]"),
        (OffTheSensor, "recordings_are_events_of_the_platform", "y must be from 0 to 1, but"),
        (OtherFields, "recordings_are_events_of_the_platform", "dtype .*, not "),
        (HandsOutItsEvents, "recordings_are_events_of_the_platform", "writing into them changes"),
        (OtherFrames, "items_have_the_declared_form", "sample_shape says"),
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
    right = next(cls for cls in (Recorded, Divided, Right) if issubclass(wrong, cls))
    getattr(adopt(DatasetConformance, right), name)()


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
