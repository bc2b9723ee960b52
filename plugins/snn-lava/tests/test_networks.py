"""Whole networks: shapes, modes, traces, and that they fire and learn from the start."""

from __future__ import annotations

import copy

import pytest
import torch

import snncore
from snn_lava import LoihiConvNet, LoihiCUBA, LoihiDenseNet
from snn_lava.synapses import GAIN
from snncore.chip import parity, validate
from snncore.errors import ConfigError
from snncore.graph import to_module, trace
from snncore.monitor import Output

FAST = {"name": "snn-lava/loihi_cuba", "current_decay": 1.0, "voltage_decay": 0.2}
CASES = [
    ("loihi_dense", {"in_shape": [6]}),
    ("loihi_dense", {"in_shape": [2, 3], "hidden": []}),
    ("loihi_dense", {"in_shape": [6], "hidden": [8, 5], "dropout": 0.3, "gain": 3.0}),
    ("loihi_dense", {"in_shape": [6], "hidden": [8], "max_delay": 3, "neuron": FAST}),
    ("loihi_dense", {"in_shape": [9], "hidden": [8], "recurrent": True, "neuron": FAST, "gain": 4}),
    ("loihi_convnet", {"in_shape": [2, 9, 8], "channels": [4, 4], "neuron": FAST, "gain": 4.0}),
    ("loihi_convnet", {"in_shape": [2, 8, 8], "channels": [4], "hidden": [6], "dropout": 0.3}),
]


@pytest.fixture(params=range(len(CASES)), ids=lambda i: f"{CASES[i][0]}{i}")
def net(request):
    name, params = CASES[request.param]
    torch.manual_seed(0)
    return snncore.build("model", name, classes=10, **params)


def test_both_step_modes_give_the_same(net):
    net.eval()
    x = torch.rand(7, 3, *net.in_shape).round()
    single = torch.stack([net(step) for step in x])
    snncore.reset(net)
    snncore.set_step_mode(net, "m")
    assert single.shape == (7, 3, 10)
    assert torch.equal(net(x), single)
    assert single.any()


def test_every_parameter_learns(net):
    snncore.set_step_mode(net, "m")
    net(torch.ones(6, 4, *net.in_shape)).square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_config_gives_an_equal_network(net):
    name = snncore.registry.active().of_class(type(net)).qualified
    again = snncore.from_spec("model", {"name": name, **snncore.config_of(net)})
    again.load_state_dict(net.state_dict())
    x = torch.rand(3, *net.in_shape).round()
    assert torch.equal(again.eval()(x), net.eval()(x))


def test_a_trace_computes_what_the_network_does(net):
    net.eval()
    x = torch.rand(7, 3, *net.in_shape).round()
    graph = trace(net, x[0])
    assert {node.op.kind for node in graph.nodes} <= {
        *("Input", "Reshape", "Dropout", "Linear", "Conv", "Previous", "Add", "Output"),
        *("snn-lava/loihi_cuba", "snn-neurons/learnable_delay"),
    }
    run = to_module(graph)
    assert torch.equal(torch.stack([run(step) for step in x]), torch.stack([net(s) for s in x]))


def test_the_chip_gives_every_spike_of_it(net):
    net.eval()
    x = torch.rand(7, 3, *net.in_shape).round()
    chip, graph = snncore.build("chip", "snn-lava/loihi2"), trace(net, x[0])
    assert validate(chip, graph).findings == ()
    report = parity(chip, graph, x, "exact")
    assert (report.ok, report.mismatches) == (True, 0)
    assert report.bins >= 7 * 3 * 10


def rates(net, x):
    """Mean firing of each layer of neurons."""
    with torch.no_grad(), Output(module_type=LoihiCUBA).watch(net) as found:
        net(x)
    snncore.reset(net)
    return [y.mean().item() for y in found.values()]


@pytest.mark.parametrize(
    ("current_decay", "voltage_decay", "gain"),
    [(0.25, 0.03, GAIN), (0.5, 0.2, 1.5), (1, 0.2, 2.75)],
)
@pytest.mark.parametrize("seed", range(2))
def test_an_untrained_network_fires(current_decay, voltage_decay, gain, seed):
    """Behind an input of which a twentieth are spikes, and no layer is far from the others."""
    torch.manual_seed(seed)
    settings = {"gain": gain, "neuron": {**FAST, "current_decay": current_decay}}
    settings["neuron"]["voltage_decay"] = voltage_decay
    for net in (
        LoihiConvNet([2, 32, 32], 11, channels=[16, 16, 16], **settings),
        LoihiDenseNet([2, 16, 16], 10, hidden=[64, 64], **settings),
        LoihiDenseNet([2, 16, 16], 10, hidden=[64], recurrent=True, **settings),
    ):
        snncore.set_step_mode(net, "m")
        x = (torch.rand(16, 8, *net.in_shape) < 0.05).float()
        found = rates(net, x)
        assert 0.02 <= sum(found) / len(found) <= 0.2
        assert min(found) > 0.005
        assert max(found) < 0.4


def test_a_network_learns():
    """Two patterns that overlap, in a few steps; its weights stay on the grid."""
    torch.manual_seed(0)
    net = LoihiDenseNet([20], 2, hidden=[16], neuron=FAST)
    snncore.set_step_mode(net, "m")
    labels = torch.arange(64) % 2
    chance = torch.full((2, 20), 0.1)
    chance[0, :12] = chance[1, 8:] = 0.4
    x = (torch.rand(16, 64, 20) < chance[labels]).float()
    target = torch.nn.functional.one_hot(labels, 2).float()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(60):
        snncore.reset(net)
        optimizer.zero_grad()
        (net(x).mean(0) - target).square().mean().backward()
        optimizer.step()
    snncore.reset(net)
    assert (net(x).mean(0).argmax(1) == labels).float().mean() >= 0.95


def test_each_layer_has_neurons_of_its_own():
    with pytest.raises(ConfigError, match="each layer gets its own; got a LoihiCUBA"):
        LoihiDenseNet([6], 3, neuron=LoihiCUBA())


def test_recurrent_layers_with_delays_are_refused():
    with pytest.raises(ConfigError, match="no delays of their own, got max_delay = 2; set it to 0"):
        LoihiDenseNet([6], 3, recurrent=True, max_delay=2)


def test_more_halvings_than_pixels_are_refused():
    with pytest.raises(ConfigError, match="3 blocks halve 9x7 pixels more often"):
        LoihiConvNet([2, 9, 7], 3, channels=[4, 4, 4])


def test_a_copy_is_independent(net):
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert all(p.any() for p in net.parameters())
