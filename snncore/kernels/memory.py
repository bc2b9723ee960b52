"""An opt-in for the whole process: large tensors of torch that reuse their memory."""

from __future__ import annotations

import ctypes
import sys

# <malloc.h> of glibc
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4

SETTINGS = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20))
"""What :func:`tune_memory` passes to ``mallopt``: never map a tensor by itself, keep freed memory,
grow by 64 MiB at a time."""


def tune_memory() -> str | None:
    """Lets malloc keep the memory of freed tensors, instead of asking the system for fresh pages.

    The buffer pool does this for what kernels write; this does it for everything else in torch.
    It pays for tensors from about 16 MiB on, after a few rounds of the same work. Cost: the
    process holds 0.2 to 0.5 GiB more through fragmentation and gives freed memory back only when
    it ends. It holds for the whole process and cannot be undone; calling it again changes nothing.

    Returns: None when it holds, else why it cannot be done here.
    Example:
        >>> if reason := tune_memory():  # doctest: +SKIP
        ...     print(f"malloc stays as it is: {reason}")

    Source: mallopt(3).
    """
    if sys.platform != "linux":
        return f"it tunes the malloc of glibc, which {sys.platform} does not use"
    loaded = ctypes.CDLL(None)
    if not hasattr(loaded, "gnu_get_libc_version"):
        return "it tunes the malloc of glibc, and this Python runs on another C library"
    if _address(loaded.malloc) != _address(ctypes.CDLL("libc.so.6").malloc):
        return (
            "another malloc is loaded over that of glibc (LD_PRELOAD); "
            "tune that one by its own settings"
        )
    for name, value in SETTINGS:
        if not loaded.mallopt(name, value):
            return f"glibc refused mallopt({name}, {value})"
    return None


def _address(function: object) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value  # pyright: ignore[reportArgumentType]
