"""Runs registered neurons in Triton's interpreter, as the script of the core's tests does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

if __name__ == "__main__":
    triton = cases.load(cases.CORE / "triton_cases.py")
    triton.MODELS.update(cases.models())
    triton.main(Path(sys.argv[1]))
