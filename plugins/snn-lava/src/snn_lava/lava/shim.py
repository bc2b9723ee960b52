"""Lets the last release of Lava (lava-nc 0.10.0, lava-dl 0.6.0) be imported by Python 3.11+.

Nothing on disk is changed: three modules are repaired as they are imported, and those that would
bring torch, torchvision and OpenCV, of which running a network needs one small function, are
replaced by stand-ins.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Repair:
    """One text of a module that is replaced by another, wherever it stands.

    Args:
        old, new: what is replaced by what.
        times: how often the old text must be found.
    """

    old: str
    new: str
    times: int = 1


REPAIRS: Mapping[str, Repair] = {
    # Its instances are defaults of another dataclass, which must be hashable from Python 3.11 on.
    "lava.magma.compiler.var_model": Repair(
        "@dataclass\nclass ByteEncoder:", "@dataclass(unsafe_hash=True)\nclass ByteEncoder:"
    ),
    # No keyword of numpy.reshape is known to all releases: `newshape` until 2.3, `shape` from 2.1.
    "lava.magma.core.process.ports.ports": Repair(
        "ft.partial(np.reshape, newshape=",
        "ft.partial(lambda shape, data: data.reshape(shape), ",
        times=2,
    ),
    # Sizes are held in 8 bits, and numpy 2 keeps to them in sums with the size of an image.
    "lava.proc.conv.models": Repair(
        "self.kernel_size, self.stride, self.padding, self.dilation,\n            self.groups[0]",
        "*(size.astype(int) for size in (\n                self.kernel_size, self.stride, "
        "self.padding, self.dilation)),\n            int(self.groups[0])",
    ),
}


class ShimError(Exception):
    """A module of Lava is not the text that the repair was written for."""


class _RepairedLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        repair = REPAIRS[fullname]
        source = decode_source(self.get_data(self.path))
        found = source.count(repair.old)
        if found != repair.times:
            raise ShimError(
                f"{self.path} holds {repair.old!r} {found} times, expected is {repair.times}: "
                "it is not of lava-nc 0.10.0"
            )
        return self.source_to_code(source.replace(repair.old, repair.new).encode(), self.path)


def neuron_params(
    device_params: Mapping[str, Any], scale: int = 1 << 6, p_scale: int = 1 << 12
) -> dict[str, float]:
    """Threshold, period and decay of a resonator, of the integers in a file.

    Stands in for ``lava.lib.dl.slayer.neuron.rf.neuron_params``.
    """
    sin, cos = (device_params[key] / p_scale for key in ("sinDecay", "cosDecay"))
    return {
        "threshold": device_params["vThMant"] / scale,
        "period": 2 * math.pi / math.atan2(sin, cos),
        "decay": 1 - math.hypot(sin, cos),
    }


# What stands in for modules that would bring torch, torchvision and OpenCV.
STAND_INS: Mapping[str, Mapping[str, object]] = {
    "lava.lib.dl.slayer": {},
    "lava.lib.dl.slayer.neuron": {},
    "lava.lib.dl.slayer.neuron.rf": {"neuron_params": neuron_params},
    "lava.lib.dl.netx.sequential_modules": {},
}


class _StandIn(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(STAND_INS[module.__name__])


class Finder(MetaPathFinder):
    """Finds the modules that are repaired or stood in for, and no other."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of such a module; None for all others."""
        if fullname not in REPAIRS and fullname not in STAND_INS:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin is None:
            return None
        if fullname in REPAIRS:
            found.loader = _RepairedLoader(fullname, found.origin)
            return found
        # Lava looks for models of processes in the folder where a module lies: it stays the same.
        return spec_from_file_location(
            fullname,
            found.origin,
            loader=_StandIn(),
            submodule_search_locations=found.submodule_search_locations,
        )


def install() -> None:
    """Repairs what is imported from now on. Raises: ShimError if that is too late."""
    late = sorted(name for name in (*REPAIRS, *STAND_INS) if name in sys.modules)
    if late:
        raise ShimError(f"{', '.join(late)}: imported before the repair; call install() first")
    sys.meta_path.insert(0, Finder())
