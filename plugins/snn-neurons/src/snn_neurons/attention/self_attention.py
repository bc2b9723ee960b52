"""Spiking self-attention, the attention of Spikformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snn_neurons.attention.projection import Spec
from snn_neurons.attention.spiking_attention import SpikingAttention


def product(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """(V K^T) Q times a scale, in the cheaper of its two orders.

    V K^T costs d^2 L multiplications and is linear in the number of tokens, K^T Q costs d L^2. Of
    spikes, both orders add up the same whole numbers.

    Args:
        q, k, v: ``[*, d, L]``.
        scale: a number.
    Returns: ``[*, d, L]``.
    Example:
        >>> q, k, v = torch.ones(3, 1, 2)
        >>> product(q, k, v, 0.25)
        tensor([[0.5000, 0.5000]])
    """
    width, tokens = q.shape[-2:]
    # Scaled in the middle: there it is smallest, and float16 is far from its end.
    if width <= tokens:
        return (v @ k.mT * scale) @ q
    return v @ (k.mT @ q * scale)


class SpikingSelfAttention(SpikingAttention):
    """Spiking self-attention: no softmax, as spikes are no negative weights.

    Q, K, V = S(BN(W x)) in heads of d channels;  A = S_a(scale (V K^T) Q);  y = S(BN(W_p A))

    The neurons S are LIF with tau = 2, S_a has the threshold 0.5. W and W_p have no bias.

    Args:
        dim: channels C of a token.
        num_heads: heads, a divisor of ``dim``.
        scale: of the product.
        neuron: name or table of the neurons. They detach the reset unless the table says
            otherwise; each of the three layers gets its own.
        attention_neuron: that of S_a; None for ``neuron`` with threshold 0.5.
    Shape: x [N, dim, L] or [T, N, dim, L]; spikes of the same shape.
    Raises: ConfigError when the heads do not divide ``dim`` or a neuron cannot be built;
        ValueError for an input of another shape.
    Example:
        >>> SpikingSelfAttention(16, num_heads=2)(torch.rand(3, 16, 9)).shape
        torch.Size([3, 16, 9])

    Source: Zhou et al., Spikformer: When spiking neural network meets transformer, ICLR 2023.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"dim": 8, "num_heads": 2},
            {"dim": 8, "num_heads": 1, "neuron": "plif", "attention_neuron": "if"},
        ),
        "shape": (8, 5),
        "gain": 3.0,
        "exact_in_training": False,
        "reason": "in training a single step knows only its own batch",
    }

    def __init__(
        self,
        dim: Annotated[int, Gt(0)],
        *,
        num_heads: Annotated[int, Gt(0)] = 8,
        scale: Annotated[float, Gt(0)] = 0.125,
        neuron: Spec = "lif",
        attention_neuron: Spec | None = None,
    ) -> None:
        super().__init__(dim, num_heads=num_heads, neuron=neuron, attention_neuron=attention_neuron)
        self.scale = scale
        self.qkv = self.projection(3)
        self.attention = self.fire_on_attention()
        self.out = self.projection(1)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        q, k, v = self.heads(self.qkv(x), 3)
        attention = product(q, k, v, self.scale).flatten(-3, -2)
        return self.out(self.attention(attention))
