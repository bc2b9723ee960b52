from __future__ import annotations

import types

import pytest

import snncore as snn
from snncore import registry
from snncore.errors import AmbiguousComponent, PluginLoadError, UnknownComponent
from snncore.hookspecs import hookimpl
from snncore.registry import Registry, Source, using

DECIMAL = "decimal:Decimal"


def test_a_component_is_found_by_short_and_by_qualified_name(plugin):
    with using(Registry([plugin("snn-a", ("neuron", "one", DECIMAL))])):
        from decimal import Decimal

        assert snn.get("neuron", "one") is Decimal
        assert snn.get("neuron", "snn-a/one") is Decimal


def test_listing_gives_provenance_and_imports_nothing(plugin):
    with using(Registry([plugin("snn-a", ("neuron", "one", "no.such:Thing"), version="3.1")])):
        (component,) = snn.components("neuron")
    assert (component.provider, component.version) == ("snn-a", "3.1")
    assert component.qualified == "snn-a/one"
    assert component.summary == "one of snn-a"


def test_ambiguity_is_an_error_at_the_question_only(plugin):
    sources = [
        plugin("snn-a", ("neuron", "one", DECIMAL)),
        plugin("snn-b", ("neuron", "one", DECIMAL)),
    ]
    with using(Registry(sources)):
        assert len(snn.components("neuron")) == 2
        assert snn.get("neuron", "snn-b/one")
        with pytest.raises(
            AmbiguousComponent, match="neuron 'one' is ambiguous; say one of snn-a/one, snn-b/one"
        ):
            snn.get("neuron", "one")


def test_a_missing_name_lists_near_names_failures_and_what_to_install(plugin):
    def broken() -> object:
        raise ImportError("no vendor SDK")

    sources = [plugin("snn-a", ("neuron", "izhikevich", DECIMAL)), Source("snn-z", "1", broken)]
    with using(Registry(sources)), pytest.raises(UnknownComponent) as caught:
        snn.get("neuron", "izhikevic")
    text = str(caught.value)
    assert "unknown neuron 'izhikevic'; did you mean 'izhikevich'?" in text
    assert "snn-neurons holds most components of this kind: pip install snn-neurons" in text
    assert "plugin snn-z failed to load: ImportError: no vendor SDK" in text


def test_an_unknown_kind_is_named_with_near_ones():
    with pytest.raises(UnknownComponent, match=r"unknown kind 'neurons'; did you mean 'neuron'\?"):
        snn.components("neurons")
    with pytest.raises(UnknownComponent, match="unknown kind 'neurons'"):
        snn.get("neurons", "lif")


def test_a_plugin_that_fails_to_load_is_a_row_with_its_traceback(plugin):
    def broken() -> object:
        raise RuntimeError("driver missing")

    with using(Registry([Source("bad", "2", broken), plugin("good", ("neuron", "one", DECIMAL))])):
        bad, good = snn.plugins()
        assert (bad.status, bad.stage, bad.error) == (
            "failed",
            "load",
            "RuntimeError: driver missing",
        )
        assert "Traceback" in bad.traceback
        assert good.status == "ok"
        assert snn.get("neuron", "one")


def test_a_plugin_that_exits_at_import_hurts_nobody(plugin):
    def leaves() -> object:
        raise SystemExit(3)

    found = Registry([Source("bad", "2", leaves), plugin("good", ("neuron", "one", DECIMAL))])
    assert [p.status for p in found.plugins] == ["failed", "ok"]


def test_a_plugin_that_fails_half_way_declares_nothing():
    module = types.ModuleType("half")
    module.API = 1

    @hookimpl
    def snn_components(register):
        register("neuron", "one", DECIMAL, summary="fine")
        raise ValueError("then it broke")

    module.snn_components = snn_components
    found = Registry([Source("half", "1", lambda: module)])
    assert found.components == []
    assert (found.plugins[0].status, found.plugins[0].stage) == ("failed", "declare")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (("nuron", "one", DECIMAL), "registers 'one' under the unknown kind 'nuron'"),
        (("neuron", "One", DECIMAL), "'One' is no lower_snake name"),
        (("neuron", "one", "decimal.Decimal"), "is not 'package.module:Name'"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(plugin, row, text):
    (found,) = Registry([plugin("snn-a", row)]).plugins
    assert found.status == "failed"
    assert text in found.error


def test_a_name_registered_twice_by_one_plugin_fails(plugin):
    rows = [("neuron", "one", DECIMAL), ("neuron", "one", DECIMAL)]
    (found,) = Registry([plugin("snn-a", *rows)]).plugins
    assert "snn-a registers neuron 'one' twice" in found.error


def test_a_misspelt_hook_is_a_failure_and_not_silence():
    module = types.ModuleType("misspelt")
    module.API = 1

    @hookimpl
    def snn_component(register):
        register("neuron", "one", DECIMAL, summary="never called")

    module.snn_component = snn_component
    (found,) = Registry([Source("misspelt", "1", lambda: module)]).plugins
    assert found.status == "failed"
    assert "snn_component" in found.error


@pytest.mark.parametrize(
    ("api", "text"),
    [
        (None, "snn-a declares no API; write 'API = 1' in its plugin module"),
        (2, "snn-a needs snncore API 2, have 1: upgrade snncore"),
        (0, "snn-a is made for snncore API 0, have 1: upgrade snn-a"),
    ],
)
def test_the_api_number_is_compared_before_any_hook_runs(plugin, api, text):
    (found,) = Registry([plugin("snn-a", ("neuron", "one", DECIMAL), api=api)]).plugins
    assert found.stage == "load"
    assert text in found.error


def test_a_component_that_cannot_be_imported_keeps_its_failure(plugin):
    with using(Registry([plugin("snn-a", ("neuron", "one", "no_such_package.x:Y"))])) as found:
        with pytest.raises(
            PluginLoadError,
            match=r"neuron snn-a/one cannot be loaded: importing 'no_such_package\.x:Y' raised "
            r"ModuleNotFoundError: No module named 'no_such_package'",
        ):
            snn.get("neuron", "one")
        assert "Traceback" in found.failures["snn-a/one"].traceback


def test_disabled_plugins_are_never_imported(monkeypatch, plugin):
    def explode() -> object:
        raise AssertionError("imported")

    sources = [Source("snn-x", "1", explode), plugin("snn-a", ("neuron", "one", DECIMAL))]
    monkeypatch.setattr(registry, "installed", lambda: iter(sources))
    monkeypatch.setenv("SNN_DISABLE_PLUGINS", "snn-x, snn-other")
    found = registry.discover()
    assert [p.status for p in found.plugins] == ["disabled", "ok"]
    monkeypatch.setenv("SNN_DISABLE_PLUGINS", "*")
    with (
        using(registry.discover()),
        pytest.raises(UnknownComponent, match="plugin snn-a is disabled by SNN_DISABLE_PLUGINS"),
    ):
        snn.get("neuron", "one")


def test_the_core_cannot_be_disabled(monkeypatch):
    monkeypatch.setenv("SNN_DISABLE_PLUGINS", "*")
    found = registry.discover()
    assert {c.provider for c in found.components} == {"snncore"}
    assert found.find("surrogate", "triangle").name == "piecewise_quadratic"


def test_strict_mode_raises_the_first_failure(monkeypatch):
    def broken() -> object:
        raise RuntimeError("driver missing")

    monkeypatch.setattr(registry, "installed", lambda: iter([Source("bad", "2", broken)]))
    monkeypatch.setenv("SNN_STRICT_PLUGINS", "1")
    with pytest.raises(
        PluginLoadError, match="plugin 'bad' failed to load: RuntimeError: driver missing"
    ):
        registry.discover()


def test_a_second_plugin_of_one_name_is_reported(plugin):
    twice = [
        plugin("snn-a", ("neuron", "one", DECIMAL)),
        plugin("snn-a", ("neuron", "two", DECIMAL)),
    ]
    found = Registry(twice)
    assert [p.status for p in found.plugins] == ["ok", "failed"]
    assert "a plugin named 'snn-a' is loaded already" in found.plugins[1].error


def test_commands_and_checks_are_collected():
    module = types.ModuleType("tools")
    module.API = 1

    @hookimpl
    def snn_commands(register_command):
        register_command("fly", "tools.cli:fly", help="Flies")

    @hookimpl
    def snn_doctor(report):
        report("wings", lambda: "two")

    module.snn_commands = snn_commands
    module.snn_doctor = snn_doctor
    found = Registry([Source("snn-tools", "1", lambda: module)])
    assert [(c.name, c.target, c.provider) for c in found.commands] == [
        ("fly", "tools.cli:fly", "snn-tools")
    ]
    assert found.checks[0].run() == "two"


def test_refresh_discovers_again(plugin):
    with using(Registry([plugin("snn-a", ("neuron", "one", DECIMAL))])):
        assert snn.components("neuron")
        snn.refresh()
        assert registry.active().components
        assert not any(c.provider == "snn-a" for c in snn.components("neuron"))


def test_a_plugin_and_the_core_coexist(core_registry):
    kinds = {"surrogate", "layer", "quantizer", "monitor", "backend"}
    assert {c.kind for c in core_registry.components} == kinds
    for component in core_registry.components:
        assert core_registry.get(component.kind, component.qualified)
