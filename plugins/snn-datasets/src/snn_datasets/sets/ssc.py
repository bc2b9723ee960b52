"""SSC from its three official files."""

from __future__ import annotations

from typing import ClassVar

from snn_datasets.manifest import Info
from snn_datasets.sets.sound_dataset import SoundDataset


class SSC(SoundDataset):
    """Spiking Speech Commands: 35 spoken words as spikes of 700 units.

    Splits are "train", "valid" and "test", those of Speech Commands: a speaker is in one of them.
    ``ssc_<split>.h5`` is read as it is or from its zip file. All spikes of a split stay in memory,
    more than 2 GB for "train".

    Args, attributes and shape: those of :class:`snn_datasets.sets.sound_dataset.SoundDataset`. The
    one protocol is ``official``, so ``speaker`` stands for nothing.

    Raises: as that class.

    Example:
        >>> SSC.splits
        ('train', 'valid', 'test')

    Source: B. Cramer, Y. Stradmann, J. Schemmel and F. Zenke, The Heidelberg spiking data sets for
        the systematic evaluation of spiking neural networks, IEEE Transactions on Neural Networks
        and Learning Systems 33, 2022; P. Warden, Speech Commands, arXiv:1804.03209, 2018.
    """

    info: ClassVar[Info] = Info.load("ssc")
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    protocols: ClassVar[tuple[str, ...]] = ("official",)
