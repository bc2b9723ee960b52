"""Kernels written by hand, with their references in torch."""

from __future__ import annotations

import torch

from snncore.kernels import Kernel


def low_pass(x, v, decay):
    v = decay * v + x
    return 0.5 * v, v


LEAKY = Kernel(
    "leaky",
    inputs=("x",),
    params=("decay",),
    states={"v": 0.0},
    outputs=("y",),
    step="""
        v = decay * v + x;
        y = 0.5 * v;  // half of it
    """,
    backward="""
        grad_v += 0.5 * grad_y;
        grad_x = grad_v;
        grad_decay = grad_v * v;  // v is that before the step
        grad_v *= decay;
    """,
    reference=low_pass,
)


def gated(x, w, a, b, gain):
    new = torch.tanh(a) + gain * x
    return new * w, torch.sigmoid(b) - x, new, a * b


GATED = Kernel(
    "gated",
    inputs=("x", "w"),
    params=("gain",),
    states={"a": 0.25, "b": 1.0},
    outputs=("y", "z"),
    # a and b change together: b takes the old a.
    step="""
        const S old = a;
        a = snn_tanh(a) + gain * x;
        y = a * w;
        z = snn_sigmoid(b) - x;
        b = old * b;
    """,
    backward="""
        /* next_a is what the step made of a */
        const S s = snn_sigmoid(b), t = snn_tanh(a);
        const S to_a = grad_a + grad_y * w;
        grad_w = grad_y * next_a;
        grad_x = to_a * gain - grad_z;
        grad_gain = to_a * x;
        grad_a = to_a * (1.0 - t * t) + grad_b * b;
        grad_b = grad_b * a + grad_z * s * (1.0 - s);
    """,
    reference=gated,
)


def squash(x, w, sharpness):
    return torch.tanh(sharpness * x) * w


SQUASH = Kernel(
    "squash",
    inputs=("x", "w"),
    params=("sharpness",),
    outputs=("y",),
    step="y = snn_tanh(sharpness * x) * w;",
    backward="""
        const S t = snn_tanh(sharpness * x), d = (1.0 - t * t) * w * grad_y;
        grad_x = d * sharpness;
        grad_w = t * grad_y;
        grad_sharpness = d * x;
    """,
    reference=squash,
)


def refractory(x, v, rest):
    rests = rest > 0.0
    h = torch.where(rests, v, v + x)
    fires = ~rests & (h >= 1.0)
    rest = torch.where(rests, rest - 1.0, torch.where(fires, 2.0, 0.0))
    return fires.to(x.dtype), torch.where(fires, 0.0, h), rest


REFRACTORY = Kernel(
    "refractory",
    inputs=("x",),
    states={"v": 0.0, "rest": 0.0},
    outputs=("s",),
    step="""
        const bool rests = rest > 0.0;
        const S h = rests ? v : v + x;
        const bool fires = !rests & (h >= 1.0);
        s = fires ? 1.0 : 0.0;
        v = fires ? 0.0 : h;
        rest = rests ? rest - 1.0 : (fires ? 2.0 : 0.0);
    """,
    reference=refractory,
)
BRANCHY = Kernel(
    "branchy",
    inputs=("x",),
    states={"v": 0.0, "rest": 0.0},
    outputs=("s",),
    step="""
        if (rest > 0.0) {
          rest = rest - 1.0;
        } else {
          v = v + x;
          rest = 0.0;
          if (v >= 1.0) { s = 1.0; v = 0.0; rest = 2.0; }
        }
    """,
    reference=refractory,
)
KERNELS = {
    "leaky": (LEAKY, {"decay": 0.75}),
    "gated": (GATED, {"gain": 0.5}),
    "squash": (SQUASH, {"sharpness": 1.5}),
    "refractory": (REFRACTORY, {}),
}
