from __future__ import annotations

import ast
import compileall
import io
import keyword
import re
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore.errors import ConfigError
from snncore.kinds import KINDS
from snncore.registry import Registry, Source, using
from snncore.scaffold import plugin
from snncore.scaffold.name import names
from snncore.scaffold.plugin import create, files, requirement

KITS = [kind.name for kind in KINDS.values() if kind.kit is not None]


def test_every_kind_with_a_kit_has_a_scaffold() -> None:
    assert {"neuron", "surrogate", "encoder", "dataset"} <= set(KITS)
    for kind in KITS:
        assert files(names(kind, "snn-glif"))


@pytest.mark.parametrize("kind", KITS)
def test_what_is_written(kind: str, snn, tmp_path: Path) -> None:
    name = f"my-{kind}s"
    result = snn("new", kind, name, "--dir", str(tmp_path))
    assert result.exit_code == 0, result.output
    folder = tmp_path / name
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "pyproject.toml",
        "README.md",
        f"src/my_{kind}s/__init__.py",
        f"src/my_{kind}s/_plugin.py",
        f"src/my_{kind}s/my_{kind}.py",
        f"src/my_{kind}s/py.typed",
        f"tests/test_my_{kind}.py",
    }
    assert f"wrote {folder}" in result.output
    assert f'pip install -e "{folder}[testing]" && snn check {name}' in result.output
    assert not list(tmp_path.glob(".*"))
    assert compileall.compile_dir(str(folder), quiet=1)
    for path in found:
        assert "$" not in (folder / path).read_text()


@pytest.mark.parametrize("kind", KITS)
def test_the_metadata(kind: str) -> None:
    project = tomllib.loads(files(names(kind, "snn-glif"))["pyproject.toml"])["project"]
    assert project["name"] == "snn-glif"
    assert project["entry-points"] == {"snncore.plugins": {"snn-glif": "snn_glif._plugin"}}
    assert project["dependencies"][0].startswith("snncore")


@pytest.mark.parametrize("kind", KITS)
def test_the_kit_is_adopted_in_under_ten_lines(kind: str) -> None:
    text = files(names(kind, "snn-glif"))["tests/test_glif.py"]
    assert len(text.splitlines()) < 10
    assert 'component = "snn-glif/glif"' in text
    (imported,) = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
    kit = KINDS[kind].kit
    assert kit == f"{imported.module}:{imported.names[0].name}"


@pytest.mark.parametrize("kind", KITS)
def test_the_generated_component_works(kind: str, tmp_path: Path, monkeypatch) -> None:
    package = f"fresh_{kind}s"
    folder = create(kind, f"fresh-{kind}s", tmp_path)
    monkeypatch.syspath_prepend(folder / "src")
    try:
        import importlib

        module = importlib.import_module(f"{package}._plugin")
        registry = Registry([Source(f"fresh-{kind}s", "0.1.0", lambda: module)], strict=True)
        cls = registry.get(kind, f"fresh_{kind}")
        _try(kind, cls)
        assert getattr(importlib.import_module(package), cls.__name__) is cls
        assert cls.__name__ == f"Fresh{kind.capitalize()}"
    finally:
        for name in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[name]


def _try(kind: str, cls) -> None:
    import torch

    if kind == "neuron":
        # tau = 4: V = 0 + (2 - 0) / 4, below the threshold; then 0.5 + 1.5 / 4.
        neuron = cls(tau=4.0, step_mode="m", store_v_seq=True)
        assert neuron(torch.full((2, 1), 2.0)).tolist() == [[0.0], [0.0]]
        assert neuron.v_seq.tolist() == [[0.5], [0.875]]
        with pytest.raises(ValueError, match="tau must be > 1, got 1"):
            cls(tau=1.0)
    elif kind == "surrogate":
        x = torch.tensor([0.0, 0.5], requires_grad=True)
        cls(2.0)(x).sum().backward()
        # d(x) = (a / 2) / cosh(a x)^2
        torch.testing.assert_close(x.grad, 1 / torch.cosh(2 * x.detach()) ** 2)
    elif kind == "encoder":
        # floor((t + 1) x) - floor(t x)
        y = cls(T=4)(torch.tensor([0.5, 1.0, 0.0]))
        assert y.T.tolist() == [[0, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]]
        with pytest.raises(ValueError, match=r"takes values in \[0, 1\], got 0.5 to 2; scale"):
            cls(T=4)(torch.tensor([0.5, 2.0]))
    elif kind == "layer":
        # tau = 4: V = 0 + (2 - 0) / 4; then 0.5 + 1.5 / 4.
        layer = cls(tau=4.0, step_mode="m")
        assert layer(torch.full((2, 1), 2.0)).tolist() == [[0.5], [0.875]]
        with pytest.raises(ValueError, match="tau must be > 1, got 1"):
            cls(tau=1.0)
    elif kind == "quantizer":
        x = torch.tensor([-3.0, -0.4, 0.2, 0.3, 0.5], requires_grad=True)
        y = cls(0.5)(x)
        y.sum().backward()
        assert y.tolist() == [-0.5, -0.5, 0.0, 0.5, 0.5]
        assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0]
    elif kind == "monitor":
        # |Y - 2| of each step, with time first.
        net = torch.nn.Sequential(torch.nn.Identity())
        with cls(paths="0", level=2.0).watch(net) as records:
            for y in (1.0, 2.0, 5.0):
                net(torch.tensor([y]))
        assert records["0"].tolist() == [[1.0], [0.0], [3.0]]
    elif kind == "format":
        data = cls.magic + bytes([9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 1])
        assert cls().read(io.BytesIO(data), name="a").tolist() == [(9, 3, 4, 1)]
        with pytest.raises(ValueError, match="a ends within event 0, 12 of 13 bytes are there"):
            cls().read(io.BytesIO(data[:-1]), name="a")
    elif kind == "chip":
        record = cls().capabilities()
        assert record.name == "fresh_chip"
        assert (record.weight.bits, list(record.neurons)) == (8, ["snn-neurons/if"])
    else:
        data = cls(samples=6, T=3)
        assert len(data) == 6
        assert data[0][0].shape == data.sample_shape == (3, 1, 8, 8)
        assert torch.equal(data[5][0], data[-1][0])
        assert [data[i][1] for i in range(6)] == data.targets.tolist()
        before = data[2][0]
        data.set_epoch(1)
        assert not torch.equal(before, data[2][0])


def test_the_listing_shows_it_without_importing_it(tmp_path: Path, monkeypatch) -> None:
    folder = create("neuron", "lazy-neurons", tmp_path)
    monkeypatch.syspath_prepend(folder / "src")
    import importlib

    module = importlib.import_module("lazy_neurons._plugin")
    with using(Registry([Source("lazy-neurons", "0.1.0", lambda: module)])) as registry:
        assert [c.qualified for c in registry.components] == ["lazy-neurons/lazy_neuron"]
    assert "lazy_neurons.lazy_neuron" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "distribution", "package", "noun", "cls"),
    [
        ("neuron", "my-neurons", "my_neurons", "my_neuron", "MyNeuron"),
        ("neuron", "snn-glif", "snn_glif", "glif", "Glif"),
        ("neuron", "izhikevich", "izhikevich", "izhikevich", "Izhikevich"),
        ("neuron", "snn-neurons2", "snn_neurons2", "neurons2", "Neurons2"),
        ("dataset", "neurons", "neurons", "neurons", "Neurons"),
        # A class named like the kind would hide the one it derives from.
        ("surrogate", "snn-surrogate", "snn_surrogate", "my_surrogate", "MySurrogate"),
        ("dataset", "datasetss", "datasetss", "datasetss", "Datasetss"),
    ],
)
def test_names(kind, distribution, package, noun, cls) -> None:
    made = names(kind, distribution)
    assert (made.package, made.noun, made.cls) == (package, noun, cls)


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("loss", "my-loss", "no scaffold for kind 'loss'; kinds with one are neuron, surrogate"),
        ("neuron", "MyNeurons", "lower-case letters, digits and single dashes.*; try 'my-neurons'"),
        ("neuron", "my_neurons", "'my_neurons' is no name for a plugin: .*; try 'my-neurons'"),
        ("neuron", "2fast", "and begins with a letter$"),
        ("neuron", "a--b", "single dashes, and begins with a letter; try 'a-b'"),
        ("neuron", "", "'' is no name for a plugin"),
        ("neuron", "../evil", "'../evil' is no name for a plugin.*; try 'evil'"),
        ("neuron", "snn-lambda", "Python cannot import 'lambda'; try 'my-lambda'"),
        ("neuron", "snn-none", "Python cannot import 'None'; try 'my-none'"),
        ("neuron", "snn-2d", "Python cannot import '2d'; try 'my-2d'"),
        ("neuron", "torch", "would hide the package 'torch' that is installed already; take"),
        ("neuron", "json", "would hide the package 'json'"),
        ("neuron", "snncore", "would hide the package 'snncore'"),
    ],
)
def test_names_that_are_refused(kind: str, name: str, text: str, snn, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        names(kind, name)
    result = snn("new", kind, name, "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


@settings(deadline=None)
@given(
    st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,6}){0,2}", fullmatch=True), st.sampled_from(KITS)
)
def test_accepted_names_make_python_that_can_be_imported(name: str, kind: str) -> None:
    try:
        made = names(kind, name)
    except ConfigError:
        return
    for word in (made.package, made.noun, made.cls):
        assert word.isidentifier()
        assert not keyword.iskeyword(word)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", made.noun)
    assert made.cls.lower() != kind
    for path, text in files(made).items():
        if path.endswith(".py"):
            ast.parse(text)


def test_the_help_names_every_kind(snn) -> None:
    page = snn("new", "--help").output
    assert all(kind in page for kind in KITS)


def test_nothing_is_overwritten(snn, tmp_path: Path) -> None:
    (tmp_path / "my-neurons").mkdir()
    result = snn("new", "neuron", "my-neurons", "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert "my-neurons exists already and is left as it is; remove it" in result.stderr
    assert not list((tmp_path / "my-neurons").iterdir())


def test_a_folder_that_is_not_there(snn, tmp_path: Path) -> None:
    result = snn("new", "neuron", "my-neurons", "--dir", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    assert "create it, or name another with --dir" in result.stderr


def test_an_interrupted_run_leaves_no_plugin(tmp_path: Path, monkeypatch) -> None:
    class Torn(dict):
        def items(self):
            yield "pyproject.toml", "half"
            raise KeyboardInterrupt

    monkeypatch.setattr(plugin, "files", lambda made: Torn())
    with pytest.raises(KeyboardInterrupt):
        create("neuron", "my-neurons", tmp_path)
    monkeypatch.undo()
    assert not (tmp_path / "my-neurons").exists()
    assert create("neuron", "my-neurons", tmp_path).is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["my-neurons"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.0", "snncore>=0.1,<0.2"),
        ("0.12.3", "snncore>=0.12,<0.13"),
        ("1.4.0", "snncore>=1.4,<2"),
        (None, "snncore"),
    ],
)
def test_the_requirement_on_the_core(version: str | None, expected: str) -> None:
    assert requirement(version) == expected
