"""Counts the operations of a spiking ResNet-18 beside SpikingJelly's counters, layer by layer.

    python benchmarks/operations.py [--size 64] [--steps 4] [--rate 0.2]

The layers are SpikingJelly's own, so both see the same tensors in the same forward. Synaptic
operations must agree exactly. Multiply-accumulates of analogue inputs differ where a convolution
is padded: SpikingJelly takes every tap of every output, ours the taps on an input; the last column
is our count with the taps on padding added, which must agree again.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from typing import Any

import torch
from page import table
from torch import nn

from snncore.monitor import OperationCounter


class Block(nn.Module):
    """Two convolutions of 3x3 and a shortcut, spikes after the sum."""

    def __init__(self, layer: Any, fire: Any, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = layer.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1, self.fire1 = layer.BatchNorm2d(width), fire()
        self.conv2 = layer.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2, self.fire2 = layer.BatchNorm2d(width), fire()
        self.shortcut = nn.Identity()
        if stride > 1:
            conv = layer.Conv2d(width_in, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, layer.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.fire1(self.norm1(self.conv1(x)))
        return self.fire2(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Sequential):
    """He et al. 2016 with neurons for ReLU."""

    def __init__(self, layer: Any, fire: Any) -> None:
        stem = (
            layer.Conv2d(3, 64, 7, 2, 3, bias=False),
            layer.BatchNorm2d(64),
            fire(),
            layer.MaxPool2d(3, 2, 1),
        )
        widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
        blocks = (Block(layer, fire, a, b, 1 if a == b else 2) for a, b in pairwise(widths))
        head = (layer.AdaptiveAvgPool2d(1), layer.Flatten(), layer.Linear(512, 1000))
        super().__init__(*stem, *blocks, *head)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="pixels of the square image")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.2, help="of the spikes that enter")
    words = parser.parse_args()
    try:
        from spikingjelly.activation_based import functional, layer, neuron, op_counter
    except ImportError as error:
        sys.exit(f"SpikingJelly with op_counter is not installed: {error}; try make bench-peers")

    torch.manual_seed(0)
    net = ResNet18(layer, neuron.IFNode)
    functional.set_step_mode(net, "m")
    # Statistics of a batch, as in training: with those of a fresh network nothing fires.
    net.train()
    shape = (words.steps, 1, 3, words.size, words.size)
    failed = False
    for kind, x in (
        ("spikes", (torch.rand(shape) < words.rate).float()),
        ("analogue", torch.rand(shape)),
    ):
        functional.reset_net(net)
        counters = [op_counter.SynOpCounter(), op_counter.MACCounter()]
        sizes: dict[str, int] = {}
        handles = [
            module.register_forward_hook(_taps(sizes, path))
            for path, module in net.named_modules()
            if isinstance(module, (nn.Conv2d, nn.Linear))
        ]
        with (
            torch.no_grad(),
            OperationCounter().watch(net) as ours,
            op_counter.DispatchCounterMode(counters),
        ):
            net(x)
        for handle in handles:
            handle.remove()
        theirs = [counter.get_counts() for counter in counters]
        rows = [("layer", "SOP", "SpikingJelly", "MAC", "SpikingJelly", "MAC with padding")]
        for path, dense in sizes.items():
            name = f"{type(net).__name__}.{path}"
            sops, macs = (sum(found.get(name, {}).values()) for found in theirs)
            padded = dense if ours[path].mac else 0
            failed |= (ours[path].sops, padded) != (sops, macs)
            rows.append(
                (path, *(f"{n:,}" for n in (ours[path].sops, sops, ours[path].mac, macs, padded)))
            )
        sums = [
            sum(ours[path].sops for path in sizes),
            sum(sum(theirs[0].get(f"{type(net).__name__}.{p}", {}).values()) for p in sizes),
            sum(ours[path].mac for path in sizes),
            sum(sum(theirs[1].get(f"{type(net).__name__}.{p}", {}).values()) for p in sizes),
            sum(sizes[p] for p in sizes if ours[p].mac),
        ]
        rows.append(("total", *(f"{n:,}" for n in sums)))
        print(f"## Input of {kind}, {list(x.shape)}\n\n{table(rows)}\n")
    if failed:
        sys.exit("the counts differ")


def _taps(sizes: dict[str, int], path: str):
    def hook(module: nn.Module, _: object, output: torch.Tensor) -> None:
        weight = module.weight
        sizes[path] = output.numel() * weight[0].numel()

    return hook


if __name__ == "__main__":
    main()
