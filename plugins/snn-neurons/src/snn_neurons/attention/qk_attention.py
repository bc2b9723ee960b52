"""Q-K attention, the attention of QKFormer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Gt
from torch import Tensor

from snn_neurons.attention.projection import Spec
from snn_neurons.attention.spiking_attention import SpikingAttention


class QKAttention(SpikingAttention):
    """Q-K attention: queries decide which tokens, or which channels, of the keys pass.

    Q, K = S(BN(W x)) in heads of d channels;
    token: a = S_a(sum over the d channels of Q);  channel: a = S_a(sum over the tokens of Q);
    y = S(BN(W_p (a K)))

    Linear in tokens and in channels. The neurons S are LIF with tau = 2, S_a has the threshold
    0.5. W and W_p have no bias.

    Args:
        dim: channels C of a token.
        form: "token" masks tokens, per head; "channel" masks channels.
        num_heads: heads, a divisor of ``dim``; they only make a difference to "token".
        neuron: name or table of the neurons. They detach the reset unless the table says
            otherwise; each of the three layers gets its own.
        attention_neuron: that of S_a; None for ``neuron`` with threshold 0.5.
    Shape: x [N, dim, L] or [T, N, dim, L]; spikes of the same shape.
    Raises: ConfigError when the heads do not divide ``dim`` or a neuron cannot be built;
        ValueError for an input of another shape.
    Example:
        >>> QKAttention(16, form="channel")(torch.rand(3, 16, 9)).shape
        torch.Size([3, 16, 9])

    Source: Zhou et al., QKFormer: Hierarchical spiking transformer using Q-K attention, NeurIPS
        2024.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"dim": 8, "num_heads": 2}, {"dim": 8, "form": "channel"}),
        "shape": (8, 5),
        "gain": 3.0,
        "exact_in_training": False,
        "reason": "in training a single step knows only its own batch",
    }

    def __init__(
        self,
        dim: Annotated[int, Gt(0)],
        *,
        form: Literal["token", "channel"] = "token",
        num_heads: Annotated[int, Gt(0)] = 8,
        neuron: Spec = "lif",
        attention_neuron: Spec | None = None,
    ) -> None:
        super().__init__(dim, num_heads=num_heads, neuron=neuron, attention_neuron=attention_neuron)
        if form not in ("token", "channel"):
            raise ValueError(f"QKAttention: form must be 'token' or 'channel', got {form!r}")
        self.form: Literal["token", "channel"] = form
        self.qk = self.projection(2)
        self.attention = self.fire_on_attention()
        self.out = self.projection(1)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        q, k = self.heads(self.qk(x), 2)
        mask = self.attention(q.sum(-2 if self.form == "token" else -1, keepdim=True))
        return self.out((mask * k).flatten(-3, -2))

    def extra_repr(self) -> str:
        """Sizes and form."""
        return f"{super().extra_repr()}, form={self.form!r}"
