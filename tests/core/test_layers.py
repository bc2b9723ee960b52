from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import snncore as snn
from snncore import layers
from snncore.errors import NotSupported
from snncore.layers.names import TIME_AWARE
from snncore.layers.time_aware import TimeAware
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


# Random, index-fed, or made for several devices: tested by themselves below.
APART = {
    "Embedding", "SyncBatchNorm", "RReLU", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d",
    "AlphaDropout", "FeatureAlphaDropout", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(TIME_AWARE.values()) - APART))
def test_a_layer_merges_time_and_equals_torch_on_the_merged_batch(name):
    form = getattr(layers, name)
    kit = form.conformance
    (arguments,) = kit.get("variants", ({},))
    torch.manual_seed(0)
    plain = getattr(nn, name)(**arguments)
    aware = form(**arguments)
    aware.load_state_dict(plain.state_dict())
    shape = kit.get("shape", (4, 6))
    inputs = [torch.randn(3, 2, *shape) for _ in range(kit.get("arity", 1))]
    expected = plain(*(x.flatten(0, 1) for x in inputs))
    aware.step_mode = "m"
    assert torch.equal(aware(*inputs), expected.unflatten(0, (3, 2)))
    aware.step_mode = "s"
    aware.load_state_dict(plain.state_dict()), aware.eval(), plain.eval()
    assert torch.equal(aware(*(x[0] for x in inputs)), plain(*(x[0] for x in inputs)))


def test_layers_that_are_no_plain_map():
    index = torch.randint(0, 5, (3, 2, 4))
    embedding = layers.Embedding(5, 6)
    embedding.step_mode = "m"
    assert torch.equal(embedding(index), embedding.weight[index])
    pool = layers.MaxPool2d(2, return_indices=True)
    unpool = layers.MaxUnpool2d(2)
    snn.set_step_mode(nn.ModuleList([pool, unpool]), "m")
    x = torch.rand(3, 2, 1, 4, 4)
    values, indices = pool(x)
    back = unpool(values, indices)
    assert torch.equal(back.amax((-1, -2)), x.amax((-1, -2)))
    assert back.shape == x.shape
    torch.manual_seed(0)
    drop = layers.Dropout(0.5)
    drop.step_mode = "m"
    masks = drop(torch.ones(8, 4, 16))
    assert set(masks.unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(masks[0], masks[1])
    sync = layers.SyncBatchNorm(3).eval()
    sync.step_mode = "m"
    assert sync(torch.rand(2, 4, 3, 5)).shape == (2, 4, 3, 5)
    for name in ("RReLU", "AlphaDropout", "FeatureAlphaDropout"):
        layer = getattr(layers, name)().eval()
        layer.step_mode = "m"
        assert layer(x).shape == x.shape
    for d in (1, 2, 3):
        layer = getattr(layers, f"Dropout{d}d")(1.0)
        layer.step_mode = "m"
        assert layer(torch.ones(3, 2, 4, *[2] * d)).sum() == 0
    for d in (2, 3):
        layer = getattr(layers, f"FractionalMaxPool{d}d")(2, output_size=2)
        layer.step_mode = "m"
        assert layer(torch.rand(3, 2, 4, *[5] * d)).shape == (3, 2, 4, *[2] * d)


def test_every_listed_layer_is_tested():
    listed = set(TIME_AWARE.values())
    assert listed > APART
    assert len(listed) == len(TIME_AWARE)
    for name in listed:
        form = getattr(layers, name)
        assert issubclass(form, TimeAware)
        assert issubclass(form, getattr(nn, name))


def test_batch_statistics_run_over_time_and_batch():
    norm = layers.BatchNorm1d(4, momentum=1.0)
    norm.step_mode = "m"
    x = torch.randn(5, 7, 4)
    norm(x)
    assert torch.allclose(norm.running_mean, x.mean((0, 1)), atol=1e-6)


@pytest.mark.parametrize(("t", "n"), [(0, 3), (3, 0), (0, 0)])
def test_empty_time_and_batch_pass(t, n):
    net = nn.Sequential(layers.Conv2d(1, 2, 3), layers.Flatten(), layers.Linear(8, 3), Leaky())
    snn.set_step_mode(net, "m")
    assert net(torch.zeros(t, n, 1, 4, 4)).shape == (t, n, 3)


def test_a_shape_error_says_which_layout_was_expected():
    net = nn.Sequential(layers.Conv2d(1, 2, 3), nn.Sequential(layers.Linear(5, 2)))
    with pytest.raises(RuntimeError) as caught:
        net(torch.zeros(4, 2, 1, 8, 8))
    assert (
        "net.0 (snncore/conv2d) is in step_mode 's' and takes [N, *]; got [4, 2, 1, 8, 8]"
        in caught.value.__notes__
    )
    snn.set_step_mode(net, "m")
    with pytest.raises(RuntimeError) as caught:
        net(torch.zeros(4, 2, 1, 8, 8))
    assert any("net.1.0 (snncore/linear) is in step_mode 'm'" in n for n in caught.value.__notes__)


def test_layers_pickle_and_copy():
    layer = layers.Conv2d(1, 2, 3)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(twin) is layers.Conv2d
        assert torch.equal(twin.weight, layer.weight)


class Block(nn.Module):
    """A plain residual block whose forward flattens by dimension."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.fc = nn.Linear(32, 5)

    def forward(self, x):
        return self.fc(torch.flatten(self.conv(x) + x, 1))


def test_lift_makes_a_plain_network_time_aware():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), Block(), nn.Softmax(1)).eval()
    lifted = snn.lift(plain)
    assert type(plain[0]) is nn.Conv2d
    assert list(lifted.state_dict()) == list(plain.state_dict())
    x = torch.rand(3, 2, 1, 4, 4)
    snn.set_step_mode(lifted, "m")
    assert torch.equal(lifted(x), plain(x.flatten(0, 1)).unflatten(0, (3, 2)))
    snn.set_step_mode(lifted, "s")
    assert torch.equal(lifted(x[0]), plain(x[0]))


def test_lift_keeps_the_forward_around_spiking_parts():
    class Spiking(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.neuron = nn.Linear(3, 3), Leaky()

        def forward(self, x):
            return self.neuron(self.fc(x)) + x

    net = snn.lift(Spiking())
    snn.set_step_mode(net, "m")
    x = torch.rand(4, 2, 3)
    by_layer = net(x)
    snn.set_step_mode(net, "s")
    snn.reset(net)
    assert torch.equal(by_layer, torch.stack([net(step) for step in x]))


def test_lifted_networks_copy_pickle_and_lift_again():
    lifted = snn.lift(nn.Sequential(Block()))
    snn.set_step_mode(lifted, "m")
    x = torch.rand(3, 2, 2, 4, 4)
    again = snn.lift(lifted)
    for twin in (copy.deepcopy(lifted), pickle.loads(pickle.dumps(lifted)), again):
        assert type(twin[0]) is type(lifted[0])
        assert torch.equal(twin(x), lifted(x))


def test_lift_refuses_what_it_cannot_do():
    with pytest.raises(NotSupported, match=r"cannot lift 1 \(LSTM\): it has a time axis"):
        snn.lift(nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2)))
    with pytest.raises(NotSupported, match=r"cannot lift 0 \(LazyLinear\): its shape"):
        snn.lift(nn.Sequential(nn.LazyLinear(2)))


def test_lift_of_a_single_layer():
    assert type(snn.lift(nn.Linear(2, 3))) is layers.Linear
