"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl

API = 1

_COMPONENTS = (
    ("neuron", "loihi_cuba", "cuba:LoihiCUBA", "current-based LIF in Loihi's integer arithmetic"),
    ("neuron", "loihi_graded", "graded:LoihiGraded", "Loihi 2's neuron with graded spikes"),
    ("chip", "loihi1", "chip:Loihi1", "Intel's Loihi, through Lava"),
    ("chip", "loihi2", "chip:Loihi2", "Intel's Loihi 2, through Lava"),
    ("layer", "loihi_linear", "synapses:LoihiLinear", "linear layer, weights on Loihi's grid"),
    ("layer", "loihi_conv2d", "synapses:LoihiConv2d", "convolution, weights on Loihi's grid"),
    ("layer", "block_container", "blocks:BlockContainer", "synapses, neurons, their delay"),
    ("layer", "loihi_dense", "blocks:LoihiDense", "neurons of Loihi behind a matrix of weights"),
    ("layer", "loihi_conv", "blocks:LoihiConv", "neurons of Loihi behind a convolution"),
    ("layer", "loihi_recurrent", "blocks:LoihiRecurrent", "neurons of Loihi that feed back"),
    ("model", "loihi_dense", "networks:LoihiDenseNet", "fully connected network for Loihi"),
    ("model", "loihi_convnet", "networks:LoihiConvNet", "convolutional network for Loihi"),
    ("recipe", "n_mnist_loihi", "shipped:n_mnist_loihi", "conv net for Loihi on N-MNIST"),
    (
        "recipe",
        "loihi_dvs_gesture",
        "shipped:loihi_dvs_gesture",
        "conv net for Loihi on DVS128 Gesture",
    ),
)


@hookimpl
def snn_components(register: Register) -> None:
    for kind, name, target, summary in _COMPONENTS:
        register(kind, name, f"snn_lava.{target}", summary=summary)
