"""A layer of LIF neurons that feed each other, beside the recurrent layers of other libraries.

All have the same weights. Peers that cannot be imported are left out. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from agreement import RARE, apart
from measure import COPY, MODES, Effort, in_child, rounds
from page import Page, add_effort, number, parser
from peers import MODULES, Layer, failures
from torch import Tensor, nn

import snncore as snn

OURS = ("cpp", "eager")
Shape = tuple[int, int, int, int]
# What a neuron sums up, chosen so that about every tenth of them fires.
RATE, GAIN = 0.1, 1.6
TOLERANCE = 1e-4


def weights(inputs: int, neurons: int) -> tuple[Tensor, Tensor]:
    """From inputs to neurons and from neurons to neurons; in float32 the same for everyone."""
    made = torch.Generator().manual_seed(0)
    forward = torch.randn(neurons, inputs, generator=made) * GAIN / (RATE * inputs) ** 0.5
    back = torch.randn(neurons, neurons, generator=made) * 0.5 / (RATE * neurons) ** 0.5
    return nn.Parameter(forward), nn.Parameter(back)


def ours(backend: str, inputs: int, neurons: int) -> Layer:
    neuron = snn.build("neuron", "lif", tau=2.0, backend=backend)
    layer = snn.get("layer", "recurrent")(neuron, inputs, neurons, bias=False, step_mode="m")
    layer.feedforward.weight, layer.recurrent.weight = weights(inputs, neurons)

    def call(x: Tensor) -> Tensor:
        snn.reset(layer)
        return layer(x)

    return Layer(call, (layer.feedforward.weight, layer.recurrent.weight))


def spikingjelly(inputs: int, neurons: int) -> Layer:
    """Its neuron in a loop: its own container multiplies input and output by a larger matrix."""
    module, surrogate = map(importlib.import_module, MODULES["spikingjelly"])
    node = module.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), step_mode="s")
    forward, back = weights(inputs, neurons)

    def call(x: Tensor) -> Tensor:
        node.reset()
        y, spikes = x.new_zeros(x.shape[1], neurons), []
        for now in F.linear(x, forward).unbind(0):
            y = node(now + F.linear(y, back))
            spikes.append(y)
        return torch.stack(spikes)

    return Layer(call, (forward, back))


def sinabs(inputs: int, neurons: int) -> Layer:
    layers, activation, functional, _ = map(importlib.import_module, MODULES["sinabs"])
    forward, back = weights(inputs, neurons)
    connect = nn.Linear(neurons, neurons, bias=False)
    connect.weight = back
    lif = layers.LIFRecurrent(
        tau_mem=-1.0 / torch.log(torch.as_tensor(0.5)),
        rec_connect=connect,
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset(),
    )
    lif.tau_mem.requires_grad_(False)

    def call(x: Tensor) -> Tensor:
        state, fed, spikes = {"v_mem": x.new_zeros(x.shape[1], neurons)}, 0.0, []
        alpha = lif.alpha_mem_calculated
        # As its own loop, which writes x[:, t].
        for now in F.linear(x, forward).unbind(0):
            s, state = functional.lif_forward_single(
                now + fed,
                alpha_mem=alpha,
                alpha_syn=None,
                state=state,
                spike_threshold=lif.spike_threshold,
                spike_fn=lif.spike_fn,
                reset_fn=lif.reset_fn,
                surrogate_grad_fn=lif.surrogate_grad_fn,
                min_v_mem=None,
                norm_input=True,
            )
            fed = lif.rec_connect(s)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, (forward, back))


def snntorch(inputs: int, neurons: int) -> Layer:
    """With ``reset_delay=False``, which makes it the same neuron."""
    leaky = importlib.import_module("snntorch").RLeaky(
        beta=0.5, linear_features=neurons, reset_mechanism="zero", reset_delay=False
    )
    forward, back = weights(inputs, neurons)
    # Its input does not decay by itself, neither what comes from without nor what is fed back.
    leaky.recurrent = nn.Linear(neurons, neurons, bias=False)
    leaky.recurrent.weight = nn.Parameter(back.detach() * 0.5)
    halved = nn.Parameter(forward.detach() * 0.5)

    def call(x: Tensor) -> Tensor:
        v, s, spikes = x.new_zeros(x.shape[1], neurons), x.new_zeros(x.shape[1], neurons), []
        for now in F.linear(x, halved).unbind(0):
            s, v = leaky(now, s, v)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, (halved, leaky.recurrent.weight))


def norse(inputs: int, neurons: int) -> Layer:
    """Another neuron: spikes are added to a current, which decays and drives the membrane."""
    cell = importlib.import_module("norse.torch").LIFRecurrentCell(inputs, neurons)
    forward, back = weights(inputs, neurons)
    cell.input_weights, cell.recurrent_weights = forward, back

    def call(x: Tensor) -> Tensor:
        state, spikes = None, []
        for now in x.unbind(0):
            s, state = cell(now, state)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, (forward, back))


CONTENDERS: dict[str, Callable[[int, int], Layer]] = {
    **{backend: partial(ours, backend) for backend in OURS},
    "spikingjelly": spikingjelly,
    "sinabs": sinabs,
    "snntorch": snntorch,
    "norse": norse,
}
OTHER_NEURON = ("norse",)
# By how much a library's weights are others than ours.
SCALE = {"snntorch": 0.5}
OTHER_SURROGATE = ("sinabs",)


def drive(shape: Shape) -> tuple[Tensor, Tensor]:
    """Spikes of which every tenth is 1, and a gradient of the layer's spikes."""
    torch.manual_seed(0)
    steps, batch, inputs, neurons = shape
    x = (torch.rand(steps, batch, inputs) < RATE).float()
    return x, torch.randn(steps, batch, neurons)


def job(layer: Layer, mode: str, x: Tensor, grad: Tensor) -> Callable[[], object]:
    """One call whose outputs die with it; the weights learn."""

    def forward() -> None:
        with torch.no_grad():
            layer.call(x)

    def both() -> None:
        for tensor in layer.learned:
            tensor.grad = None
        layer.call(x).backward(grad)

    return forward if mode == MODES[0] else both


def agree(shape: Shape, names: list[str]) -> list[list[str]]:
    """One row per contender; ends the process when one computes something else."""
    x, grad = drive(shape)
    rows, first = [], None
    for name in dict.fromkeys(("eager", *names)):
        layer = CONTENDERS[name](*shape[2:])
        y = layer.call(x)
        grads = torch.autograd.grad(y, layer.learned, grad)
        y = y.detach()
        first = first or (y, grads)
        wrong = int((y != first[0]).sum())
        row = [name, f"{float(y.mean()):.1%}", f"{wrong} of {y.numel()}"]
        if name in OTHER_NEURON:
            rows.append([*row, "another neuron"])
            continue
        if wrong > RARE * y.numel():
            sys.exit(f"{name} computes something else: {wrong} of {y.numel()} spikes differ")
        if name in OTHER_SURROGATE or wrong:
            words = "another surrogate" if name in OTHER_SURROGATE else "of other spikes"
            rows.append([*row, words])
            continue
        # A weight that counts half has twice the gradient.
        scale = SCALE.get(name, 1.0)
        off = max(apart(g * scale, e) for g, e in zip(grads, first[1], strict=True))
        if off > TOLERANCE:
            sys.exit(f"{name} has another gradient: it is {off:.1e} off")
        rows.append([*row, f"{off:.0e}"])
    return [["contender", "firing", "spikes that differ", "difference of gradients"], *rows]


def answer(request: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What a child process measures."""
    shape, effort = tuple(request["shape"]), Effort(**request["effort"])
    torch.set_num_threads(effort.threads)
    x, grad = drive(shape)
    layers = {name: CONTENDERS[name](*shape[2:]) for name in request["names"]}
    return {
        mode: rounds({name: job(layer, mode, x, grad) for name, layer in layers.items()}, x, effort)
        for mode in MODES
    }


def compared(shapes: list[Shape], names: list[str], effort: Effort) -> list[list[str]]:
    """Times of every shape, each in a fresh process."""
    first, *rest = names
    head = ["mode", "T", "N", "in", "neurons", f"{first} ms"]
    body: dict[str, list[list[str]]] = {mode: [] for mode in MODES}
    same = [name for name in names if name in MODULES and name not in OTHER_NEURON]
    for shape in shapes:
        request = {"names": names, "shape": shape, "effort": vars(effort)}
        for mode, times in in_child(__file__, request).items():
            base = times[first]
            row = [mode, *map(str, shape), number(base)]
            row += [f"{number(times[name])} ({times[name] / base:.1f})" for name in rest]
            if same:
                best = min(same, key=times.__getitem__)
                row.append(f"{best} (**{times[best] / base:.1f}**)")
            body[mode].append([*row, number(times[COPY])])
            print(*body[mode][-1], sep=" | ", file=sys.stderr)
    head += [f"{name} ms (ratio)" for name in rest]
    head += ["best peer with this neuron (ratio)"] * bool(same) + ["copy of x ms"]
    return [head, *(row for mode in MODES for row in body[mode])]


def shape_of(text: str) -> Shape:
    """``100x64x256x512``: T, N, inputs, neurons."""
    try:
        steps, batch, inputs, neurons = map(int, text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} should read TxNxINPUTSxNEURONS, such as 100x64x256x512"
        ) from None
    return steps, batch, inputs, neurons


def main() -> None:
    made = parser(__doc__)
    add_effort(made)
    made.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    made.add_argument(
        "--shapes", type=shape_of, nargs="+", default=[(100, 64, 256, 512)], metavar="TxNxIxH"
    )
    chosen = made.parse_args()
    if chosen.child:
        print(json.dumps(answer(json.loads(chosen.child))))
        return
    effort = Effort(chosen.repeats, chosen.seconds, chosen.threads)
    broken = failures(chosen.only)
    for name, error in broken.items():
        print(f"left out: {name} ({error})", file=sys.stderr)
    names = [name for name in chosen.only if name not in broken]
    page = Page("recurrent", "A layer of LIF neurons that feed each other")
    checked = agree(chosen.shapes[0], names)
    words = (
        f"Input spikes with probability {RATE:g}; forward alone, then with the gradients of both "
        f"weights. In brackets, how many times as long as {names[0]}."
    )
    page.add("Default settings", words, compared(chosen.shapes, names, effort))
    page.add("Agreement", "On the same input, against the eager backend.", checked)
    page.publish(effort, chosen)


if __name__ == "__main__":
    main()
