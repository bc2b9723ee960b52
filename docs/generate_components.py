"""Writes docs/components.md: what the field calls it, the component, equation, source, tests.

The rows are those of components.toml; names, classes and docstrings come from the registry.
"""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import snncore
from snncore import docstring
from snncore.kinds import KINDS
from snncore.registry import Component

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
TABLE = FOLDER / "components.toml"
PAGE = FOLDER / "components.md"

HEAD = """\
# Components

Every component for building networks that this repository registers: what the field calls it, its
name, equation and source, and tests that name it. `snn info KIND NAME` shows more: parameters with
ranges and defaults, shapes, errors, an example.

Beside the tests named here each component passes the whole kit of its kind, in
`tests/contract/test_installed.py`. The kernels of every neuron with a step are compared with eager
in `tests/contract/test_kernel_matrix.py`, and `tests/contract/test_kernel_texts.py` sees that the
inner loops of their C++ are vectorised.

`python docs/generate_components.py` writes this page from `docs/components.toml` and the registry.
"""


@dataclass(frozen=True)
class Row:
    """One line of the page.

    Args:
        kind: under which heading.
        term: what the field calls it.
        components: which they are; several where one factory makes them.
        words: what a test may call it: class, short and qualified name, or the factory's module.
        equation, source: of the docstring.
        tests: files from the root of the repository.
    """

    kind: str
    term: str
    components: tuple[Component, ...]
    words: tuple[str, ...]
    equation: str
    source: str
    tests: tuple[str, ...]

    def cells(self) -> tuple[str, ...]:
        """Texts of the columns."""
        tests = (f"[{Path(test).name}](../{test})" for test in self.tests)
        names = ", ".join(f"`{component.qualified}`" for component in self.components)
        equation = f"`{self.equation}`" if self.equation else ""
        return self.term, names, equation, self.source, ", ".join(tests)


def ours() -> set[str]:
    """The distributions of this repository."""
    folders = (ROOT, *(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")))
    texts = ((folder / "pyproject.toml").read_text("utf-8") for folder in folders)
    return {tomllib.loads(text)["project"]["name"] for text in texts}


def rows() -> Iterator[Row]:
    """All lines, in the order of the table."""
    table = tomllib.loads(TABLE.read_text("utf-8"))
    families = table.pop("family")["rows"]
    for kind, section in table.items():
        for term, names, tests in section["rows"]:
            yield from (_row(kind, term, name, tests) for name in names)
    for term, factory, tests in families:
        yield _family(term, factory, tests)


def page() -> str:
    """The text of the page."""
    every = list(rows())
    parts = [HEAD]
    for kind in dict.fromkeys(row.kind for row in every):
        parts.append(f"\n## {kind.capitalize()}: {KINDS[kind].summary}\n\n")
        parts.append(
            "| what it is | component | equation | source | tests |\n|---|---|---|---|---|\n"
        )
        # A bar would end the cell, in code too.
        shown = (
            [cell.replace("|", r"\|") for cell in row.cells()] for row in every if row.kind == kind
        )
        parts += (f"| {' | '.join(cells)} |\n" for cells in shown)
    return "".join(parts)


def named_in(text: str, words: Sequence[str]) -> bool:
    """Whether a test names a component: the class or a path as a word, a short name in quotes."""
    return any(
        re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text)
        if word[:1].isupper() or re.search(r"[./]", word)
        else re.search(rf"[\"']{re.escape(word)}[\"']", text)
        for word in words
    )


def _row(kind: str, term: str, name: str, tests: Sequence[str]) -> Row:
    found = snncore.info(kind, name)
    component = found.component
    words = (component.target.partition(":")[2], component.name, component.qualified)
    said = (found.equation, found.source)
    return Row(kind, term, (component,), words, *said, tuple(tests))


def _family(term: str, factory: str, tests: Sequence[str]) -> Row:
    module, _, name = factory.partition(":")
    doc = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    members = tuple(c for c in snncore.components() if c.target.startswith(f"{module}:"))
    said = (docstring.equation(doc), docstring.source(doc))
    return Row(members[0].kind, term, members, (module,), *said, tuple(tests))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
