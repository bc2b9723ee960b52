"""The ``.net`` files of Lava: HDF5, one group per layer.

Source: files of lava-dl 0.6 (slayer's ``export_hdf5``) and what its netx reads of them.
"""

from __future__ import annotations

from snn_lava.netfile.reading import read as read
from snn_lava.netfile.writing import write as write
