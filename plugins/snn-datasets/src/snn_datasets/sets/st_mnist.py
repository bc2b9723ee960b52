"""ST-MNIST from its official zip file."""

from __future__ import annotations

import re
from typing import ClassVar

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.place import notice
from snn_datasets.recordings import Recordings
from snn_datasets.splits import stratified

_MEMBER = re.compile(r"(?:^|/)([0-9])/([^/]+)\.mat$")
# Tables beside the recordings carry it in their names.
_TABLE = "LUT"
_TEST_SHARE = 0.2


class STMNIST(EventDataset):
    """Digits that 23 people wrote on an array of 10x10 taxels, about 1 s each.

    The published archive, or the folder that it was unpacked into, is read in place; labels come
    from the folder names. Taxel i is at x = i mod 10, y = i div 10; p = 1 where pressure rises.

    Protocols: there is no official split. ``stratified_8_2`` puts a fifth of each digit into test,
    by :func:`snn_datasets.splits.stratified` with seed 0 over the recordings in the order of
    digit and file name.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 10, 10]``.

    Raises: as :class:`snn_datasets.EventDataset`, and MissingExtra without scipy.

    Example:
        >>> STMNIST.sensor, STMNIST.protocols
        ((10, 10), ('stratified_8_2',))

    Source: H. H. See et al., ST-MNIST - the spiking tactile MNIST neuromorphic dataset,
        arXiv:2005.04319, 2020.
    """

    info: ClassVar[Info] = Info.load("st_mnist")
    sensor: ClassVar[tuple[int, int]] = (10, 10)
    protocols: ClassVar[tuple[str, ...]] = ("stratified_8_2",)
    format: ClassVar[str] = "snn-datasets/mat"

    def find(self) -> Recordings:
        self.classes = tuple(str(digit) for digit in range(10))
        members = self.open(self.info.archives[0].file, suffix=".mat")
        found = Recordings.find([members], _labelled, expected="members named <digit>/<name>.mat")
        official = self.info.counts["all recordings"]["all"]
        if len(found) != official:
            notice(members.path, f"it holds {len(found)} recordings, the official one {official}")
        test = stratified(found.targets, _TEST_SHARE, seed=0)
        return found.take(test if self.split == "test" else ~test)


def _labelled(name: str) -> tuple[tuple[int, str], int] | None:
    match = _MEMBER.search(name)
    if match is None or _TABLE in match[2]:
        return None
    digit = int(match[1])
    return (digit, match[2]), digit
