from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons.layers import DropConnectLinear, LockedDropout, LockedDropout2d
from snncore.errors import StateError


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_the_mask_is_kept_for_all_steps_until_reset(mode):
    net = LockedDropout(0.3, step_mode=mode)
    x = torch.randn(6, 4, 50)
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    mask = net.mask.clone()
    assert set(mask.unique().tolist()) == {0.0, np.float32(1 / 0.7)}
    assert torch.equal(y, x * mask)
    again = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    assert torch.equal(again, y)
    snncore.reset(net)
    net(x if mode == "m" else x[0])
    assert not torch.equal(net.mask, mask)


def test_the_share_of_dropped_elements_is_p():
    net = LockedDropout(0.3)
    net(torch.ones(100, 400))
    share = (net.mask == 0).double().mean().item()
    # four standard deviations of a binomial mean
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 40000) ** 0.5


def test_channels_are_dropped_whole():
    net = LockedDropout2d(step_mode="m")
    assert net.p == 0.2
    x = torch.randn(5, 8, 40, 3, 2)
    y = net(x)
    assert net.mask.shape == (8, 40, 1, 1)
    assert 0 < (net.mask == 0).sum() < net.mask.numel()
    assert torch.equal(y, x * net.mask)


def test_evaluation_passes_the_input_and_keeps_the_mask():
    net = LockedDropout(0.5)
    x = torch.randn(4, 5)
    net(x)
    mask = net.mask
    assert net.eval()(x) is x
    assert torch.equal(net.mask, mask)


def test_the_gradient_is_the_mask():
    net = LockedDropout(0.5, step_mode="m")
    x = torch.randn(3, 4, 5, requires_grad=True)
    net(x).sum().backward()
    assert torch.equal(x.grad, net.mask.expand(3, 4, 5))


def test_half_precision_stays():
    net = LockedDropout(0.5)
    assert net(torch.ones(4, 5, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert net.mask.dtype == torch.float32


def test_the_dropout_of_the_core_is_another_and_keeps_its_name():
    x = torch.ones(8, 4, 32)
    fresh, locked = snncore.build("layer", "dropout"), snncore.build("layer", "locked_dropout")
    for net in (fresh, locked):
        net.step_mode = "m"
    a, b = fresh(x), locked(x)
    assert not torch.equal(a[0], a[1])
    assert torch.equal(b[0], b[7])
    assert type(snncore.build("layer", "spiking_dropout")) is LockedDropout
    assert type(snncore.build("layer", "spiking_dropout2d")) is LockedDropout2d


def test_another_batch_explains_itself():
    net = torch.nn.Sequential(torch.nn.Identity(), LockedDropout())
    net(torch.ones(4, 5))
    with pytest.raises(
        StateError,
        match=r"net\.1 \(snn-neurons/locked_dropout\): state mask has batch 4, input "
        r"has batch 2\. Call snncore\.reset\(net\)",
    ):
        net(torch.ones(2, 5))


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
@pytest.mark.parametrize("make", [LockedDropout, LockedDropout2d])
def test_probabilities_are_checked(make, p):
    with pytest.raises(ValueError, match=rf"{make.__name__}: p is a probability, in \[0, 1\], got"):
        make(p)
    with pytest.raises(ValueError, match="DropConnectLinear: p is a probability"):
        DropConnectLinear(2, 2, p=p)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_drop_connect_masks_the_weights_of_each_sample(bias, mode):
    net = DropConnectLinear(4, 3, bias=bias, invariant=True, step_mode=mode)
    x = torch.randn(5, 6, 4)
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    mask, w = net.mask.numpy(), net.linear.weight.detach().numpy()
    assert mask.shape == (6, 3, 4 + bias)
    assert len({sample.tobytes() for sample in mask}) == 6
    for t in range(5):
        for n in range(6):
            expected = (w * mask[n, :, :4]) @ x[t, n].numpy()
            if bias:
                expected = expected + net.linear.bias.detach().numpy() * mask[n, :, 4]
            assert np.allclose(y[t, n].detach().numpy(), expected, atol=1e-6)


def test_drop_connect_draws_at_every_step_unless_told_otherwise():
    net = DropConnectLinear(40, 30, step_mode="m")
    x = torch.randn(1, 2, 40).expand(3, 2, 40)
    y = net(x)
    assert not torch.equal(y[0], y[1])
    assert dict(net.states) == {}
    kept = DropConnectLinear(40, 30, invariant=True, step_mode="m")
    y = kept(x)
    assert torch.equal(y[0], y[2])


def test_drop_connect_evaluates_to_the_mean_over_masks():
    net = DropConnectLinear(3, 2, p=0.3).double()
    x = torch.randn(1, 3, dtype=torch.float64)
    draws = net(x.expand(40000, 3))
    spread = draws.std(0) / 200
    assert ((draws.mean(0) - net.eval()(x)[0]).abs() < 4 * spread).all()
    assert torch.allclose(net(x), 0.7 * torch.nn.functional.linear(x, *net.linear.parameters()))


def test_drop_connect_names_the_shape_it_takes():
    with pytest.raises(
        ValueError,
        match=r"snn-neurons/drop_connect_linear is in step_mode 's' and takes \[N, 4\],"
        r" got \[2, 5, 4\]",
    ):
        DropConnectLinear(4, 3)(torch.ones(2, 5, 4))
    with pytest.raises(ValueError, match=r"takes \[T, N, 4\], got \[2, 5, 3\]"):
        DropConnectLinear(4, 3, step_mode="m")(torch.ones(2, 5, 3))
