"""Writes the folder of a new plugin from the templates beside this file."""

from __future__ import annotations

import shutil
from importlib import metadata, resources
from pathlib import Path
from string import Template

from snncore.errors import ConfigError
from snncore.scaffold.name import Names, names

_CORE = "snncore"


def create(kind: str, distribution: str, parent: Path) -> Path:
    """Writes ``parent/distribution`` and returns it.

    Args:
        kind: a kind that has a conformance kit.
        distribution: name of the plugin, as ``my-neurons`` or ``snn-glif``.
        parent: an existing folder.

    Raises: ConfigError as :func:`snncore.scaffold.name.names`, when ``parent`` is no folder, and
        when the plugin's folder is there already: nothing is overwritten.

    Example:
        >>> create("neuron", "my-neurons", Path("."))  # doctest: +SKIP
        PosixPath('my-neurons')
    """
    made = names(kind, distribution)
    if not parent.is_dir():
        raise ConfigError(f"there is no folder {parent}; create it, or name another with --dir")
    folder = parent / distribution
    if folder.exists():
        raise ConfigError(
            f"{folder} exists already and is left as it is; remove it, take another name, "
            "or name another folder with --dir"
        )
    # Aside, then renamed: an interrupted run leaves no half plugin.
    aside = parent / f".{distribution}.part"
    shutil.rmtree(aside, ignore_errors=True)
    for path, text in files(made).items():
        place = aside / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    aside.rename(folder)
    return folder


def files(made: Names) -> dict[str, str]:
    """The text of every file of a new plugin by its path within the plugin's folder."""
    source = f"src/{made.package}"
    templates = {
        "pyproject.toml": "plugin/pyproject.toml",
        "README.md": "plugin/README.md",
        f"{source}/__init__.py": "plugin/__init__.py",
        f"{source}/_plugin.py": "plugin/_plugin.py",
        f"{source}/{made.noun}.py": f"{made.kind}/component.py",
        f"tests/test_{made.noun}.py": f"{made.kind}/test_component.py",
    }
    values = {
        "kind": made.kind,
        "article": "An" if made.kind[0] in "aeiou" else "A",
        "distribution": made.distribution,
        "package": made.package,
        "noun": made.noun,
        "cls": made.cls,
        "core": requirement(_installed_version()),
    }
    rendered = {path: _template(name).substitute(values) for path, name in templates.items()}
    return {**rendered, f"{source}/py.typed": ""}


def requirement(version: str | None) -> str:
    """The requirement on the core: from this version on, below the next that may break.

    Example:
        >>> requirement("0.3.1"), requirement("2.1.0")
        ('snncore>=0.3,<0.4', 'snncore>=2.1,<3')
    """
    if version is None:
        return _CORE
    major, minor = (int(part) for part in version.split(".")[:2])
    ceiling = f"0.{minor + 1}" if major == 0 else f"{major + 1}"
    return f"{_CORE}>={major}.{minor},<{ceiling}"


def _installed_version() -> str | None:
    try:
        return metadata.version(_CORE)
    except metadata.PackageNotFoundError:
        return None


def _template(name: str) -> Template:
    place = resources.files("snncore.scaffold") / "templates" / f"{name}.tmpl"
    return Template(place.read_text(encoding="utf-8"))
