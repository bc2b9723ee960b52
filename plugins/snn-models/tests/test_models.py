from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

import snncore
from snn_models import MLP, ConvNet
from snncore import Neuron
from snncore.errors import ConfigError, UnknownComponent

NEURON = {"name": "lif", "tau": 3.0, "surrogate": {"name": "sigmoid", "alpha": 2.0}}
DRAWN = {"name": "lif", "tau": {"gamma": 3.0, "mean": 5.0, "low": 1.0}, "v_reset": None}

CASES = [
    ("mlp", {"in_shape": [6]}),
    ("mlp", {"in_shape": [2, 3], "hidden": [], "readout": "rate"}),
    ("mlp", {"in_shape": [6], "hidden": [8, 5], "norm": "batch_norm1d", "dropout": 0.3}),
    ("mlp", {"in_shape": [6], "hidden": [8], "readout": "rate", "neuron": DRAWN}),
    ("rsnn", {"in_shape": [1, 1, 6], "hidden": [8], "dropout": 0.3}),
    ("rsnn", {"in_shape": [6], "hidden": [8, 5], "readout": "rate", "neuron": DRAWN}),
    ("convnet", {"in_shape": [2, 8, 8], "channels": [3], "neuron": NEURON}),
    ("convnet", {"in_shape": [2, 8, 8], "channels": [3], "hidden": [4], "neuron": DRAWN}),
    ("convnet", {"in_shape": [1, 9, 7], "channels": [3, 4], "norm": "batch_norm2d", "hidden": [6]}),
    ("convnet", {"in_shape": [1, 8, 8], "channels": [4, 4], "pool": "avg_pool2d", "stride": 2}),
    ("convnet", {"in_shape": [1, 5, 5], "channels": [4], "pool": "none", "readout": "rate"}),
    (
        "convnet",
        {
            "in_shape": [1, 8, 8],
            "channels": [4],
            "norm": {"name": "group_norm", "num_groups": 2},
            "pool": {"name": "max_pool2d", "kernel_size": 4},
            "dropout": 0.5,
        },
    ),
]


def build(name: str, params: dict[str, Any], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return snncore.build("model", name, classes=10, **params)


@pytest.fixture(params=range(len(CASES)), ids=lambda i: f"{CASES[i][0]}{i}")
def net(request: pytest.FixtureRequest) -> nn.Module:
    name, params = CASES[request.param]
    net = build(name, params)
    # Running statistics other than 0 and 1, so that evaluation mode shows their use.
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    return net


def test_both_step_modes_give_the_same(net: nn.Module):
    net.eval()
    x = 3 * torch.rand(5, 3, *net.in_shape)
    single = torch.stack([net(step) for step in x])
    snncore.reset(net)
    snncore.set_step_mode(net, "m")
    assert single.shape == (5, 3, 10)
    torch.testing.assert_close(net(x), single, rtol=0, atol=1e-6)


def test_every_parameter_learns(net: nn.Module):
    snncore.set_step_mode(net, "m")
    net(3 * torch.rand(4, 6, *net.in_shape)).square().sum().backward()
    lazy = [name for name, p in net.named_parameters() if p.grad is None]
    assert lazy == []


def test_config_gives_an_equal_network(net: nn.Module):
    name = snncore.registry.active().of_class(type(net)).qualified
    again = snncore.from_spec("model", {"name": name, **snncore.config_of(net)})
    again.load_state_dict(net.state_dict())
    x = torch.rand(2, *net.in_shape)
    torch.testing.assert_close(again.eval()(x), copy.deepcopy(net).eval()(x), rtol=0, atol=0)


def test_each_layer_has_its_own_neuron():
    net = build("convnet", {"in_shape": [1, 8, 8], "hidden": [7], "readout": "rate"})
    assert [name for name, m in net.named_modules() if isinstance(m, Neuron)] == [
        "neuron1",
        "neuron2",
        "linear_neuron1",
        "out_neuron",
    ]
    assert len({id(m) for m in net.modules() if isinstance(m, Neuron)}) == 4


def test_neuron_table_reaches_the_neurons():
    net = build("mlp", {"in_shape": [4], "hidden": [3], "neuron": NEURON})
    assert (net.neuron1.tau, net.neuron1.surrogate.alpha) == (3.0, 2.0)


def test_what_a_neuron_draws_is_its_own():
    table = {"gamma": 3.0, "mean": 5.0, "low": 1.0}
    params = {"in_shape": [4], "hidden": [5000], "neuron": {"name": "plif", "init_tau": table}}
    net = build("rsnn", params)
    tau = net.recurrent1.sub_module.init_tau
    assert tau.shape == (5000,)
    # A gamma distribution of shape k and mean m has the variance m^2 / k; 5 standard errors.
    assert tau.min() > 1.0
    assert abs(tau.mean().item() - 5.0) < 5 * 4.0 / (3 * 5000) ** 0.5
    assert abs(tau.std().item() - 4.0 / 3**0.5) < 0.2
    assert tau.equal(build("rsnn", params).recurrent1.sub_module.init_tau)
    assert not tau.equal(build("rsnn", params, seed=1).recurrent1.sub_module.init_tau)


def test_channels_draw_one_value_each():
    net = build("convnet", {"in_shape": [1, 8, 8], "channels": [3], "neuron": DRAWN})
    assert net.neuron1.tau.shape == (3, 1, 1)
    learnable = {**DRAWN, "learnable": ["tau"]}
    net = build("rsnn", {"in_shape": [4], "hidden": [3], "neuron": learnable})
    assert isinstance(net.recurrent1.sub_module.tau, nn.Parameter)


def test_a_recurrent_layer_feeds_back():
    net = build("rsnn", {"in_shape": [1], "hidden": [1], "neuron": "if"})
    with torch.no_grad():
        for name, value in net.named_parameters():
            value.fill_({"recurrent1.recurrent.weight": -5.0}.get(name, 1.0))
        net.recurrent1.feedforward.bias.fill_(0.0)
        net.out.bias.fill_(0.0)
    # 1 at every step: it fires, then its own spike holds it down by 5 for five more inputs.
    spikes = torch.stack([net(torch.ones(1, 1)) for _ in range(8)])
    assert spikes[:, 0, 0].tolist() == [1, 0, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"gamma": 3.0}, r"tau is drawn by a table .*low may be left out; got \{'gamma': 3.0\}"),
        ({"gamma": 3.0, "mean": 5.0, "hi": 1}, r"tau is drawn by a table \{gamma = 3.0, mean = 10"),
        ({"gamma": 0.0, "mean": 5.0}, r"tau is drawn with gamma > 0 and mean > low, got"),
        ({"gamma": 3.0, "mean": 1.0, "low": 1.0}, r"tau is drawn with gamma > 0 and mean > low"),
        ({"gamma": 0.01, "mean": 1.5}, r"tau must be > 1"),
    ],
)
def test_draws_that_cannot_be(table: dict[str, Any], text: str):
    with pytest.raises(ConfigError, match=text):
        build("mlp", {"in_shape": [4], "neuron": {"name": "lif", "tau": table}})


def test_readout_says_what_comes_out():
    x = 5 * torch.rand(2, 6)
    assert set(build("mlp", {"in_shape": [6], "readout": "rate"})(x).unique().tolist()) <= {0, 1}
    assert build("mlp", {"in_shape": [6], "readout": "current"})(x).unique().numel() > 2


def test_norm_takes_the_place_of_the_bias():
    with_norm = build("convnet", {"in_shape": [1, 8, 8], "norm": "batch_norm2d"})
    assert with_norm.conv1.bias is None
    assert build("convnet", {"in_shape": [1, 8, 8], "norm": "none"}).conv1.bias is not None


def test_pool_and_stride_halve_the_image():
    net = build("convnet", {"in_shape": [1, 34, 34], "channels": [2, 2], "stride": 2})
    assert net.out.in_features == 2 * 4 * 4


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"in_shape": [1, 8]}, r"in_shape"),
        ({"in_shape": [1, 0, 8]}, r"in_shape.1: input should be greater than 0"),
        ({"in_shape": [1, 8, 8], "chanels": [3]}, r"did you mean 'channels'\?"),
        ({"in_shape": [1, 8, 8], "kernel_size": 4}, r"kernel_size must be odd .* got 4"),
        (
            {"in_shape": [1, 8, 8], "channels": [2, 2, 2, 2]},
            r"block 4 cannot pool an image of 1x1 any more; in_shape is \[1, 8, 8\]",
        ),
        ({"in_shape": [1, 8, 8], "norm": "layer_norm"}, r"'layer_norm' takes no number of channel"),
        ({"in_shape": [1, 8, 8], "norm": {"eps": 1.0}}, r"norm: .* names no layer; add name"),
        ({"in_shape": [1, 8, 8], "neuron": {"name": "lif", "tau": 0.5}}, r"lif: tau must be > 1"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, Any], text: str):
    with pytest.raises(ConfigError, match=text):
        build("convnet", params)


def test_a_finished_neuron_cannot_be_shared():
    with pytest.raises(ConfigError, match="each layer gets its own; got a LIF"):
        MLP([4], 2, neuron=snncore.build("neuron", "lif"))  # pyright: ignore[reportArgumentType]


def test_unknown_neuron_is_the_registrys_error():
    with pytest.raises(UnknownComponent, match="did you mean 'lif'"):
        ConvNet([1, 8, 8], 10, neuron="liff")
