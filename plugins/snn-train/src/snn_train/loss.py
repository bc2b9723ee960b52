"""Losses of the mean output over time."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt
from torch import Tensor, nn
from torch.nn import functional


class RateCrossEntropy(nn.Module):
    """Cross entropy of the mean over time.

    L = CE(1/T sum_t y[t], label)

    Args:
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
    Shape: y ``[T, N, classes]``, labels int64 ``[N]``; the loss is a scalar, the mean over N.
    Example:
        >>> RateCrossEntropy()(torch.zeros(4, 2, 10), torch.tensor([1, 7])).item()
        2.302585...

    Source: SpikingJelly (Science Advances 2023), firing-rate readout.
    """

    def __init__(self, *, label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, y: Tensor, labels: Tensor) -> Tensor:
        """``[T, N, classes], [N] -> []``."""
        return functional.cross_entropy(y.mean(0), labels, label_smoothing=self.label_smoothing)


class RateMSE(nn.Module):
    """Squared error between the mean over time and the one-hot label.

    L = 1/(N C) sum (1/T sum_t y[t] - onehot(label))^2

    Shape: y ``[T, N, classes]``, labels int64 ``[N]``; the loss is a scalar.
    Example:
        >>> round(RateMSE()(torch.zeros(4, 2, 10), torch.tensor([1, 7])).item(), 4)
        0.1

    Source: loss of the firing rates in Fang et al., ICCV 2021.
    """

    def forward(self, y: Tensor, labels: Tensor) -> Tensor:
        """``[T, N, classes], [N] -> []``."""
        rate = y.mean(0)
        target = functional.one_hot(labels, rate.shape[-1]).to(rate.dtype)
        return functional.mse_loss(rate, target)
