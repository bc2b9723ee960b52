"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, RegisterCommand, hookimpl

API = 1

_COMPONENTS = (
    ("recipe", "digits", "shipped:digits", "small conv net on the digits of scikit-learn"),
    ("recipe", "digits_hard", "shipped:digits_hard", "digits, tested on other writers"),
    ("recipe", "mnist", "shipped:mnist", "conv net on MNIST"),
    ("recipe", "n_mnist", "shipped:n_mnist", "conv net on N-MNIST events"),
    ("recipe", "shd_like", "shipped:shd_like", "recurrent net on spoken digits as spikes"),
    ("recipe", "shd_like_alif", "shipped:shd_like_alif", "shd_like with adaptive thresholds"),
    (
        "recipe",
        "shd_like_heterogeneous",
        "shipped:shd_like_heterogeneous",
        "shd_like with a time constant for each neuron",
    ),
    ("recipe", "dvs_gesture", "shipped:dvs_gesture", "conv net on DVS128 Gesture"),
    ("loss", "rate_cross_entropy", "loss:RateCrossEntropy", "cross entropy of the mean over time"),
    ("loss", "rate_mse", "loss:RateMSE", "squared error of the mean over time"),
)


@hookimpl
def snn_components(register: Register) -> None:
    for kind, name, target, summary in _COMPONENTS:
        register(kind, name, f"snn_train.{target}", summary=summary)


@hookimpl
def snn_commands(register_command: RegisterCommand) -> None:
    register_command("train", "snn_train.commands:train", help="Train a network from a recipe.")
    register_command("eval", "snn_train.commands:evaluate", help="Test the network of a run.")
