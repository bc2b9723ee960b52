from lava.lib.dl.netx import hdf5, sequential_modules  # noqa: F401
