"""What the docstring of a component says, in the parts that every one of them has."""

from __future__ import annotations

import re

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_SECTION = re.compile(r"^[A-Z]\w*:", re.MULTILINE)
_EQUATION = re.compile(r"\S\s+(=|<-)\s+\S")
_SOURCE = re.compile(r"^Source:\s*(.+?)(?:\n\s*\n|\n\S+:|\Z)", re.MULTILINE | re.DOTALL)


def equation(doc: str) -> str:
    """The first paragraph of equations between the summary and the first section, on one line.

    Args:
        doc: a docstring without indentation, as ``inspect.getdoc`` gives it.
    Returns: the paragraph without its marks of code; "" where no paragraph says ``a = b`` or
        ``a <- b``.
    Example:
        >>> equation("A neuron.\\n\\nH = V + X;  V <- H\\n\\nArgs:\\n    tau: it = nothing.")
        'H = V + X; V <- H'
    """
    _, *paragraphs = _SECTION.split(doc, maxsplit=1)[0].split("\n\n")
    found = next((text for text in paragraphs if _EQUATION.search(text)), "")
    return " ".join(_ROLE.sub(r"\1", found).replace("``", "").split())


def source(doc: str) -> str:
    """The section ``Source:`` on one line; "" where there is none.

    Args:
        doc: a docstring without indentation.
    Example:
        >>> source("A neuron.\\n\\nSource: Lapicque,\\n    1907.")
        'Lapicque, 1907.'
    """
    found = _SOURCE.search(doc)
    return " ".join(found[1].split()) if found else ""
