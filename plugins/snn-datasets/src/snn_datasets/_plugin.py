"""What this plugin registers."""

from __future__ import annotations

from snncore.hookspecs import Register, RegisterCommand, ReportCheck, hookimpl

API = 1


@hookimpl
def snn_components(register: Register) -> None:
    register(
        "dataset",
        "digits",
        "snn_datasets.sets.digits:Digits",
        summary="1,797 real 8x8 digits that come with scikit-learn; no download",
    )
    register(
        "dataset",
        "mnist",
        "snn_datasets.sets.mnist:MNIST",
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
        "snn_datasets.sets.n_mnist:NMNIST",
        summary="MNIST seen by a moving event camera, 34x34",
        aliases=("nmnist",),
    )
    register(
        "dataset",
        "asl_dvs",
        "snn_datasets.sets.asl_dvs:ASLDVS",
        summary="24 letters of sign language before an event camera, 240x180",
    )
    register(
        "dataset",
        "bullying10k",
        "snn_datasets.sets.bullying10k:Bullying10K",
        summary="bullying and friendly actions before an event camera, 346x260",
    )
    register(
        "dataset",
        "cifar10_dvs",
        "snn_datasets.sets.cifar10_dvs:CIFAR10DVS",
        summary="CIFAR10 moved before an event camera, 128x128",
    )
    register(
        "dataset",
        "dsec",
        "snn_datasets.sets.dsec:DSEC",
        summary="driving before two event cameras, in windows, 640x480",
    )
    register(
        "dataset",
        "dvs_gesture",
        "snn_datasets.sets.dvs_gesture:DVSGesture",
        summary="eleven hand and arm gestures before an event camera, 128x128",
    )
    register(
        "dataset",
        "dvs_lip",
        "snn_datasets.sets.dvs_lip:DVSLip",
        summary="100 spoken words before an event camera, 128x128",
    )
    register(
        "dataset",
        "es_imagenet",
        "snn_datasets.sets.es_imagenet:ESImageNet",
        summary="ImageNet as simulated events in eight steps, 256x256",
    )
    register(
        "dataset",
        "gen1",
        "snn_datasets.sets.gen1:Gen1",
        summary="cars and pedestrians with boxes before an event camera, 304x240",
    )
    register(
        "dataset",
        "hardvs",
        "snn_datasets.sets.hardvs:HARDVS",
        summary="300 human activities before an event camera, 346x260",
    )
    register(
        "dataset",
        "n_caltech101",
        "snn_datasets.sets.n_caltech101:NCaltech101",
        summary="Caltech101 seen by a moving event camera, 240x180",
    )
    register(
        "dataset",
        "n_cars",
        "snn_datasets.sets.n_cars:NCARS",
        summary="cars and background before an event camera, 120x100",
    )
    register(
        "dataset",
        "nav_gesture_sit",
        "snn_datasets.sets.nav_gesture:NavGestureSit",
        summary="gestures before a phone, seated, 304x240",
    )
    register(
        "dataset",
        "nav_gesture_walk",
        "snn_datasets.sets.nav_gesture:NavGestureWalk",
        summary="gestures before a phone, walking, 304x240",
    )
    register(
        "format",
        "bin40",
        "snn_datasets.formats.bin40:Bin40",
        summary="40-bit events (.bin) of N-MNIST and N-Caltech101",
    )
    register(
        "format",
        "aedat31",
        "snn_datasets.formats.aedat31:Aedat31",
        summary="AEDAT 3.1 packets (.aedat), as in DVS128 Gesture",
    )
    register(
        "format",
        "evt2",
        "snn_datasets.formats.evt2:Evt2",
        summary="Prophesee EVT 2.0 (.raw)",
    )
    register(
        "format",
        "evt21",
        "snn_datasets.formats.evt2:Evt21",
        summary="Prophesee EVT 2.1 (.raw), vectors of 32 pixels",
    )
    register(
        "format",
        "evt3",
        "snn_datasets.formats.evt3:Evt3",
        summary="Prophesee EVT 3.0 (.raw)",
    )
    register(
        "format",
        "dat",
        "snn_datasets.formats.dat:Dat",
        summary="Prophesee and ATIS .dat, as in N-CARS, Gen1 and NavGesture",
    )
    register(
        "format",
        "shd",
        "snn_datasets.formats.shd:Shd",
        summary="HDF5 (.h5) of the spoken digits SHD and commands SSC",
    )
    register(
        "format",
        "aedat4",
        "snn_datasets.formats.aedat4:Aedat4",
        summary="AEDAT 4.0 (.aedat4) of iniVation's cameras",
    )
    register(
        "format",
        "aedat2",
        "snn_datasets.formats.aedat2:Aedat2",
        summary="AEDAT 2.0 (.aedat) of DVS128 and DAVIS, as in CIFAR10-DVS",
    )
    register(
        "format",
        "aedat1",
        "snn_datasets.formats.aedat2:Aedat1",
        summary="AEDAT 1.0, also without header, as of auditory sensors",
    )
    register(
        "format",
        "npy",
        "snn_datasets.formats.tables:Npy",
        summary="NumPy arrays (.npy), as in DVS-Lip and Bullying10K",
    )
    register(
        "format",
        "npz",
        "snn_datasets.formats.tables:Npz",
        summary="zipped NumPy arrays (.npz), as in HARDVS and ES-ImageNet",
    )
    register(
        "format",
        "csv",
        "snn_datasets.formats.tables:Csv",
        summary="text (.csv), one event per line",
    )
    register(
        "format",
        "mat",
        "snn_datasets.formats.mat:Mat",
        summary="MATLAB files (.mat) of ASL-DVS and ST-MNIST",
    )
    register(
        "format",
        "ntidigits",
        "snn_datasets.formats.ntidigits:NTidigits",
        summary="HDF5 (n-tidigits.hdf5) of the spoken digits N-TIDIGITS18",
    )
    register(
        "format",
        "dsec",
        "snn_datasets.formats.dsec:Dsec",
        summary="HDF5 (events.h5) of DSEC",
    )


@hookimpl
def snn_commands(register_command: RegisterCommand) -> None:
    register_command("data", "snn_datasets.cli:app", help="Get, check, look at and convert data.")


@hookimpl
def snn_doctor(report: ReportCheck) -> None:
    from snn_datasets.place import describe_root

    report("data folder", describe_root)
