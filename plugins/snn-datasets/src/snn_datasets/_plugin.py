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


@hookimpl
def snn_doctor(report: ReportCheck) -> None:
    from snn_datasets.place import describe_root

    report("data folder", describe_root)
