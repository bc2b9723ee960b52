"""The attention layers against their equations written out in float64, with gradients."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import snncore
from snn_neurons import LIF, PLIF
from snn_neurons.attention import QKAttention, SpikeDrivenAttention, SpikingSelfAttention
from snn_neurons.attention.self_attention import product
from snncore.errors import ConfigError, UnknownComponent

T, N, C, HEADS = 4, 3, 8, 2


class Fire(torch.autograd.Function):
    """Theta with the derivative of the arc tangent, alpha = 2."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad / (1 + (math.pi * x) ** 2)


def lif(x, threshold=1.0):
    """H = V + (X - V) / 2, hard reset to 0 without gradient."""
    v, spikes = torch.zeros_like(x[0]), []
    for now in x:
        h = v + (now - v) / 2
        s = Fire.apply(h - threshold)
        v = (1 - s.detach()) * h
        spikes.append(s)
    return torch.stack(spikes)


def normalised(part, x):
    """BN(W x) with statistics over time, batch and tokens."""
    y = torch.einsum("oc,tncl->tnol", part.conv.weight[:, :, 0], x)
    mean = y.mean((0, 1, 3), keepdim=True)
    var = ((y - mean) ** 2).mean((0, 1, 3), keepdim=True)
    scale, shift = (p.view(-1, 1) for p in (part.norm.weight, part.norm.bias))
    return (y - mean) / (var + 1e-5).sqrt() * scale + shift


def rows(x, head):
    """One head's channels ``[T, N, d, L]``."""
    d = C // HEADS
    return x[:, :, head * d : (head + 1) * d]


def self_attention(net, x, scale=0.125):
    q, k, v = lif(normalised(net.qkv, x)).split(C, 2)
    found = []
    for head in range(HEADS):
        # As in the paper, tokens are rows: (Q K^T) V.
        one, other, third = (rows(part, head).transpose(-1, -2) for part in (q, k, v))
        found.append((one @ other.transpose(-1, -2) @ third * scale).transpose(-1, -2))
    return lif(normalised(net.out, lif(torch.cat(found, 2), 0.5)))


def token_attention(net, x):
    q, k = lif(normalised(net.qk, x)).split(C, 2)
    found = []
    for head in range(HEADS):
        mask = lif(rows(q, head).sum(2), 0.5)
        found.append(mask[:, :, None] * rows(k, head))
    return lif(normalised(net.out, torch.cat(found, 2)))


def channel_attention(net, x):
    q, k = lif(normalised(net.qk, x)).split(C, 2)
    mask = lif(q.sum(3), 0.5)
    return lif(normalised(net.out, mask[..., None] * k))


def spike_driven_attention(net, x):
    q, k, v = lif(normalised(net.qkv, lif(x))).split(C, 2)
    mask = lif(torch.einsum("tncl,tncl->tnc", k, v), 0.5)
    return normalised(net.out, mask[..., None] * q) + x


CASES = {
    "self": (SpikingSelfAttention, {"num_heads": HEADS}, self_attention),
    "scaled": (
        SpikingSelfAttention,
        {"num_heads": HEADS, "scale": 0.7},
        partial(self_attention, scale=0.7),
    ),
    "token": (QKAttention, {"num_heads": HEADS}, token_attention),
    "channel": (QKAttention, {"num_heads": HEADS, "form": "channel"}, channel_attention),
    "spike-driven": (SpikeDrivenAttention, {}, spike_driven_attention),
}


# Fewer tokens than channels of a head, and more.
@pytest.mark.parametrize("tokens", [3, 9])
@pytest.mark.parametrize("name", CASES)
def test_attention_equals_its_equations(name, tokens):
    kind, params, by_hand = CASES[name]
    torch.manual_seed(0)
    net = kind(C, **params).double()
    # More spikes than a fresh norm lets pass.
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.uniform_(part.weight, 1.0, 2.0)
            nn.init.uniform_(part.bias, 1.5, 3.0)
    snncore.set_step_mode(net, "m")
    x = 2 * torch.randn(T, N, C, tokens, dtype=torch.float64)
    weights = torch.randn(T, N, C, tokens, dtype=torch.float64)
    leaves = [x.requires_grad_(), *net.parameters()]
    y = net(x)
    found = torch.autograd.grad((y * weights).sum(), leaves)
    expected_y = by_hand(net, x)
    expected = torch.autograd.grad((expected_y * weights).sum(), leaves)
    if name == "spike-driven":
        assert torch.allclose(y, expected_y, rtol=1e-10, atol=1e-12)
    else:
        assert 0.05 < y.mean() < 0.95
        assert torch.equal(y, expected_y)
    for got, wanted in zip(found, expected, strict=True):
        assert wanted.any()
        assert torch.allclose(got, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("width", "tokens"), [(4, 16), (16, 4), (8, 8), (1, 5), (5, 1), (3, 0)])
def test_both_orders_of_the_product_agree(width, tokens):
    generator = torch.Generator().manual_seed(width)
    q, k, v = (torch.rand(3, T, 2, width, tokens, generator=generator) < 0.4).float()
    q, k, v = (x.requires_grad_() for x in (q, k, v))
    y = product(q, k, v, 0.125)
    tokens_first = 0.125 * ((q.mT @ k) @ v.mT).mT
    channels_first = 0.125 * (v @ k.mT) @ q
    # Sums of spikes are whole numbers, which float32 holds exactly in any order.
    assert torch.equal(y, tokens_first)
    assert torch.equal(y, channels_first)
    weights = torch.rand(y.shape, generator=generator)
    found = torch.autograd.grad((y * weights).sum(), (q, k, v))
    expected = torch.autograd.grad((tokens_first * weights).sum(), (q, k, v))
    for got, wanted in zip(found, expected, strict=True):
        assert torch.allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("width", "tokens"), [(4, 64), (64, 4), (8, 8)])
def test_the_product_takes_the_cheaper_order(width, tokens):
    q, k, v = torch.ones(3, 2, width, tokens)
    with FlopCounterMode(display=False) as counter:
        product(q, k, v, 0.5)
    # Two products, a multiplication and an addition for each element.
    cheaper = min(width * width * tokens, width * tokens * tokens)
    assert counter.get_total_flops() == 2 * 2 * 2 * cheaper


def test_neurons_are_those_of_the_papers():
    for net in (SpikingSelfAttention(8), QKAttention(8), SpikeDrivenAttention(8)):
        found = [part for part in net.modules() if isinstance(part, LIF)]
        assert len(found) == 3
        assert all(part.tau == 2 and part.detach_reset for part in found)
        thresholds = {id(part): part.v_threshold for part in found}
        assert thresholds.pop(id(net.attention)) == 0.5
        assert set(thresholds.values()) == {1.0}


def test_neurons_are_chosen_by_name_or_table():
    table = {"name": "snn-neurons/plif", "init_tau": 3.0, "detach_reset": False}
    net = SpikingSelfAttention(8, neuron=table)
    found = [part for part in net.modules() if isinstance(part, PLIF)]
    assert len({id(part) for part in found}) == 3
    assert all(part.init_tau == 3 and not part.detach_reset for part in found)
    assert net.attention.v_threshold == 0.5
    assert table == {"name": "snn-neurons/plif", "init_tau": 3.0, "detach_reset": False}

    own = QKAttention(8, attention_neuron={"name": "plif", "v_threshold": 0.75})
    assert isinstance(own.attention, PLIF)
    assert own.attention.v_threshold == 0.75
    assert own.attention.detach_reset
    assert isinstance(own.out.neuron, LIF)
    # One that never fires has no threshold and no reset.
    assert SpikeDrivenAttention(8, neuron="integrator")(torch.rand(2, 8, 3)).shape == (2, 8, 3)


def test_a_neuron_must_be_named():
    with pytest.raises(ConfigError, match=r"^neuron must be a name or a table .* got a LIF$"):
        QKAttention(8, neuron=LIF())
    with pytest.raises(ConfigError, match=r"^neuron: the table \{'tau': 3\.0\} names no neuron; "):
        QKAttention(8, neuron={"tau": 3.0})
    with pytest.raises(UnknownComponent, match="liff"):
        QKAttention(8, attention_neuron="liff")


def test_heads_must_divide_the_channels():
    for kind in (SpikingSelfAttention, QKAttention):
        with pytest.raises(
            ConfigError, match=rf"^{kind.__name__}: num_heads=3 does not divide dim=8; each head"
        ):
            kind(8, num_heads=3)
    with pytest.raises(ValueError, match=r"form must be 'token' or 'channel', got 'spatial'$"):
        QKAttention(8, form="spatial")


@pytest.mark.parametrize("kind", [SpikingSelfAttention, QKAttention, SpikeDrivenAttention])
def test_another_shape_explains_itself(kind):
    net = nn.Sequential(nn.Identity(), kind(8))
    name = snncore.registry.label(kind)
    single = rf"^net\.1 \({name}\) is in step_mode 's' and takes \[N, 8, L\], got "
    with pytest.raises(ValueError, match=single + r"\[4, 3, 8, 5\]; call .*\(net, 'm'\) for the"):
        net(torch.rand(4, 3, 8, 5))
    with pytest.raises(ValueError, match=single + r"\[3, 6, 5\]"):
        net(torch.rand(3, 6, 5))
    snncore.set_step_mode(net, "m")
    # A merged convolution would take this for one sample of 8 channels.
    with pytest.raises(
        ValueError, match=r"step_mode 'm' and takes \[T, N, 8, L\], got \[1, 8, 5\]; .*'s'\) for"
    ):
        net(torch.rand(1, 8, 5))
    assert all(value is None for *_, value in snncore.memories(net))
