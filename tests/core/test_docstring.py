from __future__ import annotations

import pytest

from snncore.docstring import equation, source


@pytest.mark.parametrize(
    ("doc", "found"),
    [
        ("", ""),
        ("A summary with x = 1 alone.", ""),
        ("A neuron.\n\nH = V + X;\nS = Theta(H)", "H = V + X; S = Theta(H)"),
        ("A filter.\n\nProse comes first.\n\nI <- I + X\n\nJ = I", "I <- I + X"),
        ("A stack.\n\nh = :class:`~snn.Cell`(x)  (``bias``)", "h = snn.Cell(x) (bias)"),
        ("A layer.\n\nSame (a >= b, c == d).\n\nArgs:\n    a: with a = b.", ""),
    ],
)
def test_equation(doc: str, found: str) -> None:
    assert equation(doc) == found


@pytest.mark.parametrize(
    ("doc", "found"),
    [
        ("A neuron.", ""),
        ("A neuron.\n\nSource: A et al.,\n    1999.", "A et al., 1999."),
        ("A neuron.\n\nSource: A, 1999.\nShape: any.", "A, 1999."),
        ("A neuron.\n\nSource: A, 1999.\n\nMore.", "A, 1999."),
        ("A neuron. Source: none of this.", ""),
    ],
)
def test_source(doc: str, found: str) -> None:
    assert source(doc) == found
