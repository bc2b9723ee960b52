from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snn_datasets import (
    Custom,
    FormatError,
    Frames,
    Integrator,
    TimeSurface,
    VoxelGrid,
    make_events,
)

EVENTS = make_events(t=[0, 4, 9], x=[0, 1, 1], y=[0, 0, 1], p=[1, 0, 1])


@pytest.mark.parametrize(
    "integrate",
    [
        Frames(T=2),
        VoxelGrid(2),
        TimeSurface(T=2, tau_us=5),
        Custom(lambda events: np.ones((2, 1, 2, 2))),
    ],
    ids=lambda integrate: type(integrate).__name__,
)
def test_integrators_are_exchangeable_values(integrate: Integrator) -> None:
    array = integrate(EVENTS, (2, 2))
    assert array.ndim == 4
    assert array.shape[0] == 2
    assert array.shape[2:] == (2, 2)
    with pytest.raises(AttributeError):
        integrate.T = 3  # type: ignore[attr-defined]


def test_a_users_function_sees_the_events_and_cannot_write() -> None:
    def first_times(events: Any) -> Any:
        return events["t"][:1].reshape(1, 1, 1, 1)

    assert Custom(first_times)(EVENTS[1:], (2, 2)).item() == 4

    def writes(events: Any) -> Any:
        events["t"] = 0

    with pytest.raises(ValueError, match="read-only"):
        Custom(writes)(EVENTS, (2, 2))
    assert EVENTS.flags.writeable
    text = r"the function .*first_times gave an array of shape \[1\], expected is \[T, P, H, W\]"

    def flat_first_times(events: Any) -> Any:
        return events["t"][:1]

    with pytest.raises(FormatError, match=text):
        Custom(flat_first_times)(EVENTS, (2, 2))
