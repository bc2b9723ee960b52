"""The platform's contract for the datasets of event cameras, over layouts written here."""

from __future__ import annotations

import pytest

from snncore.testing.dataset import DatasetConformance

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is not the published file"),
    pytest.mark.usefixtures("laid_out"),
]


class TestNCaltech101(DatasetConformance):
    component = "snn-datasets/n_caltech101"
    layout = "n_caltech101"


class TestASLDVS(DatasetConformance):
    component = "snn-datasets/asl_dvs"
    layout = "asl_dvs"


class TestCIFAR10DVS(DatasetConformance):
    component = "snn-datasets/cifar10_dvs"
    layout = "cifar10_dvs"
    params = {"on_bit": 1, "protocol": "stratified_9_1"}


class TestDVSGesture(DatasetConformance):
    component = "snn-datasets/dvs_gesture"
    layout = "gestures"
    params = {"by": "time"}


class TestPrecutDVSGesture(DatasetConformance):
    component = "snn-datasets/dvs_gesture"
    layout = "gestures_precut"
    params = {"protocol": "precut"}


class TestNCARS(DatasetConformance):
    component = "snn-datasets/n_cars"
    layout = "n_cars"


class TestESImageNet(DatasetConformance):
    component = "snn-datasets/es_imagenet"
    layout = "es_imagenet"
    params = {"T": 8}
    items = 3
