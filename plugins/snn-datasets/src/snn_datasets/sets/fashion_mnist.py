"""Fashion-MNIST from its four idx.gz files."""

from __future__ import annotations

from typing import ClassVar

from snn_datasets.manifest import Info
from snn_datasets.sets.mnist import MNIST


class FashionMNIST(MNIST):
    """Pictures of ten kinds of clothes, 28x28 pixels of 256 levels, in the layout of MNIST.

    Protocols, args, shape and errors: those of :class:`snn_datasets.MNIST`; files may also lie in
    ``FashionMNIST/raw`` (as torchvision puts them).

    Example:
        >>> FashionMNIST.info.samples["train"], FashionMNIST.names[0]
        (60000, 'T-shirt/top')

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms, arXiv:1708.07747, 2017.
    """

    info: ClassVar[Info] = Info.load("fashion_mnist")
    names: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
