"""Runs a network as Loihi does, to the bit: whole sequences, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snn_lava.grid import STATE_BITS, STATE_LIMIT, WEIGHT_UNIT
from snn_lava.program import Conv, Dense, Flatten, Integers, Program, Weights
from snn_lava.soma import RecordedSoma, Soma
from snncore.chip import Trace
from snncore.errors import ChipError
from snncore.state import reset

COUNTERS = ("wraps", "saturations")
# Values of one layer over all steps that are held at once.
_MOST_VALUES = 1 << 24


@dataclass(frozen=True)
class Schedule:
    """Samples one after the other, states set back in between.

    Layer l, counted from 1, forgets before each step k with k = offset + l - 1 (mod interval), as
    netx does: in the first sample too, and, with a large offset, within it. With offset 1 this is
    where the first input of a sample reaches the layer: one step per layer.

    Args:
        interval: steps of a sample.
        offset: ``reset_offset`` of netx.
    """

    interval: int
    offset: int = 1

    def starts(self, layer: int, steps: int) -> list[int]:
        """Where the layer begins anew, the beginning included."""
        first = (self.offset + layer - 1) % self.interval
        return sorted({0, *range(first, steps, self.interval)})


def simulate(
    program: Program, x: Tensor, record: Sequence[str] = (), schedule: Schedule | None = None
) -> Trace:
    """Runs a program from rest until the last input has come out.

    Each layer of neurons takes its input one step after it was sent; without inputs at the end the
    chip runs on for as many steps as it has layers.

    Args:
        program: what to run.
        x: spikes ``[T, N, *]``, 0 or 1.
        record: paths of layers of which spikes, v before its reset and u are kept.
        schedule: when states are set back within the run; None for never.

    Returns: output ``[T + L, N, *]`` with ``latency`` L; states in units of 1 (integers / 4096);
        counters of wraps of u and saturations of v.

    Raises: ChipError for an input that is not binary or does not fit, an unknown path in
        ``record``, and sums that leave 32 bits.
    """
    _check(program, x, record)
    kept = _Kept()
    size = max(
        max(torch.Size(shape).numel() for shape in (program.input_shape, *program.shapes())), 1
    )
    rows = max(1, _MOST_VALUES // (size * (len(x) + program.latency)))
    with torch.no_grad():
        parts = x.split(rows, dim=1)
        output = torch.cat([_run(program, part, record, schedule, kept) for part in parts], 1)
    return Trace(
        output,
        {path: torch.cat(part, 1) for path, part in kept.spikes.items()},
        {
            path: {name: torch.cat(part, 1) for name, part in named.items()}
            for path, named in kept.states.items()
        },
        {name: kept.counts[name] for name in COUNTERS},
        program.latency,
        {layer.path: i for i, layer in _with_neurons(program) if layer.path in record},
    )


@dataclass
class _Kept:
    spikes: dict[str, list[Tensor]] = field(default_factory=dict)
    states: dict[str, dict[str, list[Tensor]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, path: str, spikes: Tensor, v: Tensor, u: Tensor) -> None:
        self.spikes.setdefault(path, []).append(spikes)
        named = self.states.setdefault(path, {"v": [], "u": []})
        named["v"].append(v)
        named["u"].append(u)


def _with_neurons(program: Program) -> Iterator[tuple[int, Dense | Conv]]:
    neurons = [layer for layer in program.layers if not isinstance(layer, Flatten)]
    yield from enumerate(neurons, 1)


def _check(program: Program, x: Tensor, record: Sequence[str]) -> None:
    if x.dim() < 2 or tuple(x.shape[2:]) != program.input_shape:
        raise ChipError(
            f"the network takes spikes [T, N, {', '.join(map(str, program.input_shape))}], got "
            f"{list(x.shape)}"
        )
    if not ((x == 0) | (x == 1)).all():
        raise ChipError(
            "the input holds other values than 0 and 1; the chip takes spikes, so encode it first"
        )
    known = [layer.path for _, layer in _with_neurons(program)]
    unknown = [path for path in record if path not in known]
    if unknown:
        raise ChipError(
            f"no layer {unknown[0]!r} to record; the layers are {', '.join(map(repr, known))}"
        )


def _run(
    program: Program, x: Tensor, record: Sequence[str], schedule: Schedule | None, kept: _Kept
) -> Tensor:
    """The output ``[T + L, N, *]``.

    Before its first input a layer at rest does nothing, so that its sequence begins there, at the
    step that is its depth: steps of latency are no copies. Where biases or resets make a
    difference, it begins at step 0.
    """
    end = len(x) + program.latency
    spikes = torch.cat((x, x.new_zeros((program.latency, *x.shape[1:])))).float()
    depth = begun = 0
    graded = False
    for layer in program.layers:
        if isinstance(layer, Flatten):
            spikes = spikes.flatten(2)
            continue
        depth, begun = depth + 1, begun + 1
        drive = _drive(layer, spikes[: end - begun], graded)
        if schedule is not None or layer.neurons.bias is not None:
            drive, begun = _from_the_start(drive, begun), 0
        begins = [0] if schedule is None else schedule.starts(depth, end)
        found = _layer(layer, drive, layer.path in record, begins, kept.counts)
        if layer.path in record:
            kept.add(layer.path, *(_from_the_start(part, begun) for part in found))
        spikes, graded = found[0], layer.neurons.graded
    return _from_the_start(spikes, begun)


def _from_the_start(x: Tensor, begun: int) -> Tensor:
    """A sequence with the silent steps before it."""
    return torch.cat((x.new_zeros((begun, *x.shape[1:])), x)) if begun else x


def _layer(
    layer: Dense | Conv,
    drive: Tensor,
    recorded: bool,
    begins: Sequence[int],
    counts: Counter[str],
) -> tuple[Tensor, ...]:
    """Spikes, and if wanted v before its reset and u."""
    if isinstance(layer, Dense) and layer.delay is not None:
        drive = _delayed(drive, layer.delay)
    soma = (RecordedSoma if recorded else Soma)(layer.neurons, drive.dim() - 2).to(drive.dtype)
    feedback = None
    if isinstance(layer, Dense) and layer.recurrent is not None:
        feedback = _units(layer.recurrent, drive.dtype)
    runs: list[tuple[Tensor, ...]] = []
    sent = torch.zeros_like(drive[0])
    for first, last in zip(begins, (*begins[1:], len(drive)), strict=True):
        reset(soma)
        runs.append(_neurons(soma, drive[first:last], feedback, sent))
        sent = runs[-1][0][-1]
        counts.update({name: soma.count(name) for name in COUNTERS})
        if soma.count("escapes"):
            raise ChipError(
                f"currents of {layer.path!r} leave 32 bits; its weights or inputs are too many"
            )
    if len(runs) == 1:
        return runs[0]
    return tuple(torch.cat(rows) for rows in zip(*runs, strict=True))


def _neurons(
    soma: Soma, drive: Tensor, feedback: Tensor | None, sent: Tensor
) -> tuple[Tensor, ...]:
    """Spikes, and what else the neurons give, of a sequence from rest.

    ``sent`` are the spikes of the step before, which no reset calls back.
    """
    if feedback is None:
        return _tuple(soma(drive))
    soma.step_mode = "s"
    rows: list[tuple[Tensor, ...]] = []
    for now in drive:
        rows.append(_tuple(soma(now + F.linear(sent, feedback))))
        sent = rows[-1][0]
    return tuple(torch.stack(column) for column in zip(*rows, strict=True))


def _tuple(found: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)


def _drive(layer: Dense | Conv, given: Tensor, graded: bool) -> Tensor:
    """What the synapses add in each step, in units of 1."""
    exact = not graded and _fits_float32(layer)
    dtype = torch.float32 if exact else torch.float64
    weight, flat = _units(layer.weight, dtype), given.flatten(0, 1).to(dtype)
    if isinstance(layer, Dense):
        found = F.linear(flat, weight)
    else:
        # Several times as fast, as there are few channels.
        flat = flat.contiguous(memory_format=torch.channels_last)
        found = F.conv2d(
            flat, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups
        )
    return found.unflatten(0, given.shape[:2])


def _fits_float32(layer: Dense | Conv) -> bool:
    """Whether a current and all weights of a neuron together stay below 2^24."""
    most = np.abs(layer.weight.reshape(len(layer.weight), -1).astype(np.int64)).sum(1)
    if isinstance(layer, Dense) and layer.recurrent is not None:
        most = most + np.abs(layer.recurrent.astype(np.int64)).sum(1)
    return bool((most << STATE_BITS).max(initial=0) <= STATE_LIMIT)


def _units(weight: Weights, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(weight).to(dtype) / WEIGHT_UNIT


def _delayed(drive: Tensor, delay: Integers) -> Tensor:
    """Each channel of ``[T, N, C]`` its own number of steps later."""
    found = torch.zeros_like(drive)
    for steps in np.unique(delay):
        where = torch.from_numpy(np.flatnonzero(delay == steps))
        found[steps:, :, where] = drive[: max(len(drive) - int(steps), 0), :, where]
    return found
