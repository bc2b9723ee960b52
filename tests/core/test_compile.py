from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.layers import BatchNorm1d, Linear, LinearRecurrentContainer
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def network(mode: str) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        Linear(3, 4),
        BatchNorm1d(4),
        Leaky(v_threshold=nn.Parameter(torch.full((4,), 0.5))),
        LinearRecurrentContainer(Leaky(v_reset=None), 4, 4),
    )
    snn.set_step_mode(net, mode)
    return net


@pytest.fixture(autouse=True)
def _fresh_dynamo():
    torch._dynamo.reset()


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_compiled_equals_eager_without_graph_breaks(mode, backend):
    plain, net = network(mode), network(mode)
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    torch.manual_seed(1)
    for _ in range(2):
        snn.reset(plain), snn.reset(net)
        for _ in range(3):
            x = torch.randn((5, 3) if mode == "s" else (4, 5, 3))
            expected, got = plain(x), compiled(x)
            assert torch.allclose(got, expected)
        expected.sum().backward()
        got.sum().backward()
    for a, b in zip(plain.parameters(), net.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-5)
    assert torch.allclose(plain[2].v, net[2].v)


def test_state_crosses_from_compiled_to_eager():
    net = network("s").eval()
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    x = torch.randn(5, 3)
    with torch.no_grad():
        expected = [net(x) for _ in range(4)]
        snn.reset(net)
        got = [compiled(x), net(x), compiled(x), net(x)]
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))
