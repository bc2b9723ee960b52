"""Channels of a tensor: what is kept once per channel, and how it meets the tensor again."""

from __future__ import annotations

from torch import Tensor


def per_channel(channels: int | None) -> tuple[int, ...]:
    """The shape of what is kept: one value per channel, or one for the whole tensor."""
    return () if channels is None else (channels,)


def rows(x: Tensor, channels: int | None, axis: int) -> Tensor:
    """One row of values per channel, ``[channels or 1, values]``.

    Args:
        channels: how many there are; None for one row of everything.
        axis: of the channels.
    Raises: ValueError when x has other channels.
    """
    if channels is None:
        return x.reshape(1, -1)
    _check(x, channels, axis)
    return x.movedim(axis, 0).reshape(channels, -1)


def spread(values: Tensor, like: Tensor, axis: int) -> Tensor:
    """One value, or one per channel, shaped so that it broadcasts against ``like``.

    Raises: ValueError when ``like`` has other channels.
    """
    if values.dim() == 0:
        return values
    _check(like, len(values), axis)
    shape = [1] * like.dim()
    shape[axis] = len(values)
    return values.reshape(shape)


def _check(x: Tensor, channels: int, axis: int) -> None:
    if not -x.dim() <= axis < x.dim() or x.shape[axis] != channels:
        raise ValueError(
            f"expected {channels} channels along axis {axis}, got shape {list(x.shape)}; give "
            "'channels' and 'channel_axis' of the tensor to quantise"
        )
