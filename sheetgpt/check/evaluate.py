"""The numpy meaning of a plan. This table never reads the formula table, nor that one this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby, pairwise
from math import erfc, sqrt
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sheetgpt.models.tokenizer import VISIBLE
from sheetgpt.plan.live import NO_MERGE, NONE
from sheetgpt.plan.ops import MODULUS, Expr, span
from sheetgpt.plan.own import own_of
from sheetgpt.plan.plan import Plan

Array = NDArray[Any]  # float64, or object for text
Env = Mapping[str, Array]
K = TypeVar("K")
V = TypeVar("V")
_ROWS = 1024  # of a vocabulary, multiplied at a time
_TALL = 32  # so many times more rows than columns of a product: it is one of a vocabulary


def _rows(ids: Array) -> NDArray[np.intp]:
    """A column of row numbers as integers; raises `IndexError` where one is no number."""
    return _whole(ids[:, 0])


def _whole(ids: Array) -> NDArray[np.intp]:
    numbers = np.asarray(ids, dtype=float)
    if not np.isfinite(numbers).all():
        raise IndexError("a row number is not a number")
    return numbers.astype(np.intp)


def _gather(table: Array, ids: Array) -> Array:
    return np.asarray(table[_rows(ids)]) if ids.shape[1] == 1 else np.asarray(table[_whole(ids), 0])


def _matmul(a: Array, b: Array) -> Array:
    """Matrix product; of a vocabulary it is summed row by row in one order, so that equal rows give equal numbers."""
    if 1 < b.shape[1] and len(a) < _TALL * b.shape[1]:
        return np.asarray(a @ b)
    parts = [a[start : start + _ROWS] for start in range(0, len(a), _ROWS)]
    return np.vstack([np.stack([(part * column).sum(axis=1) for column in b.T], axis=1) for part in parts])


def _largest(column: Array, k: Array) -> Array:
    return np.asarray(np.sort(column, axis=0)[::-1][_rows(k) - 1] + 0 * column.sum())  # NaN if any is


def _smallest(column: Array, k: Array) -> Array:
    return np.asarray(np.sort(column, axis=0)[_rows(k) - 1] + 0 * column.sum())


def _leaders(x: Array, size: Array) -> Array:
    return np.asarray((np.sort(x, axis=0)[::-1][: int(size)] + 0 * x.sum(axis=0)).T)


def _whereis(wanted: Array, table: Array, ids: Array) -> Array:
    """For the j-th occurrence of a value in `wanted`, the j-th place where the column has it."""
    if table.shape[1] == 1:
        return _places(wanted[:, 0], table[:, 0], ids[:, 0])[:, None]
    return np.array([_places(row, column, ids[:, 0]) for row, column in zip(wanted, table.T, strict=True)])


def _places(wanted: Array, column: Array, ids: Array) -> Array:
    out = np.full(len(wanted), np.nan)
    for i, value in enumerate(wanted):
        found, nth = ids[column == value], int((wanted[: i + 1] == value).sum())
        out[i] = found[nth - 1] if nth <= len(found) else np.nan
    return out


def _lehmer(x: Array, rows: Array) -> Array:
    out, state = np.empty(rows.shape), np.ravel(x)[0]
    for row in range(len(out)):
        out[row] = state = np.mod(16807 * state, MODULUS)
    return out


def _nucleus(logits: Array, weights: Array, wanted: Array) -> Array:
    falling, few = np.sort(logits[:, 0])[::-1], 0
    rows = []
    for bit in reversed(range(max(1, (len(logits) - 1).bit_length()))):
        tried = min(len(logits), few + 2**bit)
        least = falling[tried - 1]
        mass = weights[logits >= least].sum()
        few = tried if mass < np.ravel(wanted)[0] else few
        rows.append((tried, least, mass, few))
    return np.array(rows, dtype=float)


# ---- texts and byte pairs: plain Python, since numpy has no text of our kind ----------------------------------


def _each(rule: Callable[..., Any], kind: type = float) -> Callable[..., Array]:
    """A rule for single values as one for arrays."""
    return lambda *args: np.asarray(np.frompyfunc(rule, len(args), 1)(*args)).astype(kind)


def _without(text: str, ending: str) -> str:
    return text[: len(text) - len(ending)]


def _contraction(text: str) -> int:
    if text.startswith(("'re", "'ve", "'ll")):
        return 3
    return 2 if text.startswith(("'s", "'t", "'m", "'d")) else 0


def _suffixes(text: Array, rows: Array) -> Array:
    return np.array([[text[0, 0][i:]] for i in range(len(rows))], dtype=object)


def _runs(x: Array) -> Array:
    lengths: list[int] = []
    for value, group in groupby(x[:, 0]):
        size = len(list(group))
        lengths += range(size, 0, -1) if value else [0] * size
    return np.array(lengths, dtype=float)[:, None]


def _countdown(x: Array) -> Array:
    out = x.astype(float)
    for row in range(1, len(out)):
        if out[row - 1, 0] > 1:
            out[row, 0] = out[row - 1, 0] - 1
    return out


def _find(wanted: Array, column: Array) -> Array:
    first = {value: float(row) for row, value in reversed(list(enumerate(column[:, 0])))}
    return np.array([[first.get(value, np.nan)] for value in wanted[:, 0]])


def _locate(wanted: Array, column: Array) -> Array:
    rows = np.searchsorted(column[:, 0], wanted[:, 0], side="right") - 1.0
    return np.where(np.isnan(wanted[:, 0]) | (rows < 0), np.nan, rows)[:, None]


def _item(table: Array, rows: Array, cols: Array) -> Array:
    i, j = np.broadcast_arrays(_whole(rows), _whole(cols))
    inside = (0 <= i) & (i < table.shape[0]) & (0 <= j) & (j < table.shape[1])
    return np.where(inside, table[np.where(inside, i, 0), np.where(inside, j, 0)], np.nan)


def _utf8(code: Array, _: Array) -> Array:
    out = np.zeros((len(code), 4))
    for row, point in enumerate(_rows(code)):
        data = chr(point).encode("utf-8", "surrogatepass") if point else b""
        out[row, : len(data)] = list(data)
    return out


def _spell(offset: Array, size: Array, offsets: Array, data: Array, width: Array) -> Array:
    flat = [byte for row in data for byte in row if byte]
    out = np.zeros((len(offset), int(width)))
    for row, (first, n) in enumerate(zip(_rows(offset), _rows(size), strict=True)):
        word = flat[first : first + min(n, out.shape[1])]
        out[row, : len(word)] = word
    return out


def _ladder(symbols: Array, pairs: Array, ranks: Array, made: Array, n_vocab: Array) -> Array:
    known = dict(zip(pairs[:, 0], ranks[:, 0], strict=True))
    rungs = [rung for word in symbols for rung in _climb(word, known, made[:, 0], float(n_vocab))]
    return np.array(rungs)


def _climb(word: Array, known: Mapping[float, float], made: Array, n_vocab: float) -> Iterator[list[float]]:
    """As many rungs as the word has columns: symbols and where to join; ranks, the lowest, and what it makes."""
    size, row = len(word), word.tolist()
    for _ in range(size):
        ranks = [known.get(a * n_vocab + b, NO_MERGE) if min(a, b) >= 0 else NO_MERGE for a, b in pairwise(row)]
        best = min(ranks)
        at, new = (ranks.index(best), made[int(best)]) if best < NO_MERGE else (size, NONE)
        yield [*row, at]
        yield [*ranks, best, new]
        row = row if at == size else [*row[:at], new, *row[at + 2 :], NONE]


def _drawn(ladder: Array, table: Array) -> Array:
    def text(symbol: float) -> str:
        return "" if symbol < 0 else str(table[int(symbol), 0])

    out = np.full((len(ladder), ladder.shape[1] - 1), "", object)
    for r, row in enumerate(ladder.tolist()):
        ranks = ["" if rank == NO_MERGE else f"{rank:.0f}" for rank in row[:-2]]
        out[r] = [*ranks, text(row[-1])] if r % 2 else [text(symbol) for symbol in row[:-1]]
    return out


def _fingerprints(*matrices: Array) -> Array:
    return np.array([_fingerprint(x) for x in matrices])


def _fingerprint(x: Array) -> list[float]:
    rows, cols = x.shape
    ordered = np.sin(np.arange(1, rows + 1)) @ (x @ np.cos(np.arange(1, cols + 1)))
    return [rows, cols, _finite(x).item(), x.sum(), np.vdot(x, x), ordered]


def _finite(x: Array) -> Array:
    return np.asarray(np.isfinite(x).sum(keepdims=True), dtype=float)


def _visible(x: object) -> str:
    text = str(x).upper() if isinstance(x, bool) else f"{x:.15g}" if isinstance(x, float) else str(x)
    return text.replace(" ", "␣")


def _exactly(x: Array, texts: Array) -> Array:
    first = {text: float(row) for row, text in reversed(list(enumerate(texts[:, 0])))}
    return np.array([[first.get(text, NONE) for text in row] for row in x])


def _usable(x: Array, other: Array) -> Array:
    return x if x.dtype == object else np.where(np.isnan(x), other, x)


def _join(x: float | str, y: float | str) -> str:
    return "".join(part if isinstance(part, str) else f"{part:.0f}" for part in (x, y))


def _typed(text: str) -> str:
    for plain, sign in VISIBLE.items():
        text = text.replace(sign, plain)
    return text


def _rung(ladder: Array, words: Array) -> Array:
    n = words.shape[1]
    return ladder[2 * n - 2 :: 2 * n, :n]


NUMPY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "le": np.less_equal,
    "lt": np.less,
    "eq": np.equal,
    "where": np.where,
    "floor": np.floor,
    "mod": np.mod,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "normal": _each(lambda x: 0.5 * erfc(-x / sqrt(2))),
    "matmul": _matmul,
    "transpose": np.transpose,
    "max": lambda x: x.max(keepdims=True),
    "sum": lambda x: x.sum(keepdims=True),
    "argmax": lambda x: np.array([[np.nan if np.isnan(x).any() else float(x.argmax())]]),
    "same": lambda x: x,
    "worst": lambda *parts: np.max([np.abs(x).max() for x in parts], keepdims=True),
    "numbers": _finite,
    "unlit": lambda x: (~np.isin(x, ("OK", "no answer"))).sum(keepdims=True).astype(float),
    "colmax": lambda x: x.max(axis=0)[:, None],
    "colsum": lambda x: x.sum(axis=0)[:, None],
    "leaders": _leaders,
    "rowmean": lambda x: x.mean(axis=1, keepdims=True),
    "rowvar": lambda x: x.var(axis=1, keepdims=True),
    "rowmax": lambda x: x.max(axis=1, keepdims=True),
    "rowsum": lambda x: x.sum(axis=1, keepdims=True),
    "rowcount": lambda x: (x >= 0).sum(axis=1, keepdims=True),
    "apart": lambda x, y: (np.abs(x - y) / (1 + np.abs(y))).max(axis=1, keepdims=True),
    "stack": lambda *parts: np.array([[np.ravel(x)[0]] for x in parts], dtype=float),
    "fingerprints": _fingerprints,
    "above": lambda first, x: np.vstack([np.reshape(first, (1, 1)), x[:-1]]),
    "below": lambda last, x: np.vstack([x[1:], np.reshape(last, (1, 1))]),
    "lehmer": _lehmer,
    "nucleus": _nucleus,
    "cumsum": lambda x: x.cumsum(axis=0),
    "runs": _runs,
    "countdown": _countdown,
    "gather": _gather,
    "item": _item,
    "find": _find,
    "locate": _locate,
    "length": _each(len),
    "join": _each(_join, object),
    "exact": _each(lambda x, y: x == y),
    "typed": _each(_typed, object),
    "isnumber": np.isfinite,
    "istext": _each(lambda x: isinstance(x, str)),
    "code": _each(lambda text: ord(text[0]) if text else np.nan),
    "char": _each(lambda code: chr(int(code)), object),
    "without": _each(_without, object),
    "contraction": _each(_contraction),
    "suffixes": _suffixes,
    "utf8": _utf8,
    "visible": _each(_visible, object),
    "exactly": _exactly,
    "usable": _usable,
    "spell": _spell,
    "ladder": _ladder,
    "drawn": _drawn,
    "rung": _rung,
    "pick": lambda x, n: x[_rows(np.atleast_2d(n)) - 1],
    "picks": lambda n, *tables: np.vstack([x[_rows(n) - 1] for x in tables]),
    "largest": _largest,
    "smallest": _smallest,
    "whereis": _whereis,
    "concat": lambda *parts: np.hstack(parts),
}


def evaluate(expr: Expr, env: Env) -> Array:
    """Value of `expr`, two-dimensional; every named input is taken from `env`, whoever computed it."""
    args = (env[a.name] if a.name is not None else _value(a, env) for a in expr.args)
    if expr.op == "columns":
        start, stop = span(expr)
        return np.asarray(next(iter(args))[:, start:stop])
    value = np.asarray((own_of(expr).numpy if expr.op == "own" else NUMPY[expr.op])(*args))
    return np.broadcast_to(value.astype(object) if value.dtype.kind == "U" else value, expr.shape)


def attempt(plan: Plan, name: str, env: Env) -> Array:
    """The value of a place, from whatever its inputs are; NaN, or None for text, where those make no sense."""
    expr = plan[name]
    try:
        with np.errstate(all="ignore"):
            return evaluate(expr, env)
    except (IndexError, ValueError, TypeError):
        return np.full(expr.shape, None if name in plan.text else np.nan)


def _value(expr: Expr, env: Env) -> Array:
    if expr.op == "lit":
        return np.asarray(expr.value)
    return evaluate(expr, env)


class Layers(Mapping[K, V]):
    """Several maps as one, the first that has a name deciding. Nothing is copied, and what is lazy stays so."""

    def __init__(self, *maps: Mapping[K, V]) -> None:
        self.maps = maps

    def __getitem__(self, name: K) -> V:
        for values in self.maps:
            if name in values:
                return values[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[K]:
        return iter(dict.fromkeys(name for values in self.maps for name in values))

    def __len__(self) -> int:
        return len(set().union(*self.maps))


def run(plan: Plan, *given: Env) -> Layers[str, Array]:
    """Every place of the plan: what is `given` as it is, the rest computed in float64, in the plan's order.

    What was computed is the first layer of the result. Given values are asked for when they are needed, so that the
    weights of a large model need not all be in memory. Numbers may overflow silently. Where a place cannot be
    computed at all (an id that is no row) it is NaN, or empty text.
    """
    computed: dict[str, Array] = {}
    env = Layers(computed, *given)
    with np.errstate(all="ignore"):
        for name, expr in plan.items():
            if any(name in values for values in given):
                continue
            try:
                computed[name] = evaluate(expr, env)
            except (IndexError, ValueError, TypeError):
                blank, kind = ("", object) if name in plan.text else (np.nan, float)
                computed[name] = np.full(expr.shape, blank, kind)
    return env
