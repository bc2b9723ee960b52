"""The exceptions of the platform.

Every text says what was given, what was expected, and what to call or type next.
"""

from __future__ import annotations


class SnnError(Exception):
    """Base of every error that the platform raises on purpose."""


class StateError(SnnError, RuntimeError):
    """Memory state does not fit the input, the snapshot, or the autograd graph."""


class StepModeError(SnnError, ValueError):
    """A module was asked for a step mode that it cannot run in."""


class ConfigError(SnnError, ValueError):
    """Parameters do not fit the constructor of a component."""


class GraphError(SnnError, ValueError):
    """Nodes that make no graph, or a network of which no graph can be made."""


class ChipError(SnnError, ValueError):
    """A network that a chip cannot run, or a file that is no network of it."""


class BackendError(SnnError, RuntimeError):
    """A kernel backend named explicitly cannot do what was asked."""


class NotSupported(SnnError, RuntimeError):
    """A combination that the platform refuses rather than half does."""


class ToolchainMissing(NotSupported):
    """The vendor's software for a chip is not there."""


class ComponentError(SnnError, LookupError):
    """Base of the errors of a component lookup."""


class UnknownComponent(ComponentError):
    """No registered component has this kind and name."""


class AmbiguousComponent(ComponentError):
    """Several providers register the same short name."""


class PluginLoadError(SnnError, ImportError):
    """A plugin, or the import target of one of its components, cannot be loaded."""
