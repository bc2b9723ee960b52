"""The plain tables of a recipe: ``[train]``, ``[train.augment]`` and ``[run]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from snncore.config import validate
from snncore.errors import ConfigError

Settings = TypeVar("Settings")


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random affine changes of training images, drawn anew for each image and epoch.

    Args:
        shift: largest shift in x and y, in pixels.
        rotate: largest rotation, in degrees.
        scale: largest change of size, as a share.
    """

    shift: Annotated[float, Ge(0)] = 0.0
    rotate: Annotated[float, Ge(0), Le(180)] = 0.0
    scale: Annotated[float, Ge(0), Lt(1)] = 0.0


@dataclass(frozen=True, kw_only=True)
class Train:
    """How to train.

    Args:
        epochs: passes over the training items.
        batch_size: items of a batch, in each process.
        eval_batch_size: items of a batch when testing.
        grad_clip: largest norm of the gradient; not clipped if not given.
        precision: "32-true", or "bf16-mixed" for automatic mixed precision.
        validation: share of the training items that is held out. With one, the best network by
            it is the one that is tested; without, the last.
        patience: stop when the validation accuracy (the test accuracy without a validation share)
            has not risen for this many epochs; 0 never stops early.
        augment: random changes of training images.
        workers: processes that load data; 0 loads in this one.
        preload: keep all items in memory; for datasets whose items never change.
    """

    epochs: Annotated[int, Gt(0)] = 10
    batch_size: Annotated[int, Gt(0)] = 64
    eval_batch_size: Annotated[int, Gt(0)] = 256
    grad_clip: Annotated[float, Gt(0)] | None = None
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    validation: Annotated[float, Ge(0), Lt(1)] = 0.0
    patience: Annotated[int, Ge(0)] = 0
    augment: Augment | None = None
    workers: Annotated[int, Ge(0)] = 0
    preload: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where and with what to train.

    Args:
        root: folder of all runs.
        name: folder of this run; ``<recipe>-seed<seed>`` if not given.
        seed: of weights, order, augmentation and noise.
        devices: processes, each with a device of its own.
        accelerator: "cpu", "cuda" or "mps"; "auto" takes the first GPU there is, else the CPU.
        threads: of each process; torch decides if not given. Small networks are fastest with 1.
        log: "tensorboard" writes its event files beside ``metrics.csv``.
        overwrite: replace a run of the same name.
    """

    root: str = "runs"
    name: str | None = None
    seed: Annotated[int, Ge(0)] = 0
    devices: Annotated[int, Gt(0)] = 1
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Annotated[int, Gt(0)] | None = None
    log: Literal["csv", "tensorboard"] = "csv"
    overwrite: bool = False


def read(cls: Callable[..., Settings], table: Mapping[str, Any], label: str) -> Settings:
    """An instance of a settings class from a table of a recipe.

    Raises: ConfigError naming ``label`` and every fault.
    """
    return cls(**validate(cls, table, label))


def read_train(table: Mapping[str, Any]) -> Train:
    """The table ``[train]`` with its inner ``[train.augment]``.

    Raises: ConfigError naming every fault.
    """
    plain = dict(table)
    augment = plain.get("augment")
    if isinstance(augment, Mapping):
        plain["augment"] = read(Augment, augment, "recipe table [train.augment]")
    elif augment is not None:
        raise ConfigError(
            f"recipe table [train]: augment is a table such as {{shift = 1.0}}, got {augment!r}"
        )
    return read(Train, plain, "recipe table [train]")
