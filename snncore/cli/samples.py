"""What a command runs a network on: random spikes, or an array from a file."""

from __future__ import annotations

import importlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncore import monitor
from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.errors import SnnError

RANDOM: Mapping[str, Any] = MappingProxyType({"steps": 16, "batch": 4, "rate": 0.1, "seed": 0})
"""How random spikes are drawn where the options do not say."""

_NAMES = ("x", "input")


def item_shape(word: str | None, known: Sequence[int] | None, whose: str) -> tuple[int, ...]:
    """Sizes of one item at one step: what ``--shape`` says, else what is known.

    Raises: WrongUsage for a word that is no shape, and when nothing is known.

    Example:
        >>> item_shape("2,34,34", None, "this network"), item_shape(None, [4], "this network")
        ((2, 34, 34), (4,))
    """
    if word is None:
        if known is None:
            raise WrongUsage(f"{whose} names no in_shape; say --shape, as in --shape 2,34,34")
        return tuple(known)
    try:
        sizes = tuple(int(part) for part in word.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise WrongUsage(f"--shape takes sizes of one item, as in 2,34,34; got {word!r}")
    return sizes


def random_spikes(shape: Sequence[int], **drawn: float | None) -> Any:
    """Random spikes ``[T, N, *shape]``; what is None is as :data:`RANDOM` says.

    Args:
        drawn: steps, batch, rate, seed.
    """
    given = {name: value for name, value in drawn.items() if value is not None}
    return monitor.random_input(shape, **{**RANDOM, **given})


def check_alone(**drawn: float | None) -> None:
    """Raises WrongUsage when ``--input`` stands beside options of random spikes."""
    given = [f"--{name}" for name, value in drawn.items() if value is not None]
    if given:
        raise WrongUsage(
            f"{', '.join(given)} would say how random spikes are drawn, and --input brings its "
            "own; leave one out"
        )


def read(path: Path) -> Any:
    """The input that a file holds, float32 ``[T, N, *]``.

    Raises:
        WrongUsage: no such file, or of another kind.
        CommandFailed: what it holds is no input.
    """
    array = _array(path)
    shape = list(array.shape)
    if array.dtype.kind not in "biuf":
        raise CommandFailed(f"{path} holds {array.dtype}, expected are numbers")
    if array.ndim < 3 or not array.size:
        raise CommandFailed(
            f"{path} has shape {shape}; expected is [T, N, *]: time steps, items, and the shape of "
            "an item, none of them empty"
        )
    if not np.isfinite(array).all():
        raise CommandFailed(f"{path} has values that are not finite")
    # By name: the command line itself stays free of torch.
    return importlib.import_module("torch").from_numpy(array.astype(np.float32))


def check_shape(x: Any, shape: Sequence[int], path: Path) -> None:
    """Raises CommandFailed unless the items of ``x [T, N, *]`` have the shape."""
    if tuple(x.shape[2:]) != tuple(shape):
        items = ", ".join(map(str, shape))
        raise CommandFailed(
            f"{path} has shape {list(x.shape)}, expected is [T, N, {items}]: time steps, items, "
            "and what the network takes"
        )


@contextmanager
def running(what: str, shape: Sequence[int]) -> Iterator[None]:
    """Turns what torch and NumPy raise for a shape that does not fit into one sentence."""
    try:
        yield
    except SnnError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise CommandFailed(
            f"{what} does not run on an input {list(shape)}: {error}; say --shape"
        ) from error


def _array(path: Path) -> NDArray[Any]:
    if path.suffix not in (".npy", ".npz"):
        raise WrongUsage(f"--input expects a file ending in .npy or .npz; got {path}")
    if not path.is_file():
        raise WrongUsage(f"there is no file {path}")
    try:
        # Nothing pickled: a file is never run.
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else found[_chosen(path, found.files)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CommandFailed(f"{path} cannot be read: {error}") from error


def _chosen(path: Path, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    named = [name for name in _NAMES if name in names]
    if not named:
        raise CommandFailed(
            f"{path} holds {', '.join(names) or 'no array'}; expected is one array, or one named "
            f"{' or '.join(_NAMES)}"
        )
    return named[0]
