"""The gate that temporal and channel-wise attention share."""

from __future__ import annotations

from torch import Tensor, nn


class Gate(nn.Module):
    """Scores of one axis from two summaries of it.

    score = sigma(MLP(mean) + MLP(max)), MLP: size -> size / r -> size with ReLU, without bias

    Args:
        size: of the axis.
        reduction: r.
        what: name of the axis in error texts.
    Raises: ValueError unless 1 <= reduction <= size.
    Source: Woo et al., CBAM: convolutional block attention module, ECCV 2018, Eq. 2.
    """

    def __init__(self, size: int, reduction: int, what: str) -> None:
        super().__init__()
        if not 1 <= reduction <= size:
            raise ValueError(
                f"attention over {what} = {size} with a reduction of {reduction} leaves no hidden "
                f"unit; give a reduction from 1 to {size}"
            )
        self.down = nn.Linear(size, size // reduction, bias=False)
        self.up = nn.Linear(size // reduction, size, bias=False)

    def forward(self, mean: Tensor, most: Tensor) -> Tensor:
        """Two summaries ``[N, size]`` to scores ``[N, size]`` in (0, 1)."""
        return (self._mlp(mean) + self._mlp(most)).sigmoid()

    def _mlp(self, x: Tensor) -> Tensor:
        return self.up(self.down(x).relu())
