"""What the time-aware torch layers declare for their conformance kit: parameters and inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

_TORCH = "torch keeps not every parameter of a layer as plain data under its name"
_BATCH = "in training a single step knows only its own batch; statistics over T * N need mode 'm'"
_DRAWS = "in training each step draws anew, so the order of the draws is that of the run"


def declared(name: str) -> dict[str, Any]:
    """The table ``conformance`` of the time-aware form of ``torch.nn.<name>``."""
    table = {**_EXAMPLES.get(name, {})}
    reason = table.pop("reason", "")
    return {
        **table,
        "configurable": False,
        "reason": f"{_TORCH}; {reason}" if reason else _TORCH,
    }


def _sizes(dims: int, size: int = 4) -> tuple[int, ...]:
    return (4, *[size] * dims)


def _example(*shape: int, **params: Any) -> dict[str, Any]:
    return {"variants": (params,), "shape": shape}


def _with(table: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {**table, **more}


def _without_half(table: Mapping[str, Any]) -> dict[str, Any]:
    return _with(table, half=False, reason="torch has no bfloat16 form of it on the CPU")


def _statistics(*shape: int, **params: Any) -> dict[str, Any]:
    return _with(_example(*shape, **params), exact_in_training=False, reason=_BATCH)


def _random(*shape: int, **params: Any) -> dict[str, Any]:
    return _with(_example(*shape, **params), exact_in_training=False, reason=_DRAWS)


def _indices(size: tuple[int, int], generator: Generator) -> Tensor:
    return torch.randint(0, 5, (*size, 4), generator=generator)


def _pooled(dims: int) -> Callable[[tuple[int, int], Generator], tuple[Tensor, Tensor]]:
    def feed(size: tuple[int, int], generator: Generator) -> tuple[Tensor, Tensor]:
        # One maximum of each window, wherever the window lies.
        values = torch.randn((*size, 2, *[2] * dims), generator=generator)
        corner = torch.arange(4**dims).view((4,) * dims)[(slice(None, None, 2),) * dims]
        return values, corner.expand(values.shape).contiguous()

    return feed


_DIMS = (1, 2, 3)
_EXAMPLES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Linear": _example(6, in_features=6, out_features=5),
        "Bilinear": _with(_example(6, in1_features=6, in2_features=6, out_features=3), arity=2),
        "Embedding": _with(_example(num_embeddings=5, embedding_dim=6), feed=_indices),
        **{
            f"{kind}{d}d": _example(
                *_sizes(d), in_channels=4, out_channels=3, kernel_size=3, padding=1
            )
            for kind in ("Conv", "ConvTranspose")
            for d in _DIMS
        },
        "Fold": _example(8, 12, output_size=(4, 5), kernel_size=2),
        "Unfold": _example(2, 4, 5, kernel_size=2),
        **{f"BatchNorm{d}d": _statistics(*_sizes(d, 3), num_features=4) for d in _DIMS},
        "SyncBatchNorm": _statistics(4, 3, num_features=4),
        **{f"InstanceNorm{d}d": _example(*_sizes(d), num_features=4) for d in _DIMS},
        "GroupNorm": _example(4, 6, num_groups=2, num_channels=4),
        "LayerNorm": _example(4, 6, normalized_shape=6),
        "RMSNorm": _example(4, 6, normalized_shape=6),
        "LocalResponseNorm": _example(4, 6, size=2),
        "CrossMapLRN2d": _example(4, 3, 3, size=2),
        **{
            f"{kind}Pool{d}d": _example(*_sizes(d), kernel_size=2)
            for kind in ("Avg", "Max")
            for d in _DIMS
        },
        "AvgPool3d": _without_half(_example(*_sizes(3), kernel_size=2)),
        **{f"LPPool{d}d": _example(*_sizes(d), norm_type=2, kernel_size=2) for d in (1, 2)},
        "LPPool3d": _without_half(_example(*_sizes(3), norm_type=2, kernel_size=2)),
        **{
            f"FractionalMaxPool{d}d": _with(
                _example(*_sizes(d, 5), kernel_size=2, output_size=2),
                exact_modes=False,
                reason="the pooling regions are drawn anew at every call",
            )
            for d in (2, 3)
        },
        **{
            f"Adaptive{kind}Pool{d}d": _example(*_sizes(d), output_size=2)
            for kind in ("Avg", "Max")
            for d in _DIMS
        },
        **{f"MaxUnpool{d}d": _with(_example(kernel_size=2), feed=_pooled(d)) for d in _DIMS},
        "Upsample": _example(4, 3, 3, scale_factor=2.0),
        "UpsamplingBilinear2d": _example(4, 3, 3, scale_factor=2.0),
        "UpsamplingNearest2d": _example(4, 3, 3, scale_factor=2.0),
        "PixelShuffle": _example(4, 3, 3, upscale_factor=2),
        "PixelUnshuffle": _with(
            _example(4, 4, 4, downscale_factor=2),
            empty=False,
            reason="torch gives an empty batch back as it is, with too few channels",
        ),
        "ChannelShuffle": _example(4, 3, groups=2),
        **{
            f"{kind}Pad{d}d": _example(
                *_sizes(d), padding=1, **({"value": 0.5} if kind == "Constant" else {})
            )
            for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
            for d in _DIMS
        },
        "Flatten": _example(4, 3, 3),
        "Unflatten": _example(4, 6, dim=1, unflattened_size=(2, 2)),
        **{name: _example(4, 6, dim=1) for name in ("Softmax", "LogSoftmax", "Softmin")},
        "Softmax2d": _example(4, 3, 3),
        "Threshold": _example(4, 6, threshold=0.1, value=2.0),
        "CosineSimilarity": _with(_example(6, dim=1), arity=2),
        "PairwiseDistance": _with(_example(6), arity=2),
        "RReLU": _random(4, 6),
        "Dropout": _random(4, 6),
        **{f"Dropout{d}d": _random(*_sizes(d)) for d in _DIMS},
        "AlphaDropout": _random(4, 6),
        "FeatureAlphaDropout": _random(4, 3, 3),
    }
)
