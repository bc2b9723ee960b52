from __future__ import annotations

from dataclasses import replace

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
    assert (
        "same winner in 100.0% of the samples, mean activity differs by at most 0.1 (asked for "
        in (str(report))
    )
    assert str(report).splitlines()[0].endswith("(asked for are 97% and 0.05)")
    assert "asked" not in str(compare(one, one, "behavioural"))
    assert "asked" not in str(compare(one, louder))
    assert report.rates == pytest.approx(0.1)


def test_delays_are_taken_out_layer_by_layer():
    first = torch.tensor([[[0.0]], [[1.0]], [[0.0]], [[1.0]]])
    # The first layer goes on while the last waits for it, and its last step answers nothing.
    late = torch.cat((torch.zeros(1, 1, 1), first, torch.ones(1, 1, 1)))
    later = torch.cat((torch.zeros(2, 1, 1), first))
    one = Trace(first, {"0": first}, {"0": {"v": first}})
    other = Trace(later, {"0": late}, {"0": {"v": late}}, latency=2, delays={"0": 1})
    report = compare(one, other)
    assert report.ok
    assert report.bins == 4 + 4
    assert compare(other, one) == report
    unaligned = compare(one, Trace(later[:4], {"0": late[:4]}, {"0": {"v": late[:4]}}))
    assert (unaligned.first.step, unaligned.first.layer) == (1, "0")
    assert unaligned.first.states == {"v": (1.0, 0.0)}


def test_the_last_steps_are_compared_too():
    torch.manual_seed(0)
    first = (torch.rand(9, 2, 3) < 0.5).float()
    later = torch.cat((torch.zeros(3, 2, 3), first))
    later[-1, 1, 2] = 1 - later[-1, 1, 2]
    report = compare(Trace(first), Trace(later, latency=3))
    assert (report.bins, report.mismatches) == (9 * 2 * 3, 1)
    assert (report.first.step, report.first.sample, report.first.neuron) == (8, 1, (2,))


def test_a_value_that_is_no_number_differs():
    report = compare(run([0.0]), run([float("nan")]), "rounded", tolerance=1.0)
    assert not report.ok
    assert report.largest == float("inf")


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match="parity is exact, rounded or behavioural, got 'close'"):
        compare(run([0.0]), run([0.0]), "close")
    with pytest.raises(ConfigError, match=r"output has shape \[1, 1, 2\], expected is \[1, 1, 1\]"):
        compare(run([0.0]), run([0.0, 1.0]))


def test_runs_that_end_too_early_are_refused():
    two = run([0.0], [1.0])
    with pytest.raises(
        ConfigError,
        match="2 steps of latency 1 answer another input than 2 steps of latency 0; a run of T "
        r"steps gives T \+ latency, until the last input has come out",
    ):
        compare(two, replace(two, latency=1))
    short = Trace(two.output, {"0": two.output[:1]})
    with pytest.raises(ConfigError, match="parity: 0 ends after 1 of 2 steps"):
        compare(short, short)


def test_nothing_is_the_same_as_nothing():
    nothing = Trace(torch.zeros(3, 0, 2))
    assert compare(nothing, nothing).ok
