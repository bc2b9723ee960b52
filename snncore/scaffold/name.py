"""The names that follow from the name of a new plugin."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from snncore.errors import ConfigError
from snncore.kinds import KINDS

SCAFFOLDED = tuple(name for name, kind in KINDS.items() if kind.kit is not None)
"""The kinds that ``snn new`` writes: those with a conformance kit."""

_DISTRIBUTION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """``snn-glif`` -> package ``snn_glif``, component and module ``glif``, class ``Glif``."""

    kind: str
    distribution: str

    @property
    def package(self) -> str:
        """The import package."""
        return self.distribution.replace("-", "_")

    @property
    def noun(self) -> str:
        """Component and module: the package without ``snn_`` and without the kind's plural s."""
        noun = self.package.removeprefix("snn_")
        if noun.endswith(f"{self.kind}s"):
            noun = noun[:-1]
        return f"my_{noun}" if noun == self.kind else noun

    @property
    def cls(self) -> str:
        """The class, in capitals: its paper's name is for the author to give."""
        return "".join(part.capitalize() for part in self.noun.split("_"))


def names(kind: str, distribution: str) -> Names:
    """The names of a new plugin.

    Raises: ConfigError for a kind without kit, and for a name that pip or Python cannot take or
        that would hide a package that is there.

    Example:
        >>> names("neuron", "snn-glif").package
        'snn_glif'
    """
    if kind not in SCAFFOLDED:
        raise ConfigError(
            f"there is no scaffold for kind {kind!r}; kinds with one are {', '.join(SCAFFOLDED)}"
        )
    if not _DISTRIBUTION.fullmatch(distribution):
        near = re.sub(r"[^a-z0-9]+", "-", _dashed(distribution)).strip("-")
        hint = f"; try {near!r}" if _DISTRIBUTION.fullmatch(near) else ""
        raise ConfigError(
            f"{distribution!r} is no name for a plugin: it takes lower-case letters, digits and "
            f"single dashes, and begins with a letter{hint}"
        )
    made = Names(kind, distribution)
    # The class is looked at too: ``none`` is no keyword, ``None`` is.
    for word in (made.package, made.noun, made.cls):
        if keyword.iskeyword(word) or not word.isidentifier():
            raise ConfigError(
                f"{distribution!r} is no name for a plugin: Python cannot import {word!r}; "
                f"try {f'my-{made.noun}'.replace('_', '-')!r}"
            )
    if made.package in sys.stdlib_module_names or find_spec(made.package) is not None:
        raise ConfigError(
            f"{distribution!r} would hide the package {made.package!r} that is installed already; "
            "take another name"
        )
    return made


def _dashed(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower()
