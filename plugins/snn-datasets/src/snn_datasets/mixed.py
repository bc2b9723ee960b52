"""A dataset whose items are mixed of two recordings each."""

from __future__ import annotations

from typing import Any

import torch
import torch.utils.data

from snn_datasets.augment.choice import check_probability, happens
from snn_datasets.augment.mix import EventMix
from snn_datasets.event_dataset import EventDataset


class Mixed(torch.utils.data.Dataset[tuple[Any, Any]]):
    """The items of a dataset, each mixed with another one by chance, and labels that say how much.

    ``y`` becomes a distribution over the classes: w at the class of the item, 1 - w at that of its
    partner, as :class:`EventMix` says. Partners are drawn from the whole dataset, each as likely;
    both recordings are augmented before, as the dataset is told to. All depends on
    (seed, epoch, index) of the dataset alone.

    Args:
        dataset: what is mixed; its ``transform`` is applied to x, its ``target_transform`` to y.
        mix: how; :class:`EventMix` of its own parameters if not given.
        probability: that an item is mixed.

    Shape: x as of the dataset; y ``[classes]``, float32, of sum 1.

    Raises: ValueError for a probability outside 0 to 1.

    Example:
        >>> from snn_datasets import NMNIST
        >>> def of_training() -> Mixed:
        ...     return Mixed(NMNIST(split="train", download=True), EventMix(alpha=0.5))

    Source: G. Shen et al., EventMix: An Efficient Augmentation Strategy for Event-Based Data,
    arXiv:2205.12054, 2022 (Information Sciences 644, 2023).
    """

    def __init__(
        self, dataset: EventDataset, mix: EventMix | None = None, *, probability: float = 0.5
    ) -> None:
        check_probability(probability)
        self.dataset = dataset
        self.mix = EventMix() if mix is None else mix
        self.probability = probability

    def set_epoch(self, epoch: int) -> None:
        """As :meth:`Dataset.set_epoch`, of the dataset that is mixed."""
        self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        dataset = self.dataset
        # A stream of its own: the generator of the item varies its recording.
        (rng,) = dataset.generator(index).spawn(1)
        index = int(index) % len(dataset)
        events = dataset.vary(dataset.events(index), index)
        y = torch.zeros(len(dataset.classes))
        weight = 1.0
        if happens(rng, self.probability):
            other = int(rng.integers(len(dataset)))
            partner = dataset.vary(dataset.events(other), other)
            events, weight = self.mix(events, partner, rng, dataset.size)
            y[int(dataset.targets[other])] += 1 - weight
        y[int(dataset.targets[index])] += weight
        x: Any = dataset.cut(events)
        if dataset.transform is not None:
            x = dataset.transform(x)
        return x, y if dataset.target_transform is None else dataset.target_transform(y)
