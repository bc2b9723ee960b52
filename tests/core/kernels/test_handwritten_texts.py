"""What kernels written by hand refuse, what they say, and the guide to them."""

from __future__ import annotations

import copy
import importlib.util
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch

from snncore.errors import BackendError, ConfigError, NotSupported
from snncore.kernels import Kernel, backends, build, cpp
from snncore.kernels.dialect import Text

compiled = pytest.mark.skipif(
    cpp.CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


def sibling(name):
    """A test file of its own: a test folder is no package."""
    known = f"handwritten_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        # Under its name, so that what it defines can be pickled.
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


cases = sibling("handwritten_cases")
LEAKY, SQUASH, REFRACTORY = cases.LEAKY, cases.SQUASH, cases.REFRACTORY
X = torch.rand(4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "two words"}, "kernel 'two words' is no name in C; use letters, digits and _"),
        ({"inputs": "x"}, r"kernel 'k': inputs='x' is one text; write inputs=\('x',\)"),
        ({"inputs": ()}, "kernel 'k' has no inputs; name one at least"),
        ({"outputs": ()}, "kernel 'k' has no outputs; name one at least"),
        ({"inputs": ("x", "y")}, "kernel 'k' uses the name 'y' twice"),
        ({"params": ("default",)}, r"params: 'default' is a word of C\+\+; .* such as default_0"),
        ({"params": ("self",)}, "params: 'self': 'self' is taken by kernels or compilers"),
        ({"params": ("S",)}, "params: 'S': 'S' is taken by kernels or compilers"),
        ({"states": {"grad_v": 0.0}}, "states: 'grad_v': names that begin with 'grad_' are taken"),
        ({"states": {"v": 0.0}}, r"k\.step never assigns v; write v = \.\.\.;"),
        ({"step": "x + 1.0;"}, r"k\.step never assigns y; write y = \.\.\.;"),
        ({"step": "y == x;"}, r"k\.step never assigns y"),
        ({"step": " // y = x;\n"}, r"k\.step is empty; write what one step computes"),
        (
            {"step": "y = x;\n#define A"},
            r"k\.step, line 2:\n    #define A\n    \^\na kernel's text holds no preprocessor",
        ),
        ({"step": "y = x; /* open"}, r"\n           \^\na kernel's text holds no .* open comm"),
        ({"step": "// a \\\ny = x;"}, r"k\.step, line 1:\n    // a \\\n         \^\na kernel's"),
        (
            {"step": "y = 0.1f * x;"},
            r"\n        \^\nwrite 0\.1 without a suffix: numbers take the type of the kernel",
        ),
        (
            {"step": "\n    S a = x;\n    y = a + expf(x);"},
            r"k\.step, line 2:\n    y = a \+ expf\(x\);\n            \^\nwrite snn_exp\(\.\.\.\): "
            "C's own functions would keep the loop scalar",
        ),
        ({"step": "y = std::fabs(x);"}, r"write snn_abs\(\.\.\.\)"),
        ({"step": "y = x; }"}, r"\n           \^\nthis brace closes none"),
        ({"step": "if (x > 1) { y = x;"}, "this brace, or one above, is never closed"),
    ],
)
def test_what_cannot_be_a_kernel(options, message):
    given = {"name": "k", "inputs": ("x",), "outputs": ("y",), "step": "y = x;", **options}
    with pytest.raises(ConfigError, match=message):
        Kernel(given.pop("name"), **given)


@compiled
def test_a_compilers_words_come_with_the_users_line():
    broken = Kernel(
        "broken",
        inputs=("x",),
        params=("decay",),
        outputs=("y",),
        step="""
            S a = 0.25 * x;
            y = 0.5 * a + 1e-3 * decai;
        """,
    )
    with pytest.raises(BackendError) as caught:
        broken(torch.rand(3), decay=1.0)
    first, line, text, mark, words = str(caught.value).splitlines()
    assert first == "kernel 'broken' does not compile on 'cpp':"
    assert line == "broken.step, line 2:"
    assert text == "    y = 0.5 * a + 1e-3 * decai;"
    assert mark.index("^") == text.index("decai")
    assert "decai" in words


@compiled
def test_an_input_is_read_only():
    broken = Kernel("broken", inputs=("x",), outputs=("y",), step="y = x; x = 1.0;")
    with pytest.raises(BackendError, match=r"line 1:\n    y = x; x = 1\.0;\n +\^\n.*read-only"):
        broken(torch.rand(3))


@compiled
def test_a_backward_that_does_not_compile_is_shown_at_the_backward():
    broken = Kernel(
        "broken",
        inputs=("x",),
        outputs=("y",),
        step="y = x;",
        backward="grad_x = grad_z;",
    )
    y = broken(torch.rand(3, requires_grad=True))
    with pytest.raises(BackendError, match=r"broken\.backward, line 1:\n    grad_x = grad_z;"):
        y.sum().backward()


def test_a_run_time_compilers_words_are_understood_too():
    text = Text("k.step", "S a = 0.5;\ny = a * z;")
    words = 'k.step(2): error: identifier "z" is undefined\n  y = a * z;\n          ^\n1 error'
    assert text.explained(words) == ['k.step, line 2:\n    y = a * z;\nidentifier "z" is undefined']
    assert text.explained("other.step(1): error: no") == []


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: LEAKY(X, X, decay=1.0),
            TypeError,
            r"kernel leaky\(x, \*, decay, v=0\) takes 1 input\(s\), got 2; parameters and states",
        ),
        (
            lambda: LEAKY(X, decay=[0.5]),
            TypeError,
            r"kernel leaky\(.*\): decay is a number or a tensor, got list",
        ),
        (lambda: LEAKY(X), TypeError, r"kernel leaky\(.*\) lacks decay"),
        (lambda: LEAKY(X, decay=1.0, tau=2.0), TypeError, r"kernel leaky\(.*\) takes no tau"),
        (lambda: LEAKY(X.long(), decay=1.0), TypeError, r"got torch.int64 for x; call x.float\(\)"),
        (
            lambda: SQUASH(X, X[:2], sharpness=1.0),
            ValueError,
            r"takes inputs of one shape, got \[4, 3\] for x and \[2, 3\] for w",
        ),
        (
            lambda: SQUASH(X, X.double(), sharpness=1.0),
            ValueError,
            "takes inputs of one dtype, got torch.float32 for x and torch.float64 for w",
        ),
        (
            lambda: SQUASH(X, X.to("meta"), sharpness=1.0),
            ValueError,
            "takes inputs of one device, got cpu for x and meta for w",
        ),
        (
            lambda: LEAKY(X, decay=torch.rand(2)),
            ValueError,
            r"decay has shape \[2\], which does not broadcast to one step, \[3\]",
        ),
        (
            lambda: LEAKY(X, decay=torch.rand(4, 3)),
            ValueError,
            r"decay has shape \[4, 3\], which does not broadcast to one step, \[3\]",
        ),
        (
            lambda: LEAKY(X, decay=torch.rand(3, device="meta")),
            ValueError,
            r"decay is on meta, x on cpu; call decay.to\('cpu'\)",
        ),
        (
            lambda: LEAKY(X[0, 0], decay=1.0),
            ValueError,
            r"runs through time and takes \[T, \*\], got a tensor without dimensions for x",
        ),
        (
            lambda: REFRACTORY(X.clone().requires_grad_()),
            NotSupported,
            r"gives no gradient of x, which requires one \(no backward\); pass x\.detach\(\), call "
            r"it under torch\.no_grad\(\), or write that gradient",
        ),
    ],
)
def test_calls_that_do_not_fit(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_that_the_backward_never_assigns_is_no_silent_zero():
    half = Kernel(
        "half",
        inputs=("x",),
        params=("a",),
        outputs=("y",),
        step="y = a * x;",
        backward="grad_x = a * grad_y;",
        reference=lambda x, a: a * x,
    )
    with pytest.raises(NotSupported, match=r"of a, .* \(its backward never assigns grad_a\)"):
        half.plain(X, a=torch.ones((), requires_grad=True))
    with torch.no_grad():
        assert torch.equal(half.plain(X, a=torch.ones((), requires_grad=True)), X)


@compiled
def test_without_gradients_a_kernel_needs_no_backward():
    x = X.clone().requires_grad_()
    with torch.no_grad():
        s, *_ = REFRACTORY(x)
    assert torch.equal(s, REFRACTORY(x.detach())[0])


@compiled
def test_gradients_of_gradients_are_refused_in_our_words():
    x = X.clone().requires_grad_()
    y, _ = LEAKY(x, decay=0.5)
    with pytest.raises(NotSupported, match="double backward through a compiled kernel is not"):
        torch.autograd.grad(y.sum(), x, create_graph=True)
    (grad,) = torch.autograd.grad(LEAKY.plain(x, decay=0.5)[0].sum(), x, create_graph=True)
    assert grad.shape == x.shape


def test_transforms_and_forward_mode_run_the_reference():
    mapped, _ = torch.func.vmap(lambda x: LEAKY(x, decay=0.5))(torch.stack([X, 2 * X]))
    assert torch.allclose(mapped[1], 2 * LEAKY.plain(X, decay=0.5)[0])
    with warnings.catch_warnings():
        # The first use in a process trips over deprecations of torch's own.
        warnings.simplefilter("ignore")
        _, tangent = torch.func.jvp(lambda x: LEAKY(x, decay=0.5)[0], (X,), (X,))
    assert torch.allclose(tangent, LEAKY.plain(X, decay=0.5)[0])
    lonely = Kernel("lonely", inputs=("x",), outputs=("y",), step="y = x;")
    with pytest.raises(BackendError, match="has no torch reference, and cannot run: no kernel run"):
        torch.func.vmap(lonely)(X)
    with pytest.raises(BackendError, match=r"no torch reference; give Kernel\(reference=\.\.\.\)"):
        lonely.plain(X)


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.delenv("SNN_KERNELS_STRICT", raising=False)
    monkeypatch.setattr(build, "compiler", lambda: None)
    monkeypatch.setattr(backends, "_warned", set())


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_reference_runs_with_one_warning(monkeypatch):
    leaky = copy.copy(LEAKY)
    assert "no C++ compiler is found" in leaky.missing()
    with pytest.warns(
        UserWarning,
        match=r"kernel leaky\(.*\) runs as its torch reference: no C\+\+ compiler is found; "
        r"install g\+\+ or clang\+\+",
    ) as caught:
        found = leaky(X, decay=0.5)
    assert caught[0].filename == __file__
    leaky(X, decay=0.5)
    assert torch.equal(found[0], low_pass_loop(X))
    monkeypatch.setenv("SNN_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match=r"no C\+\+ compiler is found"):
        leaky(X, decay=0.5)
    lonely = Kernel("lonely", inputs=("x",), outputs=("y",), step="y = x;")
    with pytest.raises(BackendError, match="has no torch reference, and cannot run: no C"):
        lonely(X)


def low_pass_loop(x):
    v, rows = torch.zeros_like(x[0]), []
    for now in x:
        y, v = cases.low_pass(now, v, 0.5)
        rows.append(y)
    return torch.stack(rows)


def test_other_devices_are_named():
    assert LEAKY.missing("meta") == "kernels written by hand do not run on meta"
    if not torch.cuda.is_available():
        assert "CUDA" in LEAKY.missing("cuda")


GUIDE = Path(__file__).resolve().parents[3] / "docs" / "handwritten_kernels.md"


@compiled
@pytest.mark.skipif(not GUIDE.exists(), reason="no docs beside these tests")
def test_the_guide_runs_and_shows_the_real_error():
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    code = "".join(text for language, text in blocks if language == "python")
    names = {"__name__": "guide"}
    exec(compile(code, str(GUIDE), "exec"), names)
    names["test_spike_trace"]()
    (shown,) = [text for language, text in blocks if language == "text"]
    assert names["y"].shape == (16, 8, 100)
    wrong = code.replace("        y = trace;", "        y = trase;")
    with pytest.raises(BackendError) as caught:
        exec(compile(wrong, str(GUIDE), "exec"), {"__name__": "guide"})
    message = f"BackendError: {caught.value}".translate(str.maketrans("\u2018\u2019", "''"))
    # Other compilers have other words.
    if "was not declared" in message:
        assert shown.strip() == message
