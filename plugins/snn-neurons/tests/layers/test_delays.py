from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons.layers import Delay, LearnableDelay, LearnableDelayLinear
from snn_neurons.layers.delay_kernel import integer_kernel, smooth_kernel


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def ran(net, x, mode):
    net.step_mode = mode
    return net(x) if mode == "m" else torch.stack([net(now) for now in x.unbind()])


@pytest.mark.parametrize("delay", [0, 1, 3, 8])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_delay_shifts_time_and_starts_with_zeros(delay, mode):
    x = torch.randn(6, 2, 3)
    y = ran(Delay(delay), x, mode)
    expected = np.zeros((6, 2, 3), np.float32)
    if delay < 6:
        expected[delay:] = x[: 6 - delay].numpy()
    assert np.array_equal(y.numpy(), expected)


def test_the_queue_goes_on_from_sequence_to_sequence():
    net = Delay(3, step_mode="m")
    x = torch.randn(7, 2)
    parts = torch.cat([net(x[:1]), net(x[1:5]), net(x[5:])])
    assert torch.equal(parts[3:], x[:4])
    assert torch.equal(net.queue, x[4:])
    # The queue is no window on the whole sequence.
    assert net.queue.untyped_storage().nbytes() == 3 * 2 * 4
    snncore.reset(net)
    assert net(x)[:3].abs().sum() == 0


def test_delays_are_checked():
    with pytest.raises(ValueError, match="Delay: a delay is >= 0 steps, got -1"):
        Delay(-1)
    with pytest.raises(ValueError, match="LearnableDelay: max_delay must be >= 1, got 0"):
        LearnableDelay(2, 0)
    with pytest.raises(ValueError, match="LearnableDelay: sigma must be > 0, got 0"):
        LearnableDelay(2, 4, sigma=0.0)
    with pytest.raises(ValueError, match="LearnableDelayLinear: sigma must be >= 0, got -1"):
        LearnableDelayLinear(2, 2, 4, sigma=-1.0, kernel="linear")
    with pytest.raises(ValueError, match="kernel must be 'gaussian' or 'linear', got 'square'"):
        LearnableDelay(2, 4, kernel="square")
    with pytest.raises(ValueError, match="LearnableDelay: the last sigma must be > 0, got 0"):
        LearnableDelay(2, 4).anneal(1.0, last=0.0)
    with pytest.raises(
        ValueError, match=r"learnable_delay takes \[..., N, C, \*\] with C = 2 channels, got .*5, 3"
    ):
        LearnableDelay(2, 4)(torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"takes \[..., N, 2\], got \[N, \*\] = \[5, 3\]"):
        LearnableDelayLinear(2, 2, 4)(torch.zeros(5, 3))


def test_a_gaussian_kernel_is_its_formula():
    delay = torch.tensor([0.0, 1.3, 3.9], dtype=torch.float64)
    found = smooth_kernel(delay, torch.tensor(0.8, dtype=torch.float64), 4, "gaussian").numpy()
    for d, row in zip(delay.tolist(), found, strict=True):
        bell = np.exp(-((np.arange(5) - d) ** 2) / (2 * 0.8**2))
        assert np.allclose(row, bell / bell.sum(), rtol=1e-12)


def test_a_linear_kernel_interpolates_between_two_steps():
    delay = torch.tensor([0.0, 1.25, 4.0])
    found = smooth_kernel(delay, torch.tensor(0.0), 4, "linear").tolist()
    assert found == [[1, 0, 0, 0, 0], [0, 0.75, 0.25, 0, 0], [0, 0, 0, 0, 1]]
    wide = smooth_kernel(torch.tensor([2.0]), torch.tensor(1.0), 4, "linear").tolist()
    assert wide == [[0, 0.25, 0.5, 0.25, 0]]


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
def test_gradients_of_kernels_match_finite_differences(kernel):
    delay = torch.tensor([0.4, 1.2, 3.6], dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, s: smooth_kernel(d, s, 4, kernel), (delay, sigma))


def test_a_narrow_kernel_is_the_integer_that_evaluation_uses():
    delay = torch.tensor([0.3, 1.6, 2.4, 3.0])
    narrow = smooth_kernel(delay, torch.tensor(1e-3), 3, "gaussian")
    assert torch.equal(narrow, integer_kernel(delay, 3))
    assert narrow.argmax(-1).tolist() == [0, 2, 2, 3]


def test_a_delay_beyond_its_range_counts_as_the_end_and_finds_back():
    delay = torch.tensor([-2.0, 7.0], requires_grad=True)
    for kernel in ("gaussian", "linear"):
        found = smooth_kernel(delay, torch.tensor(0.5), 3, kernel)
        ends = smooth_kernel(torch.tensor([0.0, 3.0]), torch.tensor(0.5), 3, kernel)
        assert torch.equal(found, ends)
        (gradient,) = torch.autograd.grad(found[:, 1].sum(), delay)
        assert gradient[0] > 0
        assert gradient[1] <= 0
    assert integer_kernel(delay, 3).argmax(-1).tolist() == [0, 3]


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 2)])
def test_each_channel_is_the_sum_of_its_kernel(shape, train, mode):
    net = LearnableDelay(3, 4, sigma=0.9).double().train(train)
    x = torch.randn(7, 2, *shape, dtype=torch.float64)
    kernels = net.kernels().detach().numpy()
    expected = np.zeros(x.shape)
    for t in range(7):
        for c in range(3):
            for k in range(min(t, 4) + 1):
                expected[t, :, c] += kernels[c, k] * x[t - k, :, c].numpy()
    assert np.allclose(ran(net, x, mode).detach().numpy(), expected)
    if not train:
        delay = net.delay.detach().round().long().tolist()
        assert np.array_equal(kernels, np.eye(5)[delay])


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_each_synapse_has_a_delay_of_its_own(train, mode, bias):
    net = LearnableDelayLinear(3, 2, 4, sigma=0.9, bias=bias).double().train(train)
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    kernels, w = net.kernels().detach().numpy(), net.linear.weight.detach().numpy()
    expected = np.zeros((7, 5, 2))
    for t in range(7):
        for k in range(min(t, 4) + 1):
            expected[t] += x[t - k].numpy() @ (w * kernels[..., k]).T
    if bias:
        expected += net.linear.bias.detach().numpy()
    assert np.allclose(ran(net, x, mode).detach().numpy(), expected)


def test_annealing_goes_from_the_first_width_to_the_last():
    net = LearnableDelay(2, 16)
    assert net.sigma.item() == 8.0
    net.anneal(0.5, last=0.5)
    assert net.sigma.item() == pytest.approx(2.0)
    net.anneal(3.0)
    assert net.sigma.item() == pytest.approx(0.23)
    other = LearnableDelay(2, 16)
    other.load_state_dict(net.state_dict())
    assert other.sigma.item() == pytest.approx(0.23)
    net.anneal(-1.0)
    assert net.sigma.item() == 8.0


def trained(net, x, target, *, learnt, steps=150, rate=0.3):
    optimizer = torch.optim.Adam(learnt, lr=rate)
    for step in range(steps):
        net.anneal(step / (0.7 * steps))
        snncore.reset(net)
        loss = (net(x) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    snncore.reset(net)
    return (net(x) - target).square().mean().item()


def test_training_recovers_planted_delays_of_channels():
    planted = torch.tensor([0, 2, 5, 8, 11, 12])
    x = torch.randn(60, 16, 6)
    target = torch.stack([Delay(int(d), step_mode="m")(x)[..., c] for c, d in enumerate(planted)])
    net = LearnableDelay(6, 12, step_mode="m")
    loss = trained(net, x, target.permute(1, 2, 0), learnt=[net.delay])
    assert net.delay.detach().round().clamp(0, 12).long().tolist() == planted.tolist()
    assert loss < 1e-10


def test_training_recovers_planted_delays_of_synapses():
    generator = torch.Generator().manual_seed(1)
    planted = torch.randint(0, 9, (3, 4), generator=generator)
    teacher = LearnableDelayLinear(4, 3, 8, step_mode="m").eval()
    with torch.no_grad():
        teacher.delay.copy_(planted)
    x = torch.randn(60, 16, 4)
    target = teacher(x).detach()
    net = LearnableDelayLinear(4, 3, 8, step_mode="m")
    with torch.no_grad():
        for mine, theirs in zip(net.linear.parameters(), teacher.linear.parameters(), strict=True):
            mine.copy_(theirs)
    loss = trained(net, x, target, learnt=[net.delay])
    assert net.delay.detach().round().clamp(0, 8).long().tolist() == planted.tolist()
    assert loss < 1e-10
