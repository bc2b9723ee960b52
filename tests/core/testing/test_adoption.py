"""How a kit is adopted, what it refuses, and what a component may declare."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import ClassVar

import pytest

from snncore.errors import PluginLoadError, UnknownComponent
from snncore.neuron import Neuron
from snncore.testing.neuron import NeuronConformance
from snncore.testing.surrogate import SurrogateConformance

pytest_plugins = ["pytester"]


class Integrator(Neuron):
    """Declares what the kit of its kind must know."""

    conformance: ClassVar[dict] = {
        "gain": 4.0,
        "variants": ({}, {"v_reset": None}),
        "smooth": False,
        "reason": "kinked on purpose",
    }

    def charge(self, x, v):
        return v + x


class Misspelt(Integrator):
    conformance: ClassVar[dict] = {"smoth": False}


class Unexplained(Integrator):
    conformance: ClassVar[dict] = {"smooth": False}


def test_overriding_a_test_is_refused():
    with pytest.raises(
        TypeError, match=r"Wrong overrides test_pickle of the .*@pytest\.mark\.xfail"
    ):

        class Wrong(NeuronConformance):
            def test_pickle(self, variant):
                pass


def test_removing_a_test_is_refused():
    with pytest.raises(TypeError, match="overrides test_pickle"):
        type("Wrong", (NeuronConformance,), {"test_pickle": None})


def test_overriding_through_a_mixin_is_refused():
    mixin = type("Mixin", (), {"test_pickle": lambda self, variant: None})
    with pytest.raises(TypeError, match="overrides test_pickle"):
        type("Wrong", (mixin, NeuronConformance), {})


def test_an_xfail_without_reason_is_refused():
    with pytest.raises(TypeError, match="overrides test_pickle"):

        class Wrong(NeuronConformance):
            @pytest.mark.xfail(strict=True)
            def test_pickle(self, variant):
                super().test_pickle(variant)


def test_an_explained_strict_xfail_is_accepted():
    class Known(NeuronConformance):
        @pytest.mark.xfail(reason="holds a socket", strict=True)
        def test_pickle(self, variant):
            super().test_pickle(variant)

    assert Known.test_pickle is not NeuronConformance.test_pickle


def test_switching_off_needs_a_reason():
    with pytest.raises(TypeError, match="declares smooth = False without a reason; say why"):
        type("Wrong", (NeuronConformance,), {"smooth": False})


def test_a_switched_off_capability_skips_with_its_reason():
    kit = type("Kinked", (NeuronConformance,), {"smooth": False, "reason": "relu inside"})()
    with pytest.raises(pytest.skip.Exception, match="declares smooth = False: relu inside"):
        kit.needs("smooth")


def test_a_component_declares_its_capabilities(adopt):
    kit = adopt(NeuronConformance, Integrator)
    assert (kit.gain, kit.smooth, kit.reason) == (4.0, False, "kinked on purpose")
    assert kit.variants == ({}, {"v_reset": None})


def test_the_test_class_wins_over_the_component(adopt):
    kit = adopt(NeuronConformance, Integrator, gain=3.0, variants=[{}])
    assert (kit.gain, kit.variants) == (3.0, [{}])


def test_an_unknown_capability_is_named(adopt):
    with pytest.raises(TypeError, match="smoth in 'conformance' is no capability"):
        adopt(NeuronConformance, Misspelt)


def test_a_component_needs_a_reason_too(adopt):
    with pytest.raises(TypeError, match=r"mutants/mutant declares smooth = False without a reason"):
        adopt(NeuronConformance, Unexplained)


def test_a_kit_without_component_says_what_to_write():
    kit = type("TestNothing", (SurrogateConformance,), {})()
    with pytest.raises(TypeError, match=r"TestNothing names no component; write\s+component ="):
        kit.make()


def test_an_unknown_component_fails_in_the_tests_not_at_collection():
    kit = type("TestNothing", (SurrogateConformance,), {"component": "snn-none/none"})()
    assert kit.declared() == {}
    with pytest.raises(UnknownComponent, match="snn-none/none"):
        kit.test_torch_func({})


def test_the_pytest_plugin_imports_no_torch():
    script = "import snncore.testing.pytest_plugin, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_an_isolated_registry_sees_one_plugin(isolated_registry):
    class Empty:
        API = 1

    with isolated_registry.plugin(Empty(), name="alone") as registry:
        assert [plugin.name for plugin in registry.plugins] == ["snncore", "alone"]
    with pytest.raises(PluginLoadError, match="declares no API"):
        isolated_registry.plugin(object()).__enter__()


ADOPTION = """
    import pytest

    from snncore.neuron import Neuron
    from snncore.testing.neuron import NeuronConformance


    class Integrator(Neuron):
        def charge(self, x, v):
            return v + x


    class TestIntegrator(NeuronConformance):
        variants = [{}, {"v_reset": None, "v_threshold": 1.5}]

        def make(self, **params):
            return Integrator(**params)


    class TestSilent(TestIntegrator):
        gain = 0.01
        variants = [{}]
"""


def test_adoption_from_collection_to_verdict(pytester):
    """Variants become ids; failures say what and where."""
    pytester.makepyfile(test_mine=textwrap.dedent(ADOPTION))
    chosen = "kit_input or single_steps or pickle"
    result = pytester.runpytest_subprocess("-v", "-k", chosen, "-p", "no:cacheprovider")
    lines = result.stdout
    lines.fnmatch_lines_random(
        [
            "*TestIntegrator::test_single_steps_equal_multi_step[[]default[]] PASSED*",
            "*TestIntegrator::test_pickle[[]v_reset=null,v_threshold=1.5[]] PASSED*",
            "*TestSilent::test_kit_input_makes_it_fire[[]default[]] FAILED*",
            "E*neuron TestSilent gives*only on the kit's input; set 'gain' (now 0.01)*",
        ]
    )
    assert result.parseoutcomes()["failed"] == 1
