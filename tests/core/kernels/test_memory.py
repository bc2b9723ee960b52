"""Tuning malloc for the whole process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from snncore.kernels import memory
from snncore.kernels.memory import tune_memory

glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="tunes the malloc of glibc",
)

_PROBE = """
import resource, sys, torch
from snncore.kernels.memory import tune_memory

def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        x * 2
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
# Above 32 MiB, glibc maps and unmaps each tensor by itself.
x = torch.ones(12 << 20)
plain = faults(8)
print(tune_memory(), tune_memory())
# Small things settle among the first tensors.
faults(40)
print(plain, faults(8))
"""


@glibc
def test_tensors_reuse_their_pages_afterwards(monkeypatch):
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    for name in ("THP_MEM_ALLOC_ENABLE", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    ran = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    twice, counts = ran.stdout.splitlines()
    assert twice == "None None"
    plain, tuned = map(int, counts.split())
    assert tuned < plain / 10


class _Library:
    """Looks like a C library to ctypes users."""

    def __init__(self, *, glibc: bool = True, malloc: int = 1, taken: int = 1) -> None:
        self.malloc, self.calls = malloc, []
        self.taken = taken
        if glibc:
            self.gnu_get_libc_version = object()

    def mallopt(self, name: int, value: int) -> int:
        self.calls.append((name, value))
        return self.taken


@pytest.fixture
def library(monkeypatch):
    """Makes this process look as if it ran on these libraries."""

    def make(loaded, own=None):
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(memory, "_address", lambda function: function)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: own or loaded if name else loaded)

    return make


def test_the_settings_are_passed_on(library):
    loaded = _Library()
    library(loaded)
    assert tune_memory() is None
    assert loaded.calls == [(-4, 0), (-1, 2**31 - 1), (-2, 64 * 2**20)]


def test_other_systems_are_told_why_not(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert tune_memory() == "it tunes the malloc of glibc, which darwin does not use"


def test_other_libraries_are_told_why_not(library):
    library(_Library(glibc=False))
    assert tune_memory() == (
        "it tunes the malloc of glibc, and this Python runs on another C library"
    )


def test_a_preloaded_malloc_is_left_alone(library):
    loaded = _Library(malloc=2)
    library(loaded, _Library(malloc=1))
    reason = tune_memory()
    assert reason is not None
    assert reason.startswith("another malloc is loaded over that of glibc (LD_PRELOAD)")
    assert loaded.calls == []


def test_a_refusal_is_quoted(library):
    library(_Library(taken=0))
    assert tune_memory() == "glibc refused mallopt(-4, 0)"
