"""Property tests draw the same examples each time and have no deadline; test names never change."""

from __future__ import annotations

import re

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse test names with an object's address: two workers would collect different tests."""
    address = re.compile(r"<[\w. ]+ at 0x|<function ")
    moving = [item.nodeid for item in items if address.search(item.nodeid)]
    if moving:
        raise pytest.UsageError("tests named after an object's address: " + "; ".join(moving))
