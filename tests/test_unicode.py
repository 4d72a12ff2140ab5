"""The table of character classes against `regex`, Python's own Unicode data and the Unicode Standard's list."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import regex

from sheetgpt.models import unicode

POINTS = range(0x110000)
WHITE_SPACE = [  # PropList.txt of the Unicode Character Database; unchanged since version 6.3
    *range(0x0009, 0x000E),
    *(0x0020, 0x0085, 0x00A0, 0x1680),
    *range(0x2000, 0x200B),
    *(0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
]


@pytest.fixture(scope="module")
def classes() -> list[str]:
    """The class of every code point, in order."""
    ranges = [*unicode.class_ranges(), (len(POINTS), "")]
    return [name for (start, name), (end, _) in pairwise(ranges) for _ in range(start, end)]


def differences(
    classes: list[str], theirs: Callable[[int], str], assigned: Callable[[int], bool], version: str
) -> list[str]:
    """Code points that two tables class differently, of those that both of their versions of Unicode have."""
    ours, other = _parts(unicode.unicode_version()), _parts(version)

    def comparable(point: int) -> bool:
        if other < ours:
            return assigned(point)
        return other == ours or classes[point] != "other"  # our file does not tell what its version left free

    return [
        f"U+{point:04X}: {classes[point]}, not {theirs(point)}"
        for point in POINTS
        if classes[point] != theirs(point) and comparable(point)
    ]


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_ranges_cover_every_code_point_once(classes: list[str]) -> None:
    ranges = unicode.class_ranges()
    assert ranges[0] == (0, "other")
    assert all(a < b and x != y for (a, x), (b, y) in pairwise(ranges))
    assert len(classes) == len(POINTS)
    assert set(classes) == set(unicode.CLASSES)
    assert set(classes[0xD800:0xE000]) == {"other"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("aZéßǅʰªº中한𝒜𐌰𠀀", "letter"),
        ("07²½Ⅷ①٣৪", "number"),
        (" \t\n\r\u0085\u00a0\u2003\u2028\u3000", "space"),
        ("!'_€\u0000\u0301\u180e\u200b\ufeff😀\ue000\uffff", "other"),
    ],
)
def test_known_characters(classes: list[str], text: str, name: str) -> None:
    assert {c: classes[ord(c)] for c in text} == dict.fromkeys(text, name)


def test_the_table_is_that_of_regex(classes: list[str]) -> None:
    free = regex.compile(r"\p{Cn}")
    version = unicode.regex_unicode()
    assert differences(classes, unicode.regex_class, lambda point: not free.match(chr(point)), version) == []


def test_the_table_is_that_of_python(classes: list[str]) -> None:
    white = set(WHITE_SPACE)

    def theirs(point: int) -> str:
        kind = unicodedata.category(chr(point))[0]
        return {"L": "letter", "N": "number"}.get(kind, "space" if point in white else "other")

    def assigned(point: int) -> bool:
        return unicodedata.category(chr(point)) != "Cn"

    assert differences(classes, theirs, assigned, unicodedata.unidata_version) == []


def test_white_space_is_the_standards_list(classes: list[str]) -> None:
    assert [point for point in POINTS if classes[point] == "space"] == WHITE_SPACE


def test_the_file_is_what_its_maker_writes() -> None:
    if unicode.regex_unicode() == unicode.unicode_version():  # with another `regex` the tests above must do
        assert unicode.TABLE.read_bytes().decode("ascii") == unicode.make_table()


def test_nobody_can_spoil_it() -> None:
    unicode.class_ranges().clear()
    assert unicode.class_ranges()


def test_windows_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "table.csv"
    copy.write_bytes(unicode.TABLE.read_bytes().replace(b"\n", b"\r\n"))
    wanted = unicode._read_table()
    monkeypatch.setattr(unicode, "TABLE", copy)
    assert unicode._read_table.__wrapped__() == wanted
