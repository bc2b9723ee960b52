"""Measures the maths of the C++ kernels: largest error and time per element, beside torch's own.

    python benchmarks/vector_math.py

Writes ``docs/benchmarks/vector_math.md``. Errors are distances from float64 in units of the last
float32 place; the points are those of ``tests/core/kernels/test_math.py``, taken more densely.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from snncore.kernels import build

ROOT = Path(__file__).resolve().parents[1]
NORMAL = float(np.finfo(np.float32).tiny)


def _tests() -> ModuleType:
    path = ROOT / "tests/core/kernels/test_math.py"
    spec = importlib.util.spec_from_file_location("vector_math_points", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing; run this script from a checkout of the repository.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seconds(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(50):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def _row(tests: ModuleType, ours: Callable[..., np.ndarray], name: str, stride: int) -> str:
    x, y = tests.pairs(2_000_000) if name == "pow" else (tests.points(name, stride), None)
    given = [torch.from_numpy(a) for a in (x, y) if a is not None]
    theirs = getattr(torch, name)
    value = tests.exact(name, x, y)
    inside = np.abs(value) >= NORMAL
    cells = [name, f"{x.size / 1e6:.1f} M"]
    for got in (ours(name, x, y), theirs(*given).numpy()):
        apart = tests.ulps(got, value)
        cells += [f"{apart[inside].max():.2f}", f"{apart.max():.3g}"]
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.1, 3, (2, 1 << 16)).astype(np.float32)
    some = [torch.from_numpy(p) for p in (a, b)][: len(given)]
    for call in (lambda: ours(name, a, b), lambda: theirs(*some)):
        cells.append(f"{_seconds(call) / a.size * 1e9:.2f}")
    return "| " + " | ".join(cells) + " |"


def _wide_row(tests: ModuleType, ours: Callable[..., np.ndarray], name: str) -> str:
    x, y = tests.wide(name, 5000)
    given = [torch.from_numpy(a) for a in ((x, y) if name == "pow" else (x,))]
    both = (ours(name, x, y), getattr(torch, name)(*given).numpy())
    cells = [f"{tests.wide_ulps(name, got, x, y):.2f}" for got in both]
    form = "libm" if name in tests.DOUBLE_BY_LIBM else "vector"
    return "| " + " | ".join([name, form, *cells]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stride", type=int, default=509, help="every how many-th float32")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/benchmarks/vector_math.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tests = _tests()
    ours = tests.apply("float")
    rows = [_row(tests, ours, name, options.stride) for name in (*tests.SMOOTH, "pow")]
    ours_wide = tests.apply("double")
    wide_rows = [_wide_row(tests, ours_wide, name) for name in (*tests.SMOOTH, "pow")]
    lines = [
        "# Vector maths of the C++ kernels",
        "",
        f"Written by `python benchmarks/vector_math.py --stride {options.stride}`. Largest error "
        "in float32 against float64, in units of the last place (ulp), over every "
        f"{options.stride}th bit pattern of float32, random numbers and the neighbours of all "
        "seams; sin and cos for |x| <= 1e5; pow over random pairs. "
        "*Normal* counts results of at least 2^-126 in size, *all* the denormal ones too "
        "(there torch's sigmoid gives 0 for a small number). "
        "Times are of one thread, minimum of 50 runs over 65,536 numbers between 0.1 and 3, "
        "with the call and the new result array included.",
        "",
        "| function | points | ours, normal | ours, all | torch, normal | torch, all "
        "| ours, ns | torch, ns |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        "fmod is exact for every pair tried (bit-equal with C's); abs, sqrt, floor, ceil, trunc, "
        "round, max and min are exact by definition.",
        "",
        "In float64, against mpmath over about 5,000 points each, in float64 ulp. "
        "*libm* marks what is called one number at a time.",
        "",
        "| function | form | ours | torch |",
        "|---|---|---|---|",
        *wide_rows,
        "",
        f"torch {torch.__version__}, {platform.machine()}, compiler flags "
        f"`{' '.join(build.flags())}`.",
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
