from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import snncore
from snn_train import load_recipe
from snn_train.toml import dumps
from snncore.errors import ConfigError, UnknownComponent


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write(
        tmp_path / "base.toml",
        '[data]\nname = "toy"\n[encoder]\nname = "poisson"\nT = 4\n'
        '[model]\nname = "mlp"\nhidden = [4]\nneuron = {name = "lif", tau = 3.0}\n'
        "[train]\nepochs = 5\n",
    )


SHIPPED = [
    *("digits", "digits_hard", "mnist", "n_mnist", "dvs_gesture"),
    *("shd_like", "shd_like_alif", "shd_like_heterogeneous"),
]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_registered_and_valid(name: str):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.folder == Path("runs") / f"{name}-seed0"
    assert snncore.get("recipe", name)().is_file()


def test_every_shipped_recipe_is_tested():
    names = {c.name for c in snncore.components("recipe") if c.provider == "snn-train"}
    assert names == set(SHIPPED)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("dvs_gesture", [2, 128, 128], 11),
        ("shd_like", [1, 1, 140], 10),
        ("shd_like_alif", [1, 1, 140], 10),
        ("shd_like_heterogeneous", [1, 1, 140], 10),
    ],
)
def test_networks_of_recipes_of_events_are_built(name: str, shape: list[int], classes: int):
    table = {**load_recipe(name).tables["model"], "in_shape": shape, "classes": classes}
    net = snncore.from_spec("model", table)
    assert net(torch.rand(2, *shape)).shape == (2, classes)


def test_the_heterogeneous_recipe_draws_a_time_constant_for_each_neuron():
    table = load_recipe("shd_like_heterogeneous").tables["model"]
    net = snncore.from_spec("model", {**table, "in_shape": [1, 1, 140], "classes": 10})
    neuron = net.recurrent1.sub_module
    assert neuron.w.requires_grad
    assert neuron.init_tau.unique().numel() == 128


def test_extends_lays_one_recipe_over_another(base: Path, tmp_path: Path):
    above = write(
        tmp_path / "above.toml", 'extends = "base.toml"\n[model]\nhidden = [9]\n[train]\nepochs = 2'
    )
    recipe = load_recipe(above)
    assert recipe.name == "above"
    assert recipe.tables["model"] == {
        "name": "mlp",
        "hidden": [9],
        "neuron": {"name": "lif", "tau": 3.0},
    }
    assert recipe.train.epochs == 2


def test_extends_takes_a_registered_name():
    assert load_recipe("digits_hard").tables["data"]["protocol"] == "last_writers"
    assert load_recipe("digits_hard").tables["model"] == load_recipe("digits").tables["model"]


def test_a_recipe_has_a_qualified_name_too(tmp_path: Path):
    assert load_recipe("snn-train/digits") == load_recipe("digits")
    above = write(tmp_path / "above.toml", 'extends = "snn-train/digits"\n')
    assert load_recipe(above).tables == load_recipe("digits").tables


def test_values_of_python_become_plain(tables: Callable[..., Any], tmp_path: Path):
    recipe = load_recipe(
        tables(
            model={"name": "mlp", "hidden": np.array([8, 4]), "dropout": np.float32(0.5)},
            optimizer={"lr": np.float64(0.25)},
            train={"epochs": np.int64(3)},
            run={"root": tmp_path},
        )
    )
    assert recipe.tables["model"] == {"name": "mlp", "hidden": [8, 4], "dropout": 0.5}
    assert type(recipe.tables["optimizer"]["lr"]) is float
    assert type(recipe.tables["train"]["epochs"]) is int
    assert recipe.tables["run"]["root"] == str(tmp_path)
    with pytest.raises(ConfigError, match=r"'custom': model\.norm is a type; texts, numbers, bool"):
        load_recipe(tables(model={"name": "mlp", "norm": object}))


def test_none_has_a_spelling_in_toml(tables: Callable[..., Any], tmp_path: Path):
    neuron = {"name": "lif", "v_reset": None}
    recipe = load_recipe(tables(model={"name": "mlp", "hidden": [4], "neuron": neuron}))
    again = load_recipe(write(tmp_path / "again.toml", dumps(recipe.tables)))
    typed = load_recipe(tables(), ["model.neuron.name=lif", "model.neuron.v_reset=none"])
    for found in (recipe, again, typed):
        net = snncore.from_spec("model", {**found.tables["model"], "in_shape": [2], "classes": 2})
        assert next(m for m in net.modules() if isinstance(m, snncore.Neuron)).v_reset is None
    assert load_recipe("digits", ["run.threads=none"]).run.threads is None


def test_overrides_win_and_need_no_quotes(base: Path):
    recipe = load_recipe(
        base, ["train.epochs=7", "run.name=mine", "model.neuron.tau=2", "run.seed=3"]
    )
    assert (recipe.train.epochs, recipe.run.name, recipe.run.seed) == (7, "mine", 3)
    assert recipe.tables["model"]["neuron"] == {"name": "lif", "tau": 2}


def test_another_component_starts_from_an_empty_table(base: Path, tmp_path: Path):
    assert load_recipe(base, ["encoder.name=constant_current", "encoder.T=2"]).tables[
        "encoder"
    ] == {"name": "constant_current", "T": 2}
    neuron = load_recipe(base, ["model.neuron.name=if"]).tables["model"]["neuron"]
    assert neuron == {"name": "if"}
    above = write(tmp_path / "above.toml", 'extends = "base.toml"\n[model]\nname = "convnet"\n')
    assert load_recipe(above).tables["model"] == {"name": "convnet"}


def test_run_name_keeps_the_other_settings(base: Path):
    assert load_recipe(base, ["run.seed=3", "run.name=a"]).run.seed == 3
    assert load_recipe(base, ["run.name=a"]).train.epochs == 5


def test_loss_and_optimizer_have_defaults(tables: Callable[..., Any]):
    recipe = load_recipe(tables(optimizer=None))
    assert recipe.tables["loss"] == {"name": "rate_cross_entropy"}
    assert recipe.tables["optimizer"] == {"name": "adam"}


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["trian.epochs=3"], r"--set: unknown table 'trian' \(did you mean 'train'\?\)"),
        (["train.epoch=3"], r"\[train\]: unknown parameter 'epoch' \(did you mean 'epochs'\?\)"),
        (["train.epochs=0"], r"\[train\]: epochs: input should be greater than 0, got 0"),
        (["train.epochs=many"], r"\[train\]: epochs: .* got 'many'"),
        (["train.precision=16"], r"\[train\]: precision: .*'32-true' or 'bf16-mixed'"),
        (["train.augment.shfit=1"], r"\[train.augment\]: unknown parameter 'shfit'"),
        (["train.augment=1"], r"augment is a table such as \{shift = 1.0\}, got 1"),
        (["run.seeds=1"], r"\[run\]: unknown parameter 'seeds' \(did you mean 'seed'\?\)"),
        (["optimizer.name=adamm"], r"unknown optimizer 'adamm' \(did you mean 'adam'\?\)"),
        (["optimizer.momentum=0.9"], r"\[optimizer\] \(adam\): unknown parameter 'momentum'"),
        (["optimizer.lr=-1"], r"\[optimizer\] \(adam\): lr: input should be greater than 0"),
        (["data.split=test"], r"\[data\]: 'split' is chosen by snn train; remove it"),
        (["data.nois=1"], r"\[data\] \(toy\): unknown parameter 'nois' \(did you mean 'noise'\?\)"),
        (["encoder.T=0"], r"\[encoder\] \(poisson\): T: input should be greater than 0"),
        (["loss.smoothing=1"], r"\[loss\] \(rate_cross_entropy\): unknown parameter 'smoothing'"),
        (["model=mlp"], r"--set: 'model' is a table, got 'mlp'; write model.name"),
    ],
)
def test_faults_are_named_before_any_work(base: Path, overrides: list[str], text: str):
    with pytest.raises(ConfigError, match=text):
        load_recipe(base, overrides)


def test_a_table_without_a_component_says_how_to_name_one():
    with pytest.raises(ConfigError, match=r"\[data\] names no dataset; add name = .*snn list data"):
        load_recipe({"model": {"name": "mlp"}})


def test_a_missing_component_is_the_registrys_error(base: Path):
    with pytest.raises(UnknownComponent, match="unknown dataset 'toyy'; did you mean 'toy'"):
        load_recipe(base, ["data.name=toyy"])
    with pytest.raises(UnknownComponent, match="unknown recipe 'digit'; did you mean 'digits'"):
        load_recipe("digit")


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"there is no recipe file .*none\.toml"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"broken\.toml cannot be read: "):
        load_recipe(write(tmp_path / "broken.toml", "[data\n"))
    with pytest.raises(ConfigError, match="extends takes the name or path of a recipe, got 3"):
        load_recipe(write(tmp_path / "odd.toml", "extends = 3\n"))


def test_extending_in_a_circle(tmp_path: Path):
    write(tmp_path / "a.toml", 'extends = "b.toml"\n')
    b = write(tmp_path / "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(ConfigError, match=r"extends itself: .*b\.toml -> .*a\.toml"):
        load_recipe(b)
