from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

_spec = importlib.util.spec_from_file_location("toy_chip", Path(__file__).with_name("toy.py"))
assert _spec is not None
assert _spec.loader is not None
_toy = importlib.util.module_from_spec(_spec)
# Dataclasses look their module up.
sys.modules[_spec.name] = _toy
_spec.loader.exec_module(_toy)


@pytest.fixture
def toy() -> ModuleType:
    """The module with the example chip."""
    return _toy
