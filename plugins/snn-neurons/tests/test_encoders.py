from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import snncore as snn
from snn_neurons import ConstantCurrent, Latency, Poisson
from snn_neurons.latency import at_its_time
from snncore.testing.kernel import check

# Without a compiler the same tests run on its torch reference.
pytestmark = pytest.mark.filterwarnings("ignore:kernel at_its_time:UserWarning")
SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3)


@given(shape=SHAPES, T=st.integers(1, 6), name=st.sampled_from(["poisson", "latency"]))
def test_spikes_are_zero_or_one_in_the_dtype_of_the_value(shape, T, name):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        x = torch.rand(shape).to(dtype)
        y = snn.build("encoder", name, T=T)(x)
        assert y.shape == (T, *shape)
        assert y.dtype == dtype
        assert set(y.unique().tolist()) <= {0.0, 1.0}


def test_the_rate_of_poisson_spikes_is_the_value():
    x = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    rate = Poisson(20000, seed=1)(x).mean(0)
    assert rate[0] == 0.0
    assert rate[-1] == 1.0
    # four standard deviations of a binomial mean
    assert ((rate - x).abs() <= 4 * (x * (1 - x) / 20000).sqrt()).all()


def test_poisson_draws_follow_the_seed():
    x = torch.full((3, 4), 0.5)
    one, other = Poisson(5, seed=3), Poisson(5, seed=3)
    first, second = one(x), one(x)
    assert not torch.equal(first, second)
    assert torch.equal(first, other(x))
    assert torch.equal(second, copy.deepcopy(other)(x)) is False
    fresh = pickle.loads(pickle.dumps(one))
    assert torch.equal(fresh(x), first)
    torch.manual_seed(7)
    a = Poisson(5)(x)
    torch.manual_seed(7)
    assert torch.equal(Poisson(5)(x), a)


def test_a_state_dict_carries_the_draws_on():
    x = torch.full((3, 4), 0.5)
    one, other = Poisson(5, seed=3), Poisson(5, seed=3)
    one(x)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x), other(x))


@given(x=st.floats(0, 1), T=st.integers(1, 12))
def test_linear_latency_is_equation_8(x, T):
    value = torch.tensor([x], dtype=torch.float64)
    y = Latency(T)(value)
    assert y.sum() == 1
    assert y.argmax(0).item() == round((T - 1) * (1 - x))


def test_latency_is_monotonic_and_rounds_half_to_even():
    times = Latency(10)(torch.linspace(0, 1, 50)).argmax(0)
    assert (times.diff() <= 0).all()
    assert Latency(2)(torch.tensor([0.5])).argmax(0).item() == 0
    assert Latency(4)(torch.tensor([0.5])).argmax(0).item() == 2


def test_logarithmic_latency_spans_the_window():
    y = Latency(8, function="log")(torch.tensor([0.0, 1.0]))
    assert y.argmax(0).tolist() == [7, 0]
    assert (y.sum(0) == 1).all()
    with pytest.raises(ValueError, match="Latency: function 'log' needs T <= 80, got 81"):
        Latency(81, function="log")


def test_the_kernel_of_latency_is_its_torch_reference():
    def whole(size, *, generator, dtype):
        return torch.randint(0, 5, size, generator=generator).to(dtype)

    check(at_its_time, draw=whole)
    assert at_its_time.plain(whole((9, 50), generator=None, dtype=torch.float32))[0].any()


def test_latency_takes_values_that_require_a_gradient_and_keeps_integers():
    assert not Latency(3)(torch.rand(2, requires_grad=True)).requires_grad
    assert Latency(2)(torch.tensor([0, 1])).tolist() == [[0, 1], [1, 0]]
    assert Latency(2)(torch.tensor([0, 1])).dtype == torch.int64


def test_constant_current_repeats_without_copy():
    x = torch.randn(2, 3)
    y = ConstantCurrent(4)(x)
    assert y.shape == (4, 2, 3)
    assert y.data_ptr() == x.data_ptr()
    assert torch.equal(y[3], x)


@pytest.mark.parametrize("encoder", [Poisson(2), Latency(2)])
@pytest.mark.parametrize("values", [[-0.5, 0.5], [0.0, 1.5], [float("nan")]])
def test_values_outside_the_unit_range_are_named(encoder, values):
    with pytest.raises(ValueError, match=r"takes values in \[0, 1\], got .* to .*; scale"):
        encoder(torch.tensor(values))


def test_the_number_of_steps_is_checked_by_name():
    with pytest.raises(ValueError, match="encoder snn-neurons/poisson: T: input should be greater"):
        snn.build("encoder", "poisson", T=0)
