"""The cache of captured steps: what is stored, what makes a plan stale, what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import snncore as snn
from snncore.kernels import plans
from snncore.kernels.capture import capture
from snncore.kernels.content import Content
from snncore.kernels.cpp import CppBackend
from snncore.kernels.library import is_library
from snncore.kernels.saving import saved_values
from snncore.kernels.tensors import tensors_of
from snncore.kernels.trace import Unsupported, witness
from snncore.neuron import Neuron

compiled = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
SHAPE = torch.Size((4, 3))


class Leaky(Neuron):
    def __init__(self, leak=0.5, **options):
        super().__init__(**options)
        self.leak = leak

    def charge(self, x, v):
        return self.leak * v + x


class Learnt(Neuron):
    """A prologue and an epilogue, the second with a sum; a constant that a graph holds."""

    def __init__(self, **options):
        super().__init__(**options)
        self.w = nn.Parameter(torch.tensor([0.2, -0.3, 0.1]))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid() * torch.tensor([1.0, 0.5, 0.25])


@pytest.fixture
def place(monkeypatch, tmp_path):
    """The folder of plans of this test's own."""
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    return tmp_path / "kernels"


class Recaller:
    """Recalls the step of modules and counts captures."""

    def __init__(self) -> None:
        self.captures = 0

    def __call__(self, module, shape=SHAPE, dtype=torch.float32):
        def make(wanted):
            # Other shapes are only compared with.
            self.captures += wanted == shape
            return capture(module, wanted, dtype)

        return plans.recall(Content(module), shape, dtype, make)


@pytest.fixture
def recall(place):
    return Recaller()


def nodes(found):
    """All fields of all nodes, exactly."""
    return [
        [
            repr([arg.index for arg in node.args] if field.name == "args" else value)
            for field in dataclasses.fields(node)
            for value in [getattr(node, field.name)]
        ]
        for node in found.program.nodes
    ]


def plan_files(place):
    return sorted(place.glob("*.plan")) if place.exists() else []


def test_a_plan_is_the_captured_step(recall, place):
    net = Learnt(surrogate="sigmoid")
    made, found = recall(net), recall(net)
    assert recall.captures == 1
    assert len(plan_files(place)) == 1
    assert nodes(found.captured) == nodes(made.captured)
    assert [node.index for node in found.saves] == [node.index for node in made.saves]
    assert found.saves == saved_values(found.captured)
    for name in ("values", "grads", "sums"):
        pairs = zip(getattr(made.captured, name), getattr(found.captured, name), strict=True)
        assert all(a is b is None or a.index == b.index for a, b in pairs)
    assert found.captured.learned == made.captured.learned
    assert found.captured.states == made.captured.states
    params = list(tensors_of(net).values())
    sums = [torch.randn(SHAPE) for _ in made.captured.sums]
    for part in ("prologue", "epilogue"):
        given = params if part == "prologue" else [*params, *sums]
        first, second = (getattr(found.captured, part)(*given) for found in (made, found))
        assert len(first) == len(second) > 0
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_numbers_are_kept_exactly(recall):
    class Special(Neuron):
        def charge(self, x, v):
            x = torch.where(x > 3, math.nan, torch.where(x > 2, math.inf, x))
            return torch.where(v > 0.1, -0.0, x) + 0.1 * torch.where(v < -math.inf, 0.0, 1e-45)

    net = Special()
    made, found = recall(net), recall(net)
    assert recall.captures == 1
    assert nodes(found.captured) == nodes(made.captured)
    constants = {repr(n.value) for n in found.captured.program.nodes if n.op == "const"}
    assert {"nan", "inf", "-inf", "-0.0", "0.0", "0.1"} <= constants


def test_nodes_of_a_plan_are_made_by_their_program(recall):
    net = Leaky()
    recall(net)
    program = recall(net).captured.program
    assert recall.captures == 1
    known = next(node for node in program.nodes if node.op == "add")
    assert program.op("add", *known.args) is known


class Whole(torch.autograd.Function):
    """An integer decay on a float carrier, with the gradient of the exact one."""

    @staticmethod
    def forward(x, decay):
        wide = x.to(torch.int64) * (4096 - decay.to(torch.int64))
        return torch.div(wide, 4096, rounding_mode="trunc").to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx, g):
        (decay,) = ctx.saved_tensors
        return g * (1 - decay / 4096), None


class Integer(Neuron):
    def __init__(self):
        super().__init__()
        self.register_buffer("decay", torch.tensor(400.0))

    def charge(self, x, v):
        return Whole.apply(v, self.decay) + x


def test_integer_kinds_are_kept(recall):
    net = Integer()
    made, found = recall(net), recall(net)
    assert recall.captures == 1
    assert nodes(found.captured) == nodes(made.captured)
    assert {node.kind for node in found.captured.program.nodes} >= {"f", "l"}
    whole = [n.value for n in found.captured.program.nodes if n.op == "const" and n.kind == "l"]
    assert whole
    assert all(type(value) is int for value in whole)


def test_shape_and_dtype_are_part_of_the_key(recall):
    net = Learnt()
    recall(net)
    recall(net, torch.Size((4, 5, 3)))
    recall(net, dtype=torch.float64)
    assert recall.captures == 3
    recall(net, torch.Size((4, 5, 3)))
    assert recall.captures == 3


@pytest.mark.parametrize("name", ["sys.version", "torch.__version__"])
def test_versions_are_part_of_the_key(recall, monkeypatch, name):
    from snncore.kernels import library

    recall(Leaky())
    monkeypatch.setattr(name, "0.1")
    library.versions.cache_clear()
    try:
        recall(Leaky())
    finally:
        library.versions.cache_clear()
    assert recall.captures == 2


def test_the_cores_own_files_are_part_of_the_key():
    from snncore.kernels import library

    listed = "\n".join(library.versions())
    assert os.path.join("kernels", "capture.py") in listed
    assert "surrogate.py" in listed


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"not a plan",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole.replace(b'"add"', b'"mul"'),
        lambda whole: b"\xff\xfe" + whole,
    ],
    ids=["empty", "foreign", "torn", "changed", "binary"],
)
def test_a_damaged_plan_is_ignored_and_written_anew(recall, place, damage):
    recall(Leaky())
    (file,) = plan_files(place)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    recall(Leaky())
    assert recall.captures == 2
    assert file.read_bytes() == whole
    assert [path.suffix for path in place.iterdir()] == [".plan"]


def test_a_plan_that_cannot_be_written_costs_nothing_but_time(recall, place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    recall(Leaky())
    assert list(place.iterdir()) == []
    recall(Leaky())
    assert recall.captures == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX")
def test_plans_are_private(recall, place):
    recall(Leaky())
    (file,) = plan_files(place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    place.chmod(0o777)
    with pytest.raises(snn.errors.BackendError, match="belongs to another user or is writable"):
        recall(Leaky())


# What a step holds itself


def test_a_tensor_that_the_step_holds_stays_the_modules_own(recall):
    class Holding(Neuron):
        def __init__(self):
            super().__init__()
            self.gains = [torch.tensor([1.0, 2.0, 3.0])]

        def charge(self, x, v):
            return v + x * self.gains[0]

    first, second = Holding(), Holding()
    recall(first)
    found = recall(second).captured
    assert recall.captures == 1
    second.gains[0].fill_(7.0)
    assert all(read is second.gains[0] for read in found.prologue())
    assert len(found.prologue()) > 0
    recall(second)
    assert recall.captures == 2


def test_large_tensors_and_unknown_objects_are_not_stored(recall, place):
    class Holding(Leaky):
        def __init__(self, held):
            super().__init__()
            self.held = held

    for held in (torch.ones(65), np.ones(3), object(), iter(()), {"at": Path("x")}):
        before = recall.captures
        net = Holding(held)
        assert Content(net).digest is None
        recall(net), recall(net)
        assert recall.captures == before + 2
    assert plan_files(place) == []
    for held in (torch.ones(64), np.float32(2), {"a": [1, (2.0, None)]}, {1, 2}, math.sin, Leaky):
        assert Content(Holding(held)).digest is not None, held


def test_code_that_only_a_computed_name_reaches_is_not_stored(recall, place):
    class Dispatching(Leaky):
        def charge(self, x, v):
            return getattr(self, "_".join(("my", "leak")))(v) + x

        def my_leak(self, v):
            return 0.5 * v

    class Plain(Dispatching):
        def charge(self, x, v):
            return getattr(self, "my_leak")(v) + x  # noqa: B009

    recall(Dispatching()), recall(Dispatching())
    assert recall.captures == 2
    assert plan_files(place) == []
    recall(Plain()), recall(Plain())
    assert recall.captures == 3


def test_the_witness_sees_the_code_of_backwards_and_changes_no_graph():
    net = Integer()
    plain = capture(net, SHAPE, torch.float32)
    with witness() as ran:
        seen = capture(net, SHAPE, torch.float32)
    names = {code.co_name for code, home in ran.items() if not is_library(home)}
    assert {"charge", "forward", "backward", "setup_context"} <= names
    assert nodes(seen) == nodes(plain)
    assert sys.getprofile() is None


# What changes while a process runs

SETTINGS = SimpleNamespace(leak=0.5, deep=SimpleNamespace(leak=0.5))
TABLE = {"leak": [0.5]}


class Reader(Neuron):
    scale = 1.0

    def __init__(self):
        super().__init__()
        self._hidden = 0.5
        self.options = {"gain": 1.0}

    def helper(self, v):
        return self.scale * v

    def charge(self, x, v):
        v = SETTINGS.deep.leak * TABLE["leak"][0] * self._hidden * v
        return self.helper(v) + self.options["gain"] * x


def changes():
    yield "nested attribute", lambda net: setattr(SETTINGS.deep, "leak", 0.25)
    yield "list in a dict", lambda net: TABLE["leak"].__setitem__(0, 0.25)
    yield "private attribute", lambda net: setattr(net, "_hidden", 0.25)
    yield "dict of the instance", lambda net: net.options.update(gain=2.0)
    yield "new attribute", lambda net: setattr(net, "scale", 2.0)
    yield "class attribute", lambda net: setattr(type(net), "scale", 2.0)
    yield "helper method", lambda net: setattr(type(net), "helper", lambda self, v: v)
    yield "method on the instance", lambda net: setattr(net, "charge", lambda x, v: x)
    yield "code of a function", recode
    yield "training", lambda net: net.eval()
    yield "surrogate", lambda net: setattr(net, "surrogate", snn.build("surrogate", "erf"))
    yield "learning", lambda net: setattr(net, "leak", nn.Parameter(torch.ones(3)))
    yield "default dtype", lambda net: torch.set_default_dtype(torch.float64)


def recode(net):
    type(net).helper.__code__ = (lambda self, v: self.scale * v * 2).__code__


@pytest.mark.parametrize("change", [pytest.param(change, id=what) for what, change in changes()])
def test_a_change_is_seen_at_once(change, monkeypatch):
    monkeypatch.setattr(SETTINGS.deep, "leak", 0.5)
    monkeypatch.setitem(TABLE, "leak", [0.5])
    # A class of its own, with functions of its own.
    body = {k: v for k, v in vars(Reader).items() if k not in ("__dict__", "__weakref__")}
    copies = {
        k: type(v)(v.__code__, v.__globals__, k, v.__defaults__, v.__closure__)
        for k, v in body.items()
        if k in ("helper", "charge")
    }
    net = Neuron.__new__(type("Reader", (Neuron,), {**body, **copies, "__init__": mine}))
    net.__init__()
    before = Content(net)
    assert before.holds()
    assert before.digest == Content(net).digest
    dtype = torch.get_default_dtype()
    try:
        change(net)
        assert not before.holds()
        assert Content(net).digest not in (before.digest, None)
    finally:
        torch.set_default_dtype(dtype)


def mine(self):
    Neuron.__init__(self)
    self._hidden = 0.5
    self.options = {"gain": 1.0}


def test_equal_values_set_anew_change_nothing_but_the_watch():
    net = Leaky(leak=float("0.5"))
    before = Content(net)
    net.leak = float("0.5")
    assert not before.holds()
    assert Content(net).digest == before.digest
    for value in (-0.0, 0.0, 0, False, math.nan, "0", None):
        net.leak = value
        other = Content(net).digest
        assert other != before.digest
        before = Content(net)


def test_running_changes_nothing():
    net = Leaky(step_mode="m", backend="eager")
    net(torch.rand(3, 2, 2))
    before = Content(net)
    net(torch.rand(3, 2, 2))
    snn.reset(net)
    assert before.holds()


def test_shared_and_separate_tensors_are_told_apart():
    class Two(Neuron):
        def __init__(self, first, second):
            super().__init__()
            self.first, self.second = first, second

        def charge(self, x, v):
            return self.first * v + self.second * x

    tied = nn.Parameter(torch.ones(3))
    apart = Two(nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3)))
    assert Content(Two(tied, tied)).digest != Content(apart).digest


# What changes between processes

NEURON = """
import math
import torch
import settings
from helper import shift
from snncore.neuron import Neuron

LEAK = 0.5


class Clip(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.clamp(-1, 1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x.abs() < 2)


class Base(Neuron):
    def charge(self, x, v):
        return x + v


class Mine(Base):
    def __init__(self, gain=1.0, alpha=2.0):
        super().__init__(surrogate={"name": "atan", "alpha": alpha})
        self.gain = gain

    def charge(self, x, v):
        table = {"atan": math.pi, "tanh": 0.5}
        leak = LEAK * settings.leak * settings.inner.leak * settings.deep.module.leak
        x = super().charge(shift(x), leak * v) + table["tanh"]
        return Clip.apply(self.gain * x) * getattr(self, "extra")()

    def extra(self):
        return 1.0


def make():
    return Mine()
"""
FILES = {
    "neuron.py": NEURON,
    "helper.py": "BY = 0.125\n\n\ndef shift(x):\n    return x + BY\n",
    "settings.py": (
        "from types import SimpleNamespace\nimport deep\n\nleak = 0.5\nunused = 1\n"
        "inner = SimpleNamespace(leak=0.5)\n"
    ),
    "deep/__init__.py": "from deep import module\n",
    "deep/module.py": "leak = 0.5\n",
}
STALE = {
    "global of the file": ("neuron.py", "LEAK = 0.5", "LEAK = 0.25"),
    "global of a helper's module": ("helper.py", "BY = 0.125", "BY = 0.25"),
    "helper": ("helper.py", "x + BY", "x - BY"),
    "attribute of a module": ("settings.py", "\nleak = 0.5", "\nleak = 0.25"),
    "attribute inside a global of a module": ("settings.py", "(leak=0.5)", "(leak=0.25)"),
    "attribute of a nested module": ("deep/module.py", "0.5", "0.25"),
    "alpha of the surrogate": ("neuron.py", "alpha=2.0", "alpha=3.0"),
    "hyper-parameter": ("neuron.py", "gain=1.0", "gain=2.0"),
    "type of a hyper-parameter": ("neuron.py", "gain=1.0", "gain=1"),
    "method on the instance": (
        "neuron.py",
        "return Mine()",
        "net = Mine()\n    net.extra = lambda: 1.0\n    return net",
    ),
    "backward of a Function": ("neuron.py", "x.abs() < 2", "x.abs() <= 2"),
    "base class": ("neuron.py", "return x + v", "return v + x"),
    "method by name": ("neuron.py", "return 1.0", "return 2.0"),
    "constant in a table": ("neuron.py", '"tanh": 0.5', '"tanh": 0.25'),
}
FRESH = {
    "nothing": ("neuron.py", "", ""),
    "comment": ("neuron.py", "LEAK = 0.5", "# Of the membrane.\n\n\nLEAK = 0.5  # per step"),
    "code that no step reaches": (
        "neuron.py",
        "def make():",
        "def other():\n    pass\n\ndef make():",
    ),
    "unused global of a module": ("settings.py", "unused = 1", "unused = 2"),
    "order of attributes": ("settings.py", "\nleak = 0.5\nunused = 1", "\nunused = 1\nleak = 0.5"),
}
PROBE = """
import importlib, sys
from snncore.kernels.content import Content

own = ("neuron", "helper", "settings", "deep", "deep.module")
for folder in sys.argv[1:]:
    sys.path.insert(0, folder)
    print(Content(importlib.import_module("neuron").make()).digest)
    sys.path.pop(0)
    for name in own:
        sys.modules.pop(name, None)
"""


def write(folder, change=("neuron.py", "", "")):
    for name, text in FILES.items():
        if name == change[0] and change[1]:
            assert change[1] in text
            text = text.replace(*change[1:])
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def python(code, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_which_edits_make_a_plan_stale(tmp_path):
    cases = {**STALE, **FRESH}
    folders = [write(tmp_path / str(i), change) for i, change in enumerate(cases.values())]
    base = write(tmp_path / "base")
    # Two processes that order sets and dates of objects differently.
    runs = [
        python(PROBE, base, *order, PYTHONHASHSEED=str(seed))
        for seed, order in ((1, folders), (5, folders[::-1]))
    ]
    first, second = ([*run.communicate()[0].split()] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert [first[0], *first[:0:-1]] == second
    digests = dict(zip(cases, first[1:], strict=True))
    assert "None" not in first
    assert {name for name, digest in digests.items() if digest == first[0]} == set(FRESH)
    assert len({digests[name] for name in STALE}) == len(STALE)


RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
import snncore.kernels.cpp
from neuron import make

before = set(sys.modules)
torch.manual_seed(0)
net = make()
net.step_mode, net.backend = "m", "cpp"
x = torch.randn(5, 4, 3, requires_grad=True)
y = net(x)
y.square().sum().backward()
slow = ("networkx", "sympy", "torch._dynamo", "torch._inductor", "torch._decomp", "torch.fx",
        "torch._subclasses")
print(sorted(m for m in set(sys.modules) - before if m.startswith(slow)))
print(y.sum().item(), x.grad.tolist())
"""


@compiled
def test_a_warm_process_captures_nothing(tmp_path):
    folder, cache = write(tmp_path / "code"), str(tmp_path / "cache")
    # Two cold ones at once, that race for the same plan.
    runs = [python(RUN, folder, SNN_CACHE=cache) for _ in range(2)]
    cold = [run.communicate()[0].splitlines() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert all("torch._decomp" in lines[0] or "torch.fx" in lines[0] for lines in cold)
    files = plan_files(Path(cache) / "kernels")
    assert len(files) == 1
    assert {path.suffix for path in files[0].parent.iterdir()} == {".plan", ".so"}
    written = files[0].stat().st_mtime_ns
    warm = python(RUN, folder, SNN_CACHE=cache).communicate()[0].splitlines()
    assert warm[0] == "[]"
    assert warm[1] == cold[0][1] == cold[1][1]
    assert files[0].stat().st_mtime_ns == written


# What a step may not read

JITTER = 0.5


def read_environment(x):
    return x * float(os.environ.get("LEAK", 1))


def read_variable(x):
    return x * float(os.getenv("LEAK", "1"))


def read_clock(x):
    return x * time.perf_counter()


def read_clock_inside(x):
    import time as clock

    return x * clock.monotonic()


def read_imported(x):
    from os import environ

    return x * len(environ)


def read_file(x):
    with open("leak.txt") as file:
        return x * float(file.read())


def read_text(x):
    return x * float(Path("leak.txt").read_text())


def read_random(x):
    return x * random.random()


def read_numpy(x):
    return x * np.random.rand()


def read_tensor(x):
    return x * torch.load("leak.pt")


def read_in_comprehension(x):
    return x * sum(time.time() for _ in range(2))


def closing(clock):
    def read_closure(x):
        return x * clock()

    return read_closure


REFUSED = {
    read_environment: r"os\.environ",
    read_variable: r"os\.getenv",
    read_clock: r"time\.perf_counter",
    read_clock_inside: r"time",
    read_imported: r"os\.environ",
    read_file: r"open",
    read_text: r"pathlib\.Path",
    read_random: r"random\.random",
    read_numpy: r"numpy\.random",
    read_tensor: r"torch\.load",
    read_in_comprehension: r"time\.time",
    closing(time.time): r"time\.time as clock",
}


class Calling(Neuron):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def charge(self, x, v):
        return self.function(x) + v


@pytest.mark.parametrize(
    ("function", "what"), REFUSED.items(), ids=lambda value: getattr(value, "__name__", None)
)
def test_a_step_that_reads_what_changes_by_itself_is_refused(function, what):
    line = rf"reads {what}\S* at .*test_plans\.py, line \d+; a kernel would keep what it read "
    if "as clock" in what:
        line = rf"reads {what} at .*test_plans\.py, line \d+; a kernel would keep what it read "
    advice = "when it was made, so read it outside the step and hand it in as an attribute, a "
    with pytest.raises(Unsupported, match=line + advice + "buffer or an input"):
        capture(Calling(function), SHAPE, torch.float32)


def test_the_refusal_names_function_file_and_line():
    first = read_clock.__code__.co_firstlineno
    with pytest.raises(Unsupported, match=rf"^read_clock reads time.* line {first + 1};"):
        Content(Calling(read_clock))


@compiled
def test_a_refused_step_runs_on_the_eager_backend_with_a_warning(monkeypatch):
    monkeypatch.delenv("SNN_KERNELS_STRICT", raising=False)
    net = Calling(read_clock)
    with pytest.warns(UserWarning, match=r"'cpp' cannot: read_clock reads time\.perf_counter at"):
        net(torch.rand(2, 3))
    assert snn.explain(net).rows[0].backend == "eager"


def test_names_that_only_look_like_a_clock_are_allowed():
    class Innocent(Neuron):
        def __init__(self):
            super().__init__()
            self.time, self.random, self.environ, self.load = 0.5, 1.0, 0.25, 2.0
            self.path = "leak.txt"

        def charge(self, x, v):
            open, path = self.environ, os.path.join("a", "b")
            time = torch.exp(-x * self.time) * self.random * open
            return v * JITTER + time + self.load + len(path) * math.floor(np.float64(1.5))

        def reread(self):
            self.time = float(Path(self.path).read_text()) + time.time()

        def extra_repr(self):
            return open(self.path).read()

    net = Innocent()
    assert Content(net).digest is not None
    capture(net, SHAPE, torch.float32)


def test_plans_hold_no_source_and_are_plain_json(recall, place):
    recall(Learnt())
    head, _, body = plan_files(place)[0].read_bytes().partition(b"\n")
    assert len(head) == 64
    data = json.loads(body)
    assert set(data) == {"nodes", "captured", "saves"}
    assert "snn_kernel" not in body.decode()
    text = data["captured"]["prologue"]["text"]
    assert textwrap.dedent(text).strip().startswith("def forward(self, ")
