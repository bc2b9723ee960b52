"""Datasets and event files for spiking neural networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_datasets.batch import Batch as Batch
    from snn_datasets.batch import collate as collate
    from snn_datasets.cache.reader import EventCache as EventCache
    from snn_datasets.dataset import Dataset as Dataset
    from snn_datasets.errors import CacheError as CacheError
    from snn_datasets.errors import DownloadError as DownloadError
    from snn_datasets.errors import FormatError as FormatError
    from snn_datasets.errors import MissingData as MissingData
    from snn_datasets.errors import MissingExtra as MissingExtra
    from snn_datasets.event_dataset import EventDataset as EventDataset
    from snn_datasets.events import EVENT as EVENT
    from snn_datasets.events import Format as Format
    from snn_datasets.events import make_events as make_events
    from snn_datasets.formats.dat import read_boxes as read_boxes
    from snn_datasets.getting.download import fetch as fetch
    from snn_datasets.getting.intake import import_files as import_files
    from snn_datasets.integration.batch import frames_batch as frames_batch
    from snn_datasets.integration.frames import Frames as Frames
    from snn_datasets.integration.frames import frames as frames
    from snn_datasets.integration.integrator import Custom as Custom
    from snn_datasets.integration.integrator import Integrator as Integrator
    from snn_datasets.integration.surfaces import TimeSurface as TimeSurface
    from snn_datasets.integration.tensors import frames_on_device as frames_on_device
    from snn_datasets.integration.voxels import VoxelGrid as VoxelGrid
    from snn_datasets.integration.voxels import to_voxel_grid as to_voxel_grid
    from snn_datasets.manifest import Archive as Archive
    from snn_datasets.manifest import Info as Info
    from snn_datasets.mixed import Mixed as Mixed
    from snn_datasets.packed import pack as pack
    from snn_datasets.packed import unpack as unpack
    from snn_datasets.place import data_root as data_root
    from snn_datasets.recording import iter_events as iter_events
    from snn_datasets.recording import read_events as read_events
    from snn_datasets.recording import sensor_size as sensor_size
    from snn_datasets.recording import write_events as write_events
    from snn_datasets.recordings import Recordings as Recordings
    from snn_datasets.sets.asl_dvs import ASLDVS as ASLDVS
    from snn_datasets.sets.bullying10k import Bullying10K as Bullying10K
    from snn_datasets.sets.cifar10_dvs import CIFAR10DVS as CIFAR10DVS
    from snn_datasets.sets.digits import Digits as Digits
    from snn_datasets.sets.dsec import DSEC as DSEC
    from snn_datasets.sets.dvs_gesture import DVSGesture as DVSGesture
    from snn_datasets.sets.dvs_lip import DVSLip as DVSLip
    from snn_datasets.sets.es_imagenet import ESImageNet as ESImageNet
    from snn_datasets.sets.fashion_mnist import FashionMNIST as FashionMNIST
    from snn_datasets.sets.folder import Folder as Folder
    from snn_datasets.sets.gen1 import Gen1 as Gen1
    from snn_datasets.sets.hardvs import HARDVS as HARDVS
    from snn_datasets.sets.mnist import MNIST as MNIST
    from snn_datasets.sets.n_caltech101 import NCaltech101 as NCaltech101
    from snn_datasets.sets.n_cars import NCARS as NCARS
    from snn_datasets.sets.n_mnist import NMNIST as NMNIST
    from snn_datasets.sets.n_tidigits import NTIDIGITS as NTIDIGITS
    from snn_datasets.sets.nav_gesture import NavGestureSit as NavGestureSit
    from snn_datasets.sets.nav_gesture import NavGestureWalk as NavGestureWalk
    from snn_datasets.sets.sequential_mnist import SequentialMNIST as SequentialMNIST
    from snn_datasets.sets.shd import SHD as SHD
    from snn_datasets.sets.shd_like import SHDLike as SHDLike
    from snn_datasets.sets.sound_dataset import SoundDataset as SoundDataset
    from snn_datasets.sets.speech_commands import SpeechCommands as SpeechCommands
    from snn_datasets.sets.ssc import SSC as SSC
    from snn_datasets.sets.st_mnist import STMNIST as STMNIST
    from snn_datasets.sets.synthetic import Synthetic as Synthetic
    from snn_datasets.splits import leave_one_out as leave_one_out
    from snn_datasets.splits import listed as listed
    from snn_datasets.splits import per_class_first as per_class_first
    from snn_datasets.splits import stratified as stratified
    from snn_datasets.subset import Subset as Subset
    from snn_datasets.subset import divide as divide

_HOME = {
    "Batch": "batch",
    "collate": "batch",
    "Subset": "subset",
    "divide": "subset",
    "leave_one_out": "splits",
    "listed": "splits",
    "per_class_first": "splits",
    "stratified": "splits",
    "CacheError": "errors",
    "EventCache": "cache.reader",
    "Dataset": "dataset",
    "read_boxes": "formats.dat",
    "Digits": "sets.digits",
    "fetch": "getting.download",
    "DownloadError": "errors",
    "FormatError": "errors",
    "MissingData": "errors",
    "MissingExtra": "errors",
    "EventDataset": "event_dataset",
    "EVENT": "events",
    "Format": "events",
    "make_events": "events",
    "Frames": "integration.frames",
    "frames": "integration.frames",
    "frames_batch": "integration.batch",
    "Custom": "integration.integrator",
    "Integrator": "integration.integrator",
    "TimeSurface": "integration.surfaces",
    "frames_on_device": "integration.tensors",
    "VoxelGrid": "integration.voxels",
    "to_voxel_grid": "integration.voxels",
    "import_files": "getting.intake",
    "Archive": "manifest",
    "Info": "manifest",
    "Mixed": "mixed",
    "MNIST": "sets.mnist",
    "NMNIST": "sets.n_mnist",
    "pack": "packed",
    "unpack": "packed",
    "data_root": "place",
    "iter_events": "recording",
    "read_events": "recording",
    "sensor_size": "recording",
    "write_events": "recording",
    "Recordings": "recordings",
    "FashionMNIST": "sets.fashion_mnist",
    "Folder": "sets.folder",
    "SequentialMNIST": "sets.sequential_mnist",
    "SpeechCommands": "sets.speech_commands",
    "Synthetic": "sets.synthetic",
    "NTIDIGITS": "sets.n_tidigits",
    "SHD": "sets.shd",
    "SHDLike": "sets.shd_like",
    "SoundDataset": "sets.sound_dataset",
    "SSC": "sets.ssc",
    "STMNIST": "sets.st_mnist",
    "ASLDVS": "sets.asl_dvs",
    "Bullying10K": "sets.bullying10k",
    "CIFAR10DVS": "sets.cifar10_dvs",
    "DSEC": "sets.dsec",
    "DVSGesture": "sets.dvs_gesture",
    "DVSLip": "sets.dvs_lip",
    "ESImageNet": "sets.es_imagenet",
    "Gen1": "sets.gen1",
    "HARDVS": "sets.hardvs",
    "NCaltech101": "sets.n_caltech101",
    "NCARS": "sets.n_cars",
    "NavGestureSit": "sets.nav_gesture",
    "NavGestureWalk": "sets.nav_gesture",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_datasets' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"snn_datasets.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
