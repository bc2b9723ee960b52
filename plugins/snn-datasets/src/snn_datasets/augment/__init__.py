"""Augmentation of recordings before they are cut into frames."""

from __future__ import annotations

from snn_datasets.augment.augmentation import Augmentation as Augmentation
from snn_datasets.augment.compose import Compose as Compose
from snn_datasets.augment.compose import OneOf as OneOf
from snn_datasets.augment.compose import RandomApply as RandomApply
from snn_datasets.augment.crop import Crop as Crop
from snn_datasets.augment.drop import Cutout as Cutout
from snn_datasets.augment.drop import DropArea as DropArea
from snn_datasets.augment.drop import DropEvents as DropEvents
from snn_datasets.augment.drop import DropTime as DropTime
from snn_datasets.augment.filters import Denoise as Denoise
from snn_datasets.augment.filters import HotPixelFilter as HotPixelFilter
from snn_datasets.augment.filters import RefractoryFilter as RefractoryFilter
from snn_datasets.augment.flip import Flip as Flip
from snn_datasets.augment.jitter import SpatialJitter as SpatialJitter
from snn_datasets.augment.jitter import TimeJitter as TimeJitter
from snn_datasets.augment.mix import EventMix as EventMix
from snn_datasets.augment.policies import NDA as NDA
from snn_datasets.augment.policies import EventDrop as EventDrop
from snn_datasets.augment.rotation import Rotate as Rotate
from snn_datasets.augment.rotation import Shear as Shear
from snn_datasets.augment.tempo import PolarityFlip as PolarityFlip
from snn_datasets.augment.tempo import TimeReversal as TimeReversal
from snn_datasets.augment.tempo import TimeScale as TimeScale
from snn_datasets.augment.translation import Roll as Roll
from snn_datasets.augment.translation import Shift as Shift
