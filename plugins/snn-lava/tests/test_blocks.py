from __future__ import annotations

from snncore.testing.layer import LayerConformance


class TestLoihiLinear(LayerConformance):
    component = "snn-lava/loihi_linear"


class TestLoihiConv2d(LayerConformance):
    component = "snn-lava/loihi_conv2d"


class TestBlockContainer(LayerConformance):
    component = "snn-lava/block_container"


class TestLoihiDense(LayerConformance):
    component = "snn-lava/loihi_dense"


class TestLoihiConv(LayerConformance):
    component = "snn-lava/loihi_conv"


class TestLoihiRecurrent(LayerConformance):
    component = "snn-lava/loihi_recurrent"
