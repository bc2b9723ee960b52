"""Quantisation-aware training of networks, and their weights in integer arithmetic."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import snncore as snn
from snncore.errors import ConfigError, NotSupported
from snncore.neuron import Neuron
from snncore.quantize import (
    LSQ,
    Observed,
    calibrating,
    enable,
    export_integers,
    freeze,
    quantize_weights,
    quantizers,
)

SPECS = {
    "default": None,
    "affine range": {"name": "observed", "symmetric": False, "bits": 4, "momentum": 1.0},
    "shift": {"name": "observed", "power_of_two": True, "bits": 6, "momentum": 1.0},
    "lsq": {"name": "lsq", "bits": 3},
    "powers": {"name": "power_of_two", "bits": 4, "alpha": 0.5},
    "given": {"name": "uniform", "bits": 5, "scale": 0.0625, "zero_point": 3.0},
    "step": {"name": "step", "scale": 0.125},
    "k_bit": {"name": "k_bit", "bits": 5},
}
DYADIC = {"shift", "powers", "given", "step"}


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, stride=2, groups=2, bias=False),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 2),
        nn.Flatten(),
        nn.Linear(100, 5),
    )


def integer_layer(layer, found, x):
    """What the layer computes, in int64 up to its scale and bias. x holds whole numbers."""
    weight = found.codes.long() - found.zero_point
    x = x.long()
    if isinstance(layer, nn.Linear):
        # torch multiplies no integer matrices of every shape; sums of products are the same.
        return (x[:, None, :] * weight).sum(-1)
    if isinstance(layer, nn.ConvTranspose2d):
        return F.conv_transpose2d(x, weight, None, layer.stride)
    options = layer.stride, layer.padding, layer.dilation, layer.groups
    return F.conv2d(x, weight, None, *options)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", SPECS)
def test_integers_reproduce_the_quantised_network(name, per_channel):
    net = network()
    takes = SPECS[name] is None or SPECS[name]["name"] in ("observed", "lsq")
    if per_channel and not takes:
        with pytest.raises(ConfigError, match="has no parameter 'channels', so it cannot quantis"):
            quantize_weights(net, SPECS[name], per_channel=True)
        return
    paths = quantize_weights(net, SPECS[name], per_channel=per_channel)
    assert paths == ("0.weight", "2.weight", "4.weight")
    net.eval()
    exported = export_integers(net)
    assert tuple(exported) == paths
    for path, shape in zip(paths, [(3, 2, 8, 8), (3, 6, 3, 3), (3, 100)], strict=True):
        layer, found = net.get_submodule(path.partition(".")[0]), exported[path]
        # Spikes, counts of them, and negative ones.
        x = torch.randint(-2, 4, shape).float()
        if name == "k_bit":
            assert torch.allclose(found.values(), layer.weight, rtol=1e-6, atol=0)
        else:
            assert torch.equal(found.values(), layer.weight)
        assert found.codes.dtype == torch.int8
        assert found.codes.unique().numel() > 2
        layer.bias = None
        total = integer_layer(layer, found, x)
        scale = found.scale
        if per_channel:
            axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
            assert scale.numel() == layer.weight.shape[axis]
            scale = scale.reshape(-1, *[1] * (total.dim() - 2))
        expected = total.float() * scale
        assert torch.allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
        if name in DYADIC:
            assert torch.equal(layer(x), expected)


def test_wide_codes_take_wider_integers():
    for bits, dtype in ((8, torch.int8), (9, torch.int16), (17, torch.int32)):
        net = nn.Sequential(nn.Linear(4, 3))
        quantize_weights(net, {"name": "observed", "bits": bits, "momentum": 1.0})
        assert export_integers(net)["0.weight"].codes.dtype == dtype
    net = nn.Sequential(nn.Linear(4, 3))
    quantize_weights(net, {"name": "observed", "signed": False, "symmetric": False})
    assert export_integers(net)["0.weight"].codes.dtype == torch.int16


@pytest.mark.parametrize("name", ["default", "lsq", "powers"])
def test_training_goes_through_the_quantiser(name):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    quantize_weights(net, SPECS[name])
    x, target = torch.randn(64, 8), torch.randn(64, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    weight = net[0].weight.detach()
    assert weight.unique().numel() <= (17 if name != "default" else 256)
    assert not torch.equal(weight, net[0].parametrizations.weight.original)


def test_the_default_range_is_that_of_the_current_weight():
    net = nn.Sequential(nn.Linear(8, 4))
    quantize_weights(net)
    with torch.no_grad():
        net[0].parametrizations.weight.original.mul_(0.1)
    net[0].weight  # noqa: B018
    largest = net[0].parametrizations.weight.original.abs().max().item()
    assert net[0].parametrizations.weight[0].scale.item() == pytest.approx(largest / 127)


def test_switching_off_gives_the_float_network_back():
    net, x = network(), torch.randn(2, 2, 8, 8)
    plain = net(x)
    quantize_weights(net, SPECS["lsq"])
    quantised = net(x)
    enable(net, False)
    assert torch.equal(net(x), plain)
    with pytest.raises(ConfigError, match=r"^net\.0\.weight: its quantiser is switched off, so"):
        export_integers(net)
    enable(net)
    assert torch.equal(net(x), quantised)
    assert not torch.equal(quantised, plain)


def test_freezing_stops_observers_and_step_sizes():
    net = nn.Sequential(nn.Linear(4, 4), Observed(), LSQ())
    quantize_weights(net)
    net(torch.randn(8, 4))
    freeze(net)
    before = {name: value.clone() for name, value in net.named_buffers()}
    with torch.no_grad():
        net[0].parametrizations.weight.original.mul_(3.0)
    net(100 * torch.randn(8, 4)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    assert net[2].scale.grad is None
    assert net[0].parametrizations.weight.original.grad is not None
    freeze(net, False)
    net(100 * torch.randn(8, 4)).sum().backward()
    assert net[2].scale.grad is not None
    assert not torch.equal(net[1].scale, before["1.scale"])


def test_calibration_observes_in_evaluation_mode():
    net = nn.Sequential(nn.BatchNorm1d(4), Observed(observer="min_max")).eval()
    x = torch.randn(16, 4)
    with calibrating(net):
        net(x)
        net(2 * x)
    mean = net[0].running_mean.clone()
    scale = net[1].scale.clone()
    assert scale.item() == pytest.approx(2 * net[0](x).abs().max().item() / 127)
    net(100 * x)
    assert torch.equal(net[1].scale, scale)
    assert torch.equal(net[0].running_mean, mean)


def test_calibration_ends_with_an_error_too():
    net = nn.Sequential(Observed())
    with pytest.raises(TypeError, match="takes floating-point"), calibrating(net):
        net(torch.ones(2, dtype=torch.int64))
    assert not net[0].calibrating


def test_a_saved_state_goes_on_where_it_was():
    for name in ("default", "lsq", "affine range"):
        net = network()
        quantize_weights(net, SPECS[name], per_channel=True)
        net[0].parametrizations.weight[0].freeze()
        expected = net.eval()(torch.ones(1, 2, 8, 8))
        fresh = network()
        quantize_weights(fresh, SPECS[name], per_channel=True)
        with torch.no_grad():
            for parameter in fresh.parameters():
                parameter.mul_(1.7)
        fresh.load_state_dict(net.state_dict())
        assert torch.equal(fresh.eval()(torch.ones(1, 2, 8, 8)), expected)
        assert torch.equal(copy.deepcopy(net)(torch.ones(1, 2, 8, 8)), expected)


def test_spiking_networks_in_either_mode():
    torch.manual_seed(0)
    net = snn.lift(nn.Sequential(nn.Linear(6, 5), Observed(4), Leaky(), nn.Linear(5, 2)))
    assert quantize_weights(net, per_channel=True) == ("0.weight", "3.weight")
    x = (torch.rand(7, 3, 6) > 0.5).float()
    with calibrating(net), torch.no_grad():
        snn.set_step_mode(net, "m")
        net(x)
    net.eval()
    snn.reset(net)
    whole = net(x)
    snn.reset(net)
    snn.set_step_mode(net, "s")
    assert torch.allclose(torch.stack([net(now) for now in x]), whole, atol=1e-6)
    # The quantisers of the network and of its weights.
    assert [path for path, _ in quantizers(net)] == [
        "0.parametrizations.weight.0",
        "1",
        "3.parametrizations.weight.0",
    ]


def test_a_weight_is_quantised_once():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert quantize_weights(net, "round") == ("0.weight", "1.weight")
    assert quantize_weights(net) == ()


def test_a_layer_by_itself_is_a_network():
    layer = nn.Linear(2, 2)
    assert quantize_weights(layer) == ("weight",)
    assert list(export_integers(layer)) == ["weight"]


def test_faults_are_named():
    with pytest.raises(ConfigError, match="found no linear layer or convolution in Flatten"):
        quantize_weights(nn.Flatten())
    with pytest.raises(ConfigError, match=r"found no quantised weight in Linear; call snncore\.q"):
        export_integers(nn.Linear(2, 2))
    net = nn.Linear(2, 2)
    quantize_weights(net, "clamp")
    with pytest.raises(NotSupported, match="Clamp rounds nothing"):
        export_integers(net)
