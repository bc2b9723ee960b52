"""Has the fault of the real one: sizes that stay in 8 bits."""

import numpy as np


def conv(*given):
    return given


class PyConvModel:
    sizes = np.array([3, 5], np.int8)

    def run(self):
        # fmt: off
        return conv(
            self.sizes, self.sizes, self.sizes,
            self.kernel_size, self.stride, self.padding, self.dilation,
            self.groups[0]
        )
        # fmt: on

    kernel_size = stride = padding = dilation = groups = sizes
