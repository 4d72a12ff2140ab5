r"""Which characters are letters, numbers and white space, as GPT-2's pattern has it: \p{L}, \p{N}, \s.

`python -m sheetgpt.models.unicode` writes the table anew from the `regex` package, which OpenAI's encoder.py uses and
of which nothing else here has need.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from importlib.metadata import distribution
from itertools import groupby
from pathlib import Path

TABLE = Path(__file__).with_name("unicode_classes.csv")
CLASSES = ("letter", "number", "space", "other")


def class_ranges() -> list[tuple[int, str]]:
    """First code point and class of each range, in order; the first starts at 0, neighbours differ.

    A class is one of `CLASSES`; surrogates and what Unicode has not assigned are "other".
    """
    return list(_read_table()[1])


def char_class(code: int) -> str:
    """The class of one code point, by the table."""
    return _read_table()[1][bisect_right(_firsts(), code) - 1][1]


@cache
def _firsts() -> list[int]:
    return [first for first, _ in class_ranges()]


def unicode_version() -> str:
    """The version of Unicode that the table was made for: "18.0.0"."""
    return _read_table()[0]


def regex_class(code: int) -> str:
    """The class that `regex` has for a code point.

    >>> regex_class(ord("é")), regex_class(ord("½"))
    ('letter', 'number')
    """
    import regex

    match = regex.match(r"(?P<letter>\p{L})|(?P<number>\p{N})|(?P<space>\s)|(?P<other>.)", chr(code), regex.DOTALL)
    assert match
    return str(match.lastgroup)


def regex_unicode() -> str:
    """The version of Unicode that `regex` says it knows; it says so in its description only."""
    match = re.search(r"supports Unicode (\d+\.\d+\.\d+)", distribution("regex").read_text("METADATA") or "")
    assert match, "the description of regex names no version of Unicode any more"
    return str(match[1])


def make_table() -> str:
    """The file's text: the version, then a line for each range, with its first code point in hexadecimal."""
    starts = [next(same) for _, same in groupby(range(0x110000), regex_class)]
    lines = [f"Unicode,{regex_unicode()}", *(f"{start:04X},{regex_class(start)}" for start in starts)]
    return "\n".join(lines) + "\n"


@cache
def _read_table() -> tuple[str, tuple[tuple[int, str], ...]]:
    (_, version), *rows = [line.split(",") for line in TABLE.read_text(encoding="ascii").splitlines()]
    return version, tuple([(int(start, 16), name) for start, name in rows])


if __name__ == "__main__":
    TABLE.write_text(make_table(), encoding="ascii", newline="\n")
