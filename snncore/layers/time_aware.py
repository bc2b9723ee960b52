"""Time-aware forms of the stateless torch layers, all from one factory.

In mode ``"s"`` a layer is what torch makes of it. In mode ``"m"`` time is merged into the batch,
``[T, N, *] -> [T * N, *]``, and split again: one call for the whole sequence. So batch statistics
run over T * N, and the dropout layers draw a fresh mask at every time step.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from torch import Tensor, nn

from snncore.layers.examples import declared
from snncore.step import StepModule, locate, merge_time

Layer = TypeVar("Layer", bound=nn.Module)


class TimeAware(StepModule):
    """Mix-in that runs the layer behind it over merged time."""

    def forward(self, *inputs: Tensor, **options: Any) -> Any:
        """``[N, *]`` in mode ``"s"``, ``[T, N, *]`` in mode ``"m"``."""
        try:
            if self.step_mode == "s":
                return super().forward(*inputs, **options)
            return merge_time(super().forward, *inputs, **options)
        except (RuntimeError, ValueError, IndexError) as error:
            layout = "[N, *]" if self.step_mode == "s" else "[T, N, *]"
            error.add_note(
                f"{locate(self)} is in step_mode {self.step_mode!r} and takes {layout}; "
                f"got {', '.join(str(list(x.shape)) for x in inputs)}"
            )
            raise


def time_aware(cls: type[Layer]) -> type[Layer]:
    """The time-aware form of a stateless layer class, with the same name and parameters.

    Y = L(X);  in mode "m" of all T * N items at once, as if they were one batch

    Args:
        cls: a module class that maps a batch ``[N, *]`` to a batch, without memory.
    Returns: a subclass that is also a :class:`snncore.StepModule`.
    Source: SpikingJelly (Science Advances 2023), acceleration of stateless layers.
    """
    doc = f"""Time-aware ``torch.nn.{cls.__name__}``: ``[N, *]`` or ``[T, N, *]``.

Y = {cls.__name__}(X);  in mode "m" of all T * N items at once, as if they were one batch

Args: those of ``torch.nn.{cls.__name__}``.
Shape: in mode "s" as in torch; in mode "m" the same with T before N, in and out.
Source: ``torch.nn.{cls.__name__}``; time merged into the batch, SpikingJelly (Science Advances
    2023), acceleration of stateless layers.
"""
    body: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": cls.__name__,
        "__doc__": doc,
        "conformance": declared(cls.__name__),
    }
    return cast("type[Layer]", type(cls.__name__, (TimeAware, cls), body))


Linear = time_aware(nn.Linear)
Bilinear = time_aware(nn.Bilinear)
Embedding = time_aware(nn.Embedding)
Conv1d = time_aware(nn.Conv1d)
Conv2d = time_aware(nn.Conv2d)
Conv3d = time_aware(nn.Conv3d)
ConvTranspose1d = time_aware(nn.ConvTranspose1d)
ConvTranspose2d = time_aware(nn.ConvTranspose2d)
ConvTranspose3d = time_aware(nn.ConvTranspose3d)
Fold = time_aware(nn.Fold)
Unfold = time_aware(nn.Unfold)
BatchNorm1d = time_aware(nn.BatchNorm1d)
BatchNorm2d = time_aware(nn.BatchNorm2d)
BatchNorm3d = time_aware(nn.BatchNorm3d)
SyncBatchNorm = time_aware(nn.SyncBatchNorm)
InstanceNorm1d = time_aware(nn.InstanceNorm1d)
InstanceNorm2d = time_aware(nn.InstanceNorm2d)
InstanceNorm3d = time_aware(nn.InstanceNorm3d)
GroupNorm = time_aware(nn.GroupNorm)
LayerNorm = time_aware(nn.LayerNorm)
RMSNorm = time_aware(nn.RMSNorm)
LocalResponseNorm = time_aware(nn.LocalResponseNorm)
CrossMapLRN2d = time_aware(nn.CrossMapLRN2d)
AvgPool1d = time_aware(nn.AvgPool1d)
AvgPool2d = time_aware(nn.AvgPool2d)
AvgPool3d = time_aware(nn.AvgPool3d)
MaxPool1d = time_aware(nn.MaxPool1d)
MaxPool2d = time_aware(nn.MaxPool2d)
MaxPool3d = time_aware(nn.MaxPool3d)
LPPool1d = time_aware(nn.LPPool1d)
LPPool2d = time_aware(nn.LPPool2d)
LPPool3d = time_aware(nn.LPPool3d)
FractionalMaxPool2d = time_aware(nn.FractionalMaxPool2d)
FractionalMaxPool3d = time_aware(nn.FractionalMaxPool3d)
AdaptiveAvgPool1d = time_aware(nn.AdaptiveAvgPool1d)
AdaptiveAvgPool2d = time_aware(nn.AdaptiveAvgPool2d)
AdaptiveAvgPool3d = time_aware(nn.AdaptiveAvgPool3d)
AdaptiveMaxPool1d = time_aware(nn.AdaptiveMaxPool1d)
AdaptiveMaxPool2d = time_aware(nn.AdaptiveMaxPool2d)
AdaptiveMaxPool3d = time_aware(nn.AdaptiveMaxPool3d)
MaxUnpool1d = time_aware(nn.MaxUnpool1d)
MaxUnpool2d = time_aware(nn.MaxUnpool2d)
MaxUnpool3d = time_aware(nn.MaxUnpool3d)
Upsample = time_aware(nn.Upsample)
UpsamplingBilinear2d = time_aware(nn.UpsamplingBilinear2d)
UpsamplingNearest2d = time_aware(nn.UpsamplingNearest2d)
PixelShuffle = time_aware(nn.PixelShuffle)
PixelUnshuffle = time_aware(nn.PixelUnshuffle)
ChannelShuffle = time_aware(nn.ChannelShuffle)
ZeroPad1d = time_aware(nn.ZeroPad1d)
ZeroPad2d = time_aware(nn.ZeroPad2d)
ZeroPad3d = time_aware(nn.ZeroPad3d)
ConstantPad1d = time_aware(nn.ConstantPad1d)
ConstantPad2d = time_aware(nn.ConstantPad2d)
ConstantPad3d = time_aware(nn.ConstantPad3d)
ReflectionPad1d = time_aware(nn.ReflectionPad1d)
ReflectionPad2d = time_aware(nn.ReflectionPad2d)
ReflectionPad3d = time_aware(nn.ReflectionPad3d)
ReplicationPad1d = time_aware(nn.ReplicationPad1d)
ReplicationPad2d = time_aware(nn.ReplicationPad2d)
ReplicationPad3d = time_aware(nn.ReplicationPad3d)
CircularPad1d = time_aware(nn.CircularPad1d)
CircularPad2d = time_aware(nn.CircularPad2d)
CircularPad3d = time_aware(nn.CircularPad3d)
Flatten = time_aware(nn.Flatten)
Unflatten = time_aware(nn.Unflatten)
Identity = time_aware(nn.Identity)
CELU = time_aware(nn.CELU)
ELU = time_aware(nn.ELU)
GELU = time_aware(nn.GELU)
GLU = time_aware(nn.GLU)
Hardshrink = time_aware(nn.Hardshrink)
Hardsigmoid = time_aware(nn.Hardsigmoid)
Hardswish = time_aware(nn.Hardswish)
Hardtanh = time_aware(nn.Hardtanh)
LeakyReLU = time_aware(nn.LeakyReLU)
LogSigmoid = time_aware(nn.LogSigmoid)
LogSoftmax = time_aware(nn.LogSoftmax)
Mish = time_aware(nn.Mish)
PReLU = time_aware(nn.PReLU)
ReLU = time_aware(nn.ReLU)
ReLU6 = time_aware(nn.ReLU6)
RReLU = time_aware(nn.RReLU)
SELU = time_aware(nn.SELU)
SiLU = time_aware(nn.SiLU)
Sigmoid = time_aware(nn.Sigmoid)
Softmax = time_aware(nn.Softmax)
Softmax2d = time_aware(nn.Softmax2d)
Softmin = time_aware(nn.Softmin)
Softplus = time_aware(nn.Softplus)
Softshrink = time_aware(nn.Softshrink)
Softsign = time_aware(nn.Softsign)
Tanh = time_aware(nn.Tanh)
Tanhshrink = time_aware(nn.Tanhshrink)
Threshold = time_aware(nn.Threshold)
CosineSimilarity = time_aware(nn.CosineSimilarity)
PairwiseDistance = time_aware(nn.PairwiseDistance)
Dropout = time_aware(nn.Dropout)
Dropout1d = time_aware(nn.Dropout1d)
Dropout2d = time_aware(nn.Dropout2d)
Dropout3d = time_aware(nn.Dropout3d)
AlphaDropout = time_aware(nn.AlphaDropout)
FeatureAlphaDropout = time_aware(nn.FeatureAlphaDropout)
