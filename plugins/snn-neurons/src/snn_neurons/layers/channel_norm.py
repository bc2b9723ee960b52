"""Batch normalisation over everything but the channels, for inputs of any number of axes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


class ChannelNorm(_BatchNorm):
    """``torch.nn.BatchNorm1d/2d/3d`` in one: ``[N, C, *]``; an empty batch passes as it is."""

    def forward(self, input: Tensor) -> Tensor:
        """``[N, C, *] -> [N, C, *]``."""
        return super().forward(input) if input.numel() else input

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2 or input.shape[1] != self.num_features:
            raise ValueError(
                f"expected [N, C, *] with C = {self.num_features} channels, got {list(input.shape)}"
            )
