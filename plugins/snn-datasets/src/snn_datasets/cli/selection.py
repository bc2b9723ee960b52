"""What the words after ``snn data`` mean: a dataset with parameters, or a file with a format."""

from __future__ import annotations

import typing
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import snncore
from snn_datasets.errors import FormatError
from snn_datasets.manifest import Info
from snn_datasets.place import data_root
from snncore import registry
from snncore.cli import settings
from snncore.cli.failure import WrongUsage
from snncore.errors import UnknownComponent
from snncore.registry import Component


@dataclass(frozen=True)
class Selection:
    """A dataset and what the command line says of it.

    Args:
        component: the dataset.
        target: its class, imported.
        params: what its constructor is given beside ``split`` and ``download``.
    """

    component: Component
    target: Any
    params: Mapping[str, Any]

    @property
    def info(self) -> Info | None:
        """Its manifest, if it has one."""
        return manifest(self.target)

    @property
    def folder(self) -> Path:
        """Where its files are looked for."""
        root = self.params.get("root")
        if root is not None:
            return Path(root).expanduser().absolute()
        return data_root() / (self.info.name if self.info else self.component.name)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its splits."""
        return choices(self.target, "split")

    def make(self, split: str, *, download: bool = False) -> Any:
        """Builds one split. Raises: as :func:`snncore.build`."""
        extra = {"download": True} if download else {}
        return snncore.build(
            "dataset", self.component.qualified, split=split, **self.params, **extra
        )


def select(
    name: str,
    *,
    root: Path | None = None,
    protocol: str | None = None,
    sets: Sequence[str] | None = None,
) -> Selection:
    """The dataset called ``name``.

    Raises: UnknownComponent if there is none; WrongUsage for a parameter with its own option.
    """
    component = registry.active().find("dataset", name)
    params = settings.parse(sets or ())
    for key in ("split", "download"):
        if key in params:
            raise WrongUsage(f"{key} is no parameter for --set; say --{key}, where there is one")
    if root is not None:
        params["root"] = str(root)
    if protocol is not None:
        params["protocol"] = protocol
    return Selection(component, snncore.get("dataset", component.qualified), params)


def find_file(word: str) -> Path | None:
    """The file or folder that a word means, or None if it names a dataset.

    A dataset's name means the dataset, even where a file of that name lies.

    Raises: WrongUsage if it is neither.
    """
    try:
        registry.active().find("dataset", word)
    except UnknownComponent as error:
        path = Path(word).expanduser()
        if path.exists():
            return path
        raise WrongUsage(f"{error}; nor is there a file or folder {word}") from None
    return None


def format_spec(name: str | None, sets: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A format with its parameters, or None to find it out.

    Raises: WrongUsage for parameters without a format.
    """
    if name is not None:
        return {"name": name, **sets}
    if sets:
        raise WrongUsage("parameters of a file's format need its name as well: --format NAME")
    return None


@contextmanager
def typed(option: str) -> Generator[None]:
    """Errors that ask for ``format=...`` ask for an option instead.

    Raises: WrongUsage with the text of such an error.
    """
    try:
        yield
    except FormatError as error:
        text = str(error)
        if "with format=..." not in text:
            raise
        raise WrongUsage(text.replace("with format=...", f"with {option} NAME")) from error


def choices(target: Any, parameter: str) -> tuple[str, ...]:
    """What the ``split`` or ``protocol`` of a dataset may be."""
    listed = getattr(target, f"{parameter}s", ())
    if listed:
        return tuple(listed)
    literal = typing.get_type_hints(target.__init__).get(parameter)
    if typing.get_origin(literal) is typing.Literal:
        return typing.get_args(literal)
    info = manifest(target)
    return tuple(info.samples) if parameter == "split" and info else ()


def manifest(target: Any) -> Info | None:
    """What a dataset's class says of its files, if it does."""
    found = getattr(target, "info", None)
    return found if isinstance(found, Info) else None


def one_or_all(selection: Selection, split: str | None) -> tuple[str, ...]:
    """The splits to go through."""
    return selection.splits if split is None else (split,)
