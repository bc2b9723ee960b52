"""Fifteen small networks of snn-neurons that any chip accepts or refuses by name.

Weights are multiples of 1/64 and time constants powers of two, so that every sum is exact and the
outputs are the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from snncore import config, layers
from snncore.graph import Graph, trace

STEPS, SAMPLES = 16, 4


@dataclass(frozen=True)
class Canonical:
    """One of the networks.

    Args:
        make: builds it, without weights.
        shape: of its input, without batch and time.
        golden: first 16 digits of the SHA-256 of its output for :meth:`spikes`, one byte per value.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    golden: str

    def network(self) -> nn.Module:
        """The network with its weights, the same at each call."""
        net = self.make().eval()
        random = np.random.default_rng(64)
        with torch.no_grad():
            for module in net.modules():
                if isinstance(module, (nn.Linear, nn.Conv2d)):
                    _fill(module.weight, random, 64)
                    if module.bias is not None:
                        _fill(module.bias, random, 8)
                elif isinstance(module, nn.BatchNorm2d):
                    module.eps = 0.0
                    module.running_var.fill_(4.0)  # pyright: ignore[reportOptionalMemberAccess]
                    _fill(module.running_mean, random, 16)
        return net

    def graph(self) -> Graph:
        """Its graph."""
        return trace(self.network(), torch.zeros(1, *self.shape))

    def spikes(self) -> Tensor:
        """An input ``[T, N, *]`` in which every third value is a spike."""
        drawn = np.random.default_rng(3).random((STEPS, SAMPLES, *self.shape)) < 1 / 3
        return torch.from_numpy(drawn.astype(np.float32))


def digest(output: Tensor) -> str:
    """What ``golden`` is compared with."""
    return hashlib.sha256(output.to(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def _fill(tensor: Tensor | None, random: np.random.Generator, most: int) -> None:
    assert tensor is not None
    drawn = random.integers(-3 * most // 4, most + 1, tuple(tensor.shape))
    tensor.copy_(torch.from_numpy(drawn / 64).to(tensor.dtype))


def _fires(name: str = "if", **settings: object) -> nn.Module:
    return config.build("neuron", f"snn-neurons/{name}", **settings)


def _dense(neuron: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(12, 8, bias=False), neuron())


def _lif(**settings: object) -> nn.Module:
    return _fires("lif", **{"decay_input": False, **settings})


def _conv(*middle: Callable[[], nn.Module], **settings: object) -> Callable[[], nn.Module]:
    options: dict[str, object] = {"kernel_size": 3, "padding": 1, "bias": False, **settings}
    return lambda: nn.Sequential(
        nn.Conv2d(2, 4, **options),  # type: ignore[arg-type]
        *(make() for make in middle),
        _lif(),
    )


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.fire = nn.Linear(12, 12, bias=False), _lif()
        self.second, self.last = nn.Linear(12, 12, bias=False), _lif()

    def forward(self, x: Tensor) -> Tensor:
        y = self.fire(self.first(x))
        return self.last(self.second(y) + y)


_IMAGE = (2, 6, 8)
NETWORKS: dict[str, Canonical] = {
    "dense_if": Canonical(_dense(_fires), (12,), "f97c183f18c20768"),
    "dense_lif": Canonical(_dense(_lif), (12,), "05001ef19dbb41fb"),
    "dense_lif_decay_input": Canonical(
        _dense(lambda: _lif(decay_input=True)), (12,), "5ea0e5c19a96469a"
    ),
    "dense_cuba": Canonical(_dense(lambda: _fires("cuba_lif")), (12,), "8a9a92005ca11ee1"),
    "dense_soft_reset": Canonical(_dense(lambda: _lif(v_reset=None)), (12,), "ed20ef6e23884470"),
    "dense_reset_value": Canonical(_dense(lambda: _lif(v_reset=0.25)), (12,), "021b8a3b3c205b34"),
    "conv_lif": Canonical(
        _conv(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
        _IMAGE,
        "bd166beba38cf354",
    ),
    "conv_grouped": Canonical(_conv(groups=2), _IMAGE, "7f3cf232aa3a2c91"),
    "conv_norm": Canonical(_conv(lambda: nn.BatchNorm2d(4)), _IMAGE, "0bffa817eb6ad150"),
    "conv_mean_pool": Canonical(_conv(lambda: nn.AvgPool2d(2)), _IMAGE, "7ccdeb189f40d11c"),
    "conv_max_pool": Canonical(_conv(lambda: nn.MaxPool2d(2)), _IMAGE, "813009d6420eb442"),
    "flatten_dense_dense": Canonical(
        lambda: nn.Sequential(
            nn.Flatten(),
            nn.Linear(96, 10, bias=False),
            _lif(),
            nn.Linear(10, 6, bias=False),
            _lif(),
        ),
        _IMAGE,
        "7db1e5a0440a2c9d",
    ),
    "dense_recurrent": Canonical(
        lambda: nn.Sequential(layers.Recurrent(_lif(), 12, 8, bias=False)),
        (12,),
        "fd21d1cecde3513d",
    ),
    "residual": Canonical(_Residual, (12,), "279e2b26355dd22b"),
    "delays_and_decays": Canonical(
        lambda: nn.Sequential(
            nn.Linear(12, 8, bias=False),
            config.build("layer", "snn-neurons/delay", delay=2),
            _lif(tau=[2.0, 4.0, 8.0, 16.0, 2.0, 4.0, 8.0, 16.0]),
        ),
        (12,),
        "ac0d6b43f57a0b2a",
    ),
}
"""By name; the golden outputs are those of the networks themselves, in float32."""
