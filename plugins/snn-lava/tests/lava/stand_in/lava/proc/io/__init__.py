from lava.proc.io import sink, source  # noqa: F401
