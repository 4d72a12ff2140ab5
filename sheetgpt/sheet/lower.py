"""The formula meaning of a plan, in functions that Excel 2013+, LibreOffice 7.4+ and Google Sheets all have.

A place is either one array formula over all its cells (`ARRAY`) or one plain formula per cell
(`FILL`: classic Excel has no BYROW, so what reads along a row or looks up is written per cell).
Inputs appear by name, so the formula is the line of the model. This table never reads numpy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product, takewhile

from sheetgpt.errors import PlanError
from sheetgpt.models.tokenizer import VISIBLE
from sheetgpt.plan.live import NO_MERGE
from sheetgpt.plan.ops import MODULUS, Expr, per_cell
from sheetgpt.plan.own import own_of
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.classic import as_read, check_formula
from sheetgpt.sheet.layout import Range

# Formula and how tightly it binds: comparison 1, joined texts 2, sum 3, product 4, power 6, a call or a name 9.
ARRAY: dict[str, tuple[str, int, tuple[int, ...]]] = {
    # op: (text, binding of the whole, binding that each argument needs)
    "join": ("{}&{}", 2, (2, 2)),
    "le": ("{}<={}", 1, (2, 2)),
    "lt": ("{}<{}", 1, (2, 2)),
    "eq": ("{}={}", 1, (2, 2)),
    "add": ("{}+{}", 3, (3, 4)),
    "sub": ("{}-{}", 3, (3, 4)),
    "mul": ("{}*{}", 4, (4, 5)),
    "div": ("{}/{}", 4, (4, 5)),
    "pow": ("{}^{}", 6, (7, 7)),
    "where": ("IF({},{},{})", 9, (0, 0, 0)),
    "matmul": ("MMULT({},{})", 9, (0, 0)),
    "transpose": ("TRANSPOSE({})", 9, (0,)),
    "floor": ("INT({})", 9, (0,)),
    "mod": ("MOD({},{})", 9, (0, 0)),
    "exp": ("EXP({})", 9, (0,)),
    "sqrt": ("SQRT({})", 9, (0,)),
    "tanh": ("TANH({})", 9, (0,)),
    "max": ("MAX({})", 9, (0,)),
    "sum": ("SUM({})", 9, (0,)),
    "argmax": ("MATCH(MAX({0}),{0},0)-1", 3, (0,)),
    "numbers": ("COUNT({})", 9, (0,)),
    "unlit": ('ROWS({0})-COUNTIF({0},"OK")-COUNTIF({0},"no answer")', 3, (0,)),
    "same": ("{}", 9, (9,)),
}

# The same of one cell, of which IronCalc takes no COUNTIF and no MATCH.
ONE_CELL: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "unlit": ('IFERROR(IF(OR({0}="OK",{0}="no answer"),0,1),1)', 9, (0,)),
    "argmax": ("0*{}", 4, (5,)),
}

# Of any number of arguments, or of an expression over whole columns: `_text` and `_cell_text` write these themselves.
OF_MANY = frozenset({"worst", "stack", "colmax", "colsum"})
_DOWN = {"colmax": "MAX", "colsum": "SUM"}

# Whole-range reductions give one value from many cells without array evaluation.
REDUCES = frozenset({"max", "sum", "argmax", "numbers", "unlit"})


def number(value: float) -> str:
    """Shortest text of a float64 as a formula writes it: `1E-05`, `16`, `0.044715`."""
    text = repr(value).upper()
    return text.removesuffix(".0")


Arg = Range | str  # a place, or the text of a formula that gives one value


@dataclass(frozen=True)
class Here:
    """The cell that a FILL formula is written for."""

    box: Range
    r: int
    c: int

    def at(self, other: Arg, down: int = 0) -> str:
        """The value of another place that belongs to this cell, or to the cell `down` rows below it."""
        if isinstance(other, str):
            return other
        if (other.rows, other.cols) == (1, 1):
            return other.name
        r = self.r + down if other.rows > 1 else 0
        return self.cell(other, r, self.c if other.cols > 1 else 0)

    def cell(self, other: Range, r: int, c: int) -> str:
        """One cell of another place; a $ stands where filling down or across needs one."""
        held = other.rows == 1 < self.box.rows, other.cols == 1 < self.box.cols
        return other.cell(r, c, self.box.tab, held=held)

    def row(self, other: Range) -> str:
        """This row of another place."""
        return other.row_ref(self.r, self.box.tab, held=self.box.cols > 1)

    def whole(self, other: Range) -> str:
        """All cells of another place."""
        return other.name

    def down(self, other: Range) -> str:
        """The column of another place, of several, that this row is about."""
        return self.whole(other) if other.cols == 1 else other.col_ref(self.r, self.box.tab)

    def own(self, c: int, down: int = 0) -> str:
        """A cell of this place, by column, in this row or `down` rows below it."""
        return self.box.cell(self.r + down, c, self.box.tab)

    def edge(self, c: int, down: int = 0) -> str:
        """The same where the column is one and the same for all cells."""
        return self.box.cell(self.r + down, c, self.box.tab, held=(False, self.box.cols > 1))

    @property
    def column(self) -> str:
        """This column's number from 0, as the ruler above it says."""
        return self.box.ruler(self.c)

    def nth(self, table: Range) -> str:
        """Which column of a table, from 1, this one is filled from."""
        return from_one(self.column) if table.cols > 1 else "1"


def from_one(number: str) -> str:
    """A number that counts from 0 as one that counts from 1, as INDEX does; "-1" and "+1" go together."""
    return number[:-2] if number.endswith("-1") else f"{number}+1"


def _gather(here: Here, table: Range, ids: Arg) -> str:
    return _entry(here, table, from_one(here.at(ids)), here.nth(table))


def _entry(here: Here, table: Range, row: str, col: str) -> str:
    """An entry of a table; IronCalc has no INDEX into one cell, of which there is no other entry anyway."""
    return f"INDEX({here.whole(table)},{row},{col})" if (table.rows, table.cols) != (1, 1) else here.whole(table)


def _whereis(here: Here, wanted: Range, column: Range, ids: Range) -> str:
    value = here.at(wanted)
    first = wanted.anchor if column.cols == 1 else wanted.cell(here.r, 0, here.box.tab)
    so_far = f"{first}:{value}"  # grows downwards, or to the right: how many equal values came before
    return f"SMALL(IF({here.down(column)}={value},{here.whole(ids)}),COUNTIF({so_far},{value}))"


def _suffixes(here: Here, text: Range, rows: Range) -> str:
    if here.r == 0:
        return f'{here.whole(text)}&""'  # an empty cell would be 0
    left = here.own(0, -1)
    first = f"_xlfn.UNICHAR(_xlfn.UNICODE({left}))"  # whose LEN is 1 or 2, as this program counts
    return f'IF(LEN({left})=0,"",MID({left},LEN({first})+1,LEN({left})))'


def _runs(here: Here, x: Range) -> str:
    last = here.r == here.box.rows - 1
    more = "1" if last else f"IF({here.at(x)}={here.at(x, 1)},{here.own(0, 1)}+1,1)"
    return f"IF(LEN({here.at(x)})=0,0,{more})"


def _countdown(here: Here, x: Range) -> str:
    return f"IF({here.own(0, -1)}>1,{here.own(0, -1)}-1,{here.at(x)})" if here.r else here.at(x)


def _normal(here: Here, x: Arg) -> str:
    """By the chi-squared distribution: IronCalc has NORMSDIST to 1e-11 only, and takes no array there."""
    tail = f"CHIDIST({here.at(x)}*{here.at(x)},1)/2"
    return f"IF({here.at(x)}<0,{tail},1-{tail})"


def _contraction(here: Here, text: Range) -> str:
    at = here.at(text)
    three, two = (
        ",".join(f'EXACT(LEFT({at},{1 + len(letters[0])}),"\'{part}")' for part in letters)
        for letters in (("re", "ve", "ll"), ("s", "t", "m", "d"))
    )
    return f"IF(OR({three}),3,IF(OR({two}),2,0))"


def _utf8(here: Here, code: Range, size: Range) -> str:
    """The first byte tells how many there are; the others carry six bits each (RFC 3629, section 3)."""
    at, n = (here.cell(x, here.r, 0) for x in (code, size))
    if here.c == 0:
        return f"IF({n}<2,{at},256-2^(8-{n})+INT({at}/64^({n}-1)))"
    return f"IF({n}<={here.c},0,128+MOD(INT({at}/64^({n}-{here.c + 1})),64))"


def _spell(here: Here, offset: Range, size: Range, offsets: Range, data: Range, _: str) -> str:
    first, n = (here.cell(x, here.r, 0) for x in (offset, size))
    byte = f"{first}+{here.column}"
    row = f"MATCH({byte},{here.whole(offsets)},1)"
    return f"IF({n}<={here.column},0,INDEX({here.whole(data)},{row},{byte}-INDEX({here.whole(offsets)},{row},1)+1))"


def _ladder(here: Here, symbols: Range, pairs: Range, ranks: Range, made: Range, n_vocab: str) -> str:
    """Rungs of two rows: L symbols and which pair is joined; L-1 ranks, the lowest, and the token that it makes."""
    n = symbols.cols
    rung, ranked = divmod(here.r, 2)
    if not ranked:
        return _symbol(here, symbols, *divmod(rung, n)) if here.c < n else _joined(here, n)
    if here.c < n - 1:
        return _rank(here, pairs, ranks, n_vocab)
    if here.c == n - 1:
        return f"MIN({here.edge(0)}:{here.edge(n - 2)})"
    return f"IF({here.edge(n - 1)}={_NO_MERGE},-1,INDEX({here.whole(made)},{here.edge(n - 1)}+1,1))"


def _rank(here: Here, pairs: Range, ranks: Range, n_vocab: str) -> str:
    """Of the two symbols above."""
    left, right = here.own(here.c, -1), here.own(here.c + 1, -1)
    pair = f"{left}*{n_vocab}+{right}"
    row = f"MATCH({pair},{here.whole(pairs)},1)"
    found = f"IF(INDEX({here.whole(pairs)},{row},1)={pair},INDEX({here.whole(ranks)},{row},1),{_NO_MERGE})"
    return f"IF(MIN({left}:{right})<0,{_NO_MERGE},{found})"


def _joined(here: Here, n: int) -> str:
    """Which pair, from 0, has the lowest rank of the row below; the number of columns if none has any."""
    lowest = here.edge(n - 1, 1)
    return f"IF({lowest}={_NO_MERGE},{n},MATCH({lowest},{here.edge(0, 1)}:{here.edge(n - 2, 1)},0)-1)"


def _symbol(here: Here, symbols: Range, word: int, step: int) -> str:
    """On a word's first rung what its bytes are; on the others what the rung above has become."""
    if step == 0:
        return here.cell(symbols, word, here.c)
    n = symbols.cols
    stays, at, made = here.own(here.c, -2), here.edge(n, -2), here.edge(n, -1)
    if here.c == n - 1:
        return f"IF({here.column}<{at},{stays},-1)"
    return f"IF({here.column}<{at},{stays},IF({here.column}={at},{made},{here.own(here.c + 1, -2)}))"


def _drawn(here: Here, ladder: Range, table: Range) -> str:
    """A symbol's text; below it the rank of the pair that it begins, and at the end what the rung's merge makes."""
    last = here.c == ladder.cols - 2
    if here.r % 2 == 0 or last:
        symbol = here.cell(ladder, here.r, here.c + (last and here.r % 2))
        return f'IF({symbol}<0,"",INDEX({here.whole(table)},{symbol}+1,1))'
    rank = here.cell(ladder, here.r, here.c)
    return f'IF({rank}={_NO_MERGE},"",{rank}&"")'


def _fingerprint(here: Here, *matrices: Range) -> str:
    x = matrices[here.r]
    rows, columns = f"ROW({here.whole(x)})-{x.row}", f"TRANSPOSE(COLUMN({here.whole(x)}))-{x.col}"
    ordered = f"SUMPRODUCT(SIN({rows}),MMULT({here.whole(x)},COS({columns})))"
    plain = (f"{function}({here.whole(x)})" for function in ("ROWS", "COLUMNS", "COUNT", "SUM", "SUMSQ"))
    return (*plain, ordered)[here.c]


def _apart(here: Here, found: Range, wanted: Range) -> str:
    pairs = [tuple(here.cell(x, here.r, c) for x in (found, wanted)) for c in range(found.cols)]
    return f"MAX({','.join(f'ABS({a}-{b})/(1+ABS({b}))' for a, b in pairs)})"


def _lehmer(here: Here, x: Arg, _: Range) -> str:
    return f"MOD(16807*{here.own(0, -1) if here.r else here.at(x)},{MODULUS})"


def _nucleus(here: Here, logits: Range, weights: Range, wanted: Arg) -> str:
    """So many tried; the logit of the last; what all from it on weigh; the count so far, this one if it is short."""
    before = here.own(3, -1) if here.r else "0"
    jump = 2 ** (here.box.rows - 1 - here.r)
    return (
        f"MIN({logits.rows},{before}+{jump})",
        f"LARGE({here.whole(logits)},{here.own(0)})",
        f"SUMPRODUCT(({here.whole(logits)}>={here.own(1)})*{here.whole(weights)})",
        f"IF({here.own(2)}<{here.at(wanted)},{here.own(0)},{before})",
    )[here.c]


def _typed(here: Here, x: Arg) -> str:
    text = here.at(x)
    for plain, sign in VISIBLE.items():
        text = f'SUBSTITUTE({text},"{sign}",_xlfn.UNICHAR({ord(plain)}))'
    return text


_NO_MERGE = number(NO_MERGE)

FILL: dict[str, Callable[..., str]] = {
    "rowmean": lambda here, x: f"AVERAGE({here.row(x)})",
    "rowvar": lambda here, x: f"VARP({here.row(x)})",
    "rowmax": lambda here, x: f"MAX({here.row(x)})",
    "rowsum": lambda here, x: f"SUM({here.row(x)})",
    "rowcount": lambda here, x: f'COUNTIF({here.row(x)},">=0")',
    "above": lambda here, first, x: here.at(x, -1) if here.r else here.at(first),
    "below": lambda here, last, x: here.at(x, 1) if here.r < x.rows - 1 else here.at(last),
    "apart": _apart,
    "fingerprints": _fingerprint,
    "lehmer": _lehmer,
    "nucleus": _nucleus,
    "exact": lambda here, x, y: f"EXACT({here.at(x)},{here.at(y)})",
    "typed": _typed,
    "cumsum": lambda here, x: f"{here.own(0, -1)}+{here.at(x)}" if here.r else here.at(x),
    "runs": _runs,
    "countdown": _countdown,
    "gather": _gather,
    "item": lambda here, x, r, c: _entry(here, x, from_one(here.at(r)), from_one(here.at(c))),
    "pick": lambda here, x, n: f"INDEX({here.whole(x)},{here.at(n)},{here.nth(x)})",
    "largest": lambda here, x, k: f"LARGE({here.whole(x)},{here.at(k)})",
    "whereis": _whereis,
    "smallest": lambda here, x, k: f"SMALL({here.whole(x)},{here.at(k)})",
    "leaders": lambda here, x, _: f"LARGE({here.down(x)},{here.c + 1})",
    "picks": lambda here, n, *x: f"INDEX({here.whole(x[here.r])},{here.at(n)},{here.nth(x[here.r])})",
    "visible": lambda here, x: f'SUBSTITUTE({here.at(x)}," ","␣")',
    "exactly": lambda here, x, texts: f"IFERROR(MATCH(1,EXACT({here.whole(texts)},{here.at(x)})*1,0)-1,-1)",
    "find": lambda here, value, x: f"MATCH({here.at(value)},{here.whole(x)},0)-1",
    "locate": lambda here, value, x: f"MATCH({here.at(value)},{here.whole(x)},1)-1",
    "length": lambda here, x: f"LEN({here.at(x)})",
    "isnumber": lambda here, x: f"ISNUMBER({here.at(x)})",
    "istext": lambda here, x: f"ISTEXT({here.at(x)})",
    "code": lambda here, x: f"_xlfn.UNICODE({here.at(x)})",
    "char": lambda here, x: f"_xlfn.UNICHAR({here.at(x)})",
    "without": lambda here, x, y: f"LEFT({here.at(x)},LEN({here.at(x)})-LEN({here.at(y)}))",
    "normal": _normal,
    "suffixes": _suffixes,
    "contraction": _contraction,
    "utf8": _utf8,
    "usable": lambda here, x, y: f"IFERROR({here.at(x)},{here.at(y)})",
    "spell": _spell,
    "ladder": _ladder,
    "drawn": _drawn,
    "rung": lambda here, x, words: here.cell(x, 2 * (here.r + 1) * words.cols - 2, here.c),
}

# FILL formulas that compare a whole range inside, so each must be entered as an array formula of one cell.
_ARRAY_CELLS = frozenset({"whereis", "stack", "fingerprints", "exactly", "colmax", "colsum"})

_FROM_ABOVE = frozenset({"above", "cumsum", "countdown", "suffixes", "lehmer"})
SUM = 3  # how tightly a sum binds
ARE_SUMS = frozenset({"find", "locate", "cumsum"})


@dataclass(frozen=True)
class Formula:
    """What to enter: text without `=`; `area` (rows, columns) for an array formula, None for a plain one."""

    r: int
    c: int
    text: str
    area: tuple[int, int] | None

    def __str__(self) -> str:
        return as_read(self.text, self.area is not None)


def lower(plan: Plan, name: str, ranges: Mapping[str, Range]) -> list[Formula]:
    """The formulas of one place, by rows; empty for data and views. `PlanError` for one that `classic` refuses."""
    return list(lowered(plan, name, ranges))


def examples(expr: Expr, formulas: Iterator[Formula]) -> list[Formula]:
    """Those of a place's formulas that tell its rule: the first, or where the first row only begins, one further down.

    No more of `formulas` are made than are looked at.
    """
    rows = (1, 2) if expr.op == "ladder" else (1,) if _reads_above(expr) else (0,)
    firsts = list(takewhile(lambda f: f.r <= 2, formulas))
    return [f for f in firsts if f.c == 0 and f.r in rows] or firsts[:1]


def lowered(plan: Plan, name: str, ranges: Mapping[str, Range]) -> Iterator[Formula]:
    """As `lower`, made one after the other as they are asked for."""
    expr = plan[name]
    if expr.op == "data" or plan.is_view(name):
        return
    if expr.op == "own":
        yield from own_formulas(expr, name, ranges)
    elif per_cell(expr):
        yield from _fill(expr, ranges[name], ranges)
    else:
        area = None if is_plain(expr) else expr.shape
        yield Formula(0, 0, check_formula(formula_text(expr), name), area)


def own_formulas(expr: Expr, name: str, ranges: Mapping[str, Range]) -> Iterator[Formula]:
    """The formulas of an operation of its own."""
    rule, box = own_of(expr), ranges[name]
    read = [ranges[str(arg.name)] for arg in expr.args]
    cells = [(0, 0)] if rule.kind == "array" else product(range(box.rows), range(box.cols))
    area = {"cell": None, "cse": (1, 1), "array": expr.shape}[rule.kind]
    for r, c in cells:
        here = Here(box, r, c)
        text = rule.template(r, c).format(*(_Spot(here, other) for other in read), here=_Spot(here, box))
        yield Formula(r, c, check_formula(text, name), area)


_STEPS = {"at": (0, 0), "up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


class _Spot:
    """A place as the formula of a cell may refer to it: see `Own`."""

    def __init__(self, here: Here, box: Range) -> None:
        self._here, self._box = here, box

    def __format__(self, spec: str) -> str:
        here, box = self._here, self._box
        kind, _, rest = spec.partition(" ")
        numbers = [int(n) for n in rest.split(",")] if rest else []
        if box is here.box and kind in ("r", "c"):
            return str(here.r if kind == "r" else here.c)
        if kind == "":
            return here.whole(box)
        if kind == "cell":
            return box.cell(numbers[0], numbers[1], here.box.tab, held=(True, True))
        if kind == "row":
            return box.whole_row(numbers[0], here.box.tab) if numbers else here.row(box)
        if kind == "col":
            return box.col_ref(numbers[0] if numbers else here.c * (box.cols > 1), here.box.tab)
        down, right = _STEPS[kind]
        r, c = here.r * (box.rows > 1) + down, here.c * (box.cols > 1) + right
        if not (0 <= r < box.rows and 0 <= c < box.cols):
            raise PlanError(f"{here.box.name} reads beyond {box.name}: {spec} of row {here.r}, column {here.c}")
        return here.cell(box, r, c)


def _reads_above(expr: Expr) -> bool:
    """Whether a cell reads the cell above it."""
    if expr.op == "own":
        return expr.shape[0] > 1 and ":up}" in own_of(expr).template(1, 0)
    return expr.op in _FROM_ABOVE or any(a.name is None and _reads_above(a) for a in expr.args)


def _fill(expr: Expr, box: Range, ranges: Mapping[str, Range]) -> Iterator[Formula]:
    area = (1, 1) if _over_arrays(replace(expr, name=None)) else None
    bare = replace(expr, name=None)
    for r, c in product(range(box.rows), range(box.cols)):
        yield Formula(r, c, check_formula(_cell_text(bare, Here(box, r, c), ranges, 0), box.name), area)


def _over_arrays(expr: Expr) -> bool:
    """Whether some part of a cell's formula compares or computes a whole range inside."""
    return expr.name is None and (expr.op in _ARRAY_CELLS or any(map(_over_arrays, expr.args)))


def _down(expr: Expr, here: Here, ranges: Mapping[str, Range]) -> Expr:
    """An expression over tables as one over the columns that a row is about; a column across is the row's own cell."""
    if expr.name is not None:
        return replace(expr, name=here.down(ranges[expr.name]))
    if expr.op == "transpose" and expr.args[0].name is not None:
        return replace(expr.args[0], name=ranges[expr.args[0].name].cell(here.r, 0, here.box.tab))
    return replace(expr, args=tuple(_down(a, here, ranges) for a in expr.args))


def _cell_text(expr: Expr, here: Here, ranges: Mapping[str, Range], needs: int) -> str:
    if expr.name is not None:
        return here.at(ranges[expr.name])
    if expr.op == "lit":
        return literal(expr.value, needs)
    if expr.op == "stack":  # of which each row is a formula over whole ranges
        return array_text(expr.args[here.r], needs)
    if expr.op in _DOWN:
        return f"{_DOWN[expr.op]}({array_text(_down(expr.args[0], here, ranges), 0)})"
    if expr.op in FILL:
        args: list[Arg] = [ranges[a.name] if a.name else _cell_text(a, here, ranges, SUM) for a in expr.args]
        text, binds = FILL[expr.op](here, *args), SUM if expr.op in ARE_SUMS else 9
    else:
        template, binds, wanted = ARRAY[expr.op]
        text = template.format(*(_cell_text(a, here, ranges, n) for a, n in zip(expr.args, wanted, strict=True)))
    return text if binds >= needs else f"({text})"


def is_plain(expr: Expr) -> bool:
    """Whether an ordinary cell computes it: every part is one value, or reduces a named range to one."""
    if expr.op in REDUCES:
        return all(a.name is not None for a in expr.args)
    return expr.shape == (1, 1) and all(a.shape == (1, 1) and (a.name is not None or is_plain(a)) for a in expr.args)


def formula_text(expr: Expr) -> str:
    """The array formula of an expression, without `=` and without a spare bracket; inputs by name."""
    return array_text(replace(expr, name=None), 0)


def array_text(expr: Expr, needs: int) -> str:
    if expr.name is not None:
        return expr.name
    if expr.op == "lit":
        return literal(expr.value, needs)
    if expr.op == "worst":
        return f"MAX({','.join(f'ABS({array_text(a, 0)})' for a in expr.args)})"
    if expr.op not in ARRAY:
        raise PlanError(f"{expr.op} has no array formula: name it, so that it gets cells of its own")
    one = expr.op in ONE_CELL and expr.args[0].shape == (1, 1)
    template, binds, wanted = (ONE_CELL if one else ARRAY)[expr.op]
    text = template.format(*(array_text(a, need) for a, need in zip(expr.args, wanted, strict=True)))
    return text if binds >= needs else f"({text})"


def literal(value: object, needs: int) -> str:
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    text = number(float(value))  # type: ignore[arg-type]  # a literal is text or a number
    return f"({text})" if text.startswith("-") and needs > 3 else text
