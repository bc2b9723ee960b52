from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from snncore import graph as room
from snncore.errors import GraphError
from snncore.graph import Graph, Node, ops


def chain(*middle):
    """An input, operations one after the other, an output."""
    names = ["x", *(f"n{i}" for i in range(len(middle))), "y"]
    every = [ops.Input(), *middle, ops.Output()]
    return [
        Node(name, op, tuple(names[i - 1 : i] if i else ()), (3,), path=name)
        for i, (name, op) in enumerate(zip(names, every, strict=True))
    ]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([*chain(), chain()[0]], "the graph has 2 nodes named 'x'"),
        ([Node("x", ops.Input(), ("x",))], r"node 'x' \(Input\) takes 0 inputs, got 1"),
        ([*chain(), Node("a", ops.Add())], r"node 'a' \(Add\) takes one or more inputs, got 0"),
        ([*chain(), Node("a", ops.Output(), ("b",))], "node 'a' takes 'b', which is no node"),
        (
            [Node("a", ops.Identity(), ("x",)), *chain()],
            "node 'a' takes 'x', which comes after it; only a Previous may close a loop",
        ),
        (chain()[:1], "the graph has no output node"),
        ([Node("a", ops.Previous(), ("a",))], "the graph has no input node"),
    ],
)
def test_what_is_no_graph_is_refused(nodes, text):
    with pytest.raises(GraphError, match=text):
        Graph(nodes)


def test_a_previous_may_come_before_its_input():
    x, y = chain()
    last = Node("last", ops.Previous(), ("sum",))
    total = Node("sum", ops.Add(), ("x", "last"))
    graph = Graph([x, last, total, replace(y, inputs=("sum",))])
    assert graph.is_recurrent
    assert graph.users["sum"] == (last, graph["y"])
    assert [node.name for node in graph.sources("sum")] == ["x", "last"]


def test_lookups():
    graph = Graph(chain(ops.Scale(2.0)))
    assert len(graph) == 3
    assert "n0" in graph
    assert "n1" not in graph
    assert graph.is_sequential
    assert not graph.is_recurrent
    with pytest.raises(KeyError, match="the graph has no node 'n1'"):
        graph["n1"]


def test_change_replaces_drops_and_inserts():
    graph = Graph(chain(ops.Scale(2.0), ops.Identity(), ops.Scale(3.0)))

    def change(node):
        if node.op == ops.Identity():
            return None
        if node.op == ops.Scale(3.0):
            return [replace(node, op=ops.Scale(5.0)), Node("relu", ops.Activation("relu"), ("n2",))]
        return node

    made = graph.change(change)
    assert str(made).splitlines() == [
        "x: Input() -> 3",
        "n0: Scale(x) -> 3",
        "n2: Scale(n0) -> 3",
        "relu: Activation(n2) -> 1",
        "y: Output(relu) -> 3",
    ]
    assert len(graph) == 5
    with pytest.raises(
        GraphError, match=r"node 'x' \(Input\) has no input that could stand for it"
    ):
        graph.change(lambda node: None if node.name == "x" else node)


def test_operations_that_only_stand_for_something_compute_nothing():
    for op in (ops.Input(), ops.Previous()):
        with pytest.raises(TypeError, match="node"):
            op.run(torch.zeros(1))
    with pytest.raises(ValueError, match=r"activation must be one of relu, .*, got 'step'"):
        ops.Activation("step")


def test_the_sum_of_windows():
    pool = ops.Pool("sum", (2,), (2,), (0,))
    assert pool.run(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).tolist() == [[[3.0, 7.0]]]


def test_the_room_names_its_parts_and_imports_no_torch():
    for name in room.__all__:
        assert getattr(room, name) is not None
        assert name in dir(room)
    with pytest.raises(AttributeError, match=r"module 'snncore\.graph' has no attribute 'Nodes'"):
        room.Nodes  # noqa: B018
    code = "import sys, snncore.graph; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
