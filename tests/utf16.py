"""Excel's way with text, in the `formulas` engine: it counts UTF-16 units, where `formulas` counts characters.

LEN, MID, LEFT, RIGHT and FIND go by units and may cut a character beyond U+FFFF in two; UNICODE and UNICHAR know
whole characters only. In between, Python's text holds halves as lone surrogates.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from formulas import get_functions
from formulas.functions import Error, replace_empty, wrap_ufunc
from formulas.functions.operators import OPERATORS
from formulas.functions.text import _str, xfind, xleft, xmid, xright, xunichar

Value = Any  # a number, a text, or an error of the package

_VALUE, _NA = Error.errors["#VALUE!"], Error.errors["#N/A"]


def to_units(text: str) -> str:
    """A text with one character for each of its UTF-16 units.

    >>> to_units("a😀")
    'a\\ud83d\\ude00'
    """
    return "".join([chr(unit) for (unit,) in struct.iter_unpack("<H", text.encode("utf-16-le", "surrogatepass"))])


def from_units(text: str) -> str:
    """A text in which two halves that stand side by side are one character again."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _by_units(function: Callable[..., Value], *arguments: Value) -> Value:
    """One of the package's functions on units: numbers and errors as they are, text to units and back."""
    result = function(*(to_units(x) if isinstance(x, str) else x for x in arguments))
    return from_units(result) if type(result) is str else result


def _unicode(text: Value) -> Value:
    """Half a character has no number, and an empty text neither."""
    whole = from_units(_str(text))
    return ord(whole[0]) if whole and not _is_half(ord(whole[0])) else _VALUE


def _unichar(number: Value) -> Value:
    return _NA if _is_half(int(number)) else xunichar(number)


def _is_half(point: int) -> bool:
    return 0xD800 <= point < 0xE000


def _join(*texts: Value) -> str:
    return from_units("".join(map(_str, texts)))


def _function(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function of values as one of arrays; an empty cell is an empty text."""
    return wrap_ufunc(
        function,
        input_parser=lambda *arguments: arguments,
        args_parser=lambda *arguments: [replace_empty(x, "") for x in arguments],
    )


_CUTS = {"LEN": lambda text: len(_str(text)), "MID": xmid, "LEFT": xleft, "RIGHT": xright, "FIND": xfind}
_FUNCTIONS = {
    **{name: _function(partial(_by_units, function)) for name, function in _CUTS.items()},
    **dict.fromkeys(("UNICODE", "_XLFN.UNICODE"), _function(_unicode)),
    **dict.fromkeys(("UNICHAR", "_XLFN.UNICHAR"), _function(_unichar)),
    **dict.fromkeys(("CONCATENATE", "_XLFN.CONCATENATE"), _function(_join)),
}


@contextmanager
def excel_text() -> Iterator[None]:
    """Formulas that are compiled in here compute as Excel would; those compiled before keep their ways."""
    with patch.dict(get_functions(), _FUNCTIONS), patch.dict(OPERATORS, {"&": _function(_join)}):
        yield
