"""The platform's contract for the datasets of event cameras, known by their layout alone."""

from __future__ import annotations

import pytest

from snncore.testing.dataset import DatasetConformance

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is not the published file"),
    pytest.mark.usefixtures("laid_out"),
]


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


class TestDSEC(DatasetConformance):
    component = "snn-datasets/dsec"
    layout = "dsec"
    params = {"T": 1, "window_us": 30_000}
    items = 3


class TestGen1(DatasetConformance):
    component = "snn-datasets/gen1"
    layout = "gen1"
    params = {"T": 3}
