"""Properties of every installed neuron over drawn shapes, dtypes, values and modes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import snncore

NEURONS = [component.qualified for component in snncore.components("neuron")]
every_neuron = pytest.mark.parametrize("name", NEURONS)
drawn = settings(derandomize=True, deadline=None, max_examples=8, database=None)

shapes = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])
seeds = st.integers(0, 2**16)


def draw(seed: int, *size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.rand(size, generator=generator) - 0.5).to(dtype)


def build(name: str, **params):
    torch.manual_seed(0)
    (declared, *_) = getattr(snncore.get("neuron", name), "conformance", {}).get("variants", ({},))
    return snncore.build("neuron", name, **declared, **params)


def run(net, x: torch.Tensor) -> torch.Tensor:
    """The first output; further inputs are functions of each element of the first."""
    y = net(x, *(0.5 * x + 0.25 for _ in range(getattr(net, "inputs", 1) - 1)))
    return y[0] if isinstance(y, tuple) else y


def only(net, *modes: str) -> None:
    declared = getattr(type(net), "conformance", {})
    if not declared.get("exact_modes", True):
        pytest.skip(f"declares exact_modes = False: {declared['reason']}")
    if not set(modes) <= set(net.step_modes):
        pytest.skip(f"declares step_modes = {net.step_modes}")


@every_neuron
@drawn
@given(steps=st.integers(0, 5), batch=st.integers(0, 3), shape=shapes, dtype=dtypes, seed=seeds)
def test_multi_step_keeps_time_batch_and_dtype(name, steps, batch, shape, dtype, seed):
    net = build(name, step_mode="m")
    only(net, "m")
    x = draw(seed, steps, batch, *shape, dtype=dtype)
    y = run(net, x)
    assert y.shape[:2] == (steps, batch)
    assert y.dtype == dtype
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert {v.dtype for _, _, v in snncore.memories(net) if v is not None} <= {wide}


@every_neuron
@drawn
@given(
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    shape=shapes,
    dtype=dtypes,
    seed=seeds,
)
def test_any_cut_of_a_sequence_gives_the_same(name, cuts, shape, dtype, seed):
    whole, cut, stepped = (build(name) for _ in range(3))
    only(whole, "s", "m")
    x = draw(seed, sum(cuts), 2, *shape, dtype=dtype)
    for net in (whole, cut):
        snncore.set_step_mode(net, "m")
    expected = run(whole, x)
    assert torch.equal(torch.cat([run(cut, piece) for piece in x.split(cuts)]), expected)
    assert torch.equal(torch.stack([run(stepped, now) for now in x]), expected)
    states = [v for _, _, v in snncore.memories(whole)]
    for net in (cut, stepped):
        for got, wanted in zip((v for _, _, v in snncore.memories(net)), states, strict=True):
            assert torch.equal(got, wanted)


@every_neuron
@drawn
@given(shape=shapes, seed=seeds, order=st.permutations(range(4)))
def test_samples_of_a_batch_know_nothing_of_each_other(name, shape, seed, order):
    net = build(name, step_mode="m")
    only(net, "m")
    x = draw(seed, 4, 4, *shape)
    expected = run(net, x)[:, order]
    snncore.reset(net)
    assert torch.equal(run(net, x[:, order]), expected)


@every_neuron
@drawn
@given(steps=st.integers(1, 5), seed=seeds)
def test_the_past_knows_nothing_of_the_future(name, steps, seed):
    net = build(name, step_mode="m")
    only(net, "m")
    x = draw(seed, steps + 2, 2, 3)
    whole = run(net, x)
    snncore.reset(net)
    assert torch.equal(run(net, x[:steps]), whole[:steps])


@every_neuron
@drawn
@given(steps=st.integers(1, 4), seed=seeds, first=st.integers(0, 3))
def test_a_snapshot_replays(name, steps, seed, first):
    net = build(name, step_mode="m")
    only(net, "m")
    before, after = draw(seed, first, 2, 3), draw(seed + 1, steps, 2, 3)
    run(net, before)
    snap = snncore.snapshot(net)
    expected = run(net, after)
    snncore.restore(net, snap)
    assert torch.equal(run(net, after), expected)
