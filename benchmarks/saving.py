"""What a training run leaves for its backward: everything, nothing, or marks now and then.

The rule that chooses among them stands on these times and peaks. See README.md in this folder.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from measure import COPY, MODES, Effort, drive, in_child, job, peak, rounds
from page import Page, add_effort, number, parser, power
from peers import Layer
from torch import Tensor

import snncore as snn
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppTarget
from snncore.kernels.function import unroll
from snncore.kernels.program import AGAIN, KEEP, MARKS
from snncore.kernels.tensors import tensors_of

WAYS = {
    "keep": (KEEP, 64),
    "again": (AGAIN, 64),
    "marks 16": (MARKS, 16),
    "marks 64": (MARKS, 64),
    "marks 128": (MARKS, 128),
}
SHAPES = ((4, 1 << 18), (16, 1 << 18), (64, 1 << 18), (256, 1 << 16), (1024, 1 << 14))
NEURONS = ("lif", "alif", "izhikevich")


def layer(neuron: str, way: str) -> Layer:
    """A layer of neurons whose training runs leave what ``way`` says."""
    net = snn.build("neuron", neuron)
    name, stretch = WAYS[way]
    kernel = CompiledKernel(net, CppTarget(stretch))

    def call(x: Tensor) -> Tensor:
        starts = [torch.full_like(x[0].detach(), float(net.initial(s))) for s in net.states]
        params = list(tensors_of(net).values())
        return unroll(kernel.handle, [x], starts, params, (), net.outputs, name)[0][0]

    return Layer(call)


def answer(request: dict[str, Any]) -> Any:
    """What a child process measures."""
    shape, effort = tuple(request["shape"]), Effort(**request["effort"])
    torch.set_num_threads(effort.threads)
    if "peak" in request:
        return peak(layer(request["neuron"], request["peak"]), MODES[1], shape)
    x, grad = drive(shape)
    calls = {way: job(layer(request["neuron"], way), MODES[1], x, grad) for way in WAYS}
    return rounds(calls, x, effort)


def agree(neuron: str) -> None:
    """Stops where one of the ways gives other gradients."""
    x, grad = drive((130, 96))
    found = []
    for way in WAYS:
        leaf = x.clone().requires_grad_()
        layer(neuron, way).call(leaf).backward(grad)
        found.append(leaf.grad)
    if not all(torch.allclose(found[0], other, rtol=1e-5, atol=1e-6) for other in found[1:]):
        raise SystemExit(f"{neuron}: the ways give different gradients")


def main() -> None:
    made = parser(__doc__)
    add_effort(made)
    made.add_argument("--neurons", nargs="+", default=list(NEURONS), choices=NEURONS)
    made.add_argument("--shapes", type=int, nargs="+", default=[n for s in SHAPES for n in s])
    made.add_argument("--peaks", type=int, nargs="+", default=[64, 1 << 18])
    chosen = made.parse_args()
    chosen.peaks = [list(pair) for pair in zip(chosen.peaks[::2], chosen.peaks[1::2], strict=True)]
    if chosen.child:
        print(json.dumps(answer(json.loads(chosen.child))))
        return
    effort = Effort(chosen.repeats, chosen.seconds, chosen.threads)
    page = Page("saving", "What a training run leaves for its backward")
    times = [["neuron", "T", "N", *(f"{way} ms" for way in WAYS), "copy ms"]]
    peaks = [["neuron", "T", "N", *WAYS]]
    for neuron in chosen.neurons:
        agree(neuron)
        for shape in zip(chosen.shapes[::2], chosen.shapes[1::2], strict=True):
            request = {"neuron": neuron, "shape": shape, "effort": vars(effort)}
            found = in_child(__file__, request)
            place = [neuron, str(shape[0]), power(shape[1])]
            times.append([*place, *(number(found[way]) for way in (*WAYS, COPY))])
            if list(shape) not in chosen.peaks:
                continue
            tops = [in_child(__file__, {**request, "peak": way}) for way in WAYS]
            peaks.append([*place, *(number(top) for top in tops)])
    page.add("Forward and backward", "Milliseconds.", times)
    page.add("Peaks", "Beyond input and gradient, in sizes of the input.", peaks)
    page.publish(effort, chosen)


if __name__ == "__main__":
    main()
