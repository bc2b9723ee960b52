"""Readouts against sums over time written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons import Integrator, LeakyIntegrator

T, N, TAU = 7, 6, 2.5
BACKENDS = ["eager", "cpp"]
DECODES = ["sequence", "last_mem", "max_mem", "max_abs_mem", "mean_mem"]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def response(leaky):
    """dV[t] / dX[s]."""
    t = np.arange(T)
    past = np.tril(np.ones((T, T)))
    age = np.maximum(t[:, None] - t, 0)
    return past * (1 - 1 / TAU) ** age / TAU if leaky else past


def chosen(v, decode):
    """Weights [R, T, N] with which what is read is a sum over time of V."""
    one = np.eye(T)[:, :, None] * np.ones(N)
    if decode == "sequence":
        return one
    if decode == "last_mem":
        return one[-1:]
    if decode == "mean_mem":
        return np.full((1, T, N), 1 / T)
    place = (v if decode == "max_mem" else abs(v)).argmax(0)
    return one[place, :, np.arange(N)].T[None]


def made(leaky, **options):
    return LeakyIntegrator(TAU, **options) if leaky else Integrator(**options)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("decode", DECODES)
@pytest.mark.parametrize("leaky", [False, True])
def test_readouts_equal_sums_over_time(leaky, decode, backend):
    net = made(leaky, decode=decode, step_mode="m", store_v_seq=True, backend=backend)
    x = torch.from_numpy(normal(1, T, N)).requires_grad_()
    y = net(x)
    v = response(leaky) @ x.detach().numpy()
    weights = chosen(v, decode)
    expected = np.einsum("rtn,tn->rn", weights, v)
    on_y = normal(2, *expected.shape)
    y.backward(torch.from_numpy(on_y if decode == "sequence" else on_y[0]))
    assert np.allclose(np.atleast_2d(y.numpy(force=True)), expected)
    assert np.allclose(net.v_seq.numpy(force=True), v)
    by_v = np.einsum("rtn,rn->tn", weights, on_y)
    assert np.allclose(x.grad.numpy(), response(leaky).T @ by_v)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("decode", DECODES[1:])
def test_what_is_read_covers_all_steps_since_the_reset(decode, backend):
    whole, cut, stepped = (made(True, decode=decode, backend=backend) for _ in range(3))
    for net in (whole, cut):
        snncore.set_step_mode(net, "m")
    x = torch.from_numpy(normal(1, T, 2, N))
    expected = whole(x)
    assert expected.shape == (2, N)
    assert torch.equal([cut(part) for part in x.split([2, 4, 1])][-1], expected)
    assert torch.equal([stepped(now) for now in x][-1], expected)
    snncore.reset(whole)
    assert torch.equal(whole(x), expected)


def test_of_equal_absolute_values_the_first_is_read():
    x = torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)
    assert Integrator(decode="max_abs_mem", step_mode="m")(x).item() == 1.0


def test_only_what_is_read_is_kept():
    kept = {d: list(Integrator(decode=d).states) for d in DECODES}
    assert kept["sequence"] == kept["last_mem"] == ["v"]
    assert kept["max_mem"] == kept["max_abs_mem"] == ["v", "peak"]
    assert kept["mean_mem"] == ["v", "total", "count"]


def test_half_precision_keeps_its_dtype():
    x = torch.ones(4, 2, 3, dtype=torch.bfloat16)
    for decode in DECODES:
        net = Integrator(decode=decode, step_mode="m")
        assert net(x).dtype == torch.bfloat16
        assert net.v.dtype == torch.float32


def test_another_decode_is_refused_with_the_list():
    with pytest.raises(
        ValueError,
        match=r"LeakyIntegrator: decode must be one of sequence, last_mem, max_mem, max_abs_mem, "
        r"mean_mem, got 'max'",
    ):
        LeakyIntegrator(decode="max")
