"""``--set key=value``: values typed on the command line, read as TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from snncore.cli.failure import WrongUsage


def parse(words: Iterable[str], option: str = "--set") -> dict[str, Any]:
    """Nested tables from words such as ``neuron.tau=3``; later words win.

    A value is TOML (``3``, ``0.5``, ``true``, ``[1, 2]``, ``"text"``, ``{name = "lif"}``); what is
    no TOML is taken as text, so ``neuron=lif`` needs no quotes.

    Args:
        words: after the option.
        option: what an error calls it.

    Raises: WrongUsage for a word without ``=`` or with a key that is no dotted name.

    Example:
        >>> parse(["neuron.tau=3", "norm=batch"])
        {'neuron': {'tau': 3}, 'norm': 'batch'}
    """
    result: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        path = key.strip().split(".")
        if not equals or not all(_is_name(part) for part in path):
            raise WrongUsage(
                f"{option} expects key=value, as in {option} neuron.tau=3; got {word!r}"
            )
        nested: Any = _value(text.strip())
        for part in reversed(path):
            nested = {part: nested}
        result = merge(result, nested)
    return result


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables in one; where both say something, ``above`` wins. Neither is changed.

    Example:
        >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
        {'a': {'x': 1, 'y': 3}}
    """
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merge(old, value)
        else:
            result[key] = value
    return result


def _is_name(part: str) -> bool:
    return part.replace("_", "").replace("-", "").isalnum()


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    # A line break in the text would smuggle in further keys.
    return read["value"] if len(read) == 1 else text
