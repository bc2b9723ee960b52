"""Encoders of signals against the recurrences in plain Python."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

import snncore as snn
from snn_neurons.level_crossing import Delta, SendOnDelta, StepForward
from snncore.kernels import use_backend
from snncore.testing.encoder import EncoderConformance

# Each step is compiled for four dtypes. Other mixtures are those of the recurrences below.
OTHER = {"threshold": [0.2, 0.4, 0.6], "off_spikes": False}


class TestDelta(EncoderConformance):
    component = "snn-neurons/delta"
    variants = [{}, {**OTHER, "start": None}]


class TestStepForward(EncoderConformance):
    component = "snn-neurons/step_forward"
    variants = [{}, {**OTHER, "start": 0.5}]


class TestSendOnDelta(EncoderConformance):
    component = "snn-neurons/send_on_delta"
    variants = [{}, {**OTHER, "start": 0.5}]


def delta(signal, threshold, start):
    last = signal[0] if start is None else start
    for x in signal:
        yield (x - last >= threshold) - (last - x >= threshold)
        last = x


def step_forward(signal, threshold, start):
    base = signal[0] if start is None else start
    for x in signal:
        spike = (x - base > threshold) - (base - x > threshold)
        yield spike
        base = base + threshold * spike


def send_on_delta(signal, threshold, start):
    sent = signal[0] if start is None else start
    for x in signal:
        spike = (x - sent >= threshold) - (sent - x >= threshold)
        yield spike
        sent = x if spike else sent


CLASSES = {Delta: delta, StepForward: step_forward, SendOnDelta: send_on_delta}


def walk(steps: int, *size: int) -> torch.Tensor:
    """A random walk in eighths, so that sums and differences are exact and meet the threshold."""
    generator = torch.Generator().manual_seed(0)
    moves = torch.randint(-3, 4, (steps, *size), generator=generator)
    return moves.cumsum(0).to(torch.float64) / 8


@pytest.mark.parametrize("backend", ["eager", None])
@pytest.mark.parametrize(
    ("start", "off_spikes"), [(None, True), (None, False), (0.0, True), (0.75, False)]
)
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_spikes_are_those_of_the_recurrence(cls, start, off_spikes, backend):
    x = walk(40, 6)
    encoder = cls(0.25, start=start, off_spikes=off_spikes, step_mode="m")
    # None is the fastest there is: a kernel, where there is a compiler.
    with use_backend(backend) if backend else nullcontext():
        y = encoder(x)
    for signal, train in zip(x.T.tolist(), y.T.tolist(), strict=True):
        expected = list(CLASSES[cls](signal, 0.25, start))
        assert train == [float(s if off_spikes else max(s, 0)) for s in expected]
    assert {0.0, 1.0} | ({-1.0} if off_spikes else set()) == set(y.unique().tolist())


def test_a_threshold_met_exactly():
    x = torch.tensor([[0.0], [0.5], [0.5], [0.0]])
    assert Delta(0.5, step_mode="m")(x).flatten().tolist() == [0, 1, 0, -1]
    assert SendOnDelta(0.5, step_mode="m")(x).flatten().tolist() == [0, 1, 0, -1]
    # The baseline moves only beyond it.
    assert StepForward(0.5, step_mode="m")(x).flatten().tolist() == [0, 0, 0, 0]


def test_a_slow_drift_adds_up_in_send_on_delta_only():
    x = torch.arange(9.0).unsqueeze(1) / 8
    assert not Delta(0.25, step_mode="m")(x).any()
    assert SendOnDelta(0.25, step_mode="m")(x).flatten().tolist() == [0, 0, 1, 0, 1, 0, 1, 0, 1]


def test_the_spikes_of_step_forward_rebuild_the_signal():
    x = (torch.arange(200.0) / 15).sin().unsqueeze(1)
    y = StepForward(0.125, step_mode="m")(x)
    # Its slope is below 1 / 15, so one spike a step follows it.
    assert (x - (x[0] + 0.125 * y.cumsum(0))).abs().max() <= 0.125
    assert set(y.unique().tolist()) == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_first_value_is_kept_over_calls(cls):
    encoder = cls(0.25, start=None)
    first = torch.tensor([5.0, -3.0])
    assert not encoder(first).any()
    assert encoder(first + 1).tolist() == [1.0, 1.0]
    snn.reset(encoder)
    assert not encoder(first + 1).any()


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match="Delta: threshold must be > 0, got 0"):
        Delta(0.0)
    with pytest.raises(ValueError, match="encoder snn-neurons/step_forward: threshold must be > 0"):
        snn.build("encoder", "step_forward", threshold=[0.1, -0.1])
