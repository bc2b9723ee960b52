"""What the core itself registers, through the same hooks as every plugin."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl
from snncore.layers.names import TIME_AWARE

API = 1

_SURROGATES = (
    ("sigmoid", "Sigmoid", (), "derivative of a logistic function"),
    ("atan", "ATan", (), "derivative of an arc tangent"),
    ("piecewise_quadratic", "PiecewiseQuadratic", ("triangle",), "triangular derivative"),
    ("soft_sign", "SoftSign", (), "derivative of a soft sign"),
    ("erf", "Erf", (), "Gaussian derivative"),
    ("rect", "Rect", (), "rectangular derivative"),
)

_CONTAINERS = (
    ("seq_to_ann", "SeqToANNContainer", "stateless layers, run once over time merged into batch"),
    ("multi_step", "MultiStepContainer", "single-step layers, run step by step over a sequence"),
    (
        "element_wise_recurrent",
        "ElementWiseRecurrentContainer",
        "feeds the last output back through an element-wise function",
    ),
    (
        "linear_recurrent",
        "LinearRecurrentContainer",
        "feeds the last output back through a linear layer",
    ),
)


@hookimpl
def snn_components(register: Register) -> None:
    for name, cls, aliases, summary in _SURROGATES:
        register("surrogate", name, f"snncore.surrogate:{cls}", summary=summary, aliases=aliases)
    for name, cls in TIME_AWARE.items():
        register(
            "layer", name, f"snncore.layers.time_aware:{cls}", summary=f"time-aware torch.nn.{cls}"
        )
    for name, cls, summary in _CONTAINERS:
        register("layer", name, f"snncore.layers.containers:{cls}", summary=summary)
    register(
        "backend",
        "cpp",
        "snncore.kernels.cpp:CppBackend",
        summary="fused C++/OpenMP kernels through time, compiled at the first call",
    )
    register(
        "backend",
        "cuda",
        "snncore.kernels.cuda:CudaBackend",
        summary="fused CUDA C kernels through time, compiled by NVRTC through CuPy",
    )
    register(
        "backend",
        "triton",
        "snncore.kernels.triton:TritonBackend",
        summary="fused Triton kernels through time on CUDA devices",
    )
    register(
        "backend",
        "eager",
        "snncore.kernels.eager:EagerBackend",
        summary="the plain PyTorch loop, reference of every other backend",
    )
