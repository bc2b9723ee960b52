"""How well a network does on a set of items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import nn

import snncore
from snn_train.data import Items, Plan, load
from snn_train.firing import firing_rates
from snn_train.generators import gather
from snn_train.parts import Encoder, Loss, encoder_of
from snn_train.recipe import Recipe


@dataclass(frozen=True)
class Score:
    """What an evaluation measures.

    Args:
        loss: mean over the items.
        accuracy: share of items whose class has the largest mean output over time, in [0, 1].
        items: how many.
        rates: share of the neurons that fire in a time step, by layer.
        rate: the same over all layers together.
    """

    loss: float
    accuracy: float
    items: int
    rates: dict[str, float]
    rate: float


def score(net: nn.Module, items: Items, recipe: Recipe, loss: Loss, fabric: Fabric) -> Score:
    """Evaluates a network on its device; each process takes a share, all get the whole score.

    The random numbers of the encoder are those of the run's seed whatever came before, and what
    comes after does not notice them.
    """
    settings = recipe.train
    items.set_epoch(0)
    encoder: Encoder = encoder_of(recipe, items.source)
    plan = Plan(items.indices, settings.eval_batch_size)
    was_training = net.training
    net.eval()
    sums = [0.0, 0.0, 0.0]
    with _seeded(recipe.run.seed, fabric.device), torch.no_grad(), firing_rates(net) as firing:
        mine = plan.shares(0)[fabric.global_rank :: fabric.world_size]
        for x, y, _ in load(items, mine, workers=settings.workers):
            x, y = x.to(fabric.device), y.to(fabric.device)
            snncore.reset(net)
            with fabric.autocast():
                output = net(encoder(x))
                value = loss(output, y)
            right = (output.mean(0).argmax(1) == y).sum()
            sums[0] += float(value) * len(y)
            sums[1] += int(right)
            sums[2] += len(y)
        snncore.reset(net)
    net.train(was_training)
    layers = firing.layers
    counts = [*sums, *(firing.fired[k] for k in layers), *(firing.seen[k] for k in layers)]
    summed = gather(fabric, torch.tensor(counts, dtype=torch.float64)).sum(0).tolist()
    for i, layer in enumerate(layers):
        firing.fired[layer] = int(summed[3 + i])
        firing.seen[layer] = int(summed[3 + len(layers) + i])
    count = summed[2]
    return Score(
        loss=summed[0] / count,
        accuracy=summed[1] / count,
        items=int(count),
        rates=firing.rates(),
        rate=firing.mean(),
    )


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
