"""Notices a state whose autograd graph backward has freed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node, saved_tensors_hooks

from snncore.state.checkpointing import saved_tensor_hooks_active


class _Mark(torch.autograd.Function):
    """Identity over all outputs and states of one call.

    It saves an empty tensor. Backward frees that exactly when it frees the graph, so asking for
    it later tells ``retain_graph=True`` and forward-only streaming from a graph that is gone.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(tensors[0].new_empty(0))
        ctx.set_materialize_grads(False)
        # detach() shares the version counter and is no view: in-place edits stay legal and seen.
        return tuple(tensor.detach() for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        return grads


def mark(tensors: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Node | None]:
    """The same values behind one mark; None where no tensor requires grad."""
    places = [i for i, tensor in enumerate(tensors) if tensor.requires_grad]
    if not places or not torch.is_grad_enabled():
        return tensors, None
    with _no_hooks():
        marked = _Mark.apply(*(tensors[i] for i in places))
    result = list(tensors)
    for i, tensor in zip(places, marked, strict=True):
        result[i] = tensor
    return tuple(result), marked[0].grad_fn


def freed(node: Node | None) -> bool:
    """Whether backward has freed the graph of a mark."""
    if node is None:
        return False
    try:
        _ = node.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
    except RuntimeError:
        return True
    return False


def _no_hooks() -> AbstractContextManager[Any]:
    # The mark must stay out of checkpointing's bookkeeping of saved tensors.
    if saved_tensor_hooks_active():
        return saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)
    return nullcontext()
