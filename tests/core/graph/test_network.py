from __future__ import annotations

import copy
import io
from dataclasses import replace

import pytest
import torch
from torch import nn

import snncore as snn
from snncore import layers
from snncore.graph import to_module, trace
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def make(recurrent):
    torch.manual_seed(0)
    last = layers.Recurrent(Leaky(), 4, 4) if recurrent else Leaky()
    net = nn.Sequential(nn.Linear(3, 4), Leaky(), last, nn.Linear(4, 2))
    return net, to_module(trace(net, torch.zeros(1, 3)))


@pytest.mark.parametrize("recurrent", [False, True])
def test_it_learns_like_the_network_it_was_made_of(recurrent):
    net, twin = make(recurrent)
    x = torch.rand(5, 2, 3) * 3
    expected = torch.stack([net(step) for step in x])
    snn.set_step_mode(twin, "m")
    got = twin(x)
    torch.testing.assert_close(got, expected)
    for out in (expected, got):
        out.square().sum().backward()
    wanted = [p.grad for p in net.parameters()]
    found = [p.grad for p in twin.parameters()]
    key = lambda grad: (tuple(grad.shape), grad.sum().item())  # noqa: E731
    for a, b in zip(sorted(wanted, key=key), sorted(found, key=key), strict=True):
        torch.testing.assert_close(a, b)
    assert wanted[0].any()


def test_its_parameters_are_its_own():
    net, twin = make(False)
    assert list(twin.state_dict()) == list(net.state_dict())
    assert not {id(p) for p in net.parameters()} & {id(p) for p in twin.parameters()}
    net[0].weight.data.zero_()
    assert twin.state_dict()["0.weight"].any()


def test_names_that_are_taken_get_a_mark():
    class Taken(nn.Module):
        def __init__(self):
            super().__init__()
            self.graph, self.inputs = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))

        def forward(self, x):
            return self.inputs(self.graph(x))

    net = Taken()
    graph = trace(nn.Sequential(nn.ReLU(), net), torch.zeros(1, 2))
    names = [node.name for node in graph]
    assert names == ["x", "0", "1.graph", "1.inputs.0", "output"]
    inner = graph.change(lambda node: replace(node, name=node.name.removeprefix("1.")))
    twin = to_module(inner)
    assert list(twin.state_dict()) == [
        "graph_.weight",
        "graph_.bias",
        "inputs_.0.weight",
        "inputs_.0.bias",
    ]
    x = torch.rand(3, 2)
    assert torch.equal(twin(x), net(x.relu()))


@pytest.mark.parametrize("recurrent", [False, True])
def test_memory_is_walked_copied_saved_and_reset(recurrent):
    _, twin = make(recurrent)
    x = torch.rand(4, 2, 3) * 3
    with torch.no_grad():
        first = torch.stack([twin(step) for step in x])
        held = {(path, name) for path, name, value in snn.memories(twin) if value is not None}
        assert (("", "2.previous") in held) == recurrent
        other = torch.load(_saved(copy.deepcopy(twin)), weights_only=False)
        torch.testing.assert_close(other(x[0]), twin(x[0]), rtol=0, atol=0)
        snn.reset(twin)
        again = torch.stack([twin(step) for step in x])
        torch.testing.assert_close(again, first, rtol=0, atol=0)
        snn.reset(twin)
        snn.set_step_mode(twin, "m")
        torch.testing.assert_close(twin(x), first, rtol=0, atol=0)


def _saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return file
