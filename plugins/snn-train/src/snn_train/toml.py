"""Writes plain tables as TOML; the standard library only reads it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(table: Mapping[str, Any]) -> str:
    """TOML text that ``tomllib`` reads back as the same table.

    Values are strings, booleans, finite or infinite numbers, lists and tables of such. TOML has no
    null: None is written as the text ``none``, which :func:`snncore.build` understands.

    Raises: TypeError naming the key of any other value.

    Example:
        >>> print(dumps({"model": {"name": "mlp", "hidden": [64]}}), end="")
        [model]
        name = "mlp"
        hidden = [64]
    """
    return "\n\n".join(_sections(table, ())) + "\n"


def _sections(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {k: v for k, v in table.items() if not isinstance(v, Mapping)}
    inner = {k: v for k, v in table.items() if isinstance(v, Mapping)}
    lines = [f"{_key(key)} = {_value(value, (*path, key))}" for key, value in plain.items()]
    if path and (lines or not inner):
        lines.insert(0, f"[{'.'.join(map(_key, path))}]")
    if lines:
        yield "\n".join(lines)
    for key, value in inner.items():
        yield from _sections(value, (*path, key))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # A JSON string is a TOML string but for DEL and for pairs of surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any, path: tuple[str, ...]) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, (int, float)):
        # A subclass, such as a NumPy float, has a repr of its own.
        return repr(int(value) if isinstance(value, int) else float(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(item, path) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_key(k)} = {_value(v, path)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    raise TypeError(
        f"{'.'.join(path)} is a {type(value).__name__}; texts, numbers, booleans, lists and tables "
        "can be written"
    )
