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
    ("recurrent", "Recurrent", "neurons that feed each other through weights, in one kernel"),
)

_QUANTIZERS = (
    ("k_bit", "k_bit:KBit", "2^k even levels from 0 to 1"),
    ("affine", "k_bit:Affine", "a line through the k-bit levels"),
    ("step", "uniform:Step", "multiples of a step size"),
    ("uniform", "uniform:Uniform", "an even grid of b bits with given scale and zero point"),
    ("observed", "observed:Observed", "an even grid of b bits over the range of the values seen"),
    ("lsq", "lsq:LSQ", "an even grid of b bits with a learnt step size"),
    ("power_of_two", "power_of_two:PowerOfTwo", "0 and powers of two of either sign"),
    ("clamp", "clamp:Clamp", "clips to an interval"),
    ("clamp_by_linear", "clamp:ClampByLinear", "scales all values into [0, 1)"),
    ("round", "rounding:Round", "the nearest whole number"),
    ("ceil", "rounding:Ceil", "the next whole number above"),
    ("floor", "rounding:Floor", "the next whole number below"),
    ("multi_level_spike_count", "multi_level:MultiLevelSpikeCount", "whole numbers from 0 to D"),
)

_MONITORS = (
    ("input", "probe:Input", "what modules take"),
    ("output", "probe:Output", "what modules give, as the spikes of neurons"),
    ("attribute", "probe:Attribute", "an attribute before or after each forward, as v_seq"),
    ("grad_input", "probe:GradInput", "gradients that modules hand back to their input"),
    ("grad_output", "probe:GradOutput", "gradients with respect to what modules give"),
    ("mean", "aggregate:Mean", "mean, without keeping the sequence"),
    ("max", "aggregate:Max", "largest value, without keeping the sequence"),
    ("count", "aggregate:Count", "number of spikes, without keeping the sequence"),
    ("rate", "aggregate:Rate", "share of time steps with a spike, without keeping the sequence"),
    ("histogram", "aggregate:Histogram", "counts in bins, without keeping the sequence"),
    ("firing", "firing:Firing", "firing rate, silent and saturated neurons of each layer"),
    ("operations", "counter:OperationCounter", "synaptic operations, MACs, ACs, traffic, energy"),
)


@hookimpl
def snn_components(register: Register) -> None:
    for name, cls, aliases, summary in _SURROGATES:
        register("surrogate", name, f"snncore.surrogate:{cls}", summary=summary, aliases=aliases)
    for name, cls in TIME_AWARE.items():
        # Other layers keep a mask for all steps; this says which it is.
        mask = ", a fresh mask at every step" if "dropout" in name else ""
        summary = f"time-aware torch.nn.{cls}{mask}"
        register("layer", name, f"snncore.layers.time_aware:{cls}", summary=summary)
    for name, cls, summary in _CONTAINERS:
        register("layer", name, f"snncore.layers.containers:{cls}", summary=summary)
    for name, target, summary in _QUANTIZERS:
        register("quantizer", name, f"snncore.quantize.{target}", summary=summary)
    for name, target, summary in _MONITORS:
        register("monitor", name, f"snncore.monitor.{target}", summary=summary)
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
