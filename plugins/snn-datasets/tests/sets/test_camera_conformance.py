"""The platform's contract for the datasets of event cameras, over layouts written here."""

from __future__ import annotations

from typing import Any

import pytest

from snncore.testing.dataset import DatasetConformance

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")


@pytest.fixture(autouse=True, scope="class")
def laid_out(
    request: pytest.FixtureRequest, layouts: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Writes the layout that a class names, once for all its tests."""
    root = tmp_path_factory.mktemp(request.cls.layout)
    getattr(layouts, request.cls.layout)(root)
    request.cls.params = {"T": 2, **request.cls.params, "root": str(root)}


class TestNCaltech101(DatasetConformance):
    component = "snn-datasets/n_caltech101"
    layout = "n_caltech101"


class TestASLDVS(DatasetConformance):
    component = "snn-datasets/asl_dvs"
    layout = "asl_dvs"


class TestCIFAR10DVS(DatasetConformance):
    component = "snn-datasets/cifar10_dvs"
    layout = "cifar10_dvs"
    params = {"on_bit": 1}


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


class TestHARDVS(DatasetConformance):
    component = "snn-datasets/hardvs"
    layout = "hardvs"


class TestNavGestureSit(DatasetConformance):
    component = "snn-datasets/nav_gesture_sit"
    layout = "nav_gesture"


class TestNavGestureWalk(DatasetConformance):
    component = "snn-datasets/nav_gesture_walk"
    layout = "nav_gesture"


class TestDVSLip(DatasetConformance):
    component = "snn-datasets/dvs_lip"
    layout = "dvs_lip"


class TestBullying10K(DatasetConformance):
    component = "snn-datasets/bullying10k"
    layout = "bullying10k"


class TestESImageNet(DatasetConformance):
    component = "snn-datasets/es_imagenet"
    layout = "es_imagenet"
    params = {"T": 8}


class TestDSEC(DatasetConformance):
    component = "snn-datasets/dsec"
    layout = "dsec"
    params = {"window_us": 30_000}
