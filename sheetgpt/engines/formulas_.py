"""The `formulas` package, used formula by formula over numpy grids: a third hand.

Each *shape* of formula (its text with the references taken out) is parsed and compiled once; the
package never sees the workbook, only arrays. What is ours here is the order: every formula is computed
once, after all that it reads, from the constants up.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from openpyxl.formula.tokenizer import Token, Tokenizer, TokenizerError

from sheetgpt.engines.base import Areas
from sheetgpt.errors import EngineError
from sheetgpt.sheet import a1
from sheetgpt.sheet.book import Book, Formula, Sheet
from sheetgpt.sheet.grid import Area, CellError, Value, cells
from sheetgpt.sheet.readback import read

Array = npt.NDArray[Any]
Function = Callable[..., Any]
_DENSE = 100_000_000  # cells of a tab's bounding box
_SMALL = 64  # cells of an input that are compared one by one
_EMPTY, _NUMBER, _OTHER = 0, 1, 2
_UNKNOWN = CellError("#NAME?")
_FAILED = CellError("#VALUE!")


def compute(file: Path, areas: Areas) -> dict[str, list[Value]]:
    """Values of the areas' cells, by tab; raises `EngineError` for a circle of formulas."""
    book = read(file)
    grids = {tab: Grid.of(sheet) for tab, sheet in book.sheets.items()}
    units = list(_units(Reader(book, grids), book))
    known: dict[object, Array] = {}
    for unit in in_order(units, grids):
        grids[unit.tab].put(unit.area, _result(unit, grids, known))
    return {tab: [grids[tab].value(cell) for area in found for cell in cells(area)] for tab, found in areas.items()}


# ---- values of a tab -----------------------------------------------------------------------------------


class Grid:
    """A tab as arrays over its bounding box; reading outside gives empty cells."""

    def __init__(self, rows: int, cols: int) -> None:
        if rows * cols > _DENSE:
            raise EngineError("a tab is spread too wide for this engine")
        self.numbers = np.zeros((rows, cols))
        self.kinds = np.full((rows, cols), _EMPTY, np.uint8)
        self.others: dict[tuple[int, int], Any] = {}  # texts, booleans and errors, as `formulas` has them
        self.owner: npt.NDArray[np.int32] | None = None  # which unit computes a cell; None if none does
        self.constants: dict[Area, Array] = {}

    @classmethod
    def of(cls, sheet: Sheet) -> Grid:
        """The sheet's constants; cells that formulas compute stay empty."""
        ends = [*sheet.values, *((r1, c1) for _, _, r1, c1 in sheet.areas())]
        grid = cls(1 + max((r for r, _ in ends), default=0), 1 + max((c for _, c in ends), default=0))
        for cell, value in sheet.values.items():
            if value is not None:
                grid.keep(cell, value)
        for r0, c0, r1, c1 in sheet.areas():  # the file was stripped: this is the second belt
            grid.kinds[r0 : r1 + 1, c0 : c1 + 1] = _EMPTY
        return grid

    def keep(self, cell: tuple[int, int], value: Any) -> None:
        """Store one value."""
        if type(value) is float:
            self.numbers[cell], self.kinds[cell] = value, _NUMBER
        else:
            self.kinds[cell] = _OTHER
            self.others[cell] = _error(value) if isinstance(value, CellError) else value

    def own(self, area: Area, unit: int) -> None:
        """Say that a unit computes an area."""
        if self.owner is None:
            self.owner = np.full(self.kinds.shape, -1, np.int32)
        self.owner[area[0] : area[2] + 1, area[1] : area[3] + 1] = unit

    def owners(self, area: Area) -> list[int]:
        """The units that compute cells of an area."""
        if self.owner is None:
            return []
        found: list[int] = np.unique(self.owner[area[0] : area[2] + 1, area[1] : area[3] + 1]).tolist()
        return found[1:] if found and found[0] < 0 else found

    def fetch(self, area: Area) -> Array:
        """An area's values: floats, or objects if anything else is among them."""
        if area in self.constants:
            return self.constants[area]
        values = self._fetch(area)
        if values.size > 1 and not self.owners(area):
            self.constants[area] = values
        return values

    def _fetch(self, area: Area) -> Array:
        r0, c0, r1, c1 = area
        kinds = self.kinds[r0 : r1 + 1, c0 : c1 + 1]
        numbers = self.numbers[r0 : r1 + 1, c0 : c1 + 1]
        shape = r1 - r0 + 1, c1 - c0 + 1
        if kinds.shape == shape and (kinds == _NUMBER).all():
            return numbers.copy()
        out = np.empty(shape, object)
        out.fill(_nothing())  # np.full would make a plain string of it
        here = kinds == _NUMBER
        out[: kinds.shape[0], : kinds.shape[1]][here] = numbers[here]
        for r, c in np.argwhere(kinds == _OTHER).tolist():
            out[r, c] = self.others[r0 + r, c0 + c]
        return out

    def put(self, area: Area, values: Array) -> None:
        """Store what a formula gave, laid over its area as an array formula is."""
        if values.dtype == np.float64 and np.isfinite(values).all() and _covers(values, area):
            box = slice(area[0], area[2] + 1), slice(area[1], area[3] + 1)
            self.numbers[box] = values[: area[2] - area[0] + 1, : area[3] - area[1] + 1]
            self.kinds[box] = _NUMBER
            return
        rows, cols = values.shape
        for r, c in cells(area):
            i, j = (r - area[0]) if rows > 1 else 0, (c - area[1]) if cols > 1 else 0
            self.keep((r, c), _plain(values[i, j]) if i < rows and j < cols else CellError("#N/A"))

    def value(self, cell: tuple[int, int]) -> Value:
        """One value as the rest of sheetgpt knows it."""
        if self.kinds[cell] == _NUMBER:
            return float(self.numbers[cell])
        return _value(self.others[cell]) if self.kinds[cell] == _OTHER else None


def _covers(values: Array, area: Area) -> bool:
    rows, cols = area[2] - area[0] + 1, area[3] - area[1] + 1
    return all(have in (1, want) or have > want for have, want in zip(values.shape, (rows, cols), strict=True))


# ---- formulas as functions -----------------------------------------------------------------------------


class Unit(NamedTuple):
    """One formula: what it computes, from what; `function` is None where `formulas` cannot say it."""

    tab: str
    area: Area
    array: bool
    function: Function | None
    reads: tuple[tuple[str, Area] | Array, ...]


class Reader:
    """Turns formulas into units; remembers the shapes it has compiled."""

    def __init__(self, book: Book, grids: dict[str, Grid]) -> None:
        self.grids = grids
        self.tabs = {tab.casefold(): tab for tab in book.tabs}
        self.names = {name.casefold(): text for name, text in book.names.items()}
        self.local = {(tab, name.casefold()): text for (tab, name), text in book.local_names.items()}
        self.compiled: dict[str, Function | None] = {}

    def unit(self, tab: str, cell: tuple[int, int], formula: Formula) -> Unit:
        """The formula at a cell as a unit."""
        area = formula.area or (*cell, *cell)
        shape = Shape(self, tab, cell)
        try:
            text = shape.read(formula.text)
        except (ValueError, TokenizerError):
            return Unit(tab, area, formula.area is not None, None, ())
        if text not in self.compiled:
            self.compiled[text] = compile_shape(text)
        return Unit(tab, area, formula.area is not None, self.compiled[text], tuple(shape.reads.values()))

    def area(self, tab: str, text: str) -> tuple[str, Area]:
        """(tab, area) that a reference or a name means on `tab`; raises `ValueError`."""
        named = self.local.get((tab, text.casefold()), self.names.get(text.casefold()))
        where, bang, inside = (named or text).rpartition("!")
        if bang:
            where = where[1:-1].replace("''", "'") if where.startswith("'") else where
            if where.casefold() not in self.tabs:
                raise ValueError(f"no tab is called {where[:40]!r}")
            tab = self.tabs[where.casefold()]
        if named is None and bang and (tab, inside.casefold()) in self.local:
            return self.area(tab, inside)
        return tab, self._corners(tab, inside.replace("$", ""))

    def _corners(self, tab: str, text: str) -> Area:
        """An area; whole rows and columns end where the tab does."""
        first, colon, last = text.partition(":")
        rows, cols = self.grids[tab].kinds.shape
        if colon and first.isalpha() and last.isalpha():
            c0, c1 = (a1.parse_cell(f"{letters}1")[1] for letters in (first, last))
            return 0, c0, rows - 1, c1
        if colon and first.isdecimal() and last.isdecimal():
            return int(first) - 1, 0, int(last) - 1, cols - 1
        return a1.parse_area(text)


class Shape:
    """One formula's text with placeholders for what it reads."""

    def __init__(self, reader: Reader, tab: str, cell: tuple[int, int]) -> None:
        self.reader, self.tab, self.cell = reader, tab, cell
        self.reads: dict[str, tuple[str, Area] | Array] = {}  # by reference as written

    def read(self, text: str) -> str:
        """The shape of a formula; raises `ValueError` or `TokenizerError` for what cannot be read."""
        tokens = [t for t in Tokenizer(f"={text}").items if t.type != Token.WSPACE]
        parts, i = [], 0
        while i < len(tokens):
            taken, part = self._place(tokens[i : i + 3])
            parts.append(part if taken else self._part(tokens[i]))
            i += taken or 1
        return "".join(parts)

    def _part(self, token: Token) -> str:
        if token.type == Token.OPERAND and token.subtype == Token.RANGE:
            return self._placeholder(token.value, lambda: self.reader.area(self.tab, token.value))
        if token.type == Token.OPERAND and token.subtype == Token.NUMBER:
            return _literal(token.value)
        value = str(token.value)
        return value.upper().removeprefix("_XLFN.") if token.type == Token.FUNC else value

    def _placeholder(self, key: str, what: Callable[[], tuple[str, Area] | Array]) -> str:
        if key not in self.reads:
            self.reads[key] = what()
        return f"R_{list(self.reads).index(key)}_Z"

    def _place(self, tokens: list[Token]) -> tuple[int, str]:
        """ROW, COLUMN, ROWS and COLUMNS ask where a reference is, not what it holds: (tokens used, text)."""
        ask = tokens[0].value.upper()
        if tokens[0].subtype != Token.OPEN or ask not in _PLACES or len(tokens) < 2:
            return 0, ""
        if tokens[1].subtype == Token.CLOSE:
            area: Area = (*self.cell, *self.cell)
        elif tokens[1].subtype == Token.RANGE and len(tokens) > 2 and tokens[2].subtype == Token.CLOSE:
            _, area = self.reader.area(self.tab, tokens[1].value)
        else:
            return 0, ""
        used = 2 if tokens[1].subtype == Token.CLOSE else 3
        return used, self._placeholder(f"{ask}{area}", lambda: _PLACES[ask](area))


_PLACES: dict[str, Callable[[Area], Array]] = {
    "ROW(": lambda area: np.arange(area[0] + 1.0, area[2] + 2.0)[:, None],
    "COLUMN(": lambda area: np.arange(area[1] + 1.0, area[3] + 2.0)[None],
    "ROWS(": lambda area: np.array([[area[2] - area[0] + 1.0]]),
    "COLUMNS(": lambda area: np.array([[area[3] - area[1] + 1.0]]),
}


def _literal(text: str) -> str:
    """A number as the package reads it: it takes 1E10 for a name, 1E+10 for a number."""
    mantissa, e, exponent = text.upper().partition("E")
    return f"{mantissa}E{int(exponent):+d}" if e else text


def compile_shape(text: str) -> Function | None:
    """A function of the placeholders' arrays, in their order; None where `formulas` cannot say it."""
    parser = _parser()
    try:
        function = parser.ast(f"={text}")[1].compile()
    except Exception:  # the package raises many kinds
        return None
    order = [int(name[2:-2]) for name in function.inputs]
    return lambda arguments: function(*(arguments[i] for i in order))


@cache
def _parser() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from formulas import Parser

        return Parser()


def _units(reader: Reader, book: Book) -> Iterator[Unit]:
    for tab, sheet in book.sheets.items():
        for cell, formula in sheet.formulas.items():
            yield reader.unit(tab, cell, formula)


# ---- order and evaluation ------------------------------------------------------------------------------


def in_order(units: list[Unit], grids: dict[str, Grid]) -> Iterator[Unit]:
    """Each unit after all that it reads; raises `EngineError` for a circle."""
    for number, unit in enumerate(units):
        grids[unit.tab].own(unit.area, number)
    users: list[list[int]] = [[] for _ in units]
    waits = [0] * len(units)
    known: dict[tuple[str, Area], list[int]] = {}
    for number, unit in enumerate(units):
        places = {place for place in unit.reads if isinstance(place, tuple)}
        for place in (place for place in places if place not in known):
            known[place] = grids[place[0]].owners(place[1])
        for source in {source for place in places for source in known[place]}:
            users[source].append(number)
            waits[number] += 1
    return _kahn(units, users, waits)


def _kahn(units: list[Unit], users: list[list[int]], waits: list[int]) -> Iterator[Unit]:
    ready = deque(number for number, count in enumerate(waits) if not count)
    left = len(units)
    while ready:
        number = ready.popleft()
        left -= 1
        yield units[number]
        for user in users[number]:
            waits[user] -= 1
            if not waits[user]:
                ready.append(user)
    if left:
        stuck = units[next(number for number, count in enumerate(waits) if count)]
        raise EngineError(f"formulas read each other in a circle near {stuck.tab}!{a1.cell(*stuck.area[:2])}")


def _result(unit: Unit, grids: dict[str, Grid], known: dict[object, Array]) -> Array:
    """What a formula gives, two-dimensional; `known` remembers it for the next formula of equal shape and inputs."""
    if unit.function is None:
        return _single(_UNKNOWN)
    arguments = [grids[r[0]].fetch(r[1]) if isinstance(r, tuple) else r for r in unit.reads]
    key = _key(unit, arguments, grids)
    if key is None:
        return _computed(unit, unit.function, arguments)
    if key not in known:
        known[key] = _computed(unit, unit.function, arguments)
    return known[key]


def _key(unit: Unit, arguments: list[Array], grids: dict[str, Grid]) -> object:
    """What the result depends on: the values of small inputs, the places of tables; None if that is too much."""
    parts: list[object] = [unit.function, unit.array]
    for place, values in zip(unit.reads, arguments, strict=True):
        if values.size <= _SMALL:
            parts.append((values.shape, *((type(x), x) for x in values.ravel().tolist())))
        elif isinstance(place, tuple) and place[1] in grids[place[0]].constants:
            parts.append(place)
        else:
            return None
    return tuple(parts)


def _computed(unit: Unit, function: Function, arguments: list[Array]) -> Array:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function(arguments)
    except Exception as error:  # the package raises many kinds
        return _single(_UNKNOWN if isinstance(error.__cause__ or _last(error), NotImplementedError) else _FAILED)
    values = _table(result)
    return values if unit.array or values.size == 1 else _single(_FAILED)


def _last(error: BaseException) -> object:
    return error.args[-1] if error.args else None


def _table(result: Any) -> Array:
    values = np.asarray(result)
    values = values.reshape((1,) * (2 - values.ndim) + values.shape)
    if values.dtype == object and all(isinstance(x, float) for x in values.flat):
        return values.astype(float)
    return values


def _single(value: object) -> Array:
    out = np.empty((1, 1), object)
    out[0, 0] = value
    return out


def _plain(value: Any) -> Any:
    """An element of a result as `Grid.keep` takes it: an empty one counts as 0, NaN as an error."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        return float(value) if np.isfinite(value) else CellError("#NUM!")
    if isinstance(value, str):
        return 0.0 if value is _nothing() else _value(value)
    return _FAILED


def _value(value: Any) -> Value:
    """Texts and errors of the package as ours."""
    if type(value).__name__ == "XlError":
        return CellError(str(value))
    return str(value) if isinstance(value, str) and not isinstance(value, CellError) else value


def _error(value: CellError) -> Any:
    from formulas.functions import Error

    return Error.errors.get(str(value), Error.errors["#VALUE!"])


@cache
def _nothing() -> Any:
    """What the package takes for an empty cell."""
    import schedula  # type: ignore[import-untyped]

    return schedula.EMPTY
