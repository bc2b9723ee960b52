"""What a plugin may implement. Each docstring is the manual page of its hook.

A plugin is a distribution with an entry point in the group ``snncore.plugins``; its value is a
module that imports no torch and holds ``API = 1`` and the hooks below::

    from snncore.hookspecs import hookimpl

    API = 1

    @hookimpl
    def snn_components(register):
        register("neuron", "glif", "snn_glif.glif:GLIF", summary="Generalised LIF")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import pluggy

PROJECT = "snncore"
ENTRY_POINT_GROUP = "snncore.plugins"
API = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """Registers one component under the calling plugin's name."""

    def __call__(
        self, kind: str, name: str, target: str, *, summary: str, aliases: Sequence[str] = ()
    ) -> None: ...


class RegisterCommand(Protocol):
    """Registers one ``snn`` command; ``target`` is ``module:typer_app_or_function``."""

    def __call__(self, name: str, target: str, *, help: str) -> None: ...


class ReportCheck(Protocol):
    """Registers one check of ``snn doctor``.

    ``check`` takes nothing and returns a line of text when all is well; it raises when not, and
    the text of its exception is shown. It raises a ``Warning`` where only something optional is
    missing.
    """

    def __call__(self, name: str, check: Callable[[], Any]) -> None: ...


class PluginSpec:
    """The hooks of the platform."""

    @hookspec
    def snn_components(self, register: Register) -> None:
        """Register components as import strings; nothing is imported until it is asked for.

        ``register(kind, name, "package.module:Class", summary="one line", aliases=("other",))``.
        ``kind`` is one of ``snncore.kinds.KINDS``; ``name`` is lower_snake and unique per kind
        within the plugin.
        """

    @hookspec
    def snn_commands(self, register_command: RegisterCommand) -> None:
        """Register commands of ``snn`` as import strings of Typer apps or functions."""

    @hookspec
    def snn_doctor(self, report: ReportCheck) -> None:
        """Register checks of the environment that ``snn doctor`` runs and prints."""
