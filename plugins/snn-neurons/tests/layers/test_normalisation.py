from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import snncore
from snn_neurons import ALIF, LIF
from snn_neurons.layers import BNTT, MPBN, TEBN, NeuNorm, TDBN1d, TDBN2d, TDBN3d
from snncore.errors import NotSupported, StateError


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def stats(x):
    """Mean and biased variance per channel of [..., N, C, *] over all else, by NumPy."""
    flat = np.moveaxis(x.detach().numpy(), 2, 0).reshape(x.shape[2], -1)
    return flat.mean(1), flat.var(1), flat.var(1, ddof=1)


def normed(x, gamma, beta, eps=1e-5):
    mean, var, _ = stats(x)
    by = (1, 1, -1, *(1,) * (x.dim() - 3))
    return (x.detach().numpy() - mean.reshape(by)) / np.sqrt(var.reshape(by) + eps) * gamma + beta


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_neu_norm_is_its_recurrence(shared, mode):
    net = NeuNorm(3, 2, 4, k=0.7, shared=shared, step_mode=mode)
    assert net.w.shape == (1 if shared else 3, 2, 4)
    s = (torch.rand(5, 2, 3, 2, 4) < 0.5).float()
    y = net(s) if mode == "m" else torch.stack([net(now) for now in s])
    x, expected = np.zeros((2, 1, 2, 4)), []
    for now in s.numpy():
        x = 0.7 * x + 0.3 / 9 * now.sum(1, keepdims=True)
        expected.append(now - net.w.detach().numpy() * x)
    assert np.allclose(y.detach().numpy(), np.stack(expected), atol=1e-6)
    assert np.allclose(net.activity.x.detach().numpy(), x, atol=1e-6)


def test_neu_norm_checks_what_it_is_given():
    with pytest.raises(ValueError, match="NeuNorm: k must be > 0 and < 1, got 1"):
        NeuNorm(3, 2, 4, k=1.0)
    with pytest.raises(
        ValueError, match=r"snn-neurons/neu_norm takes \[..., C, H, W\] with 3, 2, 4, got \[2, 3, 4"
    ):
        NeuNorm(3, 2, 4)(torch.zeros(2, 3, 4, 2))


@pytest.mark.parametrize(
    ("make", "shape"), [(TDBN1d, (3,)), (TDBN2d, (3, 4, 2)), (TDBN3d, (3, 4, 2, 2))]
)
def test_tdbn_starts_at_the_threshold_and_takes_statistics_over_time(make, shape):
    net = make(3, alpha=0.5, v_threshold=0.8)
    snncore.set_step_mode(net, "m")
    x = 2 * torch.randn(5, 7, *shape, dtype=torch.float64) + 3
    y = net.double()(x)
    assert net.weight.tolist() == pytest.approx([0.4] * 3)
    assert np.allclose(y.detach().numpy(), normed(x, 0.4, 0.0), atol=1e-6)
    mean, _, unbiased = stats(x)
    assert np.allclose(net.running_mean.numpy(), 0.1 * mean)
    assert np.allclose(net.running_var.numpy(), 0.9 + 0.1 * unbiased)
    assert isinstance(net, getattr(torch.nn, f"BatchNorm{max(len(shape) - 1, 1)}d"))


@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 4, 2)])
def test_tebn_scales_each_step_of_a_norm_over_time(shape):
    net = TEBN(3, 6, step_mode="m").double()
    with torch.no_grad():
        net.p.copy_(torch.linspace(0.5, 2.0, 6))
        net.norm.weight.copy_(torch.tensor(1.5)), net.norm.bias.copy_(torch.tensor(0.25))
    x = torch.randn(6, 7, *shape, dtype=torch.float64)
    y = net(x)
    p = np.linspace(0.5, 2.0, 6).reshape(6, *(1,) * (len(shape) + 1))
    assert np.allclose(y.detach().numpy(), normed(x, 1.5, 0.25) * p)
    mean, _, unbiased = stats(x)
    assert np.allclose(net.norm.running_mean.numpy(), 0.1 * mean)
    assert np.allclose(net.norm.running_var.numpy(), 0.9 + 0.1 * unbiased)


def test_tebn_evaluates_by_running_statistics_in_both_modes():
    net = TEBN(3, 4, step_mode="m").double()
    x = torch.randn(4, 7, 3, 2, dtype=torch.float64)
    with torch.no_grad():
        net.p.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        net(x)
    net.eval()
    snncore.reset(net)
    norm = net.norm
    plain = F.batch_norm(
        x.flatten(0, 1), norm.running_mean, norm.running_var, norm.weight, norm.bias
    ).unflatten(0, (4, 7))
    expected = plain * torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64).view(4, 1, 1, 1)
    assert torch.allclose(net(x), expected)
    snncore.reset(net)
    net.step_mode = "s"
    assert torch.allclose(torch.stack([net(now) for now in x]), expected)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_bntt_has_a_norm_for_each_step(mode):
    net = BNTT(3, 4, step_mode=mode).double()
    assert all(norm.bias is None for norm in net.norms)
    with torch.no_grad():
        for t, norm in enumerate(net.norms):
            norm.weight.fill_(t + 1.0)
    x = torch.randn(4, 7, 3, 2, dtype=torch.float64)
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    for t in range(4):
        assert np.allclose(y[t : t + 1].detach().numpy(), normed(x[t : t + 1], t + 1.0, 0.0))
        mean, _, unbiased = stats(x[t : t + 1])
        assert np.allclose(net.norms[t].running_mean.numpy(), 0.1 * mean)
        assert np.allclose(net.norms[t].running_var.numpy(), 0.9 + 0.1 * unbiased)
    assert int(net.t) == 4


@pytest.mark.parametrize("make", [TEBN, BNTT])
def test_past_its_last_step_a_layer_explains_itself(make):
    name = make.__name__.lower()
    net = torch.nn.Sequential(torch.nn.Identity(), make(3, 4))
    x = torch.randn(5, 3)
    for _ in range(4):
        net(x)
    with pytest.raises(
        StateError,
        match=rf"net\.1 \(snn-neurons/{name}\) has parameters for T = 4 time steps, and step 5 "
        r"came\. Call snncore\.reset\(net\) before the next sequence, or build it with a larger T",
    ):
        net(x)
    snncore.reset(net)
    snncore.set_step_mode(net, "m")
    with pytest.raises(StateError, match="T = 4 time steps, and step 6 came"):
        net(torch.randn(6, 5, 3))
    with pytest.raises(ValueError, match=f"{make.__name__}: T must be >= 1, got 0"):
        make(3, 0)
    with pytest.raises(ValueError, match=r"expected \[N, C, \*\] with C = 3 channels, got \[5, 4]"):
        make(3, 4)(torch.randn(5, 4))


@pytest.mark.parametrize("v_reset", [0.0, -0.2, None])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_mpbn_norms_the_potential_before_firing_only(v_reset, mode):
    net = MPBN(3, neuron=LIF(tau=2.0, v_reset=v_reset), step_mode=mode).double()
    with torch.no_grad():
        net.norm.weight.uniform_(0.5, 2.0), net.norm.bias.uniform_(-0.5, 0.8)
    x = 3 * torch.randn(6, 8, 3, 2, dtype=torch.float64)
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    rest = v_reset or 0.0
    v = np.full((8, 3, 2), rest)
    mean, var = np.zeros(3), np.ones(3)
    gamma, beta = (p.detach().numpy().reshape(1, 1, 3, 1) for p in net.norm.parameters())
    for t, now in enumerate(x.numpy()):
        h = v + (now - (v - rest)) / 2
        step = torch.from_numpy(h)[None]
        s = (normed(step, gamma, beta)[0] >= 1.0).astype(float)
        v = h - s if v_reset is None else (1 - s) * h + s * rest
        mean = 0.9 * mean + 0.1 * stats(step)[0]
        var = 0.9 * var + 0.1 * stats(step)[2]
        assert np.array_equal(y[t].detach().numpy(), s)
    assert 0 < y.sum() < y.numel()
    assert np.allclose(net.v.detach().numpy(), v)
    assert np.allclose(net.norm.running_mean.numpy(), mean)
    assert np.allclose(net.norm.running_var.numpy(), var)


@pytest.mark.parametrize("dims", [0, 2])
def test_mpbn_folds_into_the_threshold(dims):
    net = MPBN(3, neuron={"name": "lif", "v_reset": -0.1, "v_threshold": 0.8}, step_mode="m")
    shape = (3, *[4] * dims)
    with torch.no_grad():
        net.norm.weight.uniform_(0.5, 2.0), net.norm.bias.uniform_(-0.5, 0.5)
        for _ in range(3):
            net(3 * torch.randn(5, 16, *shape))
            snncore.reset(net)
    net.eval()
    folded = net.fold(dims)
    assert type(folded) is LIF
    assert folded.v_threshold.shape == (3, *[1] * dims)
    assert folded.step_mode == "m"
    x = 3 * torch.randn(9, 16, *shape)
    spikes = net(x)
    assert torch.equal(folded(x), spikes)
    assert torch.allclose(folded.v, net.v)
    assert 0 < spikes.sum() < spikes.numel()
    assert net.neuron.v_threshold == 0.8


def test_mpbn_refuses_to_fold_what_a_threshold_cannot_say():
    with pytest.raises(
        NotSupported, match=r"snn-neurons/mpbn cannot be folded: soft reset subtracts the threshold"
    ):
        MPBN(3, neuron=LIF(v_reset=None)).fold()
    net = MPBN(3)
    with torch.no_grad():
        net.norm.weight[1] = -1.0
    with pytest.raises(NotSupported, match="gamma is not positive in 1 of 3 channels"):
        net.fold()
    with pytest.raises(ValueError, match="defines charge alone, such as lif; ALIF defines more"):
        MPBN(3, neuron=ALIF())
