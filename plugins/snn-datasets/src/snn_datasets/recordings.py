"""Which recordings a dataset has, where each lies, and what is known of it before it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.archives.members import Members
from snn_datasets.errors import FormatError

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Recordings:
    """Recordings by item, with their labels. A file may hold several of them.

    Args:
        sources: archives and folders.
        source, member: of each item, which of ``sources`` and which file within it.
        targets: int64 labels.
        columns: what else is known of the items, by name (speaker, user, start, end ...).
    """

    sources: tuple[Members, ...]
    source: NDArray[np.int64]
    member: NDArray[np.int64]
    targets: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    _taken: tuple[Recordings, NDArray[np.int64]] | None = field(default=None, repr=False)

    @property
    def whole(self) -> Recordings:
        """The recordings that these were taken from, of all splits; themselves if of none."""
        return self if self._taken is None else self._taken[0]

    @property
    def items(self) -> NDArray[np.int64]:
        """Where these are among the whole."""
        return np.arange(len(self)) if self._taken is None else self._taken[1]

    def __len__(self) -> int:
        return len(self.targets)

    def name(self, index: int) -> str:
        """Archive or folder, and the name of the file within it."""
        source = self.sources[self.source[index]]
        return f"{source.path}, member {source.names[self.member[index]]}"

    def path(self, index: int) -> str:
        """The name of the file within its archive or folder."""
        return self.sources[self.source[index]].names[self.member[index]]

    def paths(self) -> list[str]:
        """The names of the files of all items, within their archives or folders."""
        return [self.path(index) for index in range(len(self))]

    def read(self, index: int) -> bytes:
        """The file of an item. Raises: FormatError if it is damaged."""
        return self.sources[self.source[index]].read(int(self.member[index]))

    def take(self, items: NDArray[Any]) -> Recordings:
        """Some of the recordings, by positions or by a mask."""
        return Recordings(
            self.sources,
            self.source[items],
            self.member[items],
            self.targets[items],
            {name: values[items] for name, values in self.columns.items()},
            (self.whole, self.items[items]),
        )

    @classmethod
    def find(
        cls,
        sources: Sequence[Members],
        label: Callable[[str], tuple[_Key, int] | None],
        *,
        expected: str,
    ) -> Recordings:
        """The recordings among the files of some sources.

        Args:
            label: sort key and label of a file, by its name; None for what is no recording.
            expected: what the files should have been, for the error text.

        Raises: FormatError if there is none.
        """
        found = sorted(
            (made[0], source, member, made[1])
            for source, members in enumerate(sources)
            for member, name in enumerate(members.names)
            if (made := label(name)) is not None
        )
        if not found:
            where = " and ".join(str(members.path) for members in sources)
            raise FormatError(f"{where} holds no recordings; expected are {expected}")
        source, member, targets = (
            np.array([row[column] for row in found], np.int64) for column in (1, 2, 3)
        )
        return cls(tuple(sources), source, member, targets)
