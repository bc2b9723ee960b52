from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import BackendError
from snncore.kernels import plan, use_backend
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend
from snncore.kernels.eager import EagerKernel
from snncore.neuron import Neuron

compiled = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Gated(Neuron):
    """Its reset never enters the charge's derivative, so the input is all the backward needs."""

    def charge(self, x, v):
        return v.detach() + x * x * x


@compiled
def test_the_plan_says_what_is_kept_and_why():
    net = nn.Sequential(nn.Linear(3, 4), Leaky(), Leaky(backend="eager"))
    snn.set_step_mode(net, "m")
    net(torch.rand(5, 2, 3))
    held = net[1].v
    found = plan(net, torch.rand(5, 2, 3))
    assert net[1].v is held
    fast, slow = found.layers
    assert (fast.path, fast.backend, fast.needed_bytes, len(fast.needs)) == ("1", "cpp", 4, 1)
    assert (slow.path, slow.backend, slow.needs) == ("2", "eager", ())
    text = str(found)
    assert "1 (Leaky) on cpp: the backward needs add (value " in text
    assert "(4 bytes per neuron and step); nothing is saved, they are computed again (0" in text
    assert "2 (Leaky) on eager: autograd keeps what each of its operations asks for" in text


@compiled
def test_inputs_are_read_again_and_cost_no_memory():
    (row,) = plan(Gated(), torch.rand(2, 3)).layers
    assert "the input" in row.needs


@compiled
def test_the_way_is_chosen_by_length():
    net = Leaky(step_mode="m")

    def found(steps, count):
        (row,) = plan(net, torch.empty(1, 1).expand(steps, count)).layers
        return row.way, row.saved_bytes

    assert found(16, 8) == ("again", 0)
    assert found(17, 8) == ("marks", 4 * 2 / 17)
    assert found(1024, (1 << 14) + 1) == ("marks", 4 / 16)


@compiled
def test_a_neuron_that_is_fed_back_runs_over_all_steps():
    net = nn.Sequential(snn.layers.Recurrent(Leaky(), 3, 4))
    snn.set_step_mode(net, "m")
    (row,) = plan(net, torch.rand(40, 2, 3)).layers
    assert (row.path, row.way) == ("0.sub_module", "keep")
    assert row.saved_bytes == 4
    snn.set_step_mode(net, "s")
    (row,) = plan(net, torch.rand(2, 3)).layers
    assert row.way == "again"


def test_use_backend_holds_inside_its_block():
    net = Leaky()
    with use_backend("eager"):
        net(torch.rand(2, 3))
        assert [type(kernel) for kernel in net._kernels.values()] == [EagerKernel]
        with use_backend("nothing"), pytest.raises(LookupError, match="unknown backend 'nothing'"):
            Leaky()(torch.rand(2, 3))
    snn.reset(net)
    net(torch.rand(2, 3))
    if CppBackend().available() is None:
        assert [type(kernel) for kernel in net._kernels.values()] == [EagerKernel, CompiledKernel]


@compiled
def test_use_backend_leaves_modules_that_name_one_alone_and_never_falls_back():
    class Pooled(Leaky):
        def charge(self, x, v):
            return v + x.mean()

    with use_backend("cpp"):
        Pooled(backend="eager")(torch.rand(2, 3))
        with pytest.raises(BackendError, match="backend 'cpp' cannot run Pooled"):
            Pooled()(torch.rand(2, 3))
