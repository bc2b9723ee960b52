"""NavGesture: gestures before a smartphone, seated and walking."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of
from snn_datasets.splits import stratified

_log = logging.getLogger(__name__)
_CLASSES = ("le", "ri", "up", "do", "ho", "se")
_MEMBER = re.compile(rf"(?:^|/)([^/_]+)_({'|'.join(_CLASSES)})_([^/]*)\.dat$")
_INNER = re.compile(r"(?:^|/)[^/]+\.zip$")
_TEST_SHARE = 0.2


class NavGestureSit(EventDataset):
    """Six gestures before an ATIS in the hand of seated people, 304x240 pixels.

    The published archive is a zip file of one zip file per user: unpack the outer one; the inner
    ones are read in place, as are ``.dat`` files in folders. The label is the second word of a
    file's name, the user the first.

    The files count rows from below: y = 239 - y_file. Their times go back in places: an event
    before an earlier one of the file is dropped, how many is logged; the first event is at 0.

    Protocols: there is no official split. ``stratified_8_2`` puts a fifth of each class into test,
    by :func:`snn_datasets.splits.stratified` with seed 0 over the recordings in the order of class
    and name. For splits by person take ``recordings.columns["user"]``.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 240, 304]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> NavGestureSit.sensor, NavGestureSit.protocols
        ((304, 240), ('stratified_8_2',))

    Source: J.-M. Maro, S.-H. Ieng and R. Benosman, Frontiers in Neuroscience 14:275, 2020.
    """

    info: ClassVar[Info] = Info.load("nav_gesture_sit")
    sensor: ClassVar[tuple[int, int]] = (304, 240)
    protocols: ClassVar[tuple[str, ...]] = ("stratified_8_2",)
    format: ClassVar[str] = "snn-datasets/dat"

    def find(self) -> Recordings:
        self.classes = _CLASSES
        (archive,) = self.info.archives
        found = Recordings.find(
            parts_of(self, [archive.file], suffix=".dat", pattern=_MEMBER, inner=_INNER),
            _labelled,
            expected="files named <user>_<class>_<number>_td.dat",
        )
        users = [cast("re.Match[str]", _MEMBER.search(path))[1] for path in found.paths()]
        found = replace(found, columns={"user": np.array(users)})
        test = stratified(found.targets, _TEST_SHARE, seed=0)
        return found.take(test if self.split == "test" else ~test)

    def decode(self, index: int) -> NDArray[Any]:
        events = super().decode(index)
        t = events["t"]
        forward = t >= np.maximum.accumulate(t) if t.size else np.ones(0, np.bool_)
        if not forward.all():
            count = int(t.size - forward.sum())
            _log.info("%s: %d events go back in time", self.recordings.name(index), count)
        kept = events[forward]
        kept["t"] -= t[:1]
        kept["y"] = self.sensor[1] - 1 - kept["y"]
        return kept


class NavGestureWalk(NavGestureSit):
    """The gestures of :class:`NavGestureSit`, made while walking indoors and outdoors.

    Example:
        >>> NavGestureWalk.info.archives[0].file
        'navgesture-walk.zip'

    Source: J.-M. Maro, S.-H. Ieng and R. Benosman, Frontiers in Neuroscience 14:275, 2020.
    """

    info: ClassVar[Info] = Info.load("nav_gesture_walk")


def _labelled(name: str) -> tuple[tuple[int, str], int] | None:
    match = _MEMBER.search(name)
    if match is None:
        return None
    label = _CLASSES.index(match[2])
    return (label, match[0].removeprefix("/")), label
