"""Mel bands and level crossings against plain sums and one step after the other."""

from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets.sets.level_crossings import level_crossings
from snn_datasets.sets.log_mel import log_mel, mel_bands


def test_log_mel_equals_plain_sums() -> None:
    rate, channels, points = 4000, 5, 128
    x = np.random.default_rng(0).normal(0, 0.2, 260)
    got = log_mel(x, rate=rate, channels=channels)

    def mel(f: float) -> float:
        return 2595 * math.log10(1 + f / 700)

    corners = [
        700 * (10 ** ((mel(20) + (mel(2000) - mel(20)) * i / 6) / 2595) - 1) for i in range(7)
    ]
    assert got.shape == (1 + (260 - 100) // 40, channels)
    for k in range(len(got)):
        power = []
        for f in range(points // 2 + 1):
            terms = [
                x[40 * k + n]
                * (0.5 - 0.5 * math.cos(2 * math.pi * n / 100))
                * complex(
                    math.cos(2 * math.pi * f * n / points), -math.sin(2 * math.pi * f * n / points)
                )
                for n in range(100)
            ]
            power.append(abs(sum(terms)) ** 2)
        for c in range(channels):
            low, middle, high = corners[c : c + 3]
            energy = 0.0
            for f, value in enumerate(power):
                hz = f * rate / points
                if low < hz <= middle:
                    energy += value * (hz - low) / (middle - low)
                elif middle < hz < high:
                    energy += value * (high - hz) / (high - middle)
            assert got[k, c] == pytest.approx(10 * math.log10(1e-3 + energy))


def test_silence_is_the_floor_and_tones_rise_through_the_bands() -> None:
    assert log_mel(np.zeros(16_000), rate=16_000) == pytest.approx(np.full((98, 40), -30))
    time = np.arange(16_000) / 16_000
    bands = [
        int(log_mel(np.sin(2 * np.pi * f * time), rate=16_000).mean(0).argmax())
        for f in (100, 300, 1000, 3000, 7000)
    ]
    assert bands == sorted(set(bands))


@pytest.mark.parametrize("shape", [(399,), (2, 16_000)])
def test_other_waveforms_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"waveform has the shape .* at least 400 samples, one wi"):
        log_mel(np.zeros(shape), rate=16_000)


def test_too_many_bands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"band 2 of 200 is narrower than .* 512 points at 16000 "):
        mel_bands(16_000, 512, 200)
    assert (mel_bands(16_000, 512, 64).sum(1) > 0).all()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), threshold=st.sampled_from([0.25, 1.0, 3.5]))
def test_level_crossings_equal_one_step_after_the_other(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    # quarters: every level is met exactly, and no comparison depends on rounding
    signals = random.integers(-30, 30, (random.integers(1, 9), 3)) / 4
    expected = []
    for channel in range(3):
        line = signals[:, channel].tolist()
        reference = line[0]
        for k in range(1, len(line)):
            before, now = line[k - 1], line[k]
            while abs(now - reference) >= threshold:
                sign = 1 if now > reference else -1
                reference += sign * threshold
                share = min(max((reference - before) / (now - before), 0), 1)
                expected.append(
                    (7 + (k - 1) * 1000 + math.floor(share * 1000), channel, 0, sign == 1)
                )
    events = level_crossings(signals, step_us=1000, threshold=threshold, start_us=7)
    assert sorted(events.tolist()) == sorted(expected)
    assert (np.diff(events["t"]) >= 0).all()
    ups = np.where(events["p"] == 1, 1, -1)
    last = [signals[0, c] + threshold * ups[events["x"] == c].sum() for c in range(3)]
    assert (np.abs(np.array(last) - signals[-1]) < threshold).all()


def test_signals_without_change_and_wrong_ones() -> None:
    assert level_crossings(np.ones((5, 4)), step_us=10, threshold=0.1).size == 0
    assert level_crossings(np.ones((0, 4)), step_us=10, threshold=0.1).size == 0
    with pytest.raises(ValueError, match=r"threshold must be above 0, got 0"):
        level_crossings(np.ones((5, 4)), step_us=10, threshold=0)
    with pytest.raises(ValueError, match=r"signals have the shape \(5,\), not \[K, C\]"):
        level_crossings(np.ones(5), step_us=10, threshold=1)


def test_real_speech_becomes_sparse_events(shared: Path) -> None:
    counts: dict[str, Any] = {}
    for name in ("0_george_0", "1_george_0"):
        with wave.open(str(shared / "fsdd_wav" / f"{name}.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        bands = log_mel(samples, rate=8000, channels=30)
        events = level_crossings(bands, step_us=10_000, threshold=3.0)
        # a word begins and ends: about as many rises as falls
        assert 0.35 < events["p"].mean() < 0.65
        counts[name] = len(events)
    assert all(100 < count < 1500 for count in counts.values())
