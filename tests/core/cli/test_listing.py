from __future__ import annotations

import json

import pytest


@pytest.fixture
def house(make_plugin, install):
    return install(
        make_plugin("snn-a", components=[("neuron", "lif", "a:LIF"), ("neuron", "glif", "a:G")]),
        make_plugin("snn-b", components=[("neuron", "lif", "b:LIF")]),
        make_plugin("snn-broken", broken="vendor SDK is missing"),
        make_plugin("snn-off"),
        disabled=["snn-off"],
    )


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines() if line.strip()]


def test_table(house, snn) -> None:
    result = snn("list")
    assert result.exit_code == 0
    found = rows(result.output)
    assert found[0] == ["kind", "name", "provider", "version", "summary"]
    assert ["neuron", "glif", "snn-a", "1.0", "glif", "of", "snn-a"] in found
    # A short name with two owners is shown in the form that can be typed.
    assert ["snn-a/lif", "snn-a", "1.0", "lif", "of", "snn-a"] in found
    assert ["snn-b/lif", "snn-b", "1.0", "lif", "of", "snn-b"] in found
    assert "piecewise_quadratic (triangle)" in result.output


def test_failed_and_disabled_plugins_stand_below(house, snn) -> None:
    *_, failed, off = rows(snn("list").output)
    assert failed[:4] == ["snn-broken", "1.0", "FAILED", "load:"]
    assert " ".join(failed[4:]) == (
        "ImportError: vendor SDK is missing ('snn doctor' shows the traceback)"
    )
    assert off == ["snn-off", "1.0", "DISABLED", "SNN_DISABLE_PLUGINS"]


def test_one_kind(house, snn) -> None:
    output = snn("list", "surrogate").output
    assert "atan" in output
    assert "glif" not in output
    # A broken plugin may be the reason for what is missing.
    assert "FAILED" in output
    assert "nothing of kind chip is installed" in snn("list", "chip").output


def test_unknown_kind(house, snn) -> None:
    result = snn("list", "neurn")
    assert result.exit_code == 2
    assert result.stderr.strip() == "Error: unknown kind 'neurn'; did you mean 'neuron'?"


def test_json_schema(house, snn) -> None:
    data = json.loads(snn("list", "neuron", "--json").stdout)
    assert data["schema"] == 1
    assert [c["qualified"] for c in data["components"]] == ["snn-a/glif", "snn-a/lif", "snn-b/lif"]
    assert data["components"][0] == {
        "kind": "neuron",
        "name": "glif",
        "target": "a:G",
        "provider": "snn-a",
        "version": "1.0",
        "summary": "glif of snn-a",
        "aliases": [],
        "qualified": "snn-a/glif",
    }
    plugins = {plugin["name"]: plugin for plugin in data["plugins"]}
    assert plugins["snn-broken"] == {
        "name": "snn-broken",
        "version": "1.0",
        "status": "failed",
        "stage": "load",
        "error": "ImportError: vendor SDK is missing",
    }
    assert plugins["snn-off"]["status"] == "disabled"
    assert plugins["snn-a"]["status"] == "ok"
