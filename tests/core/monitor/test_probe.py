"""Probes against what a forward written out by hand computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import snncore as snn
from snncore.errors import ConfigError, NotSupported
from snncore.kernels import use_backend
from snncore.layers import (
    ElementWiseRecurrentContainer,
    Linear,
    MultiStepContainer,
    SeqToANNContainer,
)
from snncore.monitor import Attribute, GradInput, GradOutput, Input, Output


class Leaky(snn.Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 1


def run(net, x, mode):
    snn.reset(net)
    snn.set_step_mode(net, mode)
    return net(x) if mode == "m" else torch.stack([net(now) for now in x])


def by_hand(x):
    """Potentials and spikes of :class:`Leaky`."""
    v, potentials, spikes = torch.zeros_like(x[0]), [], []
    for now in x:
        h = 0.5 * v + now
        s = (h >= 1).float()
        v = h * (1 - s)
        potentials.append(v)
        spikes.append(s)
    return torch.stack(potentials), torch.stack(spikes)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("backend", [None, "eager"])
def test_values_are_those_of_the_equations(mode, backend):
    net = nn.Sequential(Linear(4, 3), Leaky(backend=backend))
    x = rand(6, 2, 4)
    current = x @ net[0].weight.T + net[0].bias
    v, s = by_hand(current.detach())
    with (
        torch.no_grad(),
        Input().watch(net) as inputs,
        Output(paths="*").watch(net) as outputs,
        Attribute("v_seq").watch(net) as potentials,
        Attribute("v").watch(net) as states,
        Attribute("v", before=True).watch(net) as before,
    ):
        y = run(net, x, mode)
    assert_close(inputs["1"], current)
    assert_close(outputs["0"], current)
    assert torch.equal(outputs["1"], s)
    assert torch.equal(outputs[""], y)
    assert_close(potentials["1"], v)
    steps = slice(None) if mode == "s" else slice(-1, None)
    assert_close(states["1"], v[steps])
    # Before the first input a state has its initial value.
    assert before["1"].shape == states["1"].shape
    assert not before["1"][0].any()
    if mode == "s":
        assert_close(before["1"][1:], v[:-1])


@pytest.mark.parametrize("mode", ["s", "m"])
def test_gradients_are_those_of_autograd(mode):
    """On a shortcut, where the gradient of x is more than what one layer hands back."""

    class Shortcut(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Linear(3, 3)

        def forward(self, x):
            return self.inner(x) + 2 * x

    net, x, weight = Shortcut(), rand(4, 2, 3).requires_grad_(), rand(4, 2, 3, seed=1)
    with GradInput(paths="*").watch(net) as to_input, GradOutput(paths="*").watch(net) as to_output:
        (run(net, x, mode) * weight).sum().backward()
    assert_close(to_output[""], weight)
    assert_close(to_output["inner"], weight)
    assert_close(to_input["inner"], weight @ net.inner.weight.detach())
    assert_close(to_input[""], weight @ net.inner.weight.detach() + 2 * weight)
    assert_close(x.grad, to_input[""])


def test_steps_without_gradient_are_zero():
    net = nn.Sequential(Linear(3, 3))
    with GradOutput(paths="0").watch(net) as records:
        outputs = [net(now) for now in rand(4, 2, 3)]
        outputs[2].sum().backward()
    assert records["0"].flatten(1).sum(1).tolist() == [0, 0, 6, 0]


def test_several_backward_passes_add_up():
    net = nn.Sequential(Linear(3, 3))
    with GradOutput(paths="0").watch(net) as records:
        y = net(rand(2, 3))
        y.sum().backward(retain_graph=True)
        (2 * y).sum().backward()
    assert records["0"].eq(3).all()


def test_a_graph_that_outlives_the_watch_records_nothing_more():
    net = nn.Sequential(Linear(3, 3))
    with GradOutput(paths="0").watch(net) as records:
        y = net(rand(2, 3))
    y.sum().backward()
    assert len(records) == 0


def test_later_changes_in_place_do_not_reach_a_record():
    net = nn.Sequential(Linear(3, 3), nn.ReLU(inplace=True))
    x = rand(2, 3)
    with Output(paths="0").watch(net) as records, GradOutput(paths="0").watch(net) as grads:
        net(x).sum().backward()
    expected = x @ net[0].weight.T + net[0].bias
    assert_close(records["0"][0], expected.detach())
    # The gradient is that of the value before the change.
    assert torch.equal(grads["0"][0], (expected > 0).float())


def test_a_graph_is_kept_on_demand():
    net = nn.Sequential(Linear(3, 3))
    with Output(paths="0", detach=False).watch(net) as records:
        net(rand(2, 3))
    records["0"].sum().backward()
    assert net[0].weight.grad is not None


def test_the_transform_sees_single_steps():
    net = nn.Sequential(Linear(3, 4))
    x = rand(5, 2, 3)
    expected = (x @ net[0].weight.T + net[0].bias).detach().amax(-1)
    for mode in ("s", "m"):
        with Output(paths="0", transform=lambda y: y.amax(-1)).watch(net) as records:
            run(net, x, mode)
        assert_close(records["0"], expected)


@pytest.mark.parametrize("container", [SeqToANNContainer, MultiStepContainer])
def test_containers_of_plain_layers(container):
    """Merged time is told apart, single steps are joined; here and in nested plain containers."""
    net = nn.Sequential(container(nn.Sequential(nn.Linear(4, 3), nn.ReLU())), Leaky())
    snn.set_step_mode(net[1], "m")
    x = rand(5, 2, 4)
    expected = x @ net[0][0][0].weight.T + net[0][0][0].bias
    with Output(paths=["0", "0.0", "0.0.0"]).watch(net) as records:
        net(x)
    assert_close(records["0.0.0"], expected.detach())
    assert_close(records["0.0"], expected.detach().relu())
    assert torch.equal(records["0"], records["0.0"])


@pytest.mark.parametrize("mode", ["s", "m"])
def test_inside_a_lifted_block(mode):
    """A block without neurons is run whole over merged time."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.second(self.first(x)) + x

    net = snn.lift(nn.Sequential(Block(), Leaky()))
    x = rand(5, 2, 4)
    with Output(paths="0.first").watch(net) as records:
        run(net, x, mode)
    first = net[0].first
    assert_close(records["0.first"], (x @ first.weight.T + first.bias).detach())


@pytest.mark.parametrize("mode", ["s", "m"])
def test_inside_a_recurrence(mode):
    net = nn.Sequential(ElementWiseRecurrentContainer(Leaky(), torch.sub))
    x = rand(5, 2, 3)
    with Output(paths="0.sub_module").watch(net) as inner, Output(paths="0").watch(net) as outer:
        run(net, x, mode)
    assert inner["0.sub_module"].shape == (5, 2, 3)
    assert torch.equal(inner["0.sub_module"], outer["0"])


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_module_at_several_paths(mode):
    shared = Linear(3, 3)
    net = nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared))
    x = rand(4, 2, 3)
    first = x @ shared.weight.T + shared.bias
    second = first.relu() @ shared.weight.T + shared.bias
    with Output(paths=["0", "1.1"]).watch(net) as both, Output(paths="1.1").watch(net) as one:
        run(net, x, mode)
    assert_close(both["0"], first.detach())
    assert_close(both["1.1"], second.detach())
    assert list(one) == ["1.1"]
    assert torch.equal(one["1.1"], both["1.1"])


def test_plain_networks_take_one_step_per_call():
    net = nn.Sequential(nn.Linear(3, 2))
    with Output(paths="0").watch(net) as records:
        net(rand(4, 3))
        net(rand(4, 3))
    assert records["0"].shape == (2, 4, 2)


def test_checkpointing_records_once():
    net = nn.Sequential(Linear(3, 3), Leaky())
    snn.set_step_mode(net, "m")
    with Output(paths="*").watch(net) as records, GradOutput(paths="0").watch(net) as grads:
        x = rand(4, 2, 3).requires_grad_()
        checkpoint(net, x, use_reentrant=False).sum().backward()
    assert records["0"].shape == (4, 2, 3)
    assert grads["0"].shape == (4, 2, 3)


def test_several_outputs():
    class Two(nn.Module):
        def forward(self, x):
            return x, x + 1

    net = nn.Sequential(Two())
    with Output(paths="0", index=1).watch(net) as records:
        net(torch.zeros(2, 3))
    assert records["0"].eq(1).all()
    text = r"the output of net\.0 \(Two\) has no tensor number 2, it has: Tensor, Tensor"
    with pytest.raises(NotSupported, match=text), Output(paths="0", index=2).watch(net):
        net(torch.zeros(2, 3))


def test_an_input_given_by_name():
    net = nn.Linear(3, 3)
    text = r"the input of Linear has no tensor number 0, it has: nothing by position"
    with pytest.raises(NotSupported, match=text), Input(paths="").watch(net):
        net(input=rand(2, 3))


def test_inside_a_functional_transform():
    net = nn.Sequential(nn.Linear(3, 3))
    text = r"net\.0 \(Linear\) is recorded inside a torch\.func transform"
    with pytest.raises(NotSupported, match=text), Output(paths="0").watch(net):
        torch.func.vmap(net)(rand(2, 3))


def test_records_say_what_is_missing():
    net = nn.Sequential(Linear(3, 3), Linear(3, 3))
    with Output(paths=["0", "1"]).watch(net) as records:
        net[0](rand(2, 3))
    assert list(records) == ["0"]
    with pytest.raises(KeyError, match="'1' has recorded nothing: it has not run inside"):
        records["1"]
    with pytest.raises(KeyError, match="'2' is not watched; watched are '0', '1'"):
        records["2"]
    assert repr(records) == "Records('0': [1, 2, 3])"


def test_potentials_are_borrowed():
    """``store_v_seq`` is switched on for the watch; a neuron that keeps them goes on with it."""
    net = nn.Sequential(Leaky(), Leaky(store_v_seq=True))
    snn.set_step_mode(net, "m")
    with Attribute("v_seq").watch(net):
        net(rand(4, 2, 3).requires_grad_())
        assert not net[0].v_seq.requires_grad
    assert (net[0].store_v_seq, net[1].store_v_seq) == (False, True)
    assert net[0].v_seq is None
    assert net[1].v_seq.requires_grad


def test_potentials_do_not_change_the_backend():
    neuron = Leaky(step_mode="m")
    x = rand(4, 2, 3)
    neuron(x)
    name = snn.explain(neuron).rows[0].backend
    with Attribute("v_seq").watch(neuron) as records:
        snn.reset(neuron)
        neuron(x)
    assert snn.explain(neuron).rows[0].backend == name
    with use_backend("eager"), Attribute("v_seq").watch(neuron) as reference:
        snn.reset(neuron)
        neuron(x)
    assert_close(records[""], reference[""])


def test_numbers_and_weights_are_attributes():
    net = nn.Sequential(Linear(3, 2), Leaky(v_threshold=0.75))
    weight = Attribute("weight", paths="0")
    with Attribute("v_threshold").watch(net) as numbers, weight.watch(net) as weights:
        run(net, rand(2, 4, 3), "s")
    assert numbers["1"].tolist() == [0.75, 0.75]
    assert weights["0"].shape == (2, 2, 3)


def test_attributes_that_are_not_there():
    net = nn.Sequential(Linear(3, 2), Leaky())
    text = r"net\.1 \(Leaky\) has no attribute 'u'; narrow the selection"
    with pytest.raises(ConfigError, match=text), Attribute("u").watch(net):
        pass
    text = r"attribute 'v_seq' of net\.1 .* is None, no tensor or number; it has a value after"
    with pytest.raises(ConfigError, match=text), Attribute("v_seq", before=True).watch(net):
        net(rand(2, 3))
    assert not net[1]._forward_pre_hooks
    text = r"attribute 'surrogate' of net\.1 \(Leaky\) is ATan.*, no tensor or number$"
    with pytest.raises(ConfigError, match=text), Attribute("surrogate").watch(net):
        net(rand(2, 3))
