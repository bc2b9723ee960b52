from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snncore as snn
from snncore import layers
from snncore.errors import GraphError
from snncore.graph import ops, to_module, trace
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Functional(nn.Module):
    """Layers spelled as functions and operators."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 2, 3, 3))
        self.bias = nn.Parameter(torch.randn(4))
        self.mask = nn.Parameter(torch.randint(0, 2, (5, 16)).float())
        self.out = nn.Parameter(torch.randn(5, 16))
        self.fire = Leaky()

    def forward(self, x):
        y = F.conv2d(x, self.weight, self.bias, stride=2, padding=1)
        y = F.avg_pool2d(self.fire(y), 2)
        left, right = y[:, :2], y[:, 2:]
        y = torch.cat((left.relu(), F.max_pool2d(right, 1)), dim=1)
        y = y.reshape(len(x), -1) * 2 + y.flatten(1)
        return F.linear(F.dropout(y, 0.5, self.training), self.out * self.mask) / 4


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.fire = Leaky()

    def forward(self, x):
        x = self.fire(self.norm(self.conv(x))) + x
        x += 1
        return x


def same(net, graph, shape, steps=4):
    """Whether a network and its graph give the same over some steps, in both modes."""
    torch.manual_seed(1)
    sequence = torch.rand(steps, 3, *shape) * 2
    net = copy.deepcopy(net).eval()
    for module in net.modules():
        if isinstance(module, snn.StepModule) and "s" in module.step_modes:
            module.step_mode = "s"
    snn.reset(net)
    with torch.no_grad():
        expected = torch.stack([net(x) for x in sequence])
        for mode in ("s", "m"):
            twin = to_module(graph, mode)
            got = twin(sequence) if mode == "m" else torch.stack([twin(x) for x in sequence])
            torch.testing.assert_close(got, expected)
    return expected


def kinds(graph):
    return [node.op.kind for node in graph]


def test_functions_and_operators_are_what_modules_would_be():
    net = Functional()
    graph = trace(net, torch.zeros(1, 2, 8, 8))
    assert kinds(graph) == [
        "Input",
        "Conv",
        "Leaky",
        "Pool",
        "getitem",
        "getitem",
        "Activation",
        "Pool",
        "Concat",
        "Reshape",
        "Scale",
        "Reshape",
        "Add",
        "Dropout",
        "Linear",
        "Scale",
        "Output",
    ]
    conv = graph["conv"].op
    assert conv.weight is net.weight
    assert (conv.stride, conv.padding, conv.groups) == ((2, 2), (1, 1), 1)
    assert graph["pool"].op == ops.Pool("mean", (2, 2), (2, 2), (0, 0))
    assert torch.equal(graph["linear"].op.weight, net.out * net.mask)
    assert same(net, graph, (2, 8, 8)).any()


def test_nodes_know_shape_dtype_and_the_users_module():
    net = nn.Sequential(Residual(), nn.Flatten(), nn.Linear(32, 3).double())
    net[0].double()
    graph = trace(net, torch.zeros(2, 2, 4, 4, dtype=torch.float64))
    assert [(n.name, n.path, n.shape) for n in graph] == [
        ("x", "", (2, 4, 4)),
        ("0.conv", "0.conv", (2, 4, 4)),
        ("0.norm", "0.norm", (2, 4, 4)),
        ("0.fire", "0.fire", (2, 4, 4)),
        ("0.add", "0", (2, 4, 4)),
        ("0.add_1", "0", (2, 4, 4)),
        ("1", "1", (32,)),
        ("2", "2", (3,)),
        ("output", "", (3,)),
    ]
    assert {node.dtype for node in graph} == {torch.float64}


def test_branches_meet_and_what_is_written_in_place_is_a_new_value():
    net = Residual()
    graph = trace(net, torch.zeros(1, 2, 4, 4))
    assert graph["add"].inputs == ("fire", "x")
    assert [node.name for node in graph.users["x"]] == ["conv", "add"]
    assert graph["output"].inputs == ("add_1",)
    assert not graph.is_sequential
    same(net, graph, (2, 4, 4))


def test_the_network_stays_as_it_is():
    net = nn.Sequential(Residual(), nn.Dropout())
    net.train()
    net(torch.rand(2, 2, 4, 4))
    hooks = []
    net[0].register_forward_hook(lambda *_: hooks.append(1))
    before, held = copy.deepcopy(net.state_dict()), net[0].fire.v
    x = torch.rand(2, 2, 4, 4)
    kept = x.clone()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    graph = trace(net, x)
    assert torch.equal(torch.rand(1), expected)
    assert net.training
    assert net[0].fire.v is held
    assert torch.equal(x, kept)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert "forward" not in net[0].__dict__
    assert graph["0.conv"].op.weight is net[0].conv.weight
    assert graph["0.fire"].op.module.v is None


RECURRENT = {
    "separate weights": lambda: layers.Recurrent(Leaky(), 3, 4),
    "one matrix": lambda: layers.LinearRecurrentContainer(Leaky(), 3, 3),
    "a sum": lambda: layers.ElementWiseRecurrentContainer(nn.Sequential(nn.Linear(3, 3), Leaky())),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_what_is_fed_back_is_the_value_of_the_step_before(name):
    torch.manual_seed(2)
    net = nn.Sequential(RECURRENT[name]())
    for parameter in net.parameters():
        parameter.data.abs_()
    graph = trace(net, torch.zeros(1, 3))
    assert graph.is_recurrent
    (previous,) = (node for node in graph if isinstance(node.op, ops.Previous))
    assert graph[previous.inputs[0]].op.kind == "Leaky"
    assert same(net, graph, (3,), steps=6).any()


def test_containers_over_time_are_followed_into():
    net = nn.Sequential(
        layers.SeqToANNContainer(nn.Linear(3, 4), nn.ReLU()),
        Leaky(step_mode="m"),
        layers.MultiStepContainer(nn.Linear(4, 2), Leaky()),
    )
    graph = trace(net, torch.zeros(1, 3))
    names = [node.name for node in graph]
    assert names == ["x", "0.0", "0.1", "1", "2.0", "2.1", "output"]
    x = torch.rand(5, 2, 3) * 3
    assert torch.equal(to_module(graph, "m")(x), net(x))


def test_layers_without_a_type_run_as_they_are():
    net = nn.Sequential(nn.LayerNorm(4), nn.Conv1d(2, 2, 3, padding="same"), nn.Softmax(-1))
    graph = trace(net, torch.zeros(1, 2, 4))
    assert kinds(graph)[1:-1] == ["LayerNorm", "Conv1d", "Softmax"]
    assert all(isinstance(node.op, ops.Layer) for node in graph.nodes[1:-1])
    same(net, graph, (2, 4))


TYPED = {
    "linear": (lambda: nn.Linear(4, 3), (4,), "Linear"),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3, 2, 1, 2, 2), (2, 9), "Conv"),
    "conv3d": (lambda: layers.Conv3d(1, 2, (1, 2, 3)), (1, 4, 4, 4), "Conv"),
    "transposed": (lambda: nn.ConvTranspose2d(4, 2, 3, 2, 1, 1, 2), (4, 3, 5), "Conv"),
    "norm": (lambda: layers.BatchNorm1d(4), (4,), "BatchNorm"),
    "max": (lambda: nn.MaxPool2d((3, 2), 2, 1, ceil_mode=True), (1, 7, 6), "Pool"),
    "mean": (lambda: nn.AvgPool2d(2, count_include_pad=False, padding=1), (1, 6, 6), "Pool"),
    "adaptive": (lambda: nn.AdaptiveAvgPool2d((2, 1)), (1, 6, 5), "Pool"),
    "uneven": (lambda: nn.AdaptiveAvgPool2d(2), (1, 5, 5), "AdaptiveAvgPool2d"),
    "flatten": (lambda: nn.Flatten(2), (2, 3, 4), "Reshape"),
    "relu": (lambda: nn.ReLU(inplace=True), (4,), "Activation"),
    "gelu": (lambda: nn.GELU(), (4,), "Activation"),
    "tanh gelu": (lambda: nn.GELU("tanh"), (4,), "GELU"),
    "identity": (lambda: nn.Identity(), (4,), "Identity"),
}


@pytest.mark.parametrize("name", TYPED)
def test_torchs_layers_have_types(name):
    torch.manual_seed(0)
    make, shape, kind = TYPED[name]
    net = nn.Sequential(make()).eval()
    graph = trace(net, torch.zeros(1, *shape))
    assert kinds(graph) == ["Input", kind, "Output"]
    assert graph["output"].shape == tuple(net(torch.zeros(1, *shape)).shape[1:])
    same(net, graph, shape)


def test_several_inputs_and_outputs():
    class Two(nn.Module):
        def forward(self, a, b):
            return a + b, {"b": b.relu()}

    graph = trace(Two(), (torch.zeros(1, 3), torch.zeros(1, 3)))
    assert [n.name for n in (*graph.inputs, *graph.outputs)] == ["x0", "x1", "output0", "output1"]
    a, b = torch.rand(2, 3), -torch.rand(2, 3)
    first, second = to_module(graph)(a, b)
    assert torch.equal(first, a + b)
    assert torch.equal(second, b.relu())


def test_what_nobody_uses_is_left_out():
    class Idle(nn.Module):
        def forward(self, x):
            x.relu()
            return x * 2

    assert kinds(trace(Idle(), torch.zeros(1, 3))) == ["Input", "Scale", "Output"]


class Choosing(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Writing(nn.Module):
    def forward(self, x):
        y = x.clone() * 1.5
        y[:, 0] = 0
        return y


class Constant(nn.Module):
    def forward(self, x):
        return torch.zeros(2)


class Number(nn.Module):
    def forward(self, x):
        return x, 3


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fire = Leaky()

    def forward(self, x):
        return self.fire(self.fire(x))


class Setting(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.Bilinear(3, 3, 3)

    def forward(self, x):
        return self.norm(x, torch.ones(2, 3))


class Drawing(nn.Module):
    """Dropout that never falls silent."""

    def forward(self, x):
        return F.dropout(x, 0.5)


@pytest.mark.parametrize(
    ("net", "text"),
    [
        (Choosing(), r"forward of Choosing reads values of a tensor \(bool\); a graph has one cou"),
        (nn.Sequential(Writing()), r"forward of 0 writes into a part of a tensor \(setitem\); mak"),
        (Constant(), r"Constant returns a Tensor that does not depend on its input; a graph's out"),
        (Number(), r"Number returns a int that does not depend on its input"),
        (Twice(), r"fire \(Leaky\) runs twice in one time step, so its memory mixes two signals"),
        (nn.Linear(5, 2), r"Linear fails on the example in single-step mode \(RuntimeError: .*"),
        (Setting(), r"norm \(Bilinear\) is given more than tensors that depend on the input; give"),
    ],
)
def test_what_makes_no_graph_is_refused(net, text):
    with pytest.raises(GraphError, match=text):
        trace(net, torch.ones(2, 3))
    assert not any("forward" in module.__dict__ for module in net.modules())


def test_dropout_that_is_never_silent_is_a_function():
    assert kinds(trace(Drawing(), torch.zeros(1, 3))) == ["Input", "dropout", "Output"]


def test_an_example_has_a_batch():
    for shape in ((), (0, 3)):
        with pytest.raises(GraphError, match=r"trace needs one time step \[N, \*\] of each input"):
            trace(nn.Identity(), torch.zeros(shape))


def test_sizes_of_one_are_no_batch():
    class Squeezing(nn.Module):
        def forward(self, x):
            return x.squeeze()

    graph = trace(Squeezing(), torch.zeros(1, 1, 3))
    assert to_module(graph)(torch.zeros(1, 1, 3)).shape == (1, 3)
