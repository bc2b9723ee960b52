"""Observers and scales against NumPy over all values at once, and torch's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from snncore.quantize import MinMax, MovingAverageMinMax, Percentile, scale_of


def pieces(count=7, channels=3, seed=0):
    """Tensors ``[2, channels, 50]`` of growing size; a channel of zeros at first; lopsided."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for i in range(count):
        x = torch.randn(2, channels, 50, generator=generator) * 3.0**i
        x[:, 0] = x[:, 0].abs()
        if i < 2:
            x[:, 1] = 0.0
        found.append(x)
    return found


def rows(tensors):
    """All values per channel."""
    return np.concatenate([x.movedim(1, 0).reshape(x.shape[1], -1).numpy() for x in tensors], 1)


@pytest.mark.parametrize("channels", [None, 3])
def test_min_max_is_that_of_all_values(channels):
    observer = MinMax(channels, 1)
    for x in pieces():
        assert observer(x) is x
    seen = rows(pieces()) if channels else rows(pieces()).reshape(1, -1)
    shape = () if channels is None else (3,)
    assert np.array_equal(observer.low.numpy(), seen.min(1).reshape(shape))
    assert np.array_equal(observer.high.numpy(), seen.max(1).reshape(shape))
    observer.reset()
    assert observer.low.isinf().all()
    assert observer.high.isinf().all()


@pytest.mark.parametrize("momentum", [0.25, 1.0])
def test_a_moving_average_by_hand(momentum):
    observer = MovingAverageMinMax(3, 1, momentum=momentum)
    low = high = None
    for x in pieces():
        observer(x)
        least, most = x.amin((0, 2)).numpy(), x.amax((0, 2)).numpy()
        low = least if low is None else low + momentum * (least - low)
        high = most if high is None else high + momentum * (most - high)
    assert np.allclose(observer.low.numpy(), low, rtol=1e-6)
    assert np.allclose(observer.high.numpy(), high, rtol=1e-6)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("percentile", [60.0, 99.0, 99.9, 100.0])
def test_percentiles_lie_within_the_promised_bin(channels, percentile):
    observer = Percentile(channels, 1, percentile=percentile)
    for x in pieces():
        observer(x)
    seen = rows(pieces()) if channels else rows(pieces()).reshape(1, -1)
    bound = np.abs(seen).max(1) / 1024
    high = np.quantile(seen, percentile / 100, axis=1, method="inverted_cdf")
    low = -np.quantile(-seen, percentile / 100, axis=1, method="inverted_cdf")
    found_low, found_high = observer.low.numpy().reshape(-1), observer.high.numpy().reshape(-1)
    assert (found_high >= high).all()
    assert (found_high <= high + bound).all()
    assert (found_low <= low).all()
    assert (found_low >= low - bound).all()


def test_no_value_is_lost_while_the_histogram_widens():
    observer = Percentile()
    total = 0
    for size in (0.0, 1e-30, 1e-3, 5.0, 1e30, 1e-3):
        observer(torch.full((7,), size))
        total += 7
        assert observer.counts.sum() == total
    assert observer.reach.item() >= 1e30
    observer.reset()
    assert observer.counts.sum() == 0
    assert observer.reach.item() == 0


def test_percentiles_of_zeros_and_of_tiny_negative_values():
    observer = Percentile(percentile=100.0)
    observer(torch.zeros(5))
    assert observer.low.item() <= 0 <= observer.high.item()
    observer(torch.tensor([-1e-30, 1.0]))
    assert observer.low.item() <= -1e-30
    assert observer.high.item() == 1.0 + 1 / 2048 or observer.high.item() == pytest.approx(
        1.0, 1e-3
    )


def test_percentile_refuses_what_is_not_finite():
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="saw a value that is infinite or no number"):
            Percentile()(torch.tensor([1.0, bad]))


@pytest.mark.parametrize("observer", [MinMax(), MovingAverageMinMax(), Percentile()])
def test_an_empty_tensor_changes_nothing(observer):
    observer(torch.empty(0, 3))
    assert observer.low.item() == float("inf")


RANGES = [(-1.0, 3.0), (-3.0, 1.0), (0.5, 2.0), (-2.0, -0.5), (0.0, 0.0), (-0.1, 0.1)]


@pytest.mark.parametrize("codes", [(-128.0, 127.0), (0.0, 255.0), (-8.0, 7.0)])
@pytest.mark.parametrize("power_of_two", [True, False])
def test_affine_scales_by_hand(codes, power_of_two):
    low, high = (torch.tensor(edge) for edge in zip(*RANGES, strict=True))
    scale, zero = scale_of(low, high, codes, symmetric=False, power_of_two=power_of_two)
    for (least, most), s, z in zip(RANGES, scale.tolist(), zero.tolist(), strict=True):
        least, most = min(least, 0.0), max(most, 0.0)
        plain = (most - least) / (codes[1] - codes[0]) or 1.0
        if power_of_two:
            assert s == 2.0 ** np.ceil(np.log2(np.float32(plain)))
        else:
            assert s == pytest.approx(plain, rel=1e-6)
        assert z == round(z)
        assert codes[0] <= z <= codes[1]
        # Both ends are within half a step of the values of the end codes.
        assert (codes[0] - z) * s <= least + 0.5001 * s
        assert (codes[1] - z) * s >= most - 0.5001 * s


@pytest.mark.parametrize("power_of_two", [True, False])
def test_symmetric_scales_by_hand(power_of_two):
    low, high = (torch.tensor(edge) for edge in zip(*RANGES, strict=True))
    signed, zero = scale_of(low, high, (-128, 127), symmetric=True, power_of_two=power_of_two)
    unsigned, _ = scale_of(low, high, (0, 255), symmetric=True, power_of_two=power_of_two)
    assert (zero == 0).all()
    for (least, most), s, u in zip(RANGES, signed.tolist(), unsigned.tolist(), strict=True):
        plain = max(-least, most, 0.0) / 127 or 1.0
        positive = max(most, 0.0) / 255 or 1.0
        if power_of_two:
            plain, positive = (2.0 ** np.ceil(np.log2(np.float32(v))) for v in (plain, positive))
        assert s == pytest.approx(plain, rel=1e-6)
        assert u == pytest.approx(positive, rel=1e-6)


def test_a_power_of_two_stays_one():
    scale, _ = scale_of(
        torch.tensor(-1.0), torch.tensor(127 / 64), (-128, 127), symmetric=True, power_of_two=True
    )
    assert scale.item() == 1 / 64
