"""Which items are test: rules that need labels or names, and no samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snn_datasets.errors import FormatError

Mask = NDArray[np.bool_]


def stratified(targets: ArrayLike, share: float, *, seed: int = 0) -> Mask:
    """A seeded draw of the same share of each class.

    The draw is numpy's legacy one, whose numbers are the same in all versions, so that a named
    split stays what it is.

    Args:
        targets: labels of the items.
        share: of each class, rounded to whole items, in (0, 1).
        seed: of the draw.

    Returns: mask of the items that are test.

    Raises: ValueError if ``share`` is not in (0, 1).

    Example:
        >>> stratified([0] * 10 + [1] * 20, 0.1).nonzero()[0].size
        3
    """
    if not 0 < share < 1:
        raise ValueError(f"stratified: share must be between 0 and 1, got {share}")
    labels = _flat(targets, "stratified: targets")
    order = np.random.RandomState(seed).permutation(labels.size)
    test = np.zeros(labels.size, np.bool_)
    for label in np.unique(labels):
        drawn = order[labels[order] == label]
        test[drawn[: int(share * drawn.size + 0.5)]] = True
    return test


def per_class_first(targets: ArrayLike, count: int) -> Mask:
    """The first items of each class, in the order of the items.

    Args:
        targets: labels of the items.
        count: how many of each class are test, >= 1.

    Returns: mask of the items that are test.

    Raises: ValueError if ``count`` is below 1, or a class has no more items than that.

    Example:
        >>> per_class_first([1, 0, 1, 0, 1], 1).tolist()
        [True, True, False, False, False]
    """
    if count < 1:
        raise ValueError(f"per_class_first: count must be at least 1, got {count}")
    labels = _flat(targets, "per_class_first: targets")
    test = np.zeros(labels.size, np.bool_)
    for label in np.unique(labels):
        items = np.flatnonzero(labels == label)
        if items.size <= count:
            raise ValueError(
                f"per_class_first: class {label} has {items.size} items; with {count} of them "
                "test, none is left to train with"
            )
        test[items[:count]] = True
    return test


def leave_one_out(groups: ArrayLike, which: Any) -> Mask:
    """All items of one group: a speaker, a user, a recording session.

    Args:
        groups: the group of each item, such as ``dataset.recordings.columns["speaker"]``.
        which: the group that is test.

    Returns: mask of the items that are test.

    Raises: ValueError if no item, or every item, is of the group.

    Example:
        >>> leave_one_out([3, 4, 4, 5], 4).tolist()
        [False, True, True, False]
    """
    values = _flat(groups, "leave_one_out: groups")
    test = values == which
    if not test.any():
        known = ", ".join(map(str, np.unique(values)[:20].tolist()))
        raise ValueError(f"leave_one_out: no item is of group {which!r}; groups are {known}")
    if test.all():
        raise ValueError(f"leave_one_out: all items are of group {which!r}; none is left")
    return test


def listed(names: Sequence[str], path: str | Path) -> Mask:
    """The items that a file lists by name.

    Args:
        names: of all items, such as ``dataset.recordings.paths()``.
        path: text with one name a line (empty lines and what follows ``#`` are left out), or,
            if it ends in ``.json``, a list of names.

    Returns: mask of the items that are listed.

    Raises: FormatError if the file is no such list, names an item twice, or one that is not there.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "test.txt"
        ...     _ = file.write_text("b.bin  # blurred")
        ...     listed(["a.bin", "b.bin"], file).tolist()
        [False, True]
    """
    wanted = _read(Path(path))
    places: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        places.setdefault(name, []).append(i)
    test = np.zeros(len(names), np.bool_)
    for name in wanted:
        found = places.get(name, [])
        if not found:
            raise FormatError(
                f"{path} lists {name!r}, which is no item; items have names such as "
                f"{', '.join(map(repr, names[:2]))}"
            )
        if test[found].any():
            raise FormatError(f"{path} lists {name!r} twice")
        test[found] = True
    return test


def _read(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    if path.suffix != ".json":
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        return [line for line in lines if line]
    try:
        names = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormatError(f"{path} is no JSON ({error})") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{path} holds no list of names of items")
    return names


def _flat(values: ArrayLike, what: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{what} have the shape {array.shape}, expected one dimension")
    return array
