"""Neurons that draw: the same numbers however a sequence comes, copied, resumed, run again."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import snncore
from snn_neurons import EscapeRate, NoisyLIF

T = 9
KINDS = [NoisyLIF, EscapeRate]


def sequence(dtype=torch.float32):
    return (2 * torch.rand(T, 4, 5, generator=torch.Generator().manual_seed(0))).to(dtype)


def run(net, x):
    snncore.reset(net)
    return net(x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("seed", [None, 3])
def test_a_sequence_draws_what_its_steps_draw(kind, dtype, seed):
    whole, cut = (kind(seed=seed, step_mode="m") for _ in range(2))
    stepped, x = kind(seed=seed), sequence(dtype)
    torch.manual_seed(1)
    expected = whole(x)
    torch.manual_seed(1)
    assert torch.equal(torch.cat([cut(part) for part in x.split([2, 6, 1])]), expected)
    torch.manual_seed(1)
    assert torch.equal(torch.stack([stepped(now) for now in x]), expected)
    assert 0 < expected.float().mean() < 1


@pytest.mark.parametrize("kind", KINDS)
def test_backends_draw_the_same(kind):
    one, other = (kind(seed=3, step_mode="m", backend=name) for name in ("eager", "cpp"))
    assert torch.equal(one(sequence()), other(sequence()))


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_seed(kind):
    one, twin, other = (kind(seed=seed, step_mode="m") for seed in (3, 3, 4))
    x = sequence()
    first = run(one, x)
    assert torch.equal(run(twin, x), first)
    assert not torch.equal(run(other, x), first)
    assert not torch.equal(run(one, x), first)
    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert torch.equal(run(copied, x), first)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_dict_carries_the_draws_on(kind):
    one, other = (kind(seed=3, step_mode="m") for _ in range(2))
    x = sequence()
    run(one, x)
    other.load_state_dict(one.state_dict())
    assert torch.equal(run(other, x), run(one, x))


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_checkpoint_runs_again_sees_the_same_numbers(kind, seed):
    def twice(net, x):
        return torch.cat([net(x), net(x)])

    plain, kept = (kind(seed=seed, step_mode="m") for _ in range(2))
    x, other = sequence().requires_grad_(), sequence().requires_grad_()
    torch.manual_seed(1)
    twice(plain, x).square().sum().backward()
    after = run(plain, sequence()) if seed else None
    torch.manual_seed(1)
    checkpoint(twice, kept, other, use_reentrant=False).square().sum().backward()
    assert torch.equal(other.grad, x.grad)
    assert x.grad.abs().sum() > 0
    if seed:
        assert torch.equal(run(kept, sequence()), after)


def test_noise_has_the_given_strength():
    net = NoisyLIF(tau=2.0, sigma=0.5, seed=1, v_threshold=1e9, step_mode="m", store_v_seq=True)
    net(torch.zeros(400, 1000))
    # of a first-order autoregression with factor 1/2
    assert net.v_seq[20:].std().item() == pytest.approx(0.5 / (1 - 0.25) ** 0.5, rel=0.01)
    assert abs(net.v_seq[20:].mean().item()) < 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_refused_as_everywhere(kind):
    with pytest.raises(TypeError, match="takes floating-point input, got torch"):
        kind()(torch.ones(2, 3, dtype=torch.int64))
