"""The recurrent layers against torch where they agree, and written out in float64 where not."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import snncore
from snn_neurons.recurrent import (
    SpikingGRU,
    SpikingGRUCell,
    SpikingLSTM,
    SpikingLSTMCell,
    SpikingRNN,
    SpikingRNNCell,
)
from snncore.errors import StateError
from snncore.surrogate import ATan, Sigmoid, Surrogate

T, N, IN, H = 6, 3, 5, 4
CELLS = [SpikingRNNCell, SpikingGRUCell, SpikingLSTMCell]
STACKS = [SpikingRNN, SpikingGRU, SpikingLSTM]
STATES = {SpikingLSTMCell: 2, SpikingLSTM: 2}


class Tanh(Surrogate):
    """tanh, whose smooth mode makes a gate of torch's."""

    def derivative(self, x):
        return 1 - x.tanh() ** 2

    def primitive(self, x):
        return x.tanh()


def draw(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, dtype=torch.float64, generator=generator)


def given(kind, *lead, seed=9):
    """States to begin with, of values that a cell can hold."""
    parts = [(draw(*lead, N, H, seed=seed + i) > 0).double() for i in range(STATES.get(kind, 1))]
    return parts[0] if len(parts) == 1 else tuple(parts)


def assert_close(found, expected, tolerance=1e-11):
    for got, wanted in zip(found, expected, strict=True):
        assert torch.allclose(got, wanted, rtol=tolerance, atol=tolerance)


def sigmoid():
    return Sigmoid(1.0, spiking=False)


SMOOTH = [
    (SpikingRNN, nn.RNN, {"surrogate": lambda: Tanh(spiking=False)}),
    (
        SpikingGRU,
        nn.GRU,
        {"surrogate": sigmoid, "candidate_surrogate": lambda: Tanh(spiking=False)},
    ),
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("kind", "plain", "smooth"), SMOOTH)
def test_smooth_gates_make_the_layers_of_torch(kind, plain, smooth, bidirectional, bias):
    sizes = {"num_layers": 2, "bias": bias, "bidirectional": bidirectional}
    torch.manual_seed(0)
    wanted = plain(IN, H, **sizes).double()
    net = kind(IN, H, **sizes, **{name: make() for name, make in smooth.items()}).double()
    ours = [cell.parameters(recurse=False) for cell in net.cells]
    ours = [parameter for cell in ours for parameter in cell]
    with torch.no_grad():
        for parameter, value in zip(ours, wanted.parameters(), strict=True):
            parameter.copy_(value)
    snncore.set_step_mode(net, "m")
    lead = 4 if bidirectional else 2
    x, h = draw(T, N, IN).requires_grad_(), draw(lead, N, H, seed=1).requires_grad_()
    weights = draw(T, N, H * lead // 2, seed=2)
    y = net(x, h)
    found = torch.autograd.grad((y * weights).sum() + net.hx.sum(), [x, h, *ours])
    expected_y, last = wanted(x, h)
    loss = (expected_y * weights).sum() + last.sum()
    expected = torch.autograd.grad(loss, [x, h, *wanted.parameters()])
    assert_close([y, net.hx, *found], [expected_y, last, *expected])


def test_one_smooth_step_makes_the_cell_state_of_torch():
    torch.manual_seed(0)
    wanted = nn.LSTMCell(IN, H).double()
    net = SpikingLSTMCell(
        IN, H, surrogate=sigmoid(), candidate_surrogate=Tanh(spiking=False)
    ).double()
    net.load_state_dict(wanted.state_dict())
    x, h, c = draw(N, IN), draw(N, H, seed=1), draw(N, H, seed=2, scale=0.2)
    y = net(x, hx=(h, c))
    after, memory = wanted(x, (h, c))
    assert memory.max() < 1
    # torch squashes the memory once more where it leaves the cell.
    assert_close([net.c, y], [memory, after / memory.tanh() * memory])


class Fire(torch.autograd.Function):
    """Theta with the Gaussian derivative, alpha = 2."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 / math.sqrt(math.pi) * torch.exp(-4 * x * x)


class AtMostOne(torch.autograd.Function):
    """min(x, 1), and a gradient that does not see it."""

    @staticmethod
    def forward(ctx, x):
        return x.clamp(max=1.0)

    @staticmethod
    def backward(ctx, grad):
        return grad


def parts(net, x, h):
    """W x + b and U h + c, per gate, with the rows of the weights counted out."""
    rows = [slice(i * H, (i + 1) * H) for i in range(net.weight_ih.shape[0] // H)]
    one = [x @ net.weight_ih[r].T + net.bias_ih[r] for r in rows]
    other = [h @ net.weight_hh[r].T + net.bias_hh[r] for r in rows]
    return one, other


def rnn_by_hand(net, x, h):
    (a,), (b,) = parts(net, x, h)
    return (Fire.apply(a + b),)


def gru_by_hand(net, x, h):
    (a_r, a_z, a_n), (b_r, b_z, b_n) = parts(net, x, h)
    r, z = Fire.apply(a_r + b_r), Fire.apply(a_z + b_z)
    n = Fire.apply(a_n + r * b_n)
    return ((1 - z) * n + z * h,)


def lstm_by_hand(net, x, h, c):
    one, other = parts(net, x, h)
    i, f, g, o = (Fire.apply(a + b) for a, b in zip(one, other, strict=True))
    c = AtMostOne.apply(f * c + i * g)
    return o * c, c


BY_HAND = {
    SpikingRNNCell: rnn_by_hand,
    SpikingGRUCell: gru_by_hand,
    SpikingLSTMCell: lstm_by_hand,
}


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("backend", ["eager", "cpp"])
@pytest.mark.parametrize("kind", CELLS)
def test_cells_equal_their_equations(kind, backend, mode):
    reason = snncore.get("backend", backend)().available()
    if reason is not None:
        pytest.skip(f"backend {backend} is not available: {reason}")
    torch.manual_seed(0)
    net = kind(IN, H, step_mode=mode).double()
    net.unit.backend = backend
    x = draw(T, N, IN).requires_grad_()
    start = [value.requires_grad_() for value in as_tuple(given(kind))]
    leaves = [x, *start, *net.parameters()]
    hx = start[0] if len(start) == 1 else tuple(start)
    if mode == "m":
        y = net(x, hx=hx)
    else:
        y = torch.stack([net(now, hx=hx if t == 0 else None) for t, now in enumerate(x)])
    weights = draw(T, N, H, seed=3)
    last = as_tuple(net.hx)
    loss = (y * weights).sum() + sum((value * weights[0]).sum() for value in last)
    found = torch.autograd.grad(loss, leaves)

    states, outputs = tuple(start), []
    for now in x:
        states = BY_HAND[kind](net, now, *states)
        outputs.append(states[0])
    expected_y = torch.stack(outputs)
    loss = (expected_y * weights).sum() + sum((value * weights[0]).sum() for value in states)
    expected = torch.autograd.grad(loss, leaves)
    assert 0 < expected_y.mean() < 1
    assert torch.equal(y, expected_y)
    assert_close([*last, *found], [*states, *expected])


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def test_the_cell_state_stays_a_spike_and_its_gradient_passes():
    net = SpikingLSTMCell(1, 1, bias=False).double()
    with torch.no_grad():
        net.weight_ih.fill_(1.0), net.weight_hh.zero_()
    x, c = torch.ones(1, 1).double(), torch.ones(1, 1).double().requires_grad_()
    # All gates fire: f c + i g = 2, kept at 1.
    y = net(x, hx=(torch.zeros(1, 1).double(), c))
    assert (y.item(), net.c.item()) == (1.0, 1.0)
    (gradient,) = torch.autograd.grad(net.c.sum(), c, retain_graph=True)
    assert gradient.item() == 1.0


def test_candidates_may_have_a_spike_function_of_their_own():
    # Gates through which no gradient of the candidate's argument passes.
    for kind, others in ((SpikingGRUCell, [1]), (SpikingLSTMCell, [0, 3])):
        nets = [kind(IN, H, candidate_surrogate=s).double() for s in (None, "erf", "atan")]
        x, found = draw(N, IN), []
        for net in nets:
            net.load_state_dict(nets[0].state_dict())
            y = net(x)
            (gradient,) = torch.autograd.grad(y.sum(), net.weight_ih)
            found.append(gradient.unflatten(0, (-1, H)))
        # Rows of the candidate: the third gate of both.
        assert torch.equal(found[0], found[1])
        assert torch.equal(found[0][others], found[2][others])
        assert not torch.equal(found[0][2], found[2][2])
    unit = SpikingGRUCell(IN, H, surrogate=ATan(nn.Parameter(torch.tensor(2.0))))
    unit(draw(N, IN).float()).sum().backward()
    assert unit.surrogate.alpha.grad is not None


@pytest.mark.parametrize("kind", CELLS)
def test_a_sequence_is_one_product_of_the_input(kind):
    counted = []

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket in (torch.ops.aten.baddbmm, torch.ops.aten.bmm):
                counted.append(func)
            return func(*args, **(kwargs or {}))

    net = kind(IN, H, step_mode="m")
    with torch.no_grad(), Count():
        net(draw(T, N, IN).float())
    # One for the sequence and one in each step; of gates whose shares are apart by themselves.
    assert len(counted) == (T + 1) * (2 if kind.apart else 1)


@pytest.mark.parametrize("kind", STACKS)
def test_hx_goes_on_where_another_stopped(kind):
    torch.manual_seed(0)
    net = kind(IN, H, num_layers=2).double()
    snncore.set_step_mode(net, "m")
    x = draw(T, N, IN, scale=2.0)
    assert net.hx is None
    whole = net(x)
    last = net.hx
    snncore.reset(net)
    first = net(x[:2])
    middle = net.hx
    net(draw(4, N, IN, seed=5))
    # Whatever it holds by now.
    second = net(x[2:], middle)
    assert torch.equal(torch.cat((first, second)), whole)
    assert_close(as_tuple(net.hx), as_tuple(last))
    snncore.set_step_mode(net, "s")
    assert torch.equal(net(x[2], middle), whole[2])


@pytest.mark.parametrize("kind", CELLS)
def test_hx_under_activation_checkpointing(kind):
    """The second pass must begin with what each call was given, and leave the live state alone."""
    torch.manual_seed(0)
    net = kind(IN, H, step_mode="m").double()
    x, start = draw(T, N, IN), given(kind)

    def run(x):
        return net(x[:2], hx=start) + net(x[2:4]) + net(x[4:], hx=start)

    plain = run(x)
    grads = torch.autograd.grad(plain.sum(), list(net.parameters()))
    snncore.reset(net)
    y = checkpoint(run, x, use_reentrant=False)
    kept = as_tuple(net.hx)
    found = torch.autograd.grad(y.sum(), list(net.parameters()))
    assert torch.equal(y, plain)
    assert_close(found, grads)
    assert all(a is b for a, b in zip(as_tuple(net.hx), kept, strict=True))


def test_hx_that_does_not_fit_explains_itself():
    net = nn.ModuleDict({"cell": SpikingLSTMCell(IN, H)})
    cell = net["cell"]
    x = draw(N, IN).float()
    cell(x)
    before = cell.hx

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x, hx):
            return self.cell(x, hx=hx)

    name = r"^net\.cell \(snn-neurons/spiking_lstm_cell\): "
    with pytest.raises(ValueError, match=name + r"hx holds 1 tensor\(s\), the states are h, c; "):
        Net()(x, torch.zeros(N, H))
    with pytest.raises(
        ValueError, match=name + r"c of hx is \[2, 4\] on cpu, the input asks for \[3, 4\] on cpu$"
    ):
        Net()(x, (torch.zeros(N, H), torch.zeros(2, H)))
    assert all(a is b for a, b in zip(cell.hx, before, strict=True))
    stack = SpikingGRU(IN, H, num_layers=2)
    with pytest.raises(
        ValueError,
        match=r"^snn-neurons/spiking_gru: hx is h, each \[2, N, \*, 4\] .* got \[1, 3, 4\]$",
    ):
        stack(x, torch.zeros(1, N, H))


@pytest.mark.parametrize("kind", [*CELLS, *STACKS])
def test_an_input_that_does_not_fit_explains_itself(kind):
    net = kind(IN, H)
    with pytest.raises(ValueError, match=r"step_mode 's' and takes \[N, \*, 5\], got \[3, 6\]$"):
        net(torch.zeros(3, 6))
    snncore.set_step_mode(net, "m")
    with pytest.raises(ValueError, match=r"step_mode 'm' and takes \[T, N, \*, 5\], got \[3, 5\]$"):
        net(torch.zeros(3, 5))


@pytest.mark.parametrize("kind", STACKS)
def test_two_directions_need_whole_sequences(kind):
    torch.manual_seed(0)
    net = kind(IN, H, num_layers=2, bidirectional=True)
    with pytest.warns(UserWarning, match=r"only step mode instead of 's': layers\.0 \(Bidirect"):
        snncore.set_step_mode(net, "s")
    x = draw(T, N, IN, scale=2.0).float()
    y = net(x)
    assert y.shape == (T, N, 2 * H)
    with pytest.raises(
        StateError,
        match=r"^net\.layers\.0 .* no other can continue\. Call snncore\.reset\(net\) before the "
        r"next sequence, or pass hx\.$",
    ):
        nn.Sequential(net)[0](x)
    zeros = torch.zeros(4, N, H)
    assert torch.equal(net(x, (zeros, zeros) if kind is SpikingLSTM else zeros), y)
    snncore.reset(net)
    assert torch.equal(net(x), y)
    snncore.reset(net)
    call, init = snncore.functional(net)
    assert torch.equal(call(x, init(x))[0], y)
    loss = checkpoint(net, x.requires_grad_(), use_reentrant=False).sum()
    (found,) = torch.autograd.grad(loss, x)
    snncore.reset(net)
    (expected,) = torch.autograd.grad(net(x).sum(), x)
    assert torch.allclose(found, expected)


def test_the_second_direction_sees_the_end_first():
    torch.manual_seed(0)
    net = SpikingGRU(IN, H, bidirectional=True).double()
    one, other = SpikingGRU(IN, H).double(), SpikingGRU(IN, H).double()
    one.layers[0].load_state_dict(net.layers[0].ahead.state_dict())
    other.layers[0].load_state_dict(net.layers[0].back.state_dict())
    for half in (one, other):
        snncore.set_step_mode(half, "m")
    x = draw(T, N, IN, scale=2.0)
    assert torch.equal(net(x), torch.cat((one(x), other(x.flip(0)).flip(0)), -1))


@pytest.mark.parametrize("kind", STACKS)
def test_dropout_lies_between_layers_in_training(kind):
    net = kind(IN, H, num_layers=2, dropout=0.5)
    snncore.set_step_mode(net, "m")
    x = draw(T, N, IN, scale=2.0).float()
    torch.manual_seed(1)
    found = net(x)
    snncore.reset(net)
    torch.manual_seed(1)
    between = F.dropout(net.layers[0](x), 0.5)
    assert torch.equal(found, net.layers[1](between))
    snncore.reset(net)
    y = net.eval()(x)
    snncore.reset(net)
    assert torch.equal(net.layers[1](net.layers[0](x)), y)


@pytest.mark.parametrize("kind", STACKS)
def test_half_precision_keeps_wide_states(kind):
    torch.manual_seed(0)
    net = kind(IN, H, num_layers=2)
    snncore.set_step_mode(net, "m")
    x = draw(T, N, IN, scale=2.0).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    assert y.dtype == torch.float32
    y.sum().backward()
    snncore.reset(net)
    y = net.bfloat16()(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert 0 < y.float().mean() < 1
    assert {value.dtype for *_, value in snncore.memories(net) if value is not None} == {
        torch.float32
    }
    y.sum().backward()


def test_the_unit_runs_as_a_kernel():
    net = SpikingLSTM(IN, H, num_layers=2)
    rows = {row.path: row for row in snncore.explain(net).rows}
    for layer in ("layers.0", "layers.1"):
        assert rows[layer].backend == "python loop"
        chosen = rows[f"{layer}.unit"]
        assert chosen.backend == "cpp" or "compiler" in chosen.reasons["cpp"]
