"""A registry of the core and one plugin at hand, for tests of plugins that are not installed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from snncore.registry import Registry, Source, installed, using


class Isolation:
    """Registries without discovery of what the environment has installed."""

    @contextmanager
    def plugin(self, module: object, *, name: str = "isolated") -> Generator[Registry]:
        """Makes the core and ``module`` the only plugins inside a ``with`` block.

        Args:
            module: a plugin module, or any object with ``API`` and the hooks.
            name: the distribution name it appears under.
        Raises: PluginLoadError when the plugin cannot be loaded or its hooks raise.
        """
        core = next(iter(installed()))
        sources = [core, Source(name, "0", lambda: module)]
        with using(Registry(sources, strict=True)) as registry:
            yield registry
