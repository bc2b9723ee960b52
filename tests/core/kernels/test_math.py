"""The maths of the C++ kernels against float64, mpmath and the rules of IEEE 754."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch

from snncore.kernels import build, cpp
from snncore.kernels.emit.cpp import head

pytestmark = pytest.mark.skipif(
    cpp.CppBackend().available() is not None, reason="no working C++ compiler is installed"
)

Apply = Callable[..., np.ndarray]
INF, NAN = float("inf"), float("nan")
LEAST = float(np.finfo(np.float32).smallest_subnormal)
WAVES = ("sin", "cos")
SMOOTH = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", *WAVES, "atan", "erf", "erfc")
STEPS = ("abs", "sqrt", "floor", "ceil", "trunc", "round", "sign")
PAIRS = ("pow", "fmod", "max", "min")
DOUBLE_BY_LIBM = {*WAVES, "atan", "erf", "erfc", "pow", "fmod"}


def text(real: str) -> str:
    """A translation unit with one vector loop per function."""
    lines = [
        *head(double=real == "double"),
        'extern "C" void snn_kernel(const int64_t* d, void* const* p, const double*) {',
        "  const S* __restrict x = (const S*)p[0];",
        "  const S* __restrict y = (const S*)p[1];",
        "  S* __restrict z = (S*)p[2];",
        "  switch (d[0]) {",
    ]
    for place, name in enumerate((*SMOOTH, *STEPS, *PAIRS)):
        given = "x[b], y[b]" if name in PAIRS else "x[b]"
        lines += [
            f"    case {place}: {{",
            "      #pragma omp simd",
            f"      for (int64_t b = 0; b < d[1]; ++b) z[b] = snn_{name}({given});",
            "      break;",
            "    }",
        ]
    return "\n".join([*lines, "  }", "}", ""])


def apply(real: str) -> Apply:
    """``call(name, x, y)``: a function of the header over arrays."""
    kernel = build.load(text(real))
    dtype = np.float32 if real == "float" else np.float64

    def call(name: str, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
        x = np.ascontiguousarray(x, dtype)
        y = x if y is None else np.ascontiguousarray(y, dtype)
        z = np.full_like(x, NAN)
        dims = np.array([(*SMOOTH, *STEPS, *PAIRS).index(name), x.size], np.int64)
        table = np.array([x.ctypes.data, y.ctypes.data, z.ctypes.data], np.uint64)
        kernel(dims.ctypes.data, table.ctypes.data, None)
        return z

    return call


def exact(name: str, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """The value in float64 of float32 arguments."""
    with np.errstate(all="ignore"):
        x = x.astype(np.float64)
        if name == "pow":
            return np.power(x, y.astype(np.float64))
        if name in ("erf", "erfc"):
            return getattr(torch, name)(torch.from_numpy(x)).numpy()
        if name == "sigmoid":
            small = np.exp(-np.abs(x))
            return np.where(x < 0, small, 1) / (1 + small)
        return getattr(np, {"atan": "arctan"}.get(name, name))(x)


def ulps(got: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Distance of float32 numbers from float64 values in units of the last float32 place.

    A result past the largest number counts as 2^128, a NaN where none belongs as infinite.
    """
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(np.clip(np.abs(value), 2.0**-126, 2.0**127))
        near, far = (np.clip(a.astype(np.float64), -(2.0**128), 2.0**128) for a in (got, value))
        apart = np.abs(near - far) / np.ldexp(1.0, exponent - 24)
    return np.where(np.isnan(got) & np.isnan(value), 0.0, np.where(np.isnan(apart), INF, apart))


def points(name: str, stride: int) -> np.ndarray:
    """Every stride-th float32, random ones where functions bend, and all sides of every seam."""
    rng = np.random.default_rng(7)
    patterns = np.arange(0, 2**32, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)
    seams = [2.0**-24, 0.29, 0.34657359, 0.5, 0.625, 0.70710678, 0.92, 1, 1.41421356, 4, 8.7, 9.1]
    seams += [10.05, 16.6, 17.4, 87.33, 88.72283, 103.2789, 103.972, 104, 2.0**24, 2.0**127]
    seams += [0, 2.0**-126, float(np.finfo(np.float32).max)]
    ends = np.array(seams, np.float32).view(np.uint32)[:, None] + np.arange(-4, 5)
    ends = (ends % 2**31).astype(np.uint32).view(np.float32).ravel()
    turns = np.arange(70_000) * (np.pi / 4)
    drawn = [rng.normal(0, 1, 50_000), rng.normal(0, 20, 50_000), rng.uniform(0.2, 4, 50_000)]
    parts = [patterns, ends, -ends, turns, *drawn]
    x = np.concatenate([part.astype(np.float32) for part in parts])
    return x[np.abs(x) <= 1e5] if name in WAVES else x


def pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Bases and exponents whose powers fill the range of float32."""
    rng = np.random.default_rng(8)
    x = np.concatenate([np.exp(rng.normal(0, 1.5, count)), 2.0 ** rng.uniform(-149, 127, count)])
    y = np.concatenate([rng.normal(0, 30, count), rng.uniform(-1.2, 1.2, count)])
    near = 1 + rng.normal(0, 1e-5, count)
    x, y = np.concatenate([x, near, -x]), np.concatenate([y, rng.normal(0, 3e6, count), y.round()])
    return x.astype(np.float32), y.astype(np.float32)


@pytest.fixture(scope="module")
def single() -> Apply:
    return apply("float")


@pytest.fixture(scope="module")
def double() -> Apply:
    return apply("double")


@pytest.mark.parametrize("name", SMOOTH)
def test_a_float_function_is_within_two_ulp(single, name):
    x = points(name, 8209)
    assert ulps(single(name, x), exact(name, x)).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", SMOOTH)
def test_a_float_function_is_within_two_ulp_over_a_dense_range(single, name):
    x = points(name, 509)
    assert ulps(single(name, x), exact(name, x)).max() <= 2


def test_a_float_power_is_within_two_ulp(single):
    x, y = pairs(50_000)
    assert ulps(single("pow", x, y), exact("pow", x, y)).max() <= 2


def test_the_measure_itself_finds_one_place():
    one = np.ones(1, np.float32)
    assert ulps(np.nextafter(one, one * 2), np.ones(1)) == 1
    assert ulps(np.nextafter(one, one * 0), np.ones(1)) == 0.5
    assert ulps(one * NAN, np.ones(1)) == INF
    assert ulps(one * INF, np.full(1, 2.0**128 - 2.0**103)) == 0.5


SPECIAL = {
    "exp": [(INF, INF), (-INF, 0), (0, 1), (-0.0, 1), (LEAST, 1), (710, INF), (-746, 0)],
    "expm1": [(INF, INF), (-INF, -1), (0, 0), (-0.0, -0.0), (LEAST, LEAST), (-LEAST, -LEAST)],
    "log": [(INF, INF), (0, -INF), (-0.0, -INF), (1, 0), (-1, NAN), (-INF, NAN), (-LEAST, NAN)],
    "log1p": [(INF, INF), (-1, -INF), (0, 0), (-0.0, -0.0), (-LEAST, -LEAST), (-2, NAN)],
    "tanh": [(INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0), (LEAST, LEAST), (-20, -1)],
    "sigmoid": [(INF, 1), (-INF, 0), (0, 0.5), (-0.0, 0.5), (-800, 0), (800, 1)],
    "sin": [(INF, NAN), (-INF, NAN), (0, 0), (-0.0, -0.0), (LEAST, LEAST), (-LEAST, -LEAST)],
    "cos": [(INF, NAN), (-INF, NAN), (0, 1), (-0.0, 1), (LEAST, 1)],
    "atan": [(INF, np.pi / 2), (-INF, -np.pi / 2), (0, 0), (-0.0, -0.0), (-LEAST, -LEAST)],
    "erf": [(INF, 1), (-INF, -1), (0, 0), (-0.0, -0.0), (7, 1), (-7, -1)],
    "erfc": [(INF, 0), (-INF, 2), (0, 1), (-0.0, 1), (30, 0), (-30, 2)],
    "abs": [(-INF, INF), (-0.0, 0), (-LEAST, LEAST)],
    "sqrt": [(INF, INF), (-0.0, -0.0), (-1, NAN), (4, 2)],
    "floor": [(-0.0, -0.0), (-0.5, -1), (INF, INF), (1.5, 1)],
    "ceil": [(-0.5, -0.0), (0.5, 1), (-INF, -INF)],
    "trunc": [(-0.5, -0.0), (1.75, 1), (-1.75, -1)],
    "round": [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, -0.0), (-1.5, -2), (2.0**23 + 1, 2.0**23 + 1)],
    "sign": [(-0.0, 0), (LEAST, 1), (-LEAST, -1), (INF, 1), (-INF, -1)],
}


@pytest.mark.parametrize("name", SPECIAL)
@pytest.mark.parametrize("real", ["single", "double"])
def test_special_values_are_exact(request, real, name):
    call = request.getfixturevalue(real)
    # repeated, so that vector lanes and the scalar rest both meet each of them
    of_nan = (NAN, 0 if name == "sign" else NAN)
    x, expected = np.tile(np.array([*SPECIAL[name], of_nan]), (5, 1)).T
    got = call(name, x)
    expected = expected.astype(got.dtype)
    np.testing.assert_array_equal(got, expected)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(expected[known]))


def _grid(values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.array(values, np.float32), np.array(values, np.float32))
    return x.ravel(), y.ravel()


def _patterns(count: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 2**32, count, np.uint32).view(np.float32)


def _same(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    kind = np.uint32 if got.dtype == np.float32 else np.uint64
    return (got.view(kind) == expected.view(kind)) | (np.isnan(got) & np.isnan(expected))


EDGES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 2.5, -2.5, 1e10, -1e10, 16777217.0]
EDGES += [INF, -INF, NAN, LEAST, -LEAST, 2.0**-126, 3.4028235e38, -3.4028235e38]


def test_a_power_follows_the_rules_of_ieee_754(single):
    x, y = _grid(EDGES)
    with np.errstate(all="ignore"):
        assert _same(single("pow", x, y), exact("pow", x, y).astype(np.float32)).all()


def test_the_remainder_is_exact_for_every_quotient(single):
    x, y = _grid([*EDGES, 0.1, 7.0])
    drawn = _patterns(400_000)
    x, y = np.concatenate([x, drawn[::2]]), np.concatenate([y, drawn[1::2]])
    with np.errstate(all="ignore"):
        assert _same(single("fmod", x, y), np.fmod(x, y)).all()


@pytest.mark.parametrize("real", ["single", "double"])
def test_maximum_and_minimum_propagate_nan(request, real):
    call = request.getfixturevalue(real)
    x, y = _grid(EDGES)
    for name, reference in (("max", torch.maximum), ("min", torch.minimum)):
        expected = reference(torch.from_numpy(x), torch.from_numpy(y)).numpy()
        np.testing.assert_array_equal(call(name, x, y), expected)


def test_clamp_keeps_nan_and_lets_the_upper_bound_win(single):
    x = np.array([NAN, -INF, -1.0, 0.5, INF] * 5, np.float32)
    for low, high in ((0.0, 1.0), (1.0, 0.0), (NAN, 1.0), (0.0, NAN)):
        got = single("min", single("max", x, np.full_like(x, low)), np.full_like(x, high))
        expected = torch.clamp(torch.from_numpy(x), low, high).numpy()
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", ["abs", "sqrt", "floor", "ceil", "trunc", "round"])
def test_the_steps_equal_numpy(single, name):
    x = _patterns(100_000)
    with np.errstate(all="ignore"):
        assert _same(single(name, x), getattr(np, {"round": "rint"}.get(name, name))(x)).all()


@pytest.mark.parametrize("name", ["tanh", "sin", "atan", "erf"])
def test_odd_functions_are_odd_to_the_last_bit(single, name):
    x = points(name, 100_003)
    assert _same(single(name, -x), -single(name, x)).all()


def test_bounded_functions_stay_in_their_bounds(single):
    x = points("exp", 100_003)
    x = x[np.isfinite(x)]
    bounds = {"tanh": (-1, 1), "erf": (-1, 1), "sin": (-1, 1), "cos": (-1, 1)}
    for name, (low, high) in {**bounds, "sigmoid": (0, 1), "erfc": (0, 2)}.items():
        got = single(name, x)
        assert got.min() >= low, name
        assert got.max() <= high, name


@pytest.mark.parametrize("real", ["single", "double"])
def test_every_lane_gives_the_same_bits(request, real):
    """A recomputed step may stand at another place of the vector, or in the scalar rest."""
    call = request.getfixturevalue(real)
    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 3, 67), rng.normal(0, 3, 67)
    for name in (*SMOOTH, *STEPS, *PAIRS):
        alone = [call(name, x[i : i + 1], y[i : i + 1]) for i in range(x.size)]
        assert _same(call(name, x, y), np.concatenate(alone)).all(), name


def _precise(name: str, *x: float) -> mpmath.mpf:
    if name == "sigmoid":
        return 1 / (1 + mpmath.exp(-mpmath.mpf(x[0])))
    if name == "pow":
        return mpmath.power(*map(mpmath.mpf, x))
    return getattr(mpmath, name)(*map(mpmath.mpf, x))


def wide(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Arguments in float64 at which the functions bend or end."""
    rng = np.random.default_rng(5)
    size = rng.choice([1e-9, 1e-3, 0.3, 1.0, 20.0], count)
    x = np.concatenate([rng.normal(0, 1, count) * size, [0.9999, 1.0001, 0.34658, -0.34658, -0.7]])
    if name in ("log", "pow"):
        x = np.concatenate([np.abs(x), [1e-310, 5e-324, 1e308]])
    if name == "log1p":
        x = x[x > -1]
    if name in ("exp", "expm1"):
        x = np.concatenate([x, [709.78, 709.79, -708.5, -740.0, -745.1]])
    return x, rng.normal(0, 8, x.size)


def wide_ulps(name: str, got: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """Largest distance of float64 numbers from mpmath's in units of the last place."""
    worst = 0.0
    with mpmath.workdps(60):
        for place, given in enumerate(zip(x, y, strict=True)):
            value = _precise(name, *(given if name == "pow" else given[:1]))
            if abs(value) > np.finfo(np.float64).max:
                worst = max(worst, 0.0 if np.isinf(got[place]) else INF)
                continue
            unit = mpmath.mpf(np.spacing(max(abs(float(value)), 2.0**-1022)))
            worst = max(worst, float(abs(mpmath.mpf(got[place]) - value) / unit))
    return worst


@pytest.mark.parametrize("name", [*SMOOTH, "pow"])
def test_a_double_function_is_within_its_bound(double, name):
    x, y = wide(name, 1000)
    # glibc states up to 5 ulp for its own functions
    assert wide_ulps(name, double(name, x, y), x, y) <= (5 if name in DOUBLE_BY_LIBM else 2)


@pytest.mark.parametrize("real", ["float", "double"])
def test_every_loop_is_vectorised(tmp_path, real):
    if "clang" in build._identity():
        pytest.skip("clang reports vectorised loops in another form")
    file = tmp_path / "kernel.cpp"
    source = text(real)
    file.write_text(source)
    ran = subprocess.run(
        [build.compiler(), *build.flags(), "-fopt-info-vec", "-c", file, "-o", os.devnull],
        capture_output=True,
        text=True,
        check=True,
    )
    report = {
        int(line.split(":")[1]) for line in ran.stderr.splitlines() if "loop vectorized" in line
    }
    scalar = set()
    for place, line in enumerate(source.splitlines(), 1):
        found = re.search(r"z\[b\] = snn_(\w+)", line)
        if found and place not in report:
            scalar.add(found[1])
    assert scalar == (set() if real == "float" else DOUBLE_BY_LIBM)
