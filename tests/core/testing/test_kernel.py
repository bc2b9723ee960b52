"""The check of kernels finds what it says it finds."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.autograd.gradcheck import GradcheckError

from snncore.kernels import Kernel
from snncore.kernels.cpp import CppBackend
from snncore.testing.kernel import check

compiled = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
STEP, BACKWARD = "v = a * v + x; y = v;", "grad_v += grad_y; grad_x = grad_v; grad_a = grad_v * v;"
LEAK = " grad_v *= a;"


def leaky(step=STEP, backward=BACKWARD + LEAK, reference=None):
    return Kernel(
        "leaky",
        inputs=("x",),
        params=("a",),
        states={"v": 0.0},
        outputs=("y",),
        step=step,
        backward=backward,
        reference=reference or (lambda x, v, a: (a * v + x, a * v + x)),
    )


@compiled
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": "v = a * v + x; y = v + 1e-3;"}, r"leaky\(.*\), shape .*, contiguous: y differs"),
        ({"step": "y = v; v = a * v + x;"}, "contiguous: y differs"),
        ({"backward": BACKWARD}, "contiguous: gradient of x differs"),
    ],
)
def test_a_wrong_kernel_is_caught(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check(leaky(**wrong), values={"a": 0.5})


@compiled
def test_a_gradient_that_both_have_wrong_is_caught_by_finite_differences():
    class Halved(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad / 2

    def reference(x, v, a):
        v = a * v + Halved.apply(x)
        return v, v

    wrong = "grad_v += grad_y; grad_x = 0.5 * grad_v; grad_a = grad_v * v; grad_v *= a;"
    subject = leaky(backward=wrong, reference=reference)
    with pytest.raises(GradcheckError):
        check(subject, values={"a": 0.5})
    check(subject, values={"a": 0.5}, smooth=False)


def test_a_kernel_that_cannot_run_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setattr(CppBackend, "available", lambda self: "the moon is full")
    with pytest.raises(pytest.skip.Exception, match="cannot run on cpu: the moon is full"):
        check(copy.deepcopy(leaky()), values={"a": 0.5})
