"""Random affine changes of a batch of images."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from snn_train.settings import Augment


class Affine:
    """Shifts, rotates and scales images; what an image gets depends on (seed, epoch, index) alone.

    Args:
        settings: largest changes; each is drawn uniformly between its negative and itself.
        seed: of the draws.
        items: number of items of the dataset.
    """

    def __init__(self, settings: Augment, *, seed: int, items: int) -> None:
        self.settings = settings
        self.seed = seed
        self.items = items
        self._draws = torch.zeros(items, 4)

    def set_epoch(self, epoch: int) -> None:
        """Draws the changes of all items for one epoch."""
        # The tail keeps these draws apart from those of (seed, epoch, index) in datasets.
        generator = np.random.default_rng([self.seed, epoch, 0, 2])
        draws = generator.uniform(-1.0, 1.0, (self.items, 4))
        self._draws = torch.from_numpy(draws.astype(np.float32))

    def __call__(self, x: Tensor, indices: Tensor) -> Tensor:
        """``[N, C, H, W]`` images of the items ``indices [N]``, bilinear, zeros from outside."""
        draws = self._draws[indices].to(x.device)
        angle = draws[:, 0] * math.radians(self.settings.rotate)
        size = 1.0 + draws[:, 1] * self.settings.scale
        height, width = x.shape[-2:]
        # The grid says where each pixel comes from, in units of half an image.
        matrix = torch.stack(
            [
                angle.cos() * size,
                -angle.sin() * size * height / width,
                draws[:, 2] * self.settings.shift * 2 / width,
                angle.sin() * size * width / height,
                angle.cos() * size,
                draws[:, 3] * self.settings.shift * 2 / height,
            ],
            1,
        ).view(-1, 2, 3)
        grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid.to(x.dtype), align_corners=False)
