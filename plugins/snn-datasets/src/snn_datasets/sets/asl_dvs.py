"""ASL-DVS from its 24 zip files."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from numpy.typing import NDArray

from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of
from snn_datasets.splits import stratified

_FILE = "ICCV2019_DVS_dataset.zip"
_LETTERS = "abcdefghiklmnopqrstuvwxy"
_MEMBER = re.compile(rf"(?:^|/)([{_LETTERS}])_([0-9]+)\.mat$")
_INNER = re.compile(rf"(?:^|/)[{_LETTERS}]\.zip$")
_TEST_SHARE = 0.2


class ASLDVS(EventDataset):
    """24 letters of the American sign language before a DAVIS240C, 0.1 s each, 240x180 pixels.

    The published archive is a zip file of 24 zip files, ``a.zip`` to ``y.zip``: unpack the outer
    one; the inner ones are read in place, as are the ``.mat`` files of folders.

    The files count rows from below; here row 0 is at the top, which is row 179 of the file. Readers
    differ in x: here it is that of the file unless ``mirrored``, which turns right hands into left
    ones.

    Protocols: there is no official split. ``stratified_8_2`` puts a fifth of each letter into
    test, by :func:`snn_datasets.splits.stratified` with seed 0 over the recordings in the order of
    letter and number.

    Args:
        root: folder that holds the zip files; ``SNN_DATA/asl_dvs`` or the user's data folder if
            not given.
        split: "train" or "test".
        protocol: see above.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of all randomness of the items.
        T, by, duration_us, integrate, augment: as for all datasets of events
            (:class:`snn_datasets.EventDataset`).
        mirrored: x = 239 - x_file.

    Shape: x ``[T, 2, 180, 240]``, float32 event counts.

    Raises: as :class:`snn_datasets.EventDataset`, and MissingExtra without scipy.

    Example:
        >>> ASLDVS.sensor, ASLDVS.protocols
        ((240, 180), ('stratified_8_2',))

    Source: Y. Bi et al., Graph-based object classification for neuromorphic vision sensing, IEEE
        International Conference on Computer Vision, 2019.
    """

    info: ClassVar[Info] = Info.load("asl_dvs")
    sensor: ClassVar[tuple[int, int]] = (240, 180)
    protocols: ClassVar[tuple[str, ...]] = ("stratified_8_2",)
    format: ClassVar[str] = "snn-datasets/mat"

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
        mirrored: bool = False,
    ) -> None:
        self.mirrored = mirrored
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
        self.classes = tuple(_LETTERS)
        found = Recordings.find(
            parts_of(self, [_FILE], suffix=".mat", pattern=_MEMBER, inner=_INNER),
            _labelled,
            expected="files named <letter>_<number>.mat",
        )
        test = stratified(found.targets, _TEST_SHARE, seed=0)
        return found.take(test if self.split == "test" else ~test)

    def decode(self, index: int) -> NDArray[Any]:
        events = super().decode(index)
        width, height = self.sensor
        events["y"] = height - 1 - events["y"]
        if self.mirrored:
            events["x"] = width - 1 - events["x"]
        return events


def _labelled(name: str) -> tuple[tuple[int, int], int] | None:
    match = _MEMBER.search(name)
    if match is None:
        return None
    label = _LETTERS.index(match[1])
    return (label, int(match[2])), label
