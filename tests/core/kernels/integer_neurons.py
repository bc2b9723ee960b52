"""Neurons that compute in integers: a chip's, and one of every operation. Loaded by its path."""

from __future__ import annotations

import torch

from snncore.neuron import Neuron


def divided(x, d):
    return torch.div(x.long() * (4096 - d.long()), 4096, rounding_mode="trunc").to(x.dtype)


def shifted(x, d):
    whole = x.long()
    return (whole.sign() * ((whole.abs() * (4096 - d.long())) >> 12)).to(x.dtype)


def split(x, d):
    """In int32 alone: |x| = a 2^12 + b, so that no product leaves 32 bits."""
    whole, keep = x.to(torch.int32), 4096 - d.to(torch.int32)
    high, low = whole.abs() >> 12, whole.abs() & 4095
    return (whole.sign() * (high * keep + ((low * keep) >> 12))).to(x.dtype)


CODINGS = {"divided": divided, "shifted": shifted, "split": split}


def make_decay(coding):
    class Decay(torch.autograd.Function):
        @staticmethod
        def forward(x, d):
            return coding(x, d)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, d = ctx.saved_tensors
            to_d = (-(g * x) / 4096).sum_to_size(d.shape) if ctx.needs_input_grad[1] else None
            return g * (1 - d / 4096), to_d

    return Decay


class Fire(torch.autograd.Function):
    @staticmethod
    def forward(v, threshold, slope):
        return (v > threshold).to(v.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        v, threshold, ctx.slope = inputs
        ctx.save_for_backward(v, threshold)

    @staticmethod
    def backward(ctx, g):
        v, threshold = ctx.saved_tensors
        return g * torch.exp(-ctx.slope * (v - threshold).abs()), None, None


class Cuba(Neuron):
    """Loihi's current-based neuron with integers in a carrier of floats.

    u = trunc(u (4096 - du) / 4096) + 64 z;  v = trunc(v (4096 - dv) / 4096) + u;
    s = v > 64 vth;  v = 0 where s. Gives s, and v before it is reset.
    """

    states = {"u": 0.0, "v": 0.0}
    outputs = 2

    def __init__(self, du, dv, mantissa, coding="divided", learnable=False, **options):
        super().__init__(v_reset=0.0, **options)
        self.decay = make_decay(CODINGS[coding])
        for name, value in (("du", du), ("dv", dv), ("mantissa", mantissa)):
            tensor = torch.as_tensor(value, dtype=torch.get_default_dtype())
            if learnable and name != "mantissa":
                setattr(self, name, torch.nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def step(self, z, u, v):
        u = self.decay.apply(u, self.du) + z * 64
        v = self.decay.apply(v, self.dv) + u
        s = Fire.apply(v, self.mantissa * 64, 1e-4)
        return s, v, u, torch.where(s > 0, 0.0, v)


class Whole(Neuron):
    """Every operation of integers that a step may use, straight through in the backward."""

    outputs = 3

    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer("steps", torch.tensor([[3], [-2], [5]], dtype=torch.int32))
        self.register_buffer("on", torch.tensor([[True], [False], [True]]))

    def step(self, x, v):
        i, j = (x * 1000).long(), (v * 300).to(torch.int32) + self.steps
        q = torch.div(i, 7, rounding_mode="floor") - torch.div(i, -4096, rounding_mode="trunc")
        q = q + torch.div(j, 6, rounding_mode="trunc") * 3 + i % 13 + j % -9 + torch.fmod(i, 11)
        q = q + (i << 3) - (i >> 2) + (j << 1) + (i & 255) - (j | 3) + (i ^ 21) + ~j
        q = q + torch.where(self.on, -i, i.abs()) + j.sign() + i.clamp(-100, 50) + j**2
        q = q + torch.maximum(i, j) - torch.minimum(j, i) + (i > j) + (j == 3).to(torch.int32)
        # Products that leave 32 bits wrap, in int32 alone.
        wrapped, wide = j * 123456789 * 1000, i * 123456789
        real = q.to(x.dtype) / 1000 + 0.5 * j.to(x.dtype)
        h = x + (real - x).detach()
        s = self.fire(h)
        none = x - x.detach()
        others = (wrapped.to(x.dtype) + none, (wide >> 20).to(x.dtype) + none)
        return s, *others, self.reset(h, s)
