"""Memory for what kernels write: large buffers on huge pages that are used again.

The first touch of a fresh page costs ten to twenty times what writing to it costs, so a fused
kernel whose outputs were new at each call would spend most of its time in page faults.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snncore.errors import ConfigError

SMALLEST = 1 << 20
"""Bytes from which a tensor comes from the pool; the allocator of torch reuses smaller ones."""
DEFAULT_LIMIT = 2 << 30

_PAGE = 2 << 20
# All that kernels write but bfloat16, which NumPy does not have.
_NUMPY = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.float16: np.float16,
    torch.uint8: np.uint8,
    torch.int32: np.int32,
    torch.int64: np.int64,
}


@dataclass(frozen=True)
class Info:
    """What a pool has.

    Args:
        limit: most bytes that it keeps for later; 0 when it is off.
        held: bytes that it keeps for later.
        lent: bytes in living tensors.
        made: buffers asked of the operating system so far.
        reused: requests served from what was held so far.
    """

    limit: int
    held: int
    lent: int
    made: int
    reused: int


class Pool:
    """Lends buffers as tensors; each comes back when the last tensor on its storage dies.

    What is held beyond ``limit`` is given back to the operating system, least recently used
    sizes first. Safe with threads; a forked child starts with nothing held.

    Such a tensor is like any other except that ``resize_`` to more elements raises.

    Args:
        limit: most bytes kept for later; 0 switches the pool off.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit if _possible() else 0
        self._loans: dict[int, _Loan] = {}
        self._made = self._reused = 0
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        # By size, least recently used size first.
        self._idle: dict[int, list[_Buffer]] = {}
        self._held = 0
        self._returned: deque[_Buffer] = deque()

    def empty(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """A contiguous tensor on the CPU with arbitrary contents."""
        count = math.prod(shape) * dtype.itemsize
        if count < SMALLEST or not self.limit:
            return torch.empty(shape, dtype=dtype, device="cpu")
        size = size_class(count)
        buffer = self._take(size)
        if buffer is None:
            try:
                buffer = _Buffer(size)
            except OSError:
                # Out of address space or memory: torch reports that in words that people know.
                self.trim()
                return torch.empty(shape, dtype=dtype, device="cpu")
        return self._lend(buffer, shape, dtype)

    def trim(self) -> int:
        """Gives all that is held back to the operating system; returns the bytes."""
        self._own()
        with self._lock:
            self._collect()
            freed, self._held = self._held, 0
            idle, self._idle = self._idle, {}
        del idle
        self._settle()
        return freed

    def info(self) -> Info:
        """What is held and lent now."""
        self._own()
        with self._lock:
            self._collect()
            lent = sum(loan.buffer.size for loan in list(self._loans.values()))
            found = Info(self.limit, self._held, lent, self._made, self._reused)
        self._settle()
        return found

    def _own(self) -> None:
        # The lock may have been held by a thread that a fork left behind, and writing to memory
        # shared with the parent would copy it page by page.
        if self._process != os.getpid():
            self._start()

    def _take(self, size: int) -> _Buffer | None:
        self._own()
        with self._lock:
            self._collect()
            idle = self._idle.get(size)
            buffer = idle.pop() if idle else None
            if buffer is None:
                self._made += 1
            else:
                self._reused += 1
                self._held -= size
        self._settle()
        return buffer

    def _lend(self, buffer: _Buffer, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        kind = _NUMPY.get(dtype)
        size = (math.prod(shape) * dtype.itemsize,) if kind is None else shape
        array = np.ndarray(size, kind or np.uint8, buffer.memory, buffer.start)
        loan = _Loan(array, _end)
        loan.pool, loan.buffer = self, buffer
        self._loans[id(loan)] = loan
        lent = torch.from_numpy(array)
        if kind is not None:
            return lent
        # A view would make autograd refuse in-place changes of a kernel's output.
        made = torch.empty(0, dtype=dtype, device="cpu")
        # The stub does not know the form without strides.
        return made.set_(lent.untyped_storage(), 0, tuple(shape))  # pyright: ignore[reportCallIssue]

    def _give_back(self, loan: _Loan) -> None:
        del self._loans[id(loan)]
        self._returned.append(loan.buffer)
        self._settle()

    def _settle(self) -> None:
        # Buffers come back while any thread allocates anything, this pool's own code included:
        # never wait here. Whoever holds the lock looks again after letting go of it.
        while self._returned and self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()

    def _collect(self) -> None:
        """Sorts in what has come back; the caller holds the lock."""
        while self._returned:
            buffer = self._returned.popleft()
            if buffer.size > self.limit:
                continue
            idle = self._idle.pop(buffer.size, [])
            idle.append(buffer)
            self._idle[buffer.size] = idle
            self._held += buffer.size
        while self._held > self.limit:
            size, idle = next(iter(self._idle.items()))
            if idle:
                idle.pop()
                self._held -= size
            else:
                del self._idle[size]


class _Buffer:
    """Private anonymous memory that starts on a huge page."""

    __slots__ = ("memory", "size", "start")

    def __init__(self, size: int) -> None:
        # A shared mapping, mmap's default, would let forked processes write into each other.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.memory = mmap.mmap(-1, size + _PAGE, flags=flags)
        self.size = size
        if hasattr(mmap, "MADV_HUGEPAGE"):
            # A kernel without huge pages refuses; small pages work as well, only slower.
            with contextlib.suppress(OSError):
                self.memory.madvise(mmap.MADV_HUGEPAGE)
        address = np.frombuffer(self.memory, np.uint8).ctypes.data
        self.start = -address % _PAGE


class _Loan(weakref.ref[Any]):
    """Knows when the array that owns a lent buffer dies."""

    __slots__ = ("buffer", "pool")
    buffer: _Buffer
    pool: Pool


def _end(loan: Any) -> None:
    loan.pool._give_back(loan)


def size_class(count: int) -> int:
    """Bytes of the buffer for ``count`` bytes: steps of 2 MiB, of an eighth of an octave later.

    Example:
        >>> size_class(33 << 20) >> 20
        36
    """
    step = max(_PAGE, 1 << max((count - 1).bit_length() - 4, 0))
    return -(-count // step) * step


def empty(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A contiguous CPU tensor with arbitrary contents, from the pool of this process.

    ``SNN_POOL_BYTES`` sets how much the pool keeps (2 GiB by default); 0 switches it off.

    Raises: ConfigError when ``SNN_POOL_BYTES`` is no number of bytes.
    Example:
        >>> empty((64, 1 << 18), torch.float32).shape
        torch.Size([64, 262144])
    """
    return _pool().empty(shape, dtype)


def trim() -> int:
    """Gives the memory that the pool of this process holds back; returns the bytes."""
    return _pool().trim()


def info() -> Info:
    """What the pool of this process holds and has lent."""
    return _pool().info()


@cache
def _pool() -> Pool:
    said = os.environ.get("SNN_POOL_BYTES", "").strip()
    if not said:
        return Pool()
    if not said.isdecimal():
        raise ConfigError(
            f"SNN_POOL_BYTES is {said!r}, but must be a number of bytes, such as "
            f"{DEFAULT_LIMIT}; 0 switches the pool off"
        )
    return Pool(int(said))


def _possible() -> bool:
    return sys.platform != "win32" and hasattr(mmap, "MAP_ANONYMOUS")
