"""CIFAR10-DVS from its ten zip files."""

from __future__ import annotations

import io
import re
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Gt
from numpy.typing import NDArray

import snncore
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of
from snn_datasets.splits import per_class_first, stratified

_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_MEMBER = re.compile(rf"(?:^|/)({'|'.join(_CLASSES)})/cifar10_\1_([0-9]+)\.aedat$")
_TEST_SHARE = 0.1
_TEST_FIRST = 100


class CIFAR10DVS(EventDataset):
    """10,000 images of CIFAR10 moved before a DVS128, 1,000 of each class, 1.2 s, 128x128 pixels.

    ``airplane.zip`` to ``truck.zip`` are read in place, or the folders that they were unpacked
    into. Items are in the order of class and number. The camera was rotated; pictures stand
    upright by x = 127 - y_file, y = 127 - x_file.

    Protocols: there is no official split, and accuracies of different ones do not compare.
    ``stratified_9_1`` puts a random tenth of each class into test, by
    :func:`snn_datasets.splits.stratified` with seed 0; ``first_100_test`` the recordings 0 to 99
    of each class, which is easier and common in papers.

    Args:
        root: folder that holds the zip files; ``SNN_DATA/cifar10_dvs`` or the user's data folder
            if not given.
        split: "train" or "test".
        protocol: see above.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of all randomness of the items.
        T, by, duration_us, integrate, augment: as for all datasets of events
            (:class:`snn_datasets.EventDataset`).
        on_bit: value of the polarity bit that means ON: 0 as in jAER, which recorded the data, or
            1 as the manufacturer's description says. It exchanges the polarities.

    Shape: x ``[T, 2, 128, 128]``, float32 event counts.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> CIFAR10DVS.protocols
        ('stratified_9_1', 'first_100_test')

    Source: H. Li et al., CIFAR10-DVS: an event-stream dataset for object classification, Frontiers
        in Neuroscience 11:309, 2017.
    """

    info: ClassVar[Info] = Info.load("cifar10_dvs")
    sensor: ClassVar[tuple[int, int]] = (128, 128)
    protocols: ClassVar[tuple[str, ...]] = ("stratified_9_1", "first_100_test")
    format: ClassVar[str] = "snn-datasets/aedat2"

    def __init__(
        self,
        root: Root = None,
        *,
        split: str = "train",
        protocol: str | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
        T: Annotated[int, Gt(0)] | None = None,
        by: By = "count",
        duration_us: Annotated[int, Gt(0)] | None = None,
        integrate: Integrate = None,
        augment: Augment = None,
        on_bit: Literal[0, 1] = 0,
    ) -> None:
        self.on_bit = on_bit
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=T,
            by=by,
            duration_us=duration_us,
            integrate=integrate,
            augment=augment,
        )

    def find(self) -> Recordings:
        self.classes = _CLASSES
        found = Recordings.find(
            parts_of(self, [f"{c}.zip" for c in _CLASSES], suffix=".aedat", pattern=_MEMBER),
            _labelled,
            expected="files named <class>/cifar10_<class>_<number>.aedat",
        )
        if self.protocol == "first_100_test":
            test = per_class_first(found.targets, _TEST_FIRST)
        else:
            test = stratified(found.targets, _TEST_SHARE, seed=0)
        return found.take(test if self.split == "test" else ~test)

    def decode(self, index: int) -> NDArray[Any]:
        # Headers of the published files do not all name the chip.
        decoder = snncore.build("format", self.format, chip="DVS128")
        data = io.BytesIO(self.recordings.read(index))
        events = decoder.read(data, name=self.recordings.name(index))
        upright = events.copy()
        # The decoder has mirrored x and taken a bit of 0 for ON, as jAER does.
        upright["x"] = self.sensor[0] - 1 - events["y"]
        upright["y"] = events["x"]
        if self.on_bit == 1:
            upright["p"] = 1 - events["p"]
        return upright


def _labelled(name: str) -> tuple[tuple[int, int], int] | None:
    match = _MEMBER.search(name)
    if match is None:
        return None
    label = _CLASSES.index(match[1])
    return (label, int(match[2])), label
