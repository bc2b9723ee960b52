"""Threshold-dependent batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import nn

from snncore.layers import BatchNorm1d, BatchNorm2d, BatchNorm3d

_PER_STEP = (
    "in training a single step knows only its own batch; statistics over T * N need mode 'm'"
)


def _conformance(*sizes: int) -> dict[str, Any]:
    return {
        "variants": ({"num_features": 3}, {"num_features": 3, "alpha": 0.7, "v_threshold": 0.5}),
        "shape": (3, *sizes),
        "exact_in_training": False,
        "reason": _PER_STEP,
    }


class _ThresholdDependent(nn.Module):
    weight: nn.Parameter

    def __init__(
        self,
        num_features: Annotated[int, Gt(0)],
        *,
        alpha: Annotated[float, Gt(0)] = 1.0,
        v_threshold: Annotated[float, Gt(0)] = 1.0,
        eps: Annotated[float, Gt(0)] = 1e-5,
        momentum: float | None = 0.1,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps=eps, momentum=momentum, track_running_stats=track_running_stats
        )
        self.alpha = alpha
        self.v_threshold = v_threshold
        nn.init.constant_(self.weight, alpha * v_threshold)


class TDBN1d(_ThresholdDependent, BatchNorm1d):
    """Threshold-dependent batch normalisation of ``[N, C]`` or ``[N, C, L]``.

    Y = gamma (X - mu) / sqrt(var + eps) + beta, gamma = alpha V_th at the start; mu and var per
    channel over time, batch and place

    Args:
        num_features: number of channels C.
        alpha: 1 in a chain; 1/sqrt(n) where n branches are added before the neuron.
        v_threshold: threshold of the neurons that follow.
        eps: added to the variance.
        momentum: of the running statistics; None for their plain average.
        track_running_stats: whether evaluation uses running statistics.
    Shape: [N, C], [N, C, L] in mode "s"; [T, N, ...] in mode "m", statistics over T * N.
    Example:
        >>> TDBN1d(2, v_threshold=0.5).weight.tolist()
        [0.5, 0.5]

    Source: Zheng et al., Going deeper with directly-trained larger spiking neural networks, AAAI
        2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = _conformance()


class TDBN2d(_ThresholdDependent, BatchNorm2d):
    """Threshold-dependent batch normalisation of ``[N, C, H, W]``.

    Y = gamma (X - mu) / sqrt(var + eps) + beta, gamma = alpha V_th at the start; mu and var per
    channel over time, batch and place

    Args: those of :class:`TDBN1d`.
    Shape: [N, C, H, W] in mode "s"; [T, N, C, H, W] in mode "m", statistics over T * N.
    Example:
        >>> TDBN2d(2, alpha=0.5)(torch.ones(3, 2, 4, 4)).abs().max().item()
        0.0

    Source: Zheng et al., Going deeper with directly-trained larger spiking neural networks, AAAI
        2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = _conformance(2, 4)


class TDBN3d(_ThresholdDependent, BatchNorm3d):
    """Threshold-dependent batch normalisation of ``[N, C, D, H, W]``.

    Y = gamma (X - mu) / sqrt(var + eps) + beta, gamma = alpha V_th at the start; mu and var per
    channel over time, batch and place

    Args: those of :class:`TDBN1d`.
    Shape: [N, C, D, H, W] in mode "s"; [T, N, C, D, H, W] in mode "m", statistics over T * N.
    Example:
        >>> TDBN3d(2)(torch.ones(3, 2, 4, 4, 4)).shape
        torch.Size([3, 2, 4, 4, 4])

    Source: Zheng et al., Going deeper with directly-trained larger spiking neural networks, AAAI
        2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = _conformance(2, 1, 3)
