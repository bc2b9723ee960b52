"""Spike-driven self-attention, the attention of the Spike-driven Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snn_neurons.attention.projection import Projection, Spec, make_neuron
from snn_neurons.attention.spiking_attention import SpikingAttention


class SpikeDrivenAttention(SpikingAttention):
    """Spike-driven self-attention: masks and sums only, around a membrane shortcut.

    s = S(x);  Q, K, V = S(BN(W s));  a = S_a(sum over the tokens of K V, element by element);
    y = BN(W_p (a Q)) + x

    x and y are membrane currents, not spikes. Linear in tokens and in channels; every channel is a
    head of its own. The neurons S are LIF with tau = 2, S_a has the threshold 0.5. W and W_p have
    no bias.

    Args:
        dim: channels C of a token.
        neuron: name or table of the neurons. They detach the reset unless the table says
            otherwise; each of the three layers gets its own.
        attention_neuron: that of S_a; None for ``neuron`` with threshold 0.5.
    Shape: x [N, dim, L] or [T, N, dim, L]; real values of the same shape.
    Raises: ConfigError when a neuron cannot be built; ValueError for an input of another shape.
    Example:
        >>> SpikeDrivenAttention(16)(torch.rand(3, 16, 9)).shape
        torch.Size([3, 16, 9])

    Source: Yao et al., Spike-driven Transformer, NeurIPS 2023.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"dim": 8}, {"dim": 8, "neuron": "plif", "attention_neuron": "if"}),
        "shape": (8, 5),
        "gain": 3.0,
        "exact_in_training": False,
        "reason": "in training a single step knows only its own batch",
    }

    def __init__(
        self,
        dim: Annotated[int, Gt(0)],
        *,
        neuron: Spec = "lif",
        attention_neuron: Spec | None = None,
    ) -> None:
        super().__init__(dim, num_heads=dim, neuron=neuron, attention_neuron=attention_neuron)
        self.shortcut = make_neuron(neuron)
        self.qkv = self.projection(3)
        self.attention = self.fire_on_attention()
        self.out = Projection(dim, dim, None)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        q, k, v = self.qkv(self.shortcut(x)).chunk(3, -2)
        mask = self.attention((k * v).sum(-1, keepdim=True))
        return self.out(mask * q) + x
