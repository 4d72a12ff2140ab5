"""A value as a cell's XML: the reverse of what `sheetxml` reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from sheetgpt.sheet.grid import CellError, Value

_UNSAYABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4})")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def escape(text: str) -> str:
    """Text with `_xHHHH_` for each character that XML cannot say: 'a\\x01' is 'a_x0001_', '_x0041_' is '_x005F_x0041_'.

    A carriage return can be said, as a character reference.
    """
    return _UNSAYABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def element(tag: str, text: str) -> str:
    """An element that holds text, its outer blanks kept."""
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<{tag}{space}>{markup(escape(text))}</{tag}>"


def markup(text: str) -> str:
    """Text without what XML takes for its own."""
    return text.translate(_MARKUP)


def computed_xml(value: Value, prefix: str = "") -> tuple[str | None, str]:
    """What a formula's cell remembers: its type (t=) and the element. 1.5 is (None, '<v>1.5</v>').

    Raises `ValueError` for a number that is not finite.
    """
    tag = f"{prefix}v"
    if value is None:
        return None, ""
    if isinstance(value, bool):
        return "b", element(tag, str(int(value)))
    if isinstance(value, str):
        return "e" if isinstance(value, CellError) else "str", element(tag, value)
    number = orjson.dumps(value).decode()
    if number == "null":
        raise ValueError("holds a number that is not finite")
    return None, f"<{tag}>{number}</{tag}>"


def typed_xml(value: Value, shared: Mapping[str, int], prefix: str = "") -> tuple[str | None, str]:
    """What a cell without a formula holds; `shared` are the numbers of texts among the shared strings."""
    if not isinstance(value, str) or isinstance(value, CellError):
        return computed_xml(value, prefix)
    if value in shared:
        return "s", element(f"{prefix}v", str(shared[value]))
    return "inlineStr", f"<{prefix}is>{element(f'{prefix}t', value)}</{prefix}is>"
