"""What ``snn doctor`` finds out about plugins: loading, importing, requirements, own checks."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from snncore import registry
from snncore.cli import group
from snncore.errors import SnnError
from snncore.registry import Plugin

Status = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """One row: WARN where something optional is missing, FAIL where something is broken."""

    section: str
    name: str
    status: Status
    detail: str
    advice: str = ""
    traceback: str = ""


def plugins() -> Iterator[Finding]:
    """Whether each plugin loaded."""
    for plugin in registry.plugins():
        yield _plugin(plugin)


def _plugin(plugin: Plugin) -> Finding:
    name = f"{plugin.name} {plugin.version}"
    if plugin.status == "ok":
        return Finding("plugins", name, "OK", "loaded")
    if plugin.status == "disabled":
        return Finding("plugins", name, "WARN", "disabled", "unset SNN_DISABLE_PLUGINS to load it")
    return Finding(
        "plugins",
        name,
        "FAIL",
        f"failed to {plugin.stage}: {plugin.error}",
        f"upgrade or remove it: pip install -U {plugin.name}",
        plugin.traceback,
    )


def requirements() -> Iterator[Finding]:
    """Whether what each distribution requires is installed."""
    for plugin in registry.plugins():
        try:
            required = metadata.requires(plugin.name) or []
        except metadata.PackageNotFoundError:
            continue
        unmet = [text for text in map(_unmet, required) if text]
        if unmet:
            detail = f"{plugin.name} requires {', '.join(unmet)}"
            advice = f"pip install -U {plugin.name}"
            yield Finding("requirements", plugin.name, "FAIL", detail, advice)
        else:
            yield Finding("requirements", plugin.name, "OK", "satisfied")


def _unmet(text: str) -> str | None:
    try:
        required = Requirement(text)
    except InvalidRequirement:
        return f"{text!r} (no requirement that can be read)"
    if required.marker is not None and not required.marker.evaluate({"extra": ""}):
        return None
    try:
        have = metadata.version(required.name)
    except metadata.PackageNotFoundError:
        have = "nothing"
    if have != "nothing" and required.specifier.contains(have, prereleases=True):
        return None
    return f"{required.name}{required.specifier} (have {have})"


def components(resolve: bool) -> Iterator[Finding]:
    """Components whose target could not be imported; ``resolve`` imports all of them first."""
    active = registry.active()
    if resolve:
        for component in active.components:
            try:
                active.get(component.kind, component.qualified)
            except SnnError:
                continue  # kept in active.failures
    for qualified, failure in active.failures.items():
        yield Finding(
            "components",
            f"{failure.component.kind} {qualified}",
            "FAIL",
            failure.error,
            f"importing {failure.component.target} must work; upgrade {failure.component.provider}",
            failure.traceback,
        )
    if resolve and not active.failures:
        yield Finding("components", "import", "OK", f"{len(active.components)} imported")


def commands() -> Iterator[Finding]:
    """Whether the commands of plugins can be imported, and which of them clash."""
    claims = group.table()
    for command in registry.active().commands:
        name, qualified = f"snn {command.name}", f"snn {command.provider}/{command.name}"
        try:
            group.load(command)
        except SnnError as error:
            cause = error.__cause__ or error
            detail = f"{command.provider}: {type(cause).__name__}: {cause}"
            trace = "".join(traceback.format_exception(cause))
            advice = f"importing {command.target} must work; upgrade {command.provider}"
            yield Finding("commands", name, "FAIL", detail, advice, trace)
            continue
        if command.name in group.BUILT_IN:
            detail = f"the built-in command hides the one of {command.provider}"
            yield Finding("commands", name, "WARN", detail, f"type '{qualified}'")
        elif len(claims[command.name]) > 1:
            names = ", ".join(c.provider for c in claims[command.name])
            detail = f"claimed by {names}"
            yield Finding("commands", name, "WARN", detail, f"type '{qualified}'")
        else:
            yield Finding("commands", name, "OK", command.provider)


def checks() -> Iterator[Finding]:
    """The checks that plugins register; one that raises a Warning only warns."""
    for check in registry.active().checks:
        name = f"{check.provider}: {check.name}"
        advice = f"repair it, or switch the plugin off with SNN_DISABLE_PLUGINS={check.provider}"
        try:
            said = check.run()
        except Warning as error:
            yield Finding("checks", name, "WARN", str(error))
        except (Exception, SystemExit) as error:  # the boundary towards third-party code
            detail = str(error) or type(error).__name__
            yield Finding("checks", name, "FAIL", detail, advice, traceback.format_exc())
        else:
            yield Finding("checks", name, "OK", "" if said is None else str(said))
