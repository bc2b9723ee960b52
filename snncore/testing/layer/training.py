"""Gradients of a layer, and what evaluation changes."""

from __future__ import annotations

import torch

from snncore.testing.layer.subject import Subject, Variant, seeded
from snncore.testing.neuron.run import assert_same, run


class Training(Subject):
    """Training and evaluation."""

    def test_gradients_flow(self, variant: Variant) -> None:
        """To every floating-point input and every parameter; finite, and not all zero."""
        self.needs("differentiable")
        net = self.layer(variant, train=True)
        found = self.play(net, self.inputs(), self.mode(net), gradients=True).gradients
        for name, gradient in found.items():
            assert gradient is not None, f"{self.label}: no gradient reaches {name}"
            assert gradient.isfinite().all(), f"{self.label}: gradient of {name} is not finite"
        if any(gradient is not None and gradient.any() for gradient in found.values()):
            return
        outputs = self.play(net, self.inputs(), self.mode(net)).outputs
        assert not any(y.any() for y in outputs), f"{self.label}: every gradient is zero"

    def test_evaluation_changes_nothing(self, variant: Variant) -> None:
        """Neither parameters nor buffers."""
        net = self.layer(variant, train=True)
        mode = self.mode(net)
        self.play(net, self.inputs(), mode)
        net.eval()
        before = {name: value.clone() for name, value in tensors(net).items()}
        self.play(net, self.inputs(seed=7), mode)
        for name, value in tensors(net).items():
            assert torch.equal(value, before[name]), f"{self.label}: evaluation changed {name}"

    def test_evaluation_is_deterministic(self, variant: Variant) -> None:
        """Whatever torch draws."""
        self.needs("exact_modes")
        net = self.layer(variant)
        mode = self.mode(net)
        with seeded(5):
            one = run(net, self.inputs(), mode)
        with seeded(6):
            other = run(net, self.inputs(), mode)
        assert_same(one, other, f"{self.label}, two runs in evaluation", self.tolerance)

    def test_training_is_reproducible(self, variant: Variant) -> None:
        """From the same seed."""
        one, other = self.layer(variant, train=True), self.layer(variant, train=True)
        mode = self.mode(one)
        for seed in (1, 7):
            assert_same(
                self.play(one, self.inputs(seed=seed), mode),
                self.play(other, self.inputs(seed=seed), mode),
                f"{self.label}, two runs in training from the same seed",
            )
        for name, value in tensors(one).items():
            assert torch.equal(value, tensors(other)[name]), (
                f"{self.label}: {name} differs after two runs from the same seed"
            )


def tensors(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name."""
    return {**dict(net.named_parameters()), **dict(net.named_buffers())}
