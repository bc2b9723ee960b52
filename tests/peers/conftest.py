"""Only where the other libraries are installed; `make peers` installs them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = str(Path(__file__).parent)
pytest.register_assert_rewrite("oracle")
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
collect_ignore_glob = [] if all(map(find_spec, ("spikingjelly", "snntorch", "norse"))) else ["*.py"]
