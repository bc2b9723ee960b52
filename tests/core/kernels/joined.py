"""Several kernels as one text: starting a compiler takes longer than compiling one.

Loaded by its path, as test files are no package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def joined(texts: Mapping[str, str]) -> str:
    """One translation unit, in which each kernel is called after its name.

    Args:
        texts: C++ or CUDA C by name; names differ in letters and digits.
    """
    parts = [_part(re.sub(r"\W", "_", name), text) for name, text in texts.items()]
    return "\n".join(parts)


def _part(name: str, text: str) -> str:
    macros = dict.fromkeys(re.findall(r"^#define (\w+)", text, re.MULTILINE))
    ends = "\n".join(f"#undef {macro}" for macro in macros)
    body = re.sub(r"\bsnn_kernel\b", f"snn_kernel_{name}", text)
    return f"namespace {name} {{\n{body}\n}}\n{ends}\n"
