"""Everything that a run consists of, built from its recipe through the registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

import snncore
from snn_train.augment import Affine
from snn_train.data import Items, hold_out
from snn_train.recipe import COMPONENTS, Recipe
from snncore.errors import ConfigError, SnnError
from snncore.registry import label

Encoder: TypeAlias = Callable[[Tensor], Tensor]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Parts:
    """The parts of a run.

    Args:
        recipe: with what the dataset adds to it: shape and classes of the model.
        train, validation, test: items; there is no validation without a share for it.
        net: the network in multi-step mode.
        encoder: images ``[N, *]`` to sequences ``[T, N, *]``.
        loss: output sequence and labels to a scalar.
        affine: augmentation of training images.
    """

    recipe: Recipe
    train: Items
    validation: Items | None
    test: Items
    net: nn.Module
    encoder: Encoder
    loss: Loss
    affine: Affine | None


def build_parts(recipe: Recipe) -> Parts:
    """All parts of a run, its weights drawn from the recipe's seed.

    Raises:
        ConfigError: parts that do not fit each other, or parameters that do not fit a part.
        UnknownComponent: a name that nothing is registered under.
    """
    train, test = dataset_of(recipe, "train"), dataset_of(recipe, "test")
    recipe = _fitted(recipe, train)
    settings, seed = recipe.train, recipe.run.seed
    chosen, held = hold_out(len(train), settings.validation, seed)
    if len(chosen) < recipe.run.devices:
        raise ConfigError(
            f"dataset {label(train)} leaves {len(chosen)} items to train with, fewer than one for "
            f"each of {recipe.run.devices} devices"
        )
    affine = None
    if settings.augment is not None:
        if train.temporal:
            raise ConfigError(
                f"dataset {label(train)} gives sequences, and train.augment changes images; "
                "remove it"
            )
        affine = Affine(settings.augment, seed=seed, items=len(train))
    torch.manual_seed(seed)
    net = network_of(recipe)
    return Parts(
        recipe=recipe,
        train=Items(train, chosen, preload=settings.preload),
        validation=Items(train, held, preload=settings.preload) if len(held) else None,
        test=items_to_test(test, recipe),
        net=net,
        encoder=encoder_of(recipe, train),
        loss=loss_of(recipe),
        affine=affine,
    )


def dataset_of(recipe: Recipe, split: str) -> Any:
    """One split of the recipe's dataset; its seed is the run's unless the recipe has another."""
    table = {"seed": recipe.run.seed, **recipe.tables["data"]}
    return _build("data", {**table, "split": split})


def items_to_test(dataset: Any, recipe: Recipe) -> Items:
    """All items of a test split.

    Raises: ConfigError when there is none.
    """
    if not len(dataset):
        raise ConfigError(f"dataset {label(dataset)} has no items to test with")
    return Items(dataset, np.arange(len(dataset)), preload=recipe.train.preload)


def network_of(recipe: Recipe) -> nn.Module:
    """The network, in multi-step mode."""
    net = _build("model", recipe.tables["model"])
    snncore.set_step_mode(net, "m")
    return net


def loss_of(recipe: Recipe) -> Loss:
    """The loss."""
    return _build("loss", recipe.tables["loss"])


def encoder_of(recipe: Recipe, dataset: Any) -> Encoder:
    """What makes ``[T, N, *]`` of a batch of the dataset.

    Raises: ConfigError when images have no encoder, or sequences have one.
    """
    table = recipe.tables.get("encoder")
    if dataset.temporal:
        if table:
            raise ConfigError(
                f"dataset {label(dataset)} gives sequences; remove the table [encoder]"
            )
        return _time_first
    if not table:
        raise ConfigError(
            f"dataset {label(dataset)} gives images, so the recipe needs an encoder; write "
            '[encoder] name = "constant_current", T = 4'
        )
    return _build("encoder", table)


def _build(name: str, table: dict[str, Any]) -> Any:
    try:
        return snncore.from_spec(COMPONENTS[name], table)
    except SnnError:
        raise
    except (TypeError, ValueError) as error:
        # Constructors check by themselves how their parameters fit together.
        raise ConfigError(f"recipe table [{name}] ({table['name']}): {error}") from error


def _time_first(x: Tensor) -> Tensor:
    return x.transpose(0, 1)


def _fitted(recipe: Recipe, dataset: Any) -> Recipe:
    """The recipe whose model knows its dataset, where its constructor wants to."""
    table = recipe.tables["model"]
    names = inspect.signature(snncore.get("model", table["name"])).parameters
    shape = list(dataset.sample_shape)
    facts = {
        "in_shape": shape[1:] if dataset.temporal else shape,
        "classes": len(dataset.classes),
    }
    given = {key: value for key, value in facts.items() if key in names and key not in table}
    return recipe.replace("model", given)
