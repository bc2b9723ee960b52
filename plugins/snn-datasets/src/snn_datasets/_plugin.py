"""What this plugin registers."""

from __future__ import annotations

from snncore.hookspecs import Register, ReportCheck, hookimpl

API = 1


@hookimpl
def snn_components(register: Register) -> None:
    register(
        "dataset",
        "digits",
        "snn_datasets.digits:Digits",
        summary="1,797 real 8x8 digits that come with scikit-learn; no download",
    )
    register(
        "dataset",
        "mnist",
        "snn_datasets.mnist:MNIST",
        summary="70,000 handwritten digits, 28x28",
    )
    register(
        "dataset",
        "fashion_mnist",
        "snn_datasets.sets.fashion_mnist:FashionMNIST",
        summary="70,000 pictures of clothes, 28x28",
    )
    register(
        "dataset",
        "sequential_mnist",
        "snn_datasets.sets.sequential_mnist:SequentialMNIST",
        summary="MNIST or Fashion-MNIST by pixel or row, also permuted",
    )
    register(
        "dataset",
        "synthetic",
        "snn_datasets.sets.synthetic:Synthetic",
        summary="moving bars, gestures and Poisson patterns, drawn by seed; no files",
    )
    register(
        "dataset",
        "folder",
        "snn_datasets.sets.folder:Folder",
        summary="your own recordings, of any registered format, in class folders",
    )
    register(
        "dataset",
        "speech_commands",
        "snn_datasets.sets.speech_commands:SpeechCommands",
        summary="35 spoken words as waveforms or as spikes of mel bands",
    )
    register(
        "dataset",
        "shd",
        "snn_datasets.sets.shd:SHD",
        summary="20 spoken digits as spikes of 700 units",
    )
    register(
        "dataset",
        "ssc",
        "snn_datasets.sets.ssc:SSC",
        summary="35 spoken commands as spikes of 700 units",
    )
    register(
        "dataset",
        "shd_like",
        "snn_datasets.sets.shd_like:SHDLike",
        summary="your own sounds as spikes, in files like those of SHD",
    )
    register(
        "dataset",
        "n_tidigits",
        "snn_datasets.sets.n_tidigits:NTIDIGITS",
        summary="11 spoken digits heard by a silicon cochlea of 64 channels",
    )
    register(
        "dataset",
        "st_mnist",
        "snn_datasets.sets.st_mnist:STMNIST",
        summary="digits written on an array of 10x10 taxels",
    )
    register(
        "dataset",
        "n_mnist",
        "snn_datasets.n_mnist:NMNIST",
        summary="MNIST seen by a moving event camera, 34x34",
        aliases=("nmnist",),
    )
    register(
        "format",
        "bin40",
        "snn_datasets.bin40:Bin40",
        summary="40-bit events (.bin) of N-MNIST and N-Caltech101",
    )
    register(
        "format",
        "aedat31",
        "snn_datasets.aedat31:Aedat31",
        summary="AEDAT 3.1 packets (.aedat), as in DVS128 Gesture",
    )
    register(
        "format",
        "evt2",
        "snn_datasets.evt2:Evt2",
        summary="Prophesee EVT 2.0 (.raw)",
    )
    register(
        "format",
        "evt21",
        "snn_datasets.evt2:Evt21",
        summary="Prophesee EVT 2.1 (.raw), vectors of 32 pixels",
    )
    register(
        "format",
        "evt3",
        "snn_datasets.evt3:Evt3",
        summary="Prophesee EVT 3.0 (.raw)",
    )
    register(
        "format",
        "dat",
        "snn_datasets.dat:Dat",
        summary="Prophesee and ATIS .dat, as in N-CARS, Gen1 and NavGesture",
    )
    register(
        "format",
        "shd",
        "snn_datasets.shd:Shd",
        summary="HDF5 (.h5) of the spoken digits SHD and commands SSC",
    )
    register(
        "format",
        "aedat4",
        "snn_datasets.aedat4:Aedat4",
        summary="AEDAT 4.0 (.aedat4) of iniVation's cameras",
    )
    register(
        "format",
        "aedat2",
        "snn_datasets.aedat2:Aedat2",
        summary="AEDAT 2.0 (.aedat) of DVS128 and DAVIS, as in CIFAR10-DVS",
    )
    register(
        "format",
        "aedat1",
        "snn_datasets.aedat2:Aedat1",
        summary="AEDAT 1.0, also without header, as of auditory sensors",
    )
    register(
        "format",
        "npy",
        "snn_datasets.tables:Npy",
        summary="NumPy arrays (.npy), as in DVS-Lip and Bullying10K",
    )
    register(
        "format",
        "npz",
        "snn_datasets.tables:Npz",
        summary="zipped NumPy arrays (.npz), as in HARDVS and ES-ImageNet",
    )
    register(
        "format",
        "csv",
        "snn_datasets.tables:Csv",
        summary="text (.csv), one event per line",
    )
    register(
        "format",
        "mat",
        "snn_datasets.mat:Mat",
        summary="MATLAB files (.mat) of ASL-DVS and ST-MNIST",
    )
    register(
        "format",
        "ntidigits",
        "snn_datasets.ntidigits:NTidigits",
        summary="HDF5 (n-tidigits.hdf5) of the spoken digits N-TIDIGITS18",
    )
    register(
        "format",
        "dsec",
        "snn_datasets.dsec:Dsec",
        summary="HDF5 (events.h5) of DSEC",
    )


@hookimpl
def snn_doctor(report: ReportCheck) -> None:
    from snn_datasets.place import describe_root

    report("data folder", describe_root)
