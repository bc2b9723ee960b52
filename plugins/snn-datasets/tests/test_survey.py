from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from snn_datasets import FormatError, make_events
from snn_datasets.survey import Survey


def recording(seed: int, count: int, *, width: int = 40, height: int = 30) -> Any:
    random = np.random.default_rng(seed)
    return make_events(
        t=random.integers(0, 10**6, count),
        x=random.integers(-2, width + 2, count),
        y=random.integers(-2, height + 2, count),
        p=random.integers(0, 3, count),
    )


@pytest.mark.parametrize("chunk", [7, 10_000])
def test_the_numbers_are_those_of_a_plain_count(chunk: int) -> None:
    recordings = [recording(seed, 500 * seed) for seed in range(4)]
    survey = Survey((40, 30))
    for events in recordings:
        survey.add(events[i : i + chunk] for i in range(0, len(events), chunk))
    found = survey.summary()
    every = [event for events in recordings for event in events.tolist()]
    spans = [max(e["t"]) - min(e["t"]) for e in recordings if len(e)]
    inside = [(x, y) for _, x, y, _ in every if 0 <= x < 40 and 0 <= y < 30]
    outside = sum(not (0 <= x < 40 and 0 <= y < 30 and p <= 1) for _, x, y, p in every)
    descents = sum(b < a for e in recordings for a, b in zip(e["t"], e["t"][1:], strict=False))
    assert (found.recordings, found.events, found.empty) == (4, len(every), 1)
    assert found.duration_s == pytest.approx(sum(spans) / 1e6)
    assert (found.shortest_s, found.longest_s) == (min(spans) / 1e6, max(spans) / 1e6)
    assert found.rate_per_s == pytest.approx(len(every) / (sum(spans) / 1e6))
    assert found.on_share == sum(p > 0 for *_, p in every) / len(every)
    assert found.order_faults == descents
    assert found.out_of_range == outside
    assert found.active_pixels == len(set(inside))
    assert found.extent == (max(x for x, _ in inside) + 1, max(y for _, y in inside) + 1)
    assert found.hot_pixels == ()
    assert found.faults == [
        "1 recording is empty",
        f"{descents:,} events are out of order",
        f"{outside:,} events are out of range",
    ]


@pytest.mark.parametrize("size", [(34, 34), None])
def test_hot_pixels_stand_out_by_ten_deviations(size: Any) -> None:
    random = np.random.default_rng(0)
    pixels = [(int(x), int(y)) for x, y in random.integers(0, 34, (3000, 2))]
    pixels += [(5, 6)] * 900 + [(33, 0)] * 1200
    events = make_events(
        t=np.arange(len(pixels)), x=[x for x, _ in pixels], y=[y for _, y in pixels], p=1
    )
    survey = Survey(size)
    survey.add([events])
    sent = Counter(pixels)
    counts = np.array([sent[x, y] for x in range(34) for y in range(34)])
    counts = counts if size else counts[counts > 0]
    limit = counts.mean() + 10 * counts.std()
    assert 100 < limit < 900
    found = survey.summary().hot_pixels
    assert [(hot.x, hot.y) for hot in found] == [(33, 0), (5, 6)]
    assert found[0].share == sent[33, 0] / len(pixels)


def test_few_events_make_no_hot_pixel() -> None:
    survey = Survey((34, 34))
    survey.add([make_events(t=np.arange(100), x=np.full(100, 3), y=np.full(100, 3), p=1)])
    assert survey.summary().hot_pixels == ()
    survey.add([make_events(t=[0], x=[3], y=[3], p=[1])])
    assert [(h.x, h.y, h.share) for h in survey.summary().hot_pixels] == [(3, 3, 1.0)]


def test_times_before_zero_and_descents_between_chunks_count() -> None:
    survey = Survey()
    survey.add(
        [
            make_events(t=[5, 9], x=[0, 0], y=[0, 0], p=[0, 0]),
            make_events(t=[8, -1], x=[0, 0], y=[0, 0], p=[0, 0]),
        ]
    )
    found = survey.summary()
    assert (found.order_faults, found.out_of_range, found.duration_s) == (2, 1, 1e-5)
    assert found.sensor is None
    assert found.faults == ["2 events are out of order", "1 event is out of range"]


def test_what_cannot_be_read_is_counted_with_the_first_reason() -> None:
    def broken() -> Any:
        yield make_events(t=[0], x=[0], y=[0], p=[0])
        raise FormatError("it ends here")

    survey = Survey()
    for reason in ("first", "second"):
        with pytest.raises(FormatError, match="it ends here"):
            survey.add(broken())
        survey.refuse(reason)
    found = survey.summary()
    assert (found.recordings, found.events, found.empty, found.damaged) == (2, 2, 0, 2)
    assert found.faults == ["2 recordings cannot be read", "first"]


def test_nothing_at_all() -> None:
    found = Survey((4, 4)).summary()
    assert (found.rate_per_s, found.on_share, found.extent, found.faults) == (
        None,
        None,
        (0, 0),
        [],
    )
