"""Which modules of a network are meant: by type, by registered name, by path."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from snncore import registry
from snncore.errors import ConfigError, UnknownComponent
from snncore.neuron import Neuron
from snncore.registry.store import near

# What stands in a network; a surrogate's name must not shadow a layer's.
_KINDS = ("neuron", "layer", "encoder", "model")
_SHOWN = 12


def select(
    net: nn.Module,
    paths: str | Sequence[str] | None = None,
    component: str | None = None,
    module_type: type[nn.Module] | None = None,
) -> dict[nn.Module, list[str]]:
    """The modules of ``net`` that fit all that is given, each with every path at which it stands.

    Args:
        paths: patterns of paths with ``*``, ``?`` and ``[...]``, any of which may fit; ``""`` is
            the network itself.
        component: registered name (``lif``, ``snn-neurons/lif``) or alias; subclasses fit, too.
        module_type: class of the modules.
    Returns: every neuron where nothing is given.
    Raises: UnknownComponent for a name that nobody registers; ConfigError when nothing fits.

    Example:
        >>> list(select(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), paths="[0-9]").values())
        [['0'], ['1']]
    """
    types: tuple[type[nn.Module], ...] = (nn.Module,)
    if component is not None:
        types = _registered(component)
    elif paths is None and module_type is None:
        types = (Neuron,)
    patterns = [paths] if isinstance(paths, str) else paths
    found: dict[nn.Module, list[str]] = {}
    for path, module in net.named_modules(remove_duplicate=False):
        if not isinstance(module, types) or not isinstance(module, module_type or nn.Module):
            continue
        if patterns is None or any(fnmatchcase(path, pattern) for pattern in patterns):
            found.setdefault(module, []).append(path)
    if not found:
        given = {"paths": paths, "component": component, "module_type": module_type}
        asked = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        raise ConfigError(
            f"no module of this network fits {asked or 'the default, which is every neuron'}; "
            f"its paths are {_known(net)}"
        )
    return found


def places(net: nn.Module) -> dict[nn.Module, list[str]]:
    """Every module of ``net`` with every path at which it stands."""
    found: dict[nn.Module, list[str]] = {}
    for path, module in net.named_modules(remove_duplicate=False):
        found.setdefault(module, []).append(path)
    return found


def _registered(name: str) -> tuple[type[nn.Module], ...]:
    known = [c for c in registry.components() if c.kind in _KINDS]
    words = {word: c for c in known for word in (c.qualified, c.name, *c.aliases)}
    if name not in words:
        raise UnknownComponent(
            f"no neuron, layer, encoder or model is registered as {name!r}{near(name, words)}"
        )
    fits = [c for c in known if name in (c.qualified, c.name, *c.aliases)]
    return tuple(registry.get(c.kind, c.qualified) for c in fits)


def _known(net: nn.Module) -> str:
    names = [f"{path or '(the network)'}" for path, _ in net.named_modules()]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
