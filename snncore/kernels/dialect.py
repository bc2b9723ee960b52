"""The C in which steps are written by hand: what it may say, and how a compiler's words are shown.

It is what C++ and CUDA have in common. A text becomes the body of an inline function of floats, so
that its names meet none of the kernel around it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from functools import cached_property

from snncore.errors import ConfigError
from snncore.kernels.ir import UNARY, Function

FUNCTIONS = tuple(sorted({*UNARY - {"neg"}, "max", "min", "pow", "fmod"}))
"""The functions that a text may call, as ``snn_exp`` and so on; they vectorise on the CPU."""

_KEYWORD = re.compile(
    "alignas|alignof|and|and_eq|asm|auto|bitand|bitor|bool|break|case|catch|char|char16_t|"
    "char32_t|class|compl|const|const_cast|constexpr|continue|decltype|default|delete|do|double|"
    "dynamic_cast|else|enum|explicit|export|extern|false|float|for|friend|goto|if|inline|int|long|"
    "mutable|namespace|new|noexcept|not|not_eq|nullptr|operator|or|or_eq|private|protected|public|"
    "register|reinterpret_cast|return|short|signed|sizeof|static|static_assert|static_cast|struct|"
    "switch|template|this|thread_local|throw|true|try|typedef|typeid|typename|union|unsigned|"
    "using|virtual|void|volatile|wchar_t|while|xor|xor_eq"
)
_TAKEN = re.compile(
    "S|u8|u16|u32|i32|i64|INFINITY|NAN|NULL|EOF|assert|errno|main|blockDim|blockIdx|gridDim|"
    "threadIdx|warpSize|self"
)
_PREFIXES = ("snn_", "SNN_", "grad_", "next_", "_", "M_", "FP_", "HUGE_")

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MANTISSA = r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"{_MANTISSA}(?![\w.])")
_SUFFIXED = re.compile(rf"({_MANTISSA})[fFlL]\b")
_STRANGE = re.compile(r"[#\"'\\]|/\*")
_PLAIN = re.compile(rf"(?<![\w.])(?:std::)?f?({'|'.join(FUNCTIONS)})f?\s*\(")


class Text:
    """One body written by hand.

    A number with a point or an exponent is of the kernel's own type ``S``, as torch has it:
    as C has it, ``0.1`` would draw the arithmetic of a float32 kernel into double.

    Args:
        label: what compilers are told that the file is called.
        body: as the user wrote it.
    Raises: ConfigError with the user's line for what no kernel can hold.
    """

    def __init__(self, label: str, body: str) -> None:
        self.label = label
        self.lines = textwrap.dedent(body.expandtabs(4)).strip("\n").rstrip().splitlines()
        whole = "\n".join(self.lines)
        # A comment that ends in a backslash would swallow the next line: it stays in sight.
        self._bare = _COMMENT.sub(lambda found: re.sub(r"[^\n\\]", " ", found.group()), whole)
        if not self._bare.strip():
            raise ConfigError(f"{label} is empty; write what one step computes")
        self._check()

    @cached_property
    def names(self) -> frozenset[str]:
        """Every identifier in it."""
        return frozenset(re.findall(r"(?<![\w.])[A-Za-z_]\w*", self._bare))

    def assigns(self, name: str) -> bool:
        """Whether it gives ``name`` a value anywhere."""
        pattern = rf"(?<!\w){name}\s*(?:[-+*/]?=(?!=)|\+\+|--)|(?:\+\+|--)\s*{name}\b"
        return re.search(pattern, self._bare) is not None

    def function(self, name: str, arguments: Iterable[str], results: Mapping[str, str]) -> Function:
        """It as a C function.

        Args:
            name: of the function.
            arguments: names of floats.
            results: names of floats, and what each is at the start.
        """
        takes = [*(f"const S {one}" for one in arguments), *(f"S& {one}" for one in results)]
        begins = " ".join(f"{one} = {start};" for one, start in results.items())
        text = [
            f"SNN_INLINE void {name}({', '.join(takes)}) {{",
            f"  {begins}",
            f'#line 1 "{self.label}"',
            *(self._typed(number) for number in range(len(self.lines))),
            "}",
        ]
        return Function(name, "\n".join(text), len(results))

    def explained(self, words: str) -> list[str]:
        """What a compiler said about this text, each complaint under the user's own line."""
        place = rf"{re.escape(self.label)}(?::(\d+):(\d+): |\((\d+)\): )(?:fatal )?error: (.*)"
        found: list[str] = []
        for line, column, other, message in re.findall(place, words):
            number = int(line or other) - 1
            if number < len(self.lines):
                at = self._original(number, int(column) - 1) if column else None
                found.append(f"{self._shown(number, at)}\n{message}")
        return found

    def _check(self) -> None:
        for pattern, advice in (
            (_STRANGE, "a kernel's text holds no preprocessor lines, texts or open comments"),
            (_SUFFIXED, "write {0} without a suffix: numbers take the type of the kernel"),
            (_PLAIN, "write snn_{0}(...): C's own functions would keep the loop scalar"),
        ):
            found = pattern.search(self._bare)
            if found:
                self._refuse(found.start(), advice.format(*found.groups()))
        open_ = 0
        for place, letter in enumerate(self._bare):
            open_ += (letter == "{") - (letter == "}")
            if open_ < 0:
                self._refuse(place, "this brace closes none")
        if open_:
            self._refuse(self._bare.rindex("{"), "this brace, or one above, is never closed")

    def _refuse(self, place: int, advice: str) -> None:
        before = self._bare[:place]
        number, column = before.count("\n"), place - (before.rfind("\n") + 1)
        raise ConfigError(f"{self._shown(number, column)}\n{advice}")

    def _shown(self, number: int, column: int | None) -> str:
        shown = f"{self.label}, line {number + 1}:\n    {self.lines[number]}"
        return shown if column is None else f"{shown}\n    {' ' * column}^"

    def _literals(self, number: int) -> list[int]:
        bare = self._bare.split("\n")[number]
        return [found.start() for found in _NUMBER.finditer(bare)]

    def _typed(self, number: int) -> str:
        line = self.lines[number]
        for place in reversed(self._literals(number)):
            line = f"{line[:place]}(S){line[place:]}"
        return line

    def _original(self, number: int, column: int) -> int:
        """The column of the user's line for one of the line that was compiled."""
        for count, place in enumerate(self._literals(number)):
            if column < place + 3 * count + 3:
                return min(column - 3 * count, place)
        return column - 3 * len(self._literals(number))


def check_name(name: str, what: str) -> None:
    """Raises ConfigError unless ``name`` can stand in a text for a value of the kernel's."""
    cure = "take another name"
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise ConfigError(f"{what} {name!r} is no name in C; use letters, digits and _")
    if _KEYWORD.fullmatch(name):
        raise ConfigError(f"{what} {name!r} is a word of C++; {cure}, such as {name}_0")
    prefix = next((one for one in _PREFIXES if name.startswith(one)), None)
    if prefix or _TAKEN.fullmatch(name):
        which = f"names that begin with {prefix!r} are" if prefix else f"{name!r} is"
        raise ConfigError(f"{what} {name!r}: {which} taken by kernels or compilers; {cure}")
