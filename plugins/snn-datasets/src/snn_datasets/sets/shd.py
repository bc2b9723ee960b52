"""SHD from its two official files."""

from __future__ import annotations

from typing import ClassVar

from snn_datasets.manifest import Info
from snn_datasets.sets.sound_dataset import SoundDataset


class SHD(SoundDataset):
    """Spiking Heidelberg Digits: spoken digits in English and German as spikes of 700 units.

    12 speakers; two of them are heard in the test split alone. ``shd_train.h5`` and
    ``shd_test.h5`` are read as they are or from their zip files.

    Protocols, args, attributes and shape: those of
    :class:`snn_datasets.sets.sound_dataset.SoundDataset`.

    Raises: as that class.

    Example:
        >>> SHD.sensor, SHD.protocols
        ((700, 1), ('official', 'leave_one_speaker_out'))

    Source: B. Cramer, Y. Stradmann, J. Schemmel and F. Zenke, The Heidelberg spiking data sets for
        the systematic evaluation of spiking neural networks, IEEE Transactions on Neural Networks
        and Learning Systems 33, 2022.
    """

    info: ClassVar[Info] = Info.load("shd")
