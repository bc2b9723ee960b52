"""Every promise about memory state; the neuron here is the kit's reference, not a plugin's."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

import snncore as snn
from snncore.errors import StateError
from snncore.neuron import Neuron
from snncore.state.memory import MemoryModule


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(Leaky(), nn.Linear(4, 2)), Leaky())


def states(net: nn.Module) -> dict[str, torch.Tensor | None]:
    return {f"{path}.{name}": value for path, name, value in snn.memories(net)}


def x(n: int = 5, *, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))


def test_memories_yield_every_state_with_its_path():
    net = network()
    assert states(net) == {"1.0.v": None, "2.v": None}
    net(x())
    assert {k: tuple(v.shape) for k, v in states(net).items()} == {"1.0.v": (5, 4), "2.v": (5, 2)}


def test_a_state_is_readable_and_writable_under_its_name():
    neuron = Leaky()
    assert neuron.v is None
    neuron(torch.full((2, 3), 0.25))
    assert neuron.v.tolist() == [[0.25] * 3] * 2
    neuron.v = torch.full((2, 3), 0.5)
    assert neuron(torch.full((2, 3), 0.25)).sum() == 0
    assert neuron.v.tolist() == [[0.5] * 3] * 2


def test_reset_touches_exactly_its_network():
    one, other = network(), network()
    one(x()), other(x())
    before = states(other)
    snn.reset(one)
    assert set(states(one).values()) == {None}
    assert all(torch.equal(states(other)[k], v) for k, v in before.items())


def test_reset_finds_nested_copied_and_later_added_modules():
    net = network()
    net(x())
    snn.reset(net)
    net[1].append(Leaky())
    twin = copy.deepcopy(net)
    net(x()), twin(x())
    assert len(states(net)) == 3
    snn.reset(twin)
    assert set(states(twin).values()) == {None}
    assert None not in states(net).values()


def test_another_batch_size_raises_with_path_and_cure():
    net = network()
    net(x(32))
    with pytest.raises(
        StateError,
        match=r"^net\.1\.0 \(Leaky\): state v has batch 32, input has batch 16\. "
        r"Call snncore\.reset\(net\) before the next sequence, or pass states explicitly\.$",
    ):
        net(x(16))
    assert states(net)["1.0.v"].shape[0] == 32


def test_another_shape_or_dtype_raises():
    neuron = Leaky()
    neuron(torch.zeros(2, 3))
    with pytest.raises(StateError, match=r"state v has shape \[2, 3\], input asks for \[2, 4\]"):
        neuron(torch.zeros(2, 4))
    with pytest.raises(StateError, match=r"v is torch\.float32, input asks for torch\.float64"):
        neuron(torch.zeros(2, 3, dtype=torch.float64))


def test_another_device_raises():
    neuron = Leaky()
    neuron(torch.zeros(2, 3))
    with pytest.raises(StateError, match="state v is on cpu, input is on meta"):
        neuron(torch.zeros(2, 3, device="meta"))


def test_a_parameter_that_does_not_broadcast_raises():
    class Wide(Leaky):
        def charge(self, x, v):
            return v + x + torch.zeros(7, 1, 1)

    with pytest.raises(StateError, match=r"turned state v from \[2, 3\] into \[7, 2, 3\]"):
        Wide(backend="eager")(torch.zeros(2, 3))


def test_a_step_that_returns_too_little_says_what_was_declared():
    class Short(MemoryModule):
        states = {"v": 0.0}

        def step(self, x, v):
            return (x,)

    with pytest.raises(
        StateError, match="step returned 1 values; declared are 1 outputs and 1 states"
    ):
        Short()(torch.zeros(2, 3))


def test_wrong_inputs_are_refused_in_words():
    neuron = Leaky()
    with pytest.raises(TypeError, match=r"takes floating-point input, got torch\.int64; call"):
        neuron(torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"Leaky takes 1 input\(s\), got 2"):
        neuron(torch.zeros(2), torch.zeros(2))
    neuron.step_mode = "m"
    with pytest.raises(ValueError, match=r"is in step_mode 'm' and takes \[T, N, \*\], got \[3\]"):
        neuron(torch.zeros(3))


@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_freed_graph_raises_at_the_next_forward(mode):
    net = network()
    snn.set_step_mode(net, mode)
    data = x() if mode == "s" else x().unsqueeze(0).repeat(2, 1, 1)
    net(data).sum().backward()
    with pytest.raises(
        StateError,
        match=r"^net\.1\.0 \(Leaky\): state v belongs to a graph that backward has freed\. "
        r"Call snncore\.reset\(net\) before the next sequence, or snncore\.detach\(net\)",
    ):
        net(data)


def test_a_graph_freed_only_through_the_output_is_noticed():
    neuron = Leaky()
    data = x().requires_grad_()
    neuron(data).sum().backward()
    with pytest.raises(StateError, match="freed"):
        neuron(data)


def test_retained_graphs_streaming_and_inference_stay_legal():
    net = network()
    loss = net(x()).sum()
    loss.backward(retain_graph=True)
    (loss + net(x()).sum()).backward()
    with torch.no_grad():
        net(x())
    snn.reset(net)
    for _ in range(3):
        net(x())


def test_detach_keeps_values_and_cuts_the_graph():
    net = network()
    net(x()).sum().backward()
    before = {k: v.clone() for k, v in states(net).items()}
    snn.detach(net)
    assert all(torch.equal(states(net)[k], v) for k, v in before.items())
    assert not any(v.requires_grad for v in states(net).values())
    net(x()).sum().backward()


def test_truncated_backpropagation_equals_the_sum_of_its_chunks():
    net = network()
    for seed in (1, 2):
        net(x(seed=seed)).sum().backward()
        snn.detach(net)
    got = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    snn.reset(net)
    total = net(x(seed=1)).sum()
    snn.detach(net)
    (total + net(x(seed=2)).sum()).backward()
    assert all(torch.allclose(a, p.grad) for a, p in zip(got, net.parameters(), strict=True))


def test_in_place_edits_of_an_output_stay_legal():
    net = network()
    snn.set_step_mode(net, "m")
    y = net(x().unsqueeze(0).repeat(3, 1, 1))
    y += 1.0
    y.sum().backward()


def test_snapshot_round_trip_through_a_weights_only_file():
    net = network()
    net(x())
    buffer = io.BytesIO()
    torch.save(snn.snapshot(net), buffer)
    expected = net(x(seed=2))
    buffer.seek(0)
    snn.restore(net, torch.load(buffer, weights_only=True))
    assert torch.equal(net(x(seed=2)), expected)


def test_a_snapshot_is_detached_and_independent():
    net = network()
    net(x())
    snap = snn.snapshot(net)
    kept = snap["2"]["v"].clone()
    net(x())
    assert not snap["2"]["v"].requires_grad
    assert torch.equal(snap["2"]["v"], kept)
    snn.restore(net, snap)
    net(x())
    assert torch.equal(snap["2"]["v"], kept)


def test_restore_of_a_fresh_snapshot_resets():
    net = network()
    fresh = snn.snapshot(net)
    net(x())
    snn.restore(net, fresh)
    assert set(states(net).values()) == {None}


def test_restore_names_what_is_missing_and_extra_and_changes_nothing():
    net = network()
    net(x())
    snap = snn.snapshot(net)
    before = states(net)
    snap["9"] = snap.pop("2")
    with pytest.raises(
        StateError, match="the snapshot does not fit this network: missing '2'; extra '9'"
    ):
        snn.restore(net, snap)
    good = snn.snapshot(net)
    good["2"]["u"] = good["2"].pop("v")
    with pytest.raises(StateError, match=r"missing '2\.v'; extra '2\.u'"):
        snn.restore(net, good)
    assert all(states(net)[k] is v for k, v in before.items())


def test_deepcopy_and_pickle_after_a_training_forward():
    net = network()
    net(x()).sum()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert all(torch.equal(states(twin)[k], v) for k, v in states(net).items())
        assert not any(v.requires_grad for v in states(twin).values())
        twin(x()).sum().backward()
    net(x()).sum().backward()


def test_state_is_not_in_the_state_dict():
    net = network()
    net(x())
    assert set(net.state_dict()) == {"0.weight", "0.bias", "1.1.weight", "1.1.bias"}


def test_state_follows_moves_and_keeps_its_precision():
    net = network()
    net(x())
    kept = states(net)["2.v"].detach().clone()
    net.half()
    assert states(net)["2.v"].dtype == torch.float32
    assert torch.equal(states(net)["2.v"], kept)
    net.double()
    assert states(net)["2.v"].dtype == torch.float64
    assert torch.equal(states(net)["2.v"], kept.double())
    net.to("meta")
    assert states(net)["2.v"].device.type == "meta"


def test_a_moving_average_of_a_network_in_training():
    net = network()
    net(x()).sum().backward()
    average = AveragedModel(net)
    average.update_parameters(net)
    snn.reset(net)
    with torch.no_grad():
        net[0].weight += 1.0
    average.update_parameters(net)
    snn.reset(average)
    assert torch.allclose(average.module[0].weight, net[0].weight - 0.5)
    assert average(x()).shape == (5, 2)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_activation_checkpointing_changes_nothing(mode):
    plain, saving = network(), network()
    for net in (plain, saving):
        snn.set_step_mode(net, mode)
    shape = (5, 3) if mode == "s" else (4, 5, 3)
    torch.manual_seed(3)
    steps = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    twins = [s.detach().clone().requires_grad_() for s in steps]
    for _ in range(2):
        out = sum((plain(s) * (i + 1)).sum() for i, s in enumerate(steps))
        saved = sum(
            (checkpoint(saving, s, use_reentrant=False) * (i + 1)).sum()
            for i, s in enumerate(twins)
        )
        assert torch.equal(out, saved)
        out.backward()
        held = {k: v.detach().clone() for k, v in states(saving).items()}
        saved.backward()
        assert all(torch.equal(states(saving)[k], v) for k, v in held.items())
        assert all(torch.equal(states(plain)[k], v) for k, v in held.items())
        for a, b in zip([*steps, *plain.parameters()], [*twins, *saving.parameters()], strict=True):
            assert torch.equal(a.grad, b.grad)
        snn.detach(plain), snn.detach(saving)


def test_checkpointing_a_region_that_steps_a_neuron_several_times():
    plain, saving = network(), network()

    def run(net):
        return lambda s: net(s) + net(2 * s)

    a, b = x().requires_grad_(), x().requires_grad_()
    first = run(plain)(a) + run(plain)(a)
    second = sum(checkpoint(run(saving), b, use_reentrant=False) for _ in range(2))
    first.sum().backward()
    second.sum().backward()
    assert torch.equal(first, second)
    assert torch.equal(a.grad, b.grad)


def test_a_checkpointed_network_still_notices_a_freed_graph():
    net = network()
    checkpoint(net, x(), use_reentrant=False).sum().backward()
    with pytest.raises(StateError, match="freed"):
        checkpoint(net, x(), use_reentrant=False)


def test_re_entrant_checkpointing_is_refused_in_words():
    net = network()
    y = checkpoint(net, x().requires_grad_(), use_reentrant=True)
    with pytest.raises(StateError, match=r"use_reentrant=False"):
        y.sum().backward()


def test_saved_tensor_hooks_leave_the_freed_graph_check_working():
    net = network()
    with torch.autograd.graph.save_on_cpu():
        net(x()).sum().backward()
        with pytest.raises(StateError, match="freed"):
            net(x())
