from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import StateError
from snncore.layers import BatchNorm1d, ElementWiseRecurrentContainer, Linear
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def network(mode: str = "m") -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(Linear(3, 4), Leaky(), Linear(4, 2), Leaky(v_reset=-0.25))
    snn.set_step_mode(net, mode)
    return net


DATA = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", ["s", "m"])
def test_functional_equals_stateful_and_leaves_it_alone(mode):
    net, data = network(mode), DATA if mode == "m" else DATA[0]
    call, init = snn.functional(net)
    y, after = call(data, init(data))
    assert all(value is None for *_, value in snn.memories(net))
    assert torch.equal(y, net(data))
    held = {(path, name): value for path, name, value in snn.memories(net)}
    assert all(torch.equal(after[path][name], value) for (path, name), value in held.items())
    again, _ = call(data, after)
    assert torch.equal(again, net(data))


def test_init_gives_the_initial_values_of_the_inside():
    states = snn.functional(network())[1](DATA)
    assert {path: tuple(s["v"].shape) for path, s in states.items()} == {"1": (5, 4), "3": (5, 2)}
    assert states["3"]["v"].unique().tolist() == [-0.25]


def test_init_changes_nothing_in_the_network():
    net = nn.Sequential(BatchNorm1d(3), nn.Dropout(), Leaky())
    snn.set_step_mode(net, "m")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    generator = torch.get_rng_state()
    snn.functional(net)[1](DATA)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


def test_init_knows_the_initial_value_as_a_parameter():
    net = nn.Sequential(Leaky(v_reset=nn.Parameter(torch.tensor(0.125))))
    call, init = snn.functional(net)
    states = init(DATA[0])
    _, after = call(DATA[0], states)
    after["0"]["v"].sum().backward()
    assert net[0].v_reset.grad is not None


def test_gradients_of_parameters_and_of_the_initial_state():
    net = network()
    call, init = snn.functional(net)
    states = init(DATA)

    def loss(params, start):
        return call(DATA, start, params)[0].sum()

    by_params, by_state = torch.func.grad(loss, argnums=(0, 1))(
        {k: v.detach() for k, v in net.named_parameters()}, states
    )
    net(DATA).sum().backward()
    for name, parameter in net.named_parameters():
        assert torch.allclose(by_params[name], parameter.grad)
    assert by_state["1"]["v"].abs().sum() > 0


def test_vmap_over_samples_equals_a_loop():
    call, init = snn.functional(network())
    states = init(DATA)
    many = torch.stack([DATA, 2 * DATA, -DATA])
    mapped = torch.func.vmap(lambda one: call(one, states)[0])(many)
    assert torch.equal(mapped, torch.stack([call(one, states)[0] for one in many]))


def test_missing_and_extra_states_raise_and_nothing_sticks():
    net = network()
    call, init = snn.functional(net)
    states = init(DATA)
    states["x"] = states.pop("3")
    with pytest.raises(
        StateError, match="the states do not fit this network: missing '3'; extra 'x'"
    ):
        call(DATA, states)
    assert all(value is None for *_, value in snn.memories(net))


def test_an_error_inside_restores_the_network():
    net = network()
    net(DATA)
    held = [value for *_, value in snn.memories(net)]
    call, init = snn.functional(net)
    with pytest.raises(StateError, match="batch 5, input has batch 4"):
        call(DATA[:, :4], init(DATA))
    assert all(a is b for a, (*_, b) in zip(held, snn.memories(net), strict=True))
    net(DATA)


def test_a_stateful_call_inside_a_transform_is_refused():
    net = network()
    with pytest.raises(
        StateError, match=r"inside a torch\.func transform.*snncore\.functional\(net\)"
    ):
        torch.func.vmap(net)(torch.stack([DATA, DATA]))
    _, init = snn.functional(net)
    with pytest.raises(StateError, match=r"init\(x\) runs the network once"):
        torch.func.vmap(init)(torch.stack([DATA, DATA]))


def test_recurrent_containers_pass_their_state_too():
    net = ElementWiseRecurrentContainer(Leaky(), step_mode="m")
    call, init = snn.functional(net)
    y, after = call(DATA, init(DATA))
    assert set(after) == {"", "sub_module"}
    assert torch.equal(y, net(DATA))
    assert torch.equal(after[""]["y"], y[-1])


def test_export_of_the_pure_form():
    net = network()
    call, init = snn.functional(net)

    class Pure(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, states):
            return call(x, states)

    states = init(DATA)
    program = torch.export.export(Pure(), (DATA, states), strict=False)
    got, after = program.module()(DATA, states)
    expected, expected_after = call(DATA, states)
    assert torch.equal(got, expected)
    assert torch.equal(after["3"]["v"], expected_after["3"]["v"])
