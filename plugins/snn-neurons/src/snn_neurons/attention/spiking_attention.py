"""What the attention layers share: neurons by name, heads, and the check of their input."""

from __future__ import annotations

from torch import Tensor, nn

from snn_neurons.attention.projection import Projection, Spec, make_neuron
from snncore.errors import ConfigError
from snncore.step import StepModule, locate

_THRESHOLD = 0.5


class SpikingAttention(nn.Module):
    """Base of attention over tokens ``[N, dim, L]`` whose parts are time-aware.

    Both step modes run through the parts, which :func:`snncore.set_step_mode` switches; the state
    is that of the neurons inside.

    Args:
        dim: channels C of a token.
        num_heads: heads that the channels are divided among.
        neuron: name or table of the neurons; each layer of them is built anew.
        attention_neuron: of those that fire on the attention itself; None for ``neuron`` with a
            threshold of 0.5.
    Raises: ConfigError when the heads do not divide ``dim``, or as :func:`snncore.build`.
    """

    def __init__(
        self, dim: int, *, num_heads: int, neuron: Spec, attention_neuron: Spec | None
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ConfigError(
                f"{type(self).__name__}: num_heads={num_heads} does not divide dim={dim}; each "
                "head takes the same number of channels"
            )
        self.dim = dim
        self.num_heads = num_heads
        self.neuron = neuron
        self.attention_neuron = attention_neuron

    def projection(self, parts: int) -> Projection:
        """W of ``parts`` maps of dim channels each, in one product, with BN and neurons."""
        return Projection(self.dim, parts * self.dim, make_neuron(self.neuron))

    def fire_on_attention(self) -> nn.Module:
        """The neurons that fire on the attention itself."""
        if self.attention_neuron is not None:
            return make_neuron(self.attention_neuron)
        return make_neuron(self.neuron, v_threshold=_THRESHOLD)

    def heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """``[*, parts * dim, L]`` as ``parts`` tensors ``[*, num_heads, dim / num_heads, L]``."""
        return x.unflatten(-2, (parts, self.num_heads, -1)).unbind(-4)

    def check(self, x: Tensor) -> None:
        """Raises ValueError unless x is ``[N, dim, L]``, with T in front in mode "m"."""
        # Its parts have a mode; a merged layer would take another shape for a sample of its own.
        step_mode = next(part.step_mode for part in self.modules() if isinstance(part, StepModule))
        lead = ("T", "N") if step_mode == "m" else ("N",)
        if x.dim() != len(lead) + 2 or x.shape[-2] != self.dim:
            other = "s" if step_mode == "m" else "m"
            raise ValueError(
                f"{locate(self)} is in step_mode {step_mode!r} and takes "
                f"[{', '.join(lead)}, {self.dim}, L], got {list(x.shape)}; "
                f"call snncore.set_step_mode(net, {other!r}) for the other mode"
            )

    def extra_repr(self) -> str:
        """Sizes."""
        return f"dim={self.dim}, num_heads={self.num_heads}"
