"""Frames from packed events on any device of torch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snn_datasets.errors import FormatError
from snn_datasets.integration.counting import check
from snn_datasets.integration.frames import Frames
from snn_datasets.integration.source import check_offsets, columns
from snn_datasets.packed import check_words
from snn_datasets.sensor import Size

_WORDS = (torch.uint64, torch.int64)


def frames_on_device(
    words: Tensor, offsets: Tensor | NDArray[Any], *, size: Size, integrate: Frames
) -> Tensor:
    """Counts packed events of several recordings where they are, on the CPU or a GPU.

    The numbers are those of :meth:`Frames.batch`. Sums are of integers, so that the order in
    which a GPU adds changes nothing. What goes to the device is 8 bytes for each event.

    Args:
        words: of :func:`snn_datasets.packed.pack`, one recording behind the other, as uint64 or
            its bits as int64: ``torch.from_numpy(words)``.
        offsets: [B + 1] recording b is ``words[offsets[b]:offsets[b + 1]]``.
        size: (width, height) of the sensor in pixels.
        integrate: what is counted.

    Returns: tensor ``[T, B, P, H, W]`` on the device of ``words``, of the dtype of ``integrate``.

    Raises: FormatError as :meth:`Frames.batch`.

    Example:
        >>> from snn_datasets import Frames, make_events, pack
        >>> events = make_events(t=[0, 9, 0], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> words = torch.from_numpy(pack(events))
        >>> offsets = torch.tensor([0, 2, 3])
        >>> frames_on_device(words, offsets, size=(2, 1), integrate=Frames(T=4)).shape
        torch.Size([4, 2, 2, 1, 2])

    Source: Eq. 16-22 of the SpikingJelly paper (Fang et al., Science Advances 9, 2023).
    """
    if words.dtype not in _WORDS or (words.ndim != 1 and words.shape[1:] != (2,)):
        raise FormatError(
            f"packed events are uint64 or int64 of shape [N] or [N, 2], got {words.dtype} of shape "
            f"{list(words.shape)}"
        )
    words = words.view(torch.int64)
    device, number = words.device, len(words)
    places = check_offsets(
        offsets.cpu().numpy() if isinstance(offsets, Tensor) else offsets, number
    )
    t, x, y, p = _columns(words)
    lengths = torch.from_numpy(np.diff(places)).to(device)
    recording = torch.repeat_interleave(
        torch.arange(len(lengths), device=device), lengths, output_size=number
    )
    width, height = size
    falls = (t[1:] < t[:-1]) & (recording[1:] == recording[:-1])
    if number and bool(((x >= width) | (y >= height)).any() | falls.any()):
        # the texts are those of the other way
        check(columns(_numpy(words)), places.tolist(), size)
    ends = torch.from_numpy(places).to(device)
    # only the first and the last event of each recording go to the host
    edges = torch.stack([ends[:-1], ends[1:] - 1]).clamp(0, max(number - 1, 0))
    outer = _numpy(words[edges.T.reshape(-1)] if number else words)
    plans = [
        integrate.plan_of(outer[2 * b : 2 * b + 2], 0, 2)
        if end - begin and integrate.timed
        else integrate.plan(int(end - begin), 0)
        for b, (begin, end) in enumerate(itertools.pairwise(places.tolist()))
    ]
    table = torch.tensor([[*plan] for plan in plans], dtype=torch.int64).reshape(-1, 4).to(device)
    stride, length, slices, closed = table[recording].unbind(1)
    first = ends[recording]
    position = t - t[first] if integrate.timed else torch.arange(number, device=device) - first
    last = slices - 1
    top = torch.minimum(position // stride.clamp(min=1), last).where(stride > 0, last)
    grid = integrate.grid(size)
    planes, rows, across = grid.shape
    pixel = (y >> grid.shift) * across + (x >> grid.shift)
    if planes > 1:
        pixel += p * (rows * across)
    T = integrate.T or max((plan.number for plan in plans), default=0)
    shape = (T, len(plans), *grid.shape)
    counts = torch.zeros(shape, dtype=torch.int32, device=device)
    rule = integrate.duration_us or integrate.count
    shared = -(-rule // (rule - integrate.overlap)) if rule else 1
    for back in range(shared):
        j = top - back
        within = position < j * stride + length
        held = (j >= 0) & (within | ((closed > 0) & (j == last)))
        place = (j * len(plans) + recording) * (planes * rows * across) + pixel
        if counts.numel():
            counts.view(-1).index_add_(0, place.where(held, 0), held.to(torch.int32))
    middle = integrate.middle(size)
    kept = counts if middle is None else counts[middle].contiguous()
    return kept.clamp_(max=integrate.most).to(getattr(torch, integrate.dtype))


def _columns(words: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Times, columns, rows and polarities. Shifts of int64 keep the sign: masks take it away."""
    if words.ndim == 2:
        t, low = words.unbind(1)
        return t, low >> 1 & 0xFFFFFFFF, low >> 33 & 0x7FFFFFFF, low & 1
    return words >> 32 & 0xFFFFFFFF, words >> 1 & 0xFFFF, words >> 17 & 0x7FFF, words & 1


def _numpy(words: Tensor) -> NDArray[np.uint64]:
    return check_words(words.cpu().numpy().view(np.uint64))
