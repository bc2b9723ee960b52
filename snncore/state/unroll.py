"""The plain loop over time: the reference of every kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from snncore.errors import StateError

Tensors: TypeAlias = tuple[Tensor, ...]
Step: TypeAlias = Callable[..., Tensors]


def arithmetic(dtype: torch.dtype) -> torch.dtype:
    """The dtype of states, and of what a step computes, for inputs of ``dtype``."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def take_step(
    step: Step, inputs: Tensors, states: Tensors, outputs: int
) -> tuple[Tensors, Tensors]:
    """One call of a pure step, split into outputs and new states.

    Raises: StateError when the step returns another number of values than declared.
    """
    values = step(*inputs, *states)
    expected = outputs + len(states)
    if not isinstance(values, tuple) or len(values) != expected:
        count = len(values) if isinstance(values, tuple) else "no tuple but 1"
        raise StateError(
            f"step returned {count} values; declared are {outputs} outputs and "
            f"{len(states)} states, so it must return a tuple of {expected}"
        )
    return values[:outputs], values[outputs:]


class OneStep(NamedTuple):
    """One time step of an input in all but values."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


Given: TypeAlias = Tensor | OneStep
"""A time step of an input, or what stands for it."""


def one_step(x_seq: Tensor) -> OneStep:
    """A time step of ``[T, N, *]``; T may be 0."""
    return OneStep(x_seq.shape[1:], x_seq.dtype, x_seq.device)


def unroll(
    step: Step, inputs: Tensors, states: Tensors, outputs: int, record: Sequence[int] = ()
) -> tuple[Tensors, Tensors, Tensors]:
    """Runs a pure step over a sequence.

    Args:
        step: ``(*inputs, *states) -> (*outputs, *states)``, each ``[N, *]``.
        inputs: sequences ``[T, N, *]``.
        states: initial states ``[N, *]``.
        outputs: how many outputs the step has.
        record: indices of the states whose value after every step is wanted.
    Returns: output sequences, final states, recorded state sequences.
    """
    collected: list[list[Tensor]] = [[] for _ in range(outputs + len(record))]
    # Not x[t]: indexing a tensor that requires grad costs O(T^2) in backward.
    for now in zip(*(x.unbind(0) for x in inputs), strict=True):
        values, states = take_step(step, now, states, outputs)
        for bucket, value in zip(collected, (*values, *(states[i] for i in record)), strict=True):
            bucket.append(value)
    if inputs[0].shape[0]:
        sequences = tuple(torch.stack(bucket) for bucket in collected)
    else:
        # Only the step itself knows its output shape.
        blank = tuple(x.new_zeros(x.shape[1:]) for x in inputs)
        values, after = take_step(step, blank, states, outputs)
        shapes = (*values, *(after[i] for i in record))
        sequences = tuple(value.new_zeros((0, *value.shape)) for value in shapes)
    return sequences[:outputs], states, sequences[outputs:]
