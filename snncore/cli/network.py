"""Opens the network that a word of the command line names."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import snncore as snn
from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.cli.settings import merge
from snncore.config import validate
from snncore.errors import ConfigError, SnnError

HELP = "model:NAME, FILE.py:factory, or the folder of a run."
_CONFIGS = ("config.toml", "config.json")


def open_network(reference: str, settings: Mapping[str, Any]) -> Any:
    """The network that ``reference`` names, built but not trained.

    Args:
        reference: ``model:NAME`` (a registered model), ``FILE.py:factory`` (a function or class
            in a file, called with ``settings``), or a run folder with ``config.toml`` or
            ``config.json``, whose table ``[model]`` is built through the registry. Files named
            inside a configuration are never run.
        settings: parameters; for a run folder they override its ``[model]``.

    Raises:
        WrongUsage: ``reference`` is none of these.
        ConfigError, UnknownComponent: as :func:`snncore.build`.
        CommandFailed: the file raised, or what it made is no network.
    """
    head, colon, tail = reference.rpartition(":")
    if head == "model" and tail:
        net = _called(lambda: snn.build("model", tail, **settings), f"model {tail!r}")
    elif colon and head.endswith(".py"):
        net = _from_file(Path(head), tail, settings)
    elif Path(reference).is_dir():
        net = _from_run(Path(reference), settings)
    else:
        raise WrongUsage(f"{reference!r} names no network; say {HELP}")
    if not _is_network(net):
        raise CommandFailed(f"{reference} made {net!r}, which is no torch.nn.Module")
    return net


def _is_network(made: Any) -> bool:
    # Asked of the object: the command line itself stays free of torch.
    return hasattr(made, "named_modules") and not isinstance(made, type)


def _called(make: Callable[[], Any], label: str) -> Any:
    try:
        return make()
    except SnnError:
        raise
    except (TypeError, ValueError) as error:
        # Constructors check how their parameters fit together by themselves.
        raise ConfigError(f"{label}: {error}") from error


def _from_file(path: Path, factory: str, settings: Mapping[str, Any]) -> Any:
    if not path.is_file():
        raise WrongUsage(f"there is no file {path}")
    try:
        names = vars(_module(path))
    except (Exception, SystemExit) as error:  # the boundary towards the user's code
        raise CommandFailed(f"running {path} raised {type(error).__name__}: {error}") from error
    make = names.get(factory)
    if not callable(make):
        known = [n for n, value in names.items() if callable(value) and not n.startswith("_")]
        raise WrongUsage(
            f"{path} defines no function or class {factory!r}; it defines "
            f"{', '.join(known) or 'none at all'}"
        )
    if _is_network(make):
        raise WrongUsage(
            f"{path}:{factory} is a network itself; name a function that makes it, such as "
            f"def make(): return {factory}"
        )
    params = validate(make, settings, f"{path}:{factory}")
    try:
        return make(**params)
    except SnnError:
        raise
    except Exception as error:  # the boundary towards the user's code
        raise CommandFailed(f"{path}:{factory} raised {type(error).__name__}: {error}") from error


def _module(path: Path) -> ModuleType:
    # Beside the installed modules, never in place of one that is called like the file.
    name = f"snncore_cli_file_{path.stem}"
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    loader.exec_module(module)
    return module


def _from_run(folder: Path, settings: Mapping[str, Any]) -> Any:
    found = [folder / name for name in _CONFIGS if (folder / name).is_file()]
    if not found:
        raise WrongUsage(f"{folder} is no run: it holds no {' or '.join(_CONFIGS)}")
    text = found[0].read_text(encoding="utf-8")
    try:
        config = tomllib.loads(text) if found[0].suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"{found[0]} cannot be read: {error}") from error
    model = config.get("model") if isinstance(config, dict) else None
    if not isinstance(model, dict):
        raise CommandFailed(f"{found[0]} has no table [model], so there is no network to build")
    table = merge(model, settings)
    return _called(lambda: snn.from_spec("model", table), str(found[0]))
