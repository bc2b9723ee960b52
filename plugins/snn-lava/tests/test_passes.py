"""Passes change a network's form and not what it computes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import snncore as snn
from snn_lava.passes import fold_decay_input, fold_mean_pool
from snncore.graph import ops, to_module, trace


def same(net, graph, changed, *shape):
    x = torch.randn(3, *shape, dtype=torch.float64, generator=torch.manual_seed(1))
    assert torch.allclose(to_module(changed)(x), to_module(graph)(x), rtol=0, atol=1e-12)


def pools(graph):
    return sum(isinstance(node.op, ops.Pool) for node in graph)


sizes = st.integers(1, 3)


@given(
    kernel=sizes,
    stride=sizes,
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    window=st.integers(1, 3),
    step=sizes,
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    behind=st.booleans(),
    width=st.integers(9, 14),
)
def test_pools_fold_into_convolutions(
    kernel, stride, padding, dilation, window, step, groups, bias, behind, width
):
    torch.manual_seed(0)
    conv = nn.Conv2d(
        2, 4, kernel, stride, min(padding, kernel), dilation, groups, bias, dtype=torch.float64
    )
    pool = nn.AvgPool2d(window, step)
    net = nn.Sequential(*((conv, pool) if behind else (pool, conv)))
    shape = (2, 13, width)
    try:
        net(torch.zeros(1, *shape, dtype=torch.float64))
    except RuntimeError:
        return
    graph = trace(net, torch.zeros(1, *shape, dtype=torch.float64))
    changed, (note,) = fold_mean_pool(graph)
    same(net, graph, changed, *shape)
    if behind or not conv.padding[0]:
        assert pools(changed) == 0
    assert pools(changed) == note.text.startswith("it stays")
    assert [node.shape for node in changed.outputs] == [node.shape for node in graph.outputs]


@given(window=st.integers(1, 3), step=sizes, height=st.integers(4, 9), width=st.integers(4, 9))
def test_pools_fold_into_linear_layers(window, step, height, width):
    torch.manual_seed(0)
    pool = nn.AvgPool2d(window, step)
    size = pool(torch.zeros(1, 3, height, width)).numel()
    net = nn.Sequential(pool, nn.Flatten(), nn.Linear(size, 5, dtype=torch.float64))
    graph = trace(net, torch.zeros(1, 3, height, width, dtype=torch.float64))
    changed, _ = fold_mean_pool(graph)
    assert pools(changed) == 0
    same(net, graph, changed, 3, height, width)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([nn.AvgPool2d(2, padding=1), nn.Conv2d(2, 2, 1)], "without padding and ceil"),
        ([nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(2, 2, 1)], "without padding and ceil"),
        ([nn.AvgPool2d(2), nn.Conv2d(2, 2, 3, padding=1)], "leave a rest"),
        ([nn.AvgPool2d(3, 2), nn.Conv2d(2, 2, 3, padding=1)], "windows overlap"),
        ([nn.AvgPool2d(2), nn.ReLU()], "has no weights"),
    ],
)
def test_what_has_no_exact_form_stays_and_says_why(layers, why):
    graph = trace(nn.Sequential(*layers), torch.zeros(1, 2, 9, 9))
    changed, (note,) = fold_mean_pool(graph)
    assert pools(changed) == 1
    assert why in note.text


@pytest.mark.parametrize("name", ["lif", "plif"])
@pytest.mark.parametrize("tau", [3.0, [2.0, 3.0, 5.0, 9.0]])
def test_decaying_inputs_fold(name, tau):
    torch.manual_seed(0)
    neuron = snn.build("neuron", name, **{"tau" if name == "lif" else "init_tau": tau})
    net = nn.Sequential(nn.Linear(6, 4), neuron).double()
    graph = trace(net, torch.zeros(1, 6, dtype=torch.float64))
    changed, (note,) = fold_decay_input(graph)
    assert note.path == "1"
    assert changed["1"].op.parameters["decay_input"] is False
    assert graph["1"].op.module.decay_input
    runs = [to_module(g, "m") for g in (graph, changed)]
    x = 9 * torch.randn(20, 5, 6, dtype=torch.float64)
    before, after = (run(x) for run in runs)
    assert torch.equal(before, after)
    assert 10 < before.sum() < 350


def test_decaying_inputs_without_weights_stay():
    net = nn.Sequential(nn.Flatten(), snn.build("neuron", "lif"))
    graph = trace(net, torch.zeros(1, 6))
    changed, notes = fold_decay_input(graph)
    assert notes == ()
    assert changed["1"].op.parameters["decay_input"] is True
