"""Has the fault of the real one: a keyword that numpy 2.4 does not take."""

import functools as ft

import numpy as np


class ReshapePort:
    def __init__(self, shape, old_shape):
        self.shape = shape
        self.old_shape = old_shape

    def forward(self):
        return ft.partial(np.reshape, newshape=self.shape)

    def backward(self):
        return ft.partial(np.reshape, newshape=self.old_shape)
