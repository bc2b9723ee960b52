"""Synapses and blocks: the kits, the grid in forward and trace, recurrence, delays."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import snncore
from snn_lava import (
    BlockContainer,
    LoihiConv,
    LoihiConv2d,
    LoihiCUBA,
    LoihiDense,
    LoihiLinear,
    LoihiRecurrent,
)
from snn_lava.grid import on_grid
from snncore.errors import ConfigError
from snncore.graph import trace
from snncore.testing.layer import LayerConformance


class TestLoihiLinear(LayerConformance):
    component = "snn-lava/loihi_linear"


class TestLoihiConv2d(LayerConformance):
    component = "snn-lava/loihi_conv2d"


class TestBlockContainer(LayerConformance):
    component = "snn-lava/block_container"


class TestLoihiDense(LayerConformance):
    component = "snn-lava/loihi_dense"


class TestLoihiConv(LayerConformance):
    component = "snn-lava/loihi_conv"


class TestLoihiRecurrent(LayerConformance):
    component = "snn-lava/loihi_recurrent"


@given(st.integers(1, 40), st.integers(1, 6), st.floats(0.1, 60.0), st.integers(0, 9))
def test_sums_are_whole_numbers_of_weights(inputs, outputs, gain, seed):
    """Compared with a product of integers."""
    torch.manual_seed(seed)
    layer = LoihiLinear(inputs, outputs, gain=gain)
    x = torch.rand(3, inputs).round()
    weight = (32 * layer.weight).round().clamp(-128, 127).long()
    assert torch.equal(32 * layer(x), (x.long() @ weight.T).float())


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_is_that_of_torch_with_weights_of_the_grid(groups):
    torch.manual_seed(0)
    layer = LoihiConv2d(4, 6, [3, 2], stride=[2, 1], padding=1, dilation=[1, 2], groups=groups)
    x = torch.rand(2, 4, 7, 8).round()
    like = torch.conv2d(x, on_grid(layer.weight), None, [2, 1], [1, 1], [1, 2], groups)
    assert torch.equal(layer(x), like)


def test_weights_beyond_the_grid_learn():
    layer = LoihiLinear(2, 1)
    layer.weight.data = torch.tensor([[9.0, 0.001]])
    layer(torch.tensor([[1.0, 3.0]])).sum().backward()
    assert layer.weight.grad.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [(LoihiLinear(500, 300, gain=3.0), 500), (LoihiConv2d(8, 200, 5, groups=2, gain=3.0), 100)],
    ids=["linear", "conv2d"],
)
def test_initial_weights_have_the_spread_that_is_asked_for(layer, inputs):
    spread = 3.0 / inputs**0.5
    assert layer.weight.std().item() == pytest.approx(spread, rel=0.02)
    assert abs(layer.weight.mean().item()) < 0.05 * spread


BLOCKS = [
    (lambda: LoihiDense(6, 5), (6,), ["Linear", "snn-lava/loihi_cuba"]),
    (
        lambda: LoihiDense(6, 5, max_delay=3),
        (6,),
        ["Linear", "snn-lava/loihi_cuba", "snn-neurons/learnable_delay"],
    ),
    (
        lambda: LoihiConv(2, 4, 3, padding=1, groups=2),
        (2, 5, 5),
        ["Conv", "snn-lava/loihi_cuba"],
    ),
    (
        lambda: LoihiRecurrent(6, 5),
        (6,),
        ["Previous", "Linear", "Linear", "Add", "snn-lava/loihi_cuba"],
    ),
    (
        lambda: BlockContainer(
            LoihiLinear(6, 5),
            LoihiCUBA(),
            snncore.build("layer", "snn-neurons/delay", delay=2),
        ),
        (6,),
        ["Linear", "snn-lava/loihi_cuba", "snn-neurons/delay"],
    ),
]


@pytest.mark.parametrize(
    ("make", "shape", "kinds"), BLOCKS, ids=["dense", "delayed", "conv", "recurrent", "container"]
)
def test_a_trace_is_of_plain_nodes_with_weights_on_the_grid(make, shape, kinds):
    torch.manual_seed(0)
    block = make()
    graph = trace(block, torch.zeros(1, *shape))
    assert [node.op.kind for node in graph.nodes] == ["Input", *kinds, "Output"]
    found = [n.op.weight for n in graph.nodes if n.op.kind in ("Linear", "Conv")]
    kept = [p for name, p in block.named_parameters() if name.endswith("weight")]
    assert len(found) == len(kept)
    for weight, parameter in zip(found, kept, strict=True):
        integers = 64 * weight
        assert torch.equal(integers, (integers / 2).round() * 2)
        assert integers.abs().max() <= 256
        assert (weight - parameter).abs().max() <= 1 / 64
    assert all(n.op.bias is None for n in graph.nodes if n.op.kind in ("Linear", "Conv"))


def test_feedback_comes_a_step_later():
    """By a loop over steps, in numbers of the chip."""
    torch.manual_seed(0)
    table = {"name": "snn-lava/loihi_cuba", "current_decay": 0.5, "v_threshold": 0.5}
    block = LoihiRecurrent(6, 5, neuron=table, step_mode="m")
    x = torch.rand(12, 3, 6).round()
    neuron, last, expected = snncore.from_spec("neuron", table), torch.zeros(3, 5), []
    into, back = on_grid(block.feedforward.weight), on_grid(block.recurrent.weight)
    for now in x:
        last = neuron(now @ into.T + last @ back.T)
        expected.append(last)
    found = block(x)
    assert torch.equal(found, torch.stack(expected))
    assert 0 < found.mean() < 1
    assert not torch.equal(block.recurrent.weight, back)


def test_feedback_runs_in_one_kernel():
    block = LoihiRecurrent(6, 5, step_mode="m")
    assert block.looped(torch.zeros(3, 6)) is None


def test_outputs_come_later_by_their_delays():
    torch.manual_seed(0)
    block = LoihiDense(6, 3, max_delay=4).eval()
    block.delay.delay.data = torch.tensor([0.0, 2.2, 9.0])
    snncore.set_step_mode(block, "m")
    x = torch.rand(20, 2, 6).round()
    y = block(x)
    snncore.reset(block)
    prompt = block.neuron(block.synapse(x))
    assert prompt[:16].flatten(1).any(0).all()
    for channel, delay in enumerate((0, 2, 4)):
        assert torch.equal(y[delay:, :, channel], prompt[: 20 - delay, :, channel])
        assert not y[:delay, :, channel].any()


@pytest.mark.parametrize("delay", [-1, 63])
def test_a_delay_the_chip_does_not_have_is_refused(delay):
    with pytest.raises(ConfigError, match=r"max_delay: input should be .* than or equal to"):
        snncore.build("layer", "loihi_dense", in_features=6, out_features=5, max_delay=delay)


def test_a_pair_of_three_is_refused():
    with pytest.raises(ConfigError, match=r"kernel_size.*at most 2 items"):
        snncore.build("layer", "loihi_conv2d", in_channels=2, out_channels=3, kernel_size=[3, 3, 3])
