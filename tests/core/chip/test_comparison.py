from __future__ import annotations

import pytest
import torch

from snncore.chip import Trace, compare
from snncore.errors import ConfigError


def run(*rows, **more):
    """A run of one sample with as many neurons as a row has values."""
    return Trace(torch.tensor(rows, dtype=torch.float32)[:, None], **more)


def test_rounded_allows_a_tolerance():
    one, other = run([0.5, 1.0]), run([0.501, 1.0])
    assert not compare(one, other).ok
    assert not compare(one, other, "rounded", tolerance=1e-4).ok
    report = compare(one, other, "rounded", tolerance=1e-2)
    assert report.ok
    assert report.largest == pytest.approx(1e-3, rel=1e-3)
    assert compare(one, other, "exact", tolerance=1.0).mismatches == 1


def test_behavioural_counts_winners_and_rates():
    torch.manual_seed(0)
    one = Trace((torch.rand(50, 40, 3) < torch.tensor([0.2, 0.5, 0.8])).float())
    moved = Trace(one.output.roll(1, 0))
    report = compare(one, moved, "behavioural")
    assert report.ok
    assert (report.agreement, report.mismatches > 0) == (1.0, True)
    flipped = Trace(one.output.flip(2))
    assert compare(one, flipped, "behavioural").agreement == 0
    louder = Trace(one.output + 0.1)
    report = compare(one, louder, "behavioural")
    assert report.agreement == 1
    assert not report.ok
    assert report.rates == pytest.approx(0.1)


def test_delays_are_taken_out_layer_by_layer():
    first = torch.tensor([[[0.0]], [[1.0]], [[0.0]], [[1.0]]])
    late = torch.cat((torch.zeros(1, 1, 1), first[:-1]))
    one = Trace(first, {"0": first}, {"0": {"v": first}})
    other = Trace(late.roll(1, 0), {"0": late}, {"0": {"v": late}}, latency=2, delays={"0": 1})
    report = compare(one, other)
    assert report.ok
    assert report.bins == 3 + 2
    unaligned = compare(one, Trace(late, {"0": late}, {"0": {"v": late}}))
    assert (unaligned.first.step, unaligned.first.layer) == (1, "0")
    assert unaligned.first.states == {"v": (1.0, 0.0)}


def test_a_value_that_is_no_number_differs():
    report = compare(run([0.0]), run([float("nan")]), "rounded", tolerance=1.0)
    assert not report.ok
    assert report.largest == float("inf")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match="parity is exact, rounded or behavioural, got 'close'"):
        compare(run([0.0]), run([0.0]), "close")
    with pytest.raises(ConfigError, match=r"output has shape \[1, 1, 2\], expected is \[1, 1, 1\]"):
        compare(run([0.0]), run([0.0, 1.0]))


def test_nothing_is_the_same_as_nothing():
    nothing = Trace(torch.zeros(3, 0, 2))
    assert compare(nothing, nothing).ok
