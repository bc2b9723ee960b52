"""Sound as the log energies of a mel filter bank."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LOWEST_HZ = 20.0
_FLOOR = 1e-3


def log_mel(
    waveform: ArrayLike,
    *,
    rate: int,
    channels: int = 40,
    window_us: int = 25_000,
    hop_us: int = 10_000,
) -> NDArray[np.float64]:
    """Energies in dB of mel bands, window by window.

    ::

        L(k, c) = 10 log10(0.001 + sum_f M(c, f) |sum_n w(n) x(k hop + n) exp(-2 pi i f n / F)|^2)

    with w the periodic Hann window, F the next power of two, and M triangles of height 1 whose
    corners are equally spaced, from 20 Hz to rate / 2, on the scale 2595 log10(1 + f / 700).

    Args:
        waveform: samples ``[N]`` in -1 to 1.
        rate: samples per second.
        channels: number of bands.
        window_us, hop_us: length of a window, and from one to the next, in microseconds.

    Returns: ``[K, channels]``, K = 1 + floor((N - window) / hop) windows that lie wholly within.

    Raises: ValueError if the waveform has other dimensions or is shorter than a window.

    Example:
        >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
        >>> bands = log_mel(tone, rate=16000)
        >>> bands.shape, int(bands.mean(0).argmax())
        ((98, 40), 13)

    Source: S. Davis and P. Mermelstein, IEEE Transactions on Acoustics, Speech, and Signal
        Processing 28(4), 1980.
    """
    x = np.asarray(waveform, np.float64)
    window, hop = window_us * rate // 1_000_000, hop_us * rate // 1_000_000
    if x.ndim != 1 or x.size < window:
        raise ValueError(
            f"log_mel: waveform has the shape {x.shape}, expected is one dimension of at least "
            f"{window} samples, one window of {window_us} us at {rate} Hz"
        )
    points = 1 << (window - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    windows = np.lib.stride_tricks.sliding_window_view(x, window)[::hop]
    power = np.abs(np.fft.rfft(windows * hann, points)) ** 2
    return 10 * np.log10(_FLOOR + power @ mel_bands(rate, points, channels).T)


@cache
def mel_bands(rate: int, points: int, channels: int) -> NDArray[np.float64]:
    """``[channels, points // 2 + 1]``: weight of each frequency of a transform in each band.

    Raises: ValueError if there are so many bands that one covers no frequency.
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    bottom = 2595 * np.log10(1 + _LOWEST_HZ / 700)
    corners = 700 * (10 ** (np.linspace(bottom, top, channels + 2) / 2595) - 1)
    frequency = np.arange(points // 2 + 1) * rate / points
    low, middle, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    bands = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(bands.sum(1) == 0)
    if empty.size:
        raise ValueError(
            f"mel_bands: band {empty[0]} of {channels} is narrower than the frequencies of "
            f"{points} points at {rate} Hz; take fewer channels"
        )
    bands.flags.writeable = False
    return bands
