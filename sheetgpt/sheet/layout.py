"""Where each place stands: plan -> tabs, bands, ranges. Pure; no values, no formulas.

A tab is a head of `HEAD` rows, then *bands* from top to bottom. A band is a few places side by side
under `BAND` rows of text: names, meaning, formula, numpy line, ruler. Column A labels the rows.
Parameter tabs have a head of `SHORT_HEAD` rows and one ruler, and mirror their CSV file from cell B7 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from sheetgpt.errors import LayoutError
from sheetgpt.models.config import ModelConfig, Shape
from sheetgpt.plan.checks import AT
from sheetgpt.plan.count import KINDS
from sheetgpt.plan.ops import FINGERPRINT, span
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.plan.stages import WHOLE, Stages
from sheetgpt.sheet.a1 import MAX_COLS, MAX_ROWS, column, fixed, tab_ref
from sheetgpt.sheet.grid import Area

HEAD = 9  # title, links, where, what, why, in words, shapes, what to try, blank
SHORT_HEAD = 5  # of parameter tabs: title, links, what, why, source
BAND = 5  # rows of text above a band's numbers
LISTED = 2  # rows of text for each place of a listed band: what it is, its formula
CHART = 22  # rows that a chart beside a band's numbers takes
LEFT = 1  # column A labels the rows
MAX_TAB_NAME = 31
CHARS = (
    *("pos", "text", "code", "class", "size", "byte", "total", "offset"),  # what a character is
    *("run", "short", "reach", "togo", "start", "word", "left"),  # where words start
)
WORDS = ("pos", "text", "at", "length", "offset", "size", "byte", "symbol", "known", "lacking")
CHECK_HEAD = 2  # a blank row, and one of headings, above a table of checks
CHECK_WORDS = 3  # the column that says in words what is checked
CHECK_COLUMNS = {"all": 1, "light": 1, "wrong": 2, "limit": 2, "value": 2, "found": 4, "recorded": 4 + FINGERPRINT}
COMPUTE_HEAD = 3  # a blank row and two of headings above a table of the tab Compute
COMPUTE_KINDS = {kind: c for c, kind in enumerate(KINDS)} | {"rows": len(KINDS)}
COMPUTE_COLUMNS = {"": LEFT, "one": LEFT, "all": LEFT + len(KINDS) + 1}
_PITCH = 4  # columns from one narrow place to the next, so that the names above can be read
_LISTED_PITCH = 2  # where only short names stand above


class Range(NamedTuple):
    """A place's cells: `rows` x `cols` from (`row`, `col`), counted from 0, on `tab`."""

    name: str
    tab: str
    row: int
    col: int
    rows: int
    cols: int

    @property
    def area(self) -> Area:
        """Its cells, ends included."""
        return self.row, self.col, self.row + self.rows - 1, self.col + self.cols - 1

    @property
    def ref(self) -> str:
        """Absolute reference, as defined names hold it: `'h0 mlp'!$B$11:$IW$16`."""
        first, last = fixed(*self.area[:2]), fixed(*self.area[2:])
        return f"{tab_ref(self.tab)}!{first}" + (f":{last}" if first != last else "")

    def cell(self, r: int, c: int, seen_from: str, *, held: tuple[bool, bool] = (False, False)) -> str:
        """Address of one cell, with the tab's name if that is another one; a row or column that is `held` gets a $."""
        row, col = held
        return f"{self._prefix(seen_from)}{'$' * col}{column(self.col + c)}{'$' * row}{self.row + r + 1}"

    def row_ref(self, r: int, seen_from: str, *, held: bool = False) -> str:
        """Reference to one row, its columns `held` or relative."""
        first, last = (f"{'$' * held}{column(c)}{self.row + r + 1}" for c in (self.col, self.col + self.cols - 1))
        return f"{self._prefix(seen_from)}{first}:{last}" if self.cols > 1 else self._prefix(seen_from) + first

    def whole_row(self, r: int, seen_from: str) -> str:
        """Absolute reference to one row."""
        first, last = (fixed(self.row + r, c) for c in (self.col, self.col + self.cols - 1))
        return f"{self._prefix(seen_from)}{first}:{last}"

    def col_ref(self, c: int, seen_from: str) -> str:
        """Absolute reference to one column."""
        first, last = (fixed(r, self.col + c) for r in (self.row, self.row + self.rows - 1))
        return f"{self._prefix(seen_from)}{first}:{last}"

    def ruler(self, c: int) -> str:
        """Address of the ruler cell above column `c`: it holds the column's number from 0."""
        return f"{column(self.col + c)}${self.row}"

    @property
    def anchor(self) -> str:
        """Absolute address of the first cell, for use on the same tab."""
        return fixed(self.row, self.col)

    def columns(self, name: str, start: int, stop: int) -> Range:
        """Part of the columns under another name."""
        return Range(name, self.tab, self.row, self.col + start, self.rows, stop - start)

    def _prefix(self, seen_from: str) -> str:
        return "" if seen_from == self.tab else tab_ref(self.tab) + "!"


class Band(NamedTuple):
    """Places side by side; `touching` ones stand without a gap, so that one name can span them.

    A `listed` band is a table of many columns: above it each place has two lines of its own. One that is `at` a cell,
    counted from the rows of the head and from column A, has no text of its own, and the bands after it do not move.
    """

    names: tuple[str, ...]
    touching: bool = False
    listed: bool = False
    room: int = 0  # rows at least, for a chart beside the numbers
    at: tuple[int, int] | None = None

    @property
    def head(self) -> int:
        """Rows of text above the numbers: names, meaning, formula, numpy, ruler; or the list, names, ruler."""
        return LISTED * len(self.names) + 3 if self.listed else BAND

    def step(self, cols: int) -> int:
        """Columns from the start of a place that has `cols` of them to the start of the next."""
        return cols if self.touching else max(cols + 1, _LISTED_PITCH if self.listed else _PITCH)


@dataclass(frozen=True)
class Tab:
    """One sheet: its name, which lesson explains it, what stands on it."""

    name: str
    lesson: str  # file stem in templates/
    bands: tuple[Band, ...] = ()
    block: int | None = None
    group: str = "stage"  # or "parameters"


def head_rows(tab: Tab) -> int:
    """Rows of a tab's head."""
    return SHORT_HEAD if tab.group == "parameters" else HEAD


GLOSSARY = Tab("Glossary", "glossary")


@dataclass(frozen=True)
class Layout:
    """Tabs in reading order and the range of every place."""

    tabs: tuple[Tab, ...]
    ranges: dict[str, Range]

    def tab_of(self, name: str) -> Tab:
        """The tab on which a place stands."""
        return next(t for t in self.tabs if t.name == self.ranges[name].tab)


def lay_out(
    config: ModelConfig, plan: Plan, *, live: bool = False, stages: Stages = WHOLE, extras: Iterable[Tab] = ()
) -> Layout:
    """A range for every place of the plan; raises `LayoutError` where the file format's limits are passed."""
    contents = Tab("Contents", "contents" if stages == WHOLE else "contents_slice")
    given = tuple(name for name, role in plan.roles.items() if role is Role.UPSTREAM)
    steps = (*prompt_tabs(live, "prompt" in stages), Tab("Input", "input", (Band(given),)), *stage_tabs(config))
    parameters = parameter_tabs(stages.weights(config), live)
    tabs = (contents, *_planned(plan, (*steps, *extras, *check_tab(plan), GLOSSARY, *parameters)))
    ranges: dict[str, Range] = {}
    for tab in tabs:
        place = {"vectors": _vectors, "check": _checks, "compute": _compute}.get(tab.lesson, _bands)
        for box in place(tab, plan):
            ranges[box.name] = _checked(box)
    _add_views(plan, ranges)
    _check_tabs(tabs)
    return Layout(tabs, ranges)


def _planned(plan: Plan, tabs: Iterable[Tab]) -> Iterator[Tab]:
    """The tabs with what is in the plan, each place on the first tab that names it, but none that is left empty."""
    unplaced = set(plan)
    for tab in tabs:
        bands = [band._replace(names=tuple(n for n in band.names if n in unplaced)) for band in tab.bands]
        unplaced -= {name for band in bands for name in band.names}
        if any(band.names for band in bands) or not tab.bands:
            yield replace(tab, bands=tuple(band for band in bands if band.names))


def prompt_tabs(live: bool, begins: bool) -> Iterator[Tab]:
    """The prompt and its tokens: cut here, or known when a workbook was made that begins with them, or after them."""
    tokens = Band(("prompt.pos", "prompt.ids", "prompt.row", "prompt.tokens", "prompt.bytes"))
    if live:
        yield from _tokenizer_tabs(tokens)
    else:
        kind = "fixed" if begins else "slice"
        yield Tab("Prompt", f"prompt_{kind}", _stack("prompt.text", "prompt.next", "prompt.n", "prompt.built"))
        yield Tab("Tokens", f"tokens_{kind}", (tokens,))


def stage_tabs(config: ModelConfig) -> Iterator[Tab]:
    """The pipeline after the prompt, in reading order."""
    yield Tab("Embedding", "embedding", _stack("embed.token", "embed.pos", "embed.out"))
    for i in range(config.n_layer):
        yield from _block_tabs(i, config.n_head)
    yield Tab("ln_f", "ln_f", (*_norm("ln_f"), Band(("ln_f.last",))))
    column = Band(("logits", "probs.exp", "probs"))
    yield Tab("Logits", "logits", (Band(("probs.max", "probs.sum")), column))
    best = Band(("next.id", "next.text", "next.bytes", "next.logit"))
    top = Band(("top.rank", "top.id", "top.text", "top.logit", "top.prob"))
    yield Tab("Next token", "next", (best, top))


def check_tab(plan: Plan) -> Iterator[Tab]:
    """The lights: all at once, those of the stages, and for each stage those of its laws and of its weights."""
    names = [name for name in plan if name.partition(".")[0] == AT]
    single = [(name,) for name in (f"{AT}.all", f"{AT}.wrong", f"{AT}.limit") if name in names]
    groups = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    groups.sort(key=lambda group: group.count("."))  # those of stages come first
    bands = [tuple(name for name in names if name.rpartition(".")[0] == group) for group in groups if group != AT]
    if names:
        yield Tab("Check", "check", tuple(map(Band, [*single, *bands])))


def _tokenizer_tabs(tokens: Band) -> Iterator[Tab]:
    yield Tab("Prompt", "prompt", _stack("prompt.text", "prompt.problem", "prompt.next", "prompt.n", "prompt.built"))
    yield Tab("Characters", "characters", (_table("chars", CHARS), Band(("chars.n", "chars.odd"))))
    totals = Band(("words.n", "words.longest", "words.unknown"))
    yield Tab("Words", "words", (totals, _table("words", WORDS)))
    yield Tab("Merges", "merges", (_table("merges", ["text", "ladder"]),))
    ids = Band((*tokens.names, "prompt.word", "prompt.from"), listed=True)
    counts = (_table("words", ["token", "count", "upto", "before"]), Band(("words.total",)))
    yield Tab("Tokens", "tokens", (ids, *counts))


def _table(at: str, places: Iterable[str]) -> Band:
    return Band(tuple(f"{at}.{place}" for place in places), listed=True)


def _block_tabs(i: int, n_head: int) -> Iterator[Tab]:
    at = f"h{i}"
    yield Tab(f"{at} ln_1", "ln_1", _norm(f"{at}.ln_1"), i)
    yield Tab(f"{at} attention", "attention", tuple(_attention(f"{at}.attn", n_head, f"{at}.resid_mid")), i)
    yield Tab(f"{at} ln_2", "ln_2", _norm(f"{at}.ln_2"), i)
    names = (f"{at}.mlp.pre", f"{at}.mlp.post", f"{at}.mlp.out", f"{at}.resid_post")
    yield Tab(f"{at} mlp", "mlp", _stack(*names), i)


def _norm(at: str) -> tuple[Band, ...]:
    return (Band((f"{at}.mean", f"{at}.var")), *_stack(f"{at}.normalized", f"{at}.out"))


def _attention(at: str, n_head: int, after: str) -> Iterator[Band]:
    heads = [f"{at}.head{j}" for j in range(n_head)]
    yield Band((f"{at}.qkv",))
    yield Band(tuple(f"{h}.scores" for h in heads))
    yield Band(tuple(f"{h}.max" for h in heads))
    yield Band(tuple(f"{h}.exp" for h in heads))
    yield Band(tuple(f"{h}.sum" for h in heads))
    yield Band(tuple(f"{h}.pattern" for h in heads))
    yield Band(tuple(f"{h}.last" for h in heads), touching=True, room=CHART)
    yield Band(tuple(f"{h}.z" for h in heads), touching=True)
    yield from _stack(f"{at}.out", after)


def parameter_tabs(shapes: Mapping[str, Shape], live: bool) -> Iterator[Tab]:
    """After the lesson: all weights in one table, the tokenizer's tables, a tab per matrix, one per block's vectors."""
    if shapes:
        yield Tab("Parameters", "parameters", group="parameters")
    yield Tab(
        "Vocabulary", "vocabulary", (Band(("vocab.id", "vocab.text", "vocab.bytes", "vocab.kind")),), group="parameters"
    )
    if live:
        merges = Band(("bpe.pair", "bpe.rank", "bpe.token", "bpe.parts"))
        yield Tab("Merge table", "merge_table", (merges,), group="parameters")
        yield Tab("Bytes", "bytes", (Band(("bpe.byte",)),), group="parameters")
        yield Tab("Unicode", "unicode", (Band(("unicode.first", "unicode.class")),), group="parameters")
    vectors: dict[str, list[str]] = {}
    for name, (rows, _) in shapes.items():
        if rows == 1 and name not in {"wte", "wpe", "lm_head.w"}:
            vectors.setdefault(name.partition(".")[0], []).append(name)
        else:
            yield Tab(name, "matrix", (Band((name,)),), _block_of(name), "parameters")
    for at, names in vectors.items():
        yield Tab(f"{at} vectors", "vectors", (Band(tuple(names)),), _block_of(at), "parameters")


def _block_of(name: str) -> int | None:
    first = name.partition(".")[0]
    return int(first[1:]) if first[0] == "h" and first[1:].isdigit() else None


def _stack(*names: str) -> tuple[Band, ...]:
    return tuple(Band((name,)) for name in names)


def _bands(tab: Tab, plan: Plan) -> Iterator[Range]:
    top = head_rows(tab)
    for band in tab.bands:
        top += 0 if band.at else band.head if tab.group == "stage" else 1
        row, col = (HEAD + band.at[0], band.at[1]) if band.at else (top, LEFT)
        for name in band.names:
            rows, cols = plan[name].shape
            yield Range(name, tab.name, row, col, rows, cols)
            col += band.step(cols)
        top += 0 if band.at else max(band.room, *(plan[name].shape[0] for name in band.names)) + 1


def _vectors(tab: Tab, plan: Plan) -> Iterator[Range]:
    """One vector a row under one ruler, as in a table."""
    for r, name in enumerate(tab.bands[0].names):
        yield Range(name, tab.name, head_rows(tab) + 1 + r, LEFT, *plan[name].shape)


def _checks(tab: Tab, plan: Plan) -> Iterator[Range]:
    """Tables one below the other, whose columns are the same in all."""
    top, depth = HEAD, 1
    for band in tab.bands:
        first = band.names[0]
        top += CHECK_HEAD if first.count(".") > min(depth, 2) else 0  # stages follow each other, tables do not
        depth = first.count(".")
        for name in band.names:
            yield Range(name, tab.name, top, CHECK_COLUMNS[name.rpartition(".")[2]], *plan[name].shape)
        top += plan[first].shape[0]


def _compute(tab: Tab, plan: Plan) -> Iterator[Range]:
    """Sizes one below the other, then tables whose columns are the same in all: for one token, for all, how many."""
    top, before = HEAD + 1, ""
    for band in tab.bands:
        _, *at, last = band.names[0].split(".")
        table = "" if not at else at[-1] if at[-1] in ("block", "stages") else "stages"
        top += COMPUTE_HEAD if table != before else 0
        before = table
        for name in band.names:
            _, *at, last = name.split(".")
            first = COMPUTE_COLUMNS[at[0] if at else ""]
            yield Range(name, tab.name, top, first + COMPUTE_KINDS.get(last, 0), *plan[name].shape)
        top += plan[band.names[0]].shape[0]


def _add_views(plan: Plan, ranges: dict[str, Range]) -> None:
    for name, expr in plan.items():
        if expr.op == "columns":
            ranges[name] = ranges[str(expr.args[0].name)].columns(name, *span(expr))
        elif expr.op == "concat":
            parts = [ranges[str(a.name)] for a in expr.args]
            _check_touching(name, parts)
            ranges[name] = parts[0]._replace(name=name, cols=sum(p.cols for p in parts))
    if missing := [name for name in plan if name not in ranges]:
        raise LayoutError(f"no tab has a place for {missing[0]}")


def _check_touching(name: str, parts: list[Range]) -> None:
    for left, right in pairwise(parts):
        if (left.tab, left.row, left.col + left.cols) != (right.tab, right.row, right.col):
            raise LayoutError(f"{name} spans {left.name} and {right.name}, which do not stand side by side")


def _checked(box: Range) -> Range:
    if box.row + box.rows > MAX_ROWS or box.col + box.cols > MAX_COLS:
        raise LayoutError(
            f"{box.name} ({box.rows} x {box.cols}) does not fit a sheet of {MAX_ROWS:,} rows and {MAX_COLS:,} columns"
        )
    return box


def _check_tabs(tabs: Iterable[Tab]) -> None:
    seen: set[str] = set()
    for tab in tabs:
        if len(tab.name) > MAX_TAB_NAME or tab.name.casefold() in seen:
            raise LayoutError(f"tab name {tab.name!r} is too long or there twice")
        seen.add(tab.name.casefold())
