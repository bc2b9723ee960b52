"""Operation counts against counts by hand; what is not counted is named."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

import snncore as snn
from snncore.errors import ConfigError, NotSupported
from snncore.layers import Conv2d, Flatten, Linear, LinearRecurrentContainer
from snncore.monitor import MODELS, OperationCounter, Operations


class Fire(snn.Neuron):
    """Fires where its input reaches 1."""

    def charge(self, x, v):
        return x


def counted(net, *inputs, mode="m", **options):
    if any(isinstance(m, snn.StepModule) for m in net.modules()):
        snn.reset(net)
        snn.set_step_mode(net, mode)
    with torch.no_grad(), OperationCounter(**options).watch(net) as report:
        if mode == "m":
            net(*inputs)
        else:
            for now in zip(*inputs, strict=True):
                net(*now)
    return report


def ones_at(shape, *places):
    x = torch.zeros(shape)
    for place in places:
        x[place] = 1
    return x


@pytest.mark.parametrize("mode", ["s", "m"])
def test_by_hand_one_fully_connected(mode):
    """T=2, N=1: 3 inputs -> 4 neurons -> 2 outputs, weights 1, inputs with 2 and 1 spikes."""
    net = nn.Sequential(Linear(3, 4), Fire(v_reset=None), Linear(4, 2))
    nn.init.ones_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    report = counted(net, ones_at((2, 1, 3), (0, 0, 0), (0, 0, 2), (1, 0, 1)), mode=mode)
    # 3 spikes reach 4 neurons each; all 4 neurons fire in both steps; 8 spikes reach 2 outputs.
    assert (report["0"].sops, report["0"].dense) == (12, 24)
    assert (report["2"].sops, report["2"].dense) == (16, 16)
    assert report["1"].updates == 8
    assert report.total.sops == report.total.ac == 28
    assert report.total.mac == 0
    # A weight of 4 bytes per operation; a potential of 4 bytes read and written per update.
    assert report.total.weight_bytes == 28 * 4
    assert report["1"].state_bytes == 8 * 2 * 4
    assert report["0"].activation_bytes == (6 + 8) * 4
    assert report.sample_steps == 2
    assert report.uncounted == {}
    assert report.total.energy(MODELS["float32"]) == pytest.approx(28 * 0.9 + 8 * 4.6)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_by_hand_two_convolution_and_pooling(mode):
    """T=1, N=1: 1x4x4, 3x3 kernel, padding 1, 2 channels: corner 4 taps, edge 6, inside 9."""
    net = nn.Sequential(Conv2d(1, 2, 3, padding=1), Fire(), snn.lift(nn.AvgPool2d(2)), Flatten())
    x = ones_at((1, 1, 1, 4, 4), (0, 0, 0, 0, 0), (0, 0, 0, 0, 1), (0, 0, 0, 1, 1))
    nn.init.ones_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    report = counted(net, x, mode=mode)
    assert report["0"].sops == 2 * (4 + 6 + 9)
    # 4 corners, 8 edges, 4 inside.
    assert report["0"].dense == 2 * (4 * 4 + 8 * 6 + 4 * 9)
    assert report["1"].updates == 32
    # Spikes at the 3x3 places that see a one, in both channels; windows do not overlap.
    assert (report["2"].ac, report["2"].mac) == (2 * 9, 2 * 4)
    assert "3" not in report


def test_by_hand_three_analogue_input_and_norm():
    """An image as current: multiply-accumulates, the zeros among them too; then 4 * 3 normed."""
    net = nn.Sequential(nn.Linear(5, 3, bias=False), nn.BatchNorm1d(3)).eval()
    x = torch.tensor([[0.5, 0.0, 0.0, 1.0, 1.0]]).expand(4, 5)
    report = counted(net, x)
    assert (report["0"].mac, report["0"].sops, report["0"].ac) == (60, 0, 0)
    assert report["1"].mac == 12
    assert report.total.energy(MODELS["int8"]) == pytest.approx(72 * 0.23)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_by_hand_four_recurrence(mode):
    """y = M(L[x; y]): T=3, all ones; 2 inputs and 2 fed back, to 2: 4, then 8, then 8 synapses."""
    net = nn.Sequential(LinearRecurrentContainer(Fire(), 2, 2))
    nn.init.ones_(net[0].linear.weight)
    nn.init.zeros_(net[0].linear.bias)
    report = counted(net, torch.ones(3, 1, 2), mode=mode)
    assert report["0.linear"].sops == 4 + 8 + 8
    assert report["0.linear"].dense == 24
    assert report["0.sub_module"].updates == 6
    # The fed-back output is a state of 2 floats, read and written in 3 steps.
    assert report["0"].state_bytes == 3 * 2 * 2 * 4
    assert report.uncounted == {}


class Attention(nn.Module):
    """(Q K^T) V on spikes, as in Spikformer, with a shortcut."""

    def forward(self, q, k, v):
        return (q @ k.transpose(-1, -2)) @ v * 0.25 + q


def test_by_hand_five_attention():
    """L=3, D=2. Q has 2 ones, K has ones in 2 + 1 columns, and so on, counted below."""
    q = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]])
    k = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]])
    v = torch.tensor([[[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]]])
    report = counted(Wrapped(Attention()), q, k, v)
    found = report["inside"]
    # Q K^T: column 0 of Q has 2 ones, of K 2: 4; column 1: 0 * 1. That is binary again:
    # its columns have 2, 2, 0 ones and the rows of V 2, 0, 1: 4 + 0 + 0.
    assert found.sops == 4 + 4
    assert found.dense == 3 * 3 * 2 * 2
    # Scaling multiplies 6 numbers; the shortcut adds 6.
    assert found.mac == 6
    assert found.ac == 8 + 6
    assert report.uncounted == {}


class Wrapped(nn.Module):
    def __init__(self, inside):
        super().__init__()
        self.inside = inside

    def forward(self, *inputs):
        return self.inside(*inputs)


def test_matrix_products_of_any_form():
    x = ones_at((2, 3, 4), (0, 0, 0), (1, 2, 3))
    weight = torch.rand(4, 5)
    for product in (
        lambda a: a @ weight,
        lambda a: torch.einsum("nij,jk->nik", a, weight),
        lambda a: functional.linear(a, weight.T),
        lambda a: functional.linear(a, weight.T, torch.zeros(5)),
        lambda a: torch.bmm(a, weight.expand(2, 4, 5)),
        lambda a: torch.stack([torch.mv(weight.T, row) for row in a.flatten(0, 1)]),
    ):
        net = nn.Module()
        net.forward = product
        with torch.no_grad(), OperationCounter().watch(net) as report:
            net(x)
        assert (report[""].sops, report[""].dense) == (10, 120)
        # Inference mode hands over operations that torch has not taken apart yet.
        with torch.inference_mode(), OperationCounter().watch(net) as inferred:
            net(x)
        assert inferred[""] == report[""]


def test_zeros_in_weights_are_no_spikes():
    net = nn.Sequential(nn.Linear(3, 4))
    nn.init.zeros_(net[0].weight)
    assert counted(net, torch.rand(2, 3))["0"].mac == 24


def test_elementwise_operations():
    class Sums(nn.Module):
        def forward(self, x, y, s):
            return ((x + y).relu() - x) * y + s * y + (s + s) + (x > y)

    x, y = torch.rand(3, 4), torch.rand(3, 4)
    net = Wrapped(Sums())
    found = counted(net, x, y, ones_at((3, 4), (0, 0), (1, 1)))["inside"]
    # x + y, - x, and three sums of terms; s + s adds its 2 + 2 ones.
    assert found.ac == 12 * 5 + 4
    assert found.mac == 12
    # relu, the mask s * y, x > y.
    assert found.comparisons == 36


def test_what_has_no_rule_is_named():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.softmax(torch.erfinv(x * 0.5), -1)

    net = Wrapped(Odd())
    report = counted(net, torch.rand(2, 3))
    assert report.uncounted == {"inside": ["erfinv", "_softmax"]}
    assert "not counted: erfinv, _softmax in inside" in str(report)
    query = torch.rand(1, 2, 3, 4)
    fused = counted(nn.MultiheadAttention(4, 2).eval(), *[torch.rand(3, 2, 4)] * 3)
    assert fused.uncounted
    own = Wrapped(nn.Module())
    own.inside.forward = functional.scaled_dot_product_attention
    assert "attention" in str(counted(own, query, query, query).uncounted["inside"])
    lstm = counted(nn.Sequential(nn.LSTM(3, 4)), torch.rand(5, 2, 3))
    assert lstm.uncounted or lstm["0"].mac


def test_a_neuron_with_weights_inside_is_named():
    class Gated(Fire):
        def __init__(self):
            super().__init__(backend="eager")
            self.gate = nn.Linear(3, 3)

        def charge(self, x, v):
            return x + self.gate(v)

    report = counted(nn.Sequential(Gated()), torch.rand(2, 1, 3))
    assert report.uncounted == {"0": ["the dynamics of Gated, which are no element-wise step"]}


def test_a_neuron_with_another_sequence_is_named():
    class Parallel(Fire):
        def sequence(self, inputs, states):
            return super().sequence(inputs, states)

    report = counted(nn.Sequential(Parallel()), torch.rand(2, 1, 3))
    assert "0" in report.uncounted


def test_rules_of_others():
    """By operation and by layer type; a layer's rule speaks for all that it does inside."""

    class Mine(nn.Linear):
        pass

    net = nn.Sequential(Mine(3, 4), nn.Linear(4, 2))
    report = counted(
        net,
        torch.rand(2, 3),
        layers={Mine: lambda call: Operations(mac=call.output.numel())},
        operations={"addmm": lambda call: Operations(ac=1)},
    )
    assert report["0"] == Operations(mac=8)
    assert report["1"] == Operations(ac=1)
    named = counted(net, torch.rand(2, 3), layers={Mine: lambda call: "my own arithmetic"})
    assert named.uncounted == {"0": ["my own arithmetic"]}
    assert "0" not in named


def test_backward_is_not_counted():
    net = nn.Sequential(nn.Linear(3, 4))
    with OperationCounter().watch(net) as report:
        y = net(torch.rand(2, 3).requires_grad_())
        y.square().sum().backward()
    assert report.total.mac == 24
    assert len(report) == 1


def test_work_outside_of_the_network_is_not_counted():
    net = nn.Sequential(nn.Linear(3, 4))
    with OperationCounter().watch(net) as report:
        net(torch.rand(2, 3) + 1) @ torch.rand(4, 4)
    assert report.total.dense == 24
    assert report.uncounted == {}


def test_energies_and_caveats_are_printed():
    net = nn.Sequential(nn.Linear(10, 100, bias=False))
    with OperationCounter(energy="float32_dram").watch(net) as report:
        net(torch.ones(1, 10))
    o = report.total
    assert o.moved == 4 * (1000 + 10 + 100)
    assert o.energy(report.model) == pytest.approx(1000 * 0.9 + o.moved * 162.5)
    text = " ".join(str(report).split())
    assert "4.6 pJ a MAC, 0.9 pJ an AC, 162.5 pJ a byte; Horowitz" in text
    assert "factor of about 700" in text
    # 1000 dense MACs of 0.23 pJ.
    assert "which a network without time does once per item: 0.23 nJ" in text
    assert "0 1 k 0 1 k 0 0 1 k 4.44 k 722.4 nJ total 1 k 0 1 k" in text


def test_published_prices():
    """Horowitz 2014: float32 3.7 + 0.9, float16 1.1 + 0.4, int8 0.2 + 0.03 pJ."""
    assert {name: (m.mac, m.ac) for name, m in MODELS.items() if not m.byte} == {
        "float32": (pytest.approx(3.7 + 0.9), 0.9),
        "float16": (pytest.approx(1.1 + 0.4), 0.4),
        "int8": (pytest.approx(0.2 + 0.03), 0.03),
    }
    for model in MODELS.values():
        assert math.isfinite(model.energy(1, 1, 1, 1))
        assert "Horowitz" in model.source


def test_errors():
    with pytest.raises(ConfigError, match="no energy model 'loihi'; there are float32, float16"):
        OperationCounter(energy="loihi")
    compiled = torch.compile(nn.Linear(2, 2), backend="eager")
    text = "calls no hooks; watch"
    with pytest.raises(NotSupported, match=text), OperationCounter().watch(compiled):
        pass
    with OperationCounter().watch(nn.Linear(2, 2)) as report, pytest.raises(KeyError, match="'9'"):
        report["9"]
