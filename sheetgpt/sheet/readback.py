"""A .xlsx file as values and formulas: what stands in every cell, and which cells formulas compute.

Written against the file format, not against a library, so that it can be strict: one expat pass per
sheet, in file order; whatever two spreadsheets might read differently (a cell twice, rows out of
order, text where a number belongs) is a `WorkbookError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from sheetgpt.sheet import a1
from sheetgpt.sheet.package import LIMITS, Limits, Package, local, open_package, xml_parser

Area = tuple[int, int, int, int]
_PIECES = 4096  # of a text, 8 KiB each
_DEPTH = 256  # of elements that mean nothing here
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


class CellError(str):
    """An error that a cell shows, such as #DIV/0!: not text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"CellError({str(self)!r})"


Value = float | str | bool | CellError | None


class Formula(NamedTuple):
    """Text without the leading '='; `area` is that of an array, ends included.

    An ordinary formula has no area.
    """

    text: str
    area: Area | None = None


@dataclass(frozen=True)
class Sheet:
    """One tab. Keys are (row, column) from 0; a formula's cached value stands in `values`."""

    name: str
    values: Mapping[tuple[int, int], Value]
    formulas: Mapping[tuple[int, int], Formula]

    def areas(self) -> Iterator[Area]:
        """The areas that formulas compute, in the file's order; none overlap."""
        for (r, c), formula in self.formulas.items():
            yield formula.area or (r, c, r, c)

    def formula_cells(self) -> Iterator[tuple[int, int]]:
        """Every cell that a formula computes, the bodies of array formulas included."""
        for area in self.areas():
            yield from cells(area)

    def block(self, r0: int, c0: int, rows: int, cols: int) -> npt.NDArray[np.object_]:
        """(rows, cols) of values; None where a cell is empty."""
        out = np.empty((rows, cols), object)
        for r in range(rows):
            for c in range(cols):
                out[r, c] = self.values.get((r0 + r, c0 + c))
        return out


@dataclass(frozen=True)
class Book:
    """A workbook as read: `sheets` holds the tabs asked for, `tabs` names all of them in order."""

    path: Path
    tabs: tuple[str, ...]
    sheets: Mapping[str, Sheet]
    names: Mapping[str, str]  # defined name -> reference, of the whole workbook
    local_names: Mapping[tuple[str, str], str]  # (tab, defined name) -> reference
    hidden: frozenset[str] = frozenset()
    application: str | None = None  # who wrote the file, by its own account
    creator: str | None = None
    modified: str | None = None
    has_macros: bool = False
    has_external_links: bool = False


def cells(area: Area) -> Iterator[tuple[int, int]]:
    """The cells of an area, row by row."""
    r0, c0, r1, c1 = area
    return ((r, c) for r in range(r0, r1 + 1) for c in range(c0, c1 + 1))


def unescape(text: str) -> str:
    """Text with `_xHHHH_` turned into the characters they stand for."""
    if "_x" not in text:
        return text
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read(path: str | Path, tabs: Collection[str] | None = None, limits: Limits = LIMITS) -> Book:
    """Read a workbook; with `tabs` only those are read, and names that are not there are ignored.

    Raises `WorkbookError` with one line that names the file and, where it is about a cell, the cell.
    """
    with open_package(path, limits) as package:
        outline = Outline.of(package)
        strings = _shared_strings(package, outline)
        sheets, room = {}, limits.cells
        for tab, part in outline.parts.items():
            if tabs is None or tab in tabs:
                sheets[tab] = read_sheet(package, tab, part, strings, room)
                room -= len(sheets[tab].values)
        return Book(package.path, tuple(outline.parts), sheets, **outline.facts(package))


# ---- the workbook part -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outline:
    """What the workbook part says: where each tab's sheet is, names, hidden tabs."""

    workbook: str
    parts: dict[str, str]  # tab -> part
    names: dict[str, str] = field(default_factory=dict)
    local_names: dict[tuple[str, str], str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, package: Package) -> Outline:
        """Read the workbook part; chart sheets are no tabs."""
        workbook = package.related("", "officeDocument")
        if workbook is None:
            package.fail("a zip file, but no workbook: no relationship says where it is")
        root = package.tree(workbook)
        if local(root.tag) != "workbook":
            package.fail(f"{workbook} is not a workbook but <{local(root.tag)[:40]}>")
        listed = [node for node in root.iter() if local(node.tag) == "sheet"]
        parts = _sheet_parts(package, workbook, listed)
        everywhere, here = _names(package, root, [node.get("name", "") for node in listed])
        hidden = frozenset(n.get("name", "") for n in listed if n.get("state", "visible") != "visible")
        return cls(workbook, parts, everywhere, here, hidden)

    def facts(self, package: Package) -> dict[str, Any]:
        """The fields of `Book` that are not cells."""
        app, core = _properties(package, "extended-properties"), _properties(package, "core-properties")
        wrote = " ".join(app[k] for k in ("Application", "AppVersion") if k in app)
        lower = [part.lower() for part in package.parts]
        return {
            "names": self.names,
            "local_names": self.local_names,
            "hidden": self.hidden,
            "application": wrote or None,
            "creator": core.get("creator"),
            "modified": core.get("modified"),
            "has_macros": any("vbaproject" in p or "macrosheets/" in p for p in lower),
            "has_external_links": any("externallinks/" in p or p.endswith("connections.xml") for p in lower),
        }


def _sheet_parts(package: Package, workbook: str, listed: list[Element]) -> dict[str, str]:
    relations, parts, seen = package.relations(workbook), {}, set()
    for node in listed:
        name = node.get("name", "")
        link = next((v for k, v in node.attrib.items() if k != "id" and local(k) == "id"), "")
        if link not in relations:
            package.fail(f"the tab {name[:40]!r} has no sheet")
        if name.casefold() in seen:
            package.fail(f"two tabs are called {name[:40]!r}")
        seen.add(name.casefold())
        if relations[link].kind == "worksheet":
            parts[name] = relations[link].target
            package.entry(parts[name])
    if len(set(parts.values())) < len(parts):
        package.fail("two tabs share a sheet")
    return parts


def _names(package: Package, root: Element, tabs: list[str]) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    everywhere: dict[str, str] = {}
    here: dict[tuple[str, str], str] = {}
    seen = set()
    for node in (n for n in root.iter() if local(n.tag) == "definedName"):
        name, scope = node.get("name", ""), node.get("localSheetId")
        if (name.casefold(), scope) in seen:
            package.fail(f"the name {name[:60]!r} is defined twice")
        seen.add((name.casefold(), scope))
        text = (node.text or "").strip().removeprefix("=")
        if name.startswith("_xlnm."):
            continue
        if scope is None:
            everywhere[name] = text
        elif scope.isdecimal() and int(scope) < len(tabs):
            here[tabs[int(scope)], name] = text
        else:
            package.fail(f"the name {name[:60]!r} belongs to a tab that is not there")
    return everywhere, here


def _properties(package: Package, kind: str) -> dict[str, str]:
    part = package.related("", kind)
    if part is None or part not in package:
        return {}
    return {local(node.tag): node.text.strip() for node in package.tree(part) if node.text}


# ---- shared strings ----------------------------------------------------------------------------------


def _shared_strings(package: Package, outline: Outline) -> list[str]:
    part = package.related(outline.workbook, "sharedStrings")
    if part is None:
        return []
    reader = _Strings(package.limits)
    parser = xml_parser()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    for _ in package.parse(part, parser):
        if len(reader.text) > _PIECES:
            package.fail(f"{part} holds too much text")
    return reader.strings


class _Strings:
    """Collects <si> texts: the runs of rich text joined, phonetic guides left out."""

    def __init__(self, limits: Limits) -> None:
        self.strings: list[str] = []
        self.text: list[str] = []
        self.runs: list[str] = []
        self.phonetic = False
        self.limits, self.size = limits, 0

    def start(self, name: str, _: object) -> None:
        tag = name.rpartition(" ")[2]
        if tag == "t":
            self.text.clear()
        elif tag == "si":
            self.runs = []
        elif tag == "rPh":
            self.phonetic = True

    def end(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag == "t":
            if not self.phonetic:
                self.runs.append(unescape("".join(self.text)))
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "si":
            self._keep("".join(self.runs))
        self.text.clear()

    def _keep(self, text: str) -> None:
        self.size += len(text)
        if self.size > self.limits.texts or len(text) > self.limits.text:
            raise ValueError("more text than is read")
        self.strings.append(text)


# ---- sheets ------------------------------------------------------------------------------------------


def read_sheet(package: Package, tab: str, part: str, strings: list[str], room: int = LIMITS.cells) -> Sheet:
    """One sheet in one pass; at most `room` cells."""
    reader = _Cells(tab, strings, room, package.limits.text)
    parser = xml_parser()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    for _ in package.parse(part, parser):
        if len(reader.text) > _PIECES:
            package.fail(f"{part}: the cell {reader.cursor.address} holds too much text")
    if not reader.tags:
        package.fail(f"{part} is not a sheet")
    try:
        check_areas([f.area or (r, c, r, c) for (r, c), f in reader.formulas.items()], room)
    except ValueError as error:
        package.fail(f"{part}: {error}")
    return Sheet(tab, reader.values, reader.formulas)


class Cursor:
    """Where a pass over a sheet stands. Rows and columns must go forward; both may be left out."""

    __slots__ = ("col", "label", "letters", "row")

    def __init__(self) -> None:
        self.row, self.col, self.label = -1, -1, ""
        self.letters = [a1.column(c) for c in range(a1.MAX_COLS)]

    def enter_row(self, number: str | None) -> None:
        """Start a row; `number` counts from 1. Raises `ValueError` outside the grid or backwards."""
        row = self.row + 1
        if number is not None:
            if not (number.isascii() and number.isdigit() and len(number) < 8):
                raise ValueError(f"row {number[:20]!r} is no row")
            row = int(number) - 1
        if not self.row < row < a1.MAX_ROWS:
            raise ValueError(f"row {row + 1} is out of order or outside the grid")
        self.row, self.col, self.label = row, -1, str(row + 1)

    def enter_cell(self, ref: str | None) -> int:
        """Step to a cell of the row and return its column; raises `ValueError` as `enter_row` does."""
        col = self.col + 1
        if col >= a1.MAX_COLS or (ref is not None and ref != self.letters[col] + self.label):
            if ref is None:
                raise ValueError(f"a cell of row {self.label} is outside the grid")
            row, col = a1.parse_cell(ref)
            if row != self.row or col <= self.col or "$" in ref:
                raise ValueError(f"the cell {ref} is out of order or there twice")
        self.col = col
        return col

    @property
    def address(self) -> str:
        """A1 address of the present cell."""
        return a1.cell(max(self.row, 0), max(self.col, 0))


class _Cells:
    """Expat handlers that fill `values` and `formulas`; they raise `ValueError` naming the cell.

    `start` and `end` run five times per cell: they are written for speed, the rest for the eye.
    """

    def __init__(self, tab: str, strings: list[str], room: int, longest: int) -> None:
        self.values: dict[tuple[int, int], Value] = {}
        self.formulas: dict[tuple[int, int], Formula] = {}
        self.text: list[str] = []
        self.cursor = Cursor()
        self.tab, self.strings, self.room, self.longest = tab, strings, room, longest
        self.tags: dict[str, str] = {}  # full name -> tag, for the elements that matter
        self.skip = 0  # how deep inside a foreign element
        self.inside = False  # between <sheetData> and its end
        self.kind = ""  # the t= of the cell that is open, '' outside cells
        self.raw: str | None = None
        self.attrs: dict[str, str] | None = None  # those of <f>
        self.formula = ""
        self.runs: list[str] | None = None
        self.shared: dict[str, tuple[str, str]] = {}

    def start(self, name: str, attrs: dict[str, str]) -> None:
        tag = self.tags.get(name)
        if self.skip or not self.inside:
            self._outside(name, tag)
        elif tag == "v" and self.kind:
            self.text.clear()
        elif tag == "c" and not self.kind:
            self.kind, self.raw = attrs.get("t", "n"), None
            self.attrs = self.runs = None
            self.cursor.enter_cell(attrs.get("r"))
        else:
            self._start_other(tag, attrs)

    def _start_other(self, tag: str | None, attrs: dict[str, str]) -> None:
        self.text.clear()
        if tag == "row" and not self.kind:
            self.cursor.enter_row(attrs.get("r"))
        elif tag == "f" and self.kind:
            if self.attrs is not None:
                raise ValueError(f"the cell {self.cursor.address} has two formulas")
            self.attrs = attrs
        elif tag == "is" and self.kind:
            self.runs = []
        elif tag not in ("t", "r"):
            self.skip = 1

    def _outside(self, name: str, tag: str | None) -> None:
        """An element before or after <sheetData>, or inside something foreign."""
        self.text.clear()
        if self.skip:
            self.skip = deeper(self.skip)
        elif not self.tags:
            self.tags = sheet_tags(name)
        elif tag == "sheetData":
            if self.cursor.row >= 0:
                raise ValueError("has cells in two places")
            self.inside = True

    def end(self, name: str) -> None:
        tag = self.tags.get(name)
        if self.skip:
            self.skip -= 1
        elif tag == "v":
            if self.raw is not None:
                raise ValueError(f"the cell {self.cursor.address} has two values")
            self.raw = "".join(self.text)
        elif tag == "c":
            self._finish()
        elif tag == "f":
            self.formula = "".join(self.text)
        elif tag == "t" and self.runs is not None:
            self.runs.append(unescape("".join(self.text)))
        elif tag == "sheetData":
            self.inside = False

    def _finish(self) -> None:
        """At </c>: keep what the cell holds."""
        key = self.cursor.row, self.cursor.col
        if self.attrs is not None:
            self._keep_formula(key, self.attrs)
        try:
            value = number(self.raw) if self.raw and self.kind == "n" else self._value()
        except ValueError as error:
            raise ValueError(f"the cell {self.cursor.address} {error}") from None
        if value is not None:
            self.values[key] = value
        if len(self.values) > self.room or len(self.formulas) > self.room:
            raise ValueError(f"more than {self.room} cells are left to read")
        self.kind = ""

    def _value(self) -> Value:
        if self.runs is not None and self.kind == "inlineStr":
            return self._short("".join(self.runs))
        raw = self.raw
        if raw is None or (raw == "" and self.kind != "str"):
            return None
        if self.kind == "s":
            return self._shared_string(raw.strip())
        if self.kind in ("str", "inlineStr"):
            return self._short(unescape(raw))
        return _OTHER.get(self.kind, _unknown)(raw.strip())

    def _short(self, text: str) -> str:
        if len(text) > self.longest:
            raise ValueError(f"holds more than {self.longest} characters")
        return text

    def _shared_string(self, raw: str) -> str:
        if not (raw.isascii() and raw.isdigit()) or len(raw) > 9 or int(raw) >= len(self.strings):
            raise ValueError(f"points to a shared string that is not there: {raw[:20]}")
        return self.strings[int(raw)]

    def _keep_formula(self, key: tuple[int, int], attrs: dict[str, str]) -> None:
        kind, area = attrs.get("t", "normal"), None
        text = self._short(self.formula.removeprefix("="))
        if kind == "array":
            area = anchored(attrs.get("ref"), key)
        elif kind == "shared":
            text = self._share(text, attrs.get("si", ""))
        elif kind == "dataTable":
            text, area = f"TABLE({attrs.get('r1', '')})", anchored(attrs.get("ref"), key)
        elif kind != "normal":
            raise ValueError(f"the cell {self.cursor.address} has a formula of the kind {kind[:20]!r}")
        self.formulas[key] = Formula(text, area)

    def _share(self, text: str, group: str) -> str:
        """A shared formula: the first cell says it, the followers move its references."""
        here = self.cursor.address
        if text:
            self.shared[group] = text, here
            return text
        if group not in self.shared:
            raise ValueError(f"the cell {here} shares a formula that is not there")
        from openpyxl.formula.tokenizer import TokenizerError
        from openpyxl.formula.translate import Translator

        text, origin = self.shared[group]
        try:
            return str(Translator(f"={text}", origin).translate_formula(here))[1:]
        except (TokenizerError, ValueError) as error:
            raise ValueError(f"the cell {here} shares a formula that cannot be moved ({error})") from None


def sheet_tags(root: str) -> dict[str, str]:
    """The elements that matter in a sheet, by the full names that go with its root's namespace."""
    space, _, tag = root.rpartition(" ")
    if tag != "worksheet":
        raise ValueError(f"is not a worksheet but <{tag[:40]}>")
    return {f"{space} {t}".strip(): t for t in ("sheetData", "row", "c", "f", "v", "is", "r", "t")}


def deeper(depth: int) -> int:
    """One level further into foreign elements; raises `ValueError` where no workbook goes."""
    if depth > _DEPTH:
        raise ValueError("is nested too deeply")
    return depth + 1


def number(raw: str) -> float:
    """A finite number as XML writes it; raises `ValueError` for anything else."""
    try:
        value = float(raw)
    except ValueError:
        raise ValueError(f"holds {raw[:20]!r}, not a number") from None
    if value - value != 0.0 or "_" in raw or not raw.isascii():
        raise ValueError(f"holds {raw[:20]!r}, not a finite number")
    return value


def _boolean(raw: str) -> bool:
    if raw not in ("0", "1", "true", "false"):
        raise ValueError(f"holds {raw[:20]!r}, not true or false")
    return raw in ("1", "true")


def _date(raw: str) -> float:
    """An ISO date as the number of days that spreadsheets count."""
    then = datetime.fromisoformat(raw.removesuffix("Z"))
    return (then - datetime(1899, 12, 30)).total_seconds() / 86400


def _unknown(raw: str) -> Value:
    raise ValueError("is of a type that workbooks do not have")


_OTHER: dict[str, Callable[[str], Value]] = {"b": _boolean, "e": CellError, "d": _date}


def anchored(ref: str | None, key: tuple[int, int]) -> Area:
    """The area of an array formula that stands at `key`; raises `ValueError` if it starts elsewhere."""
    area = a1.parse_area(ref or a1.cell(*key))
    if area[:2] != key:
        raise ValueError(f"the array {ref} does not start at its formula, {a1.cell(*key)}")
    return area


def check_areas(areas: Collection[Area], most: int) -> None:
    """Raise `ValueError` if areas overlap or hold more than `most` cells together."""
    if sum((r1 - r0 + 1) * (c1 - c0 + 1) for r0, c0, r1, c1 in areas) > most:
        raise ValueError(f"formulas compute more than {most} cells")
    rows: dict[int, list[tuple[int, int]]] = {}
    for r0, c0, r1, c1 in (a for a in areas if a[:2] != a[2:]):
        for r in range(r0, r1 + 1):
            rows.setdefault(r, []).append((c0, c1))
    for r0, c0, _, c1 in (a for a in areas if a[:2] == a[2:] and a[0] in rows):
        rows[r0].append((c0, c1))
    for r, spans in rows.items():
        spans.sort()
        for (_, last), (first, _) in pairwise(spans):
            if first <= last:
                raise ValueError(f"two formulas compute the cell {a1.cell(r, first)}")
