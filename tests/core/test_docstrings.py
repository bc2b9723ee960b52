"""Runs every example in every docstring of the core and of the installed first-party plugins."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from importlib import metadata

import pytest
import torch

import snncore as snn
from snncore.hookspecs import ENTRY_POINT_GROUP


def modules() -> list[str]:
    packages = {
        entry.value.partition(".")[0] for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)
    }
    return sorted(
        info.name
        for package in packages
        for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        if "templates" not in info.name and not info.name.endswith("__main__")
    )


@pytest.mark.parametrize("name", modules())
def test_examples_do_what_they_say(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "triton":
            raise
        pytest.skip("triton is not installed")
    extra = {"torch": torch, "nn": torch.nn, "snn": snn}
    result = doctest.testmod(module, extraglobs=extra, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    # doctest sees an example at the beginning of a line only
    assert not re.search(r"Example: >>>", inspect.getsource(module))


def test_the_examples_are_found():
    import snncore.surrogate

    finder = doctest.DocTestFinder()
    examples = [e for test in finder.find(snncore.surrogate) for e in test.examples]
    assert len(examples) >= 6
