"""Products of rows with weights, where the rows may be spikes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from snncore.kernels import cpp, product

pytestmark = pytest.mark.skipif(
    cpp.CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


@pytest.fixture
def runs(monkeypatch):
    """Counts the products that skip what is 0."""
    calls, run = [], cpp.multiply
    monkeypatch.setattr(cpp, "multiply", lambda *given: calls.append(1) or run(*given))
    return calls


def case(*lead, size=19, width=70, share=0.1, dtype=torch.float64, bias=True):
    torch.manual_seed(0)
    x = torch.randn(*lead, size, dtype=dtype) * (torch.rand(*lead, size) < share)
    weight = torch.randn(width, size, dtype=dtype)
    return x, weight, torch.randn(width, dtype=dtype) if bias else None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("lead", "size", "width"),
    [((5, 7), 19, 70), ((1,), 1, 1), ((103,), 64, 64), ((2, 3, 4), 200, 3)],
)
def test_it_is_the_product_of_torch(lead, size, width, bias, dtype, runs):
    x, weight, given = case(*lead, size=size, width=width, dtype=dtype, bias=bias)
    found, expected = product.linear(x, weight, given), F.linear(x, weight, given)
    assert found.shape == expected.shape
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    assert torch.allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert runs == [1]


def test_rows_may_be_dense_beside_sparse_ones(runs):
    x, weight, bias = case(40, share=0.05)
    x[7] = torch.randn(19)
    assert torch.allclose(product.linear(x, weight, bias), F.linear(x, weight, bias))
    assert runs == [1]


@pytest.mark.parametrize("double", [False, True])
def test_gradients_are_those_of_torch(double, runs):
    x, weight, bias = case(5, 7)
    leaves = [t.requires_grad_() for t in (x, weight, bias)]
    found = torch.autograd.grad(product.linear(*leaves).square().sum(), leaves, create_graph=double)
    expected = torch.autograd.grad(F.linear(*leaves).square().sum(), leaves, create_graph=double)
    assert runs == [1]
    if double:
        # Gradients of gradients, too.
        found, expected = (
            torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)
            for grads in (found, expected)
        )
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other)


def test_weights_and_rows_may_lie_in_any_order(runs):
    x, weight, bias = case(6, 5)
    turned = x.transpose(0, 1).contiguous().transpose(0, 1)
    part = torch.cat((weight, weight), 1)[:, 19:]
    assert torch.allclose(product.linear(turned, part, bias), F.linear(x, weight, bias))
    assert torch.allclose(
        product.linear(x, weight.t().contiguous().t(), bias[::1]), F.linear(x, weight, bias)
    )
    assert runs == [1, 1]


def test_what_it_is_not_made_for_is_torch_s_own(runs):
    x, weight, bias = case(6, 5)
    dense = torch.randn_like(x)
    assert torch.equal(product.linear(dense, weight, bias), F.linear(dense, weight, bias))
    half = product.linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16())
    assert half.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert product.linear(x.float(), weight.float(), bias.float()).dtype == torch.bfloat16
    assert product.linear(x[:0], weight, bias).shape == (0, 5, 70)
    assert product.linear(x[:, :0], weight, bias).shape == (6, 0, 70)
    assert runs == []


def test_threads_give_the_same_bits():
    x, weight, bias = case(300, 10, size=128, width=130)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = product.linear(x, weight, bias)
        torch.set_num_threads(3)
        assert torch.equal(product.linear(x, weight, bias), expected)
    finally:
        torch.set_num_threads(before)
