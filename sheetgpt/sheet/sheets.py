"""Blueprint and values -> the cells of every tab. Pure: what this yields is what verify expects to find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.plan.checks import ALL, RECORDED
from sheetgpt.plan.loop import AT as LOOP
from sheetgpt.plan.plan import Role, say
from sheetgpt.sheet.a1 import fixed
from sheetgpt.sheet.atoms import computed, formula, formula_shown, given, known, short, whole
from sheetgpt.sheet.atoms import text as _text
from sheetgpt.sheet.blueprint import CARD_NAME, Blueprint
from sheetgpt.sheet.cells import Cell, Kind, Ladder, Mass, Sheet, Style, Value
from sheetgpt.sheet.charts import charts_of
from sheetgpt.sheet.checktab import told
from sheetgpt.sheet.compute import told as compute_told
from sheetgpt.sheet.contents import card_row, contents
from sheetgpt.sheet.glossary import glossary
from sheetgpt.sheet.head import ParameterFact, head, source
from sheetgpt.sheet.labels import labels_of
from sheetgpt.sheet.layout import BAND, HEAD, LEFT, LISTED, SHORT_HEAD, Range, Tab
from sheetgpt.sheet.lessons import Lesson
from sheetgpt.sheet.parameters import parameters
from sheetgpt.sheet.slots import tab_lesson
from sheetgpt.sheet.surgerytab import told as surgery_told

Env = Mapping[str, NDArray[Any]]
_LONGEST = 160  # characters of a line that shows a formula
_MEANING = 2  # column of a listed place's meaning, and of its formula below

# whose rows are the vocabulary
_BY_WORD = frozenset(
    {"logits", "probs.exp", "probs", "sample.exp", "sample.probs", "sample.upto", "lens.logits", "near.norm"}
)
_DEPTHS = ("embedding", "after h{}")
# Rows with names of their own, the last of which goes on; {} is the number of the row before.
_NAMED_ROWS = {
    **dict.fromkeys(("lens.depth", "lens.max", "lens.last", "lens.mean", "lens.normalized", "lens.out"), _DEPTHS),
    **dict.fromkeys(("analogy.word", "analogy.vector"), ("a", "b", "c")),
    "near.rank": ("itself", ""),
}
_RANKED = frozenset({"lens.text", "lens.share", "lens.logit", "lens.id"})  # whose columns are ranks
_BY_TOKEN = re.compile(
    r".*\.head\d+\.(scores|exp|pattern)|hand\.columns|view\.pattern|.*\.attn\.picked|points\.(gram|left|.*\.power_\d+)"
)
_SHARES = r".*\.head\d+\.(pattern|last)|view\.pattern|.*\.attn\.picked|probs|top\.prob"
_SHARES += r"|heads\.(share|itself|previous|first)"
_SHARES += r"|sample\.top\.(before|after|prob)"
_COMPARED = r"lens\.(prob|share|logits)|cosines\.table|near\.(cosine|distance)"
_SCALED = re.compile(_SHARES + r"|logits|surgery\.(change|effect)|" + _COMPARED)
_HEAD_OF = re.compile(r".*\.head(\d+)\.last")
_STYLES = [
    (re.compile(r".*\.(on|attn\.head\d+\.scale)"), Style.SWITCH),
    (re.compile(r"surgery\.verdict"), Style.SENTENCE),
    (re.compile(r"surgery\.problem"), Style.PROBLEM),
    (re.compile(r"surgery\.(was|now)\.answer"), Style.ANSWER),
    (re.compile(r"surgery\.(.*\.(prob|share)|moved|effect)"), Style.SHARE),
    (re.compile(r"surgery\.(change|rest)"), Style.CHANGE),
    (re.compile(r"surgery\.text"), Style.TOKEN),
    (re.compile(r"surgery\.(was\.id|.*\.number|turned|count|odd)|(top|next)\.id"), Style.SPARSE),
    (re.compile(r"prompt\.next|(next|sample)\.text|generate\.now"), Style.ANSWER),
    (re.compile(r"prompt\.text"), Style.INPUT_TEXT),
    (re.compile(r"prompt\.problem|(near|analogy|cosines)\.said"), Style.PROBLEM),
    (re.compile(r"(near|analogy|cosines)\.word"), Style.WORD),
    (re.compile(r"(near|analogy|cosines)\.seen|lens\.text|(near|analogy)\..*\.(text|given)"), Style.TOKEN),
    (re.compile(r"lens\.depth|(near|analogy)\.rank"), Style.INPUT),
    (re.compile(r"lens\.id|(near|analogy|cosines)(\..*)?\.id"), Style.SPARSE),
    (re.compile(r"lens\.rank"), Style.BYTES),
    (re.compile(r"lens\.(prob|share)"), Style.CHANCE),
    (re.compile(r"(near|cosines|analogy)\.(cosine|table|alike\.value|best\.value)"), Style.COSINE),
    (re.compile(r"near\.close\.value|analogy\.best\.distance"), Style.DISTANCE),
    (re.compile(r"(prompt|top)\.(tokens|text|bytes|from)|vocab\.(text|bytes)|next\.bytes|(chars|words|merges)\.text|vocab\.kind|bpe\.parts"),
     Style.TOKEN),
    (re.compile(r"compute\.(tokens|width|mlp|heads|blocks|vocabulary|context)"), Style.INPUT),
    (re.compile(r"compute\.ratio"), Style.SHARE),
    (re.compile(r"compute\.same"), Style.TOKEN),
    (re.compile(r"compute\..*\.(total\..*|counted)"), Style.TOTAL),
    (re.compile(r"compute\..*"), Style.COUNT),
    (re.compile(r"heads\.(name|text)|chars\.(class|left)|unicode\.class"), Style.TOKEN),
    (re.compile(r"(prompt|chars|words)\.pos|view\.(block|head)|matmul\.(left|right|row|column)"), Style.INPUT),
    (re.compile(r"vocab\.id|top\.rank|unicode\.first|bpe\..*"), Style.INPUT),
    (re.compile(r"curve\.(number|neuron)"), Style.INPUT),
    (re.compile(r"points\.(there|count|.*\.(far|who))"), Style.WHOLE),
    (re.compile(r"points\.name"), Style.TOKEN),
    (re.compile(r"chars\.byte|words\.byte"), Style.BYTES),
    (re.compile(r"words\.(symbol|token|at)|merges\.ladder|prompt\.word"), Style.SPARSE),
    (re.compile(r"sample\.top\.(text|fate)|generate\.(prompt|text|after|how|end|agrees)|prompt\.built"), Style.TOKEN),
    (re.compile(r"sample\.(temperature|top_k|top_p|seed)"), Style.KNOB),
    (re.compile(r"sample\.(share|probs|upto|random|top\.(before|after|prob|upto))"), Style.SHARE),
    (re.compile(r"sample\.(row|best|enough|state|top_k\.used|seed\..*)"), Style.WHOLE),
    (re.compile(r"generate\.id|sample\.id"), Style.SPARSE),
    (re.compile(r"generate\.prob"), Style.CHANCE),
    (re.compile(r"matmul\..*|hand\.id|heads\.most|prompt\.(n|ids|row)|(chars|words)\..*"), Style.WHOLE),
    (re.compile(_SHARES), Style.SHARE),
    (re.compile(r"check\.(.*\.light|all)"), Style.LIGHT),
    (re.compile(r"check\.(.*\.value|limit|(.*\.)?wrong)"), Style.GAP),
    (re.compile(r"check\..*\.found"), Style.FOUND),
    (re.compile(r"check\..*\.recorded"), Style.RECORDED),
]  # fmt: skip


NOTHING = "No answer: the tab Prompt says why."
_WITHOUT_PROMPT = frozenset({"prompt", "generate", "matmul", "playground"})  # tabs that say it themselves, or read none
_ROLES = {Role.PARAMETER: Style.PARAMETER, **dict.fromkeys((Role.INPUT, Role.KNOB, Role.RECORD), Style.GIVEN)}
Rows = Callable[[str], Callable[[], Iterable[NDArray[Any]]]]


def sheets(book: Blueprint, env: Env, facts: list[ParameterFact], rows: Rows | None = None) -> Iterator[Sheet]:
    """Every tab in order, with the values of `env` as inputs and caches, and as parameters unless `rows` streams them.

    `rows` gives for a parameter's name what a `Mass` has as its rows: something that another process can call, too.
    """
    rows = rows or (lambda name: partial(_read, env, name))
    for tab in book.layout.tabs:
        if tab.lesson.startswith("contents"):
            yield _contents(book, tab, env)
        elif tab.lesson == "check":
            yield _check(book, tab, env)
        elif tab.lesson == "glossary":
            yield Sheet(tab, [*_head(book, tab), *glossary(book)])
        elif tab.lesson == "compute":
            yield _tables(book, tab, env, compute_told(book, tab, tab_lesson(book, tab)))
        elif tab.lesson == "surgery":
            yield _surgery(book, tab, env)
        elif tab.lesson == "parameters":
            yield _parameters(book, tab, facts)
        elif tab.lesson == "vectors":
            yield _vectors(book, tab, facts, rows)
        elif tab.group == "parameters":
            yield _parameter(book, tab, env, facts, rows)
        else:
            yield _stage(book, tab, env)


def names_of(book: Blueprint) -> dict[str, str]:
    """Every defined name and its reference: one for each place, one for the card."""
    names = {name: box.ref for name, box in book.layout.ranges.items()}
    return names | {CARD_NAME: f"Contents!{fixed(card_row(book), 1)}"}


def _head(book: Blueprint, tab: Tab, facts: Iterable[ParameterFact] = ()) -> list[Cell]:
    return list(head(book, tab, tab_lesson(book, tab), {fact.name: fact for fact in facts}))


# ---- tabs of their own kind ------------------------------------------------------------------------------


def _contents(book: Blueprint, tab: Tab, env: Env) -> Sheet:
    cells, lights = contents(book, env, lambda other: tab_lesson(book, other).title)
    return Sheet(tab, _head(book, tab) + cells, lights=lights)


def _parameters(book: Blueprint, tab: Tab, facts: list[ParameterFact]) -> Sheet:
    return Sheet(tab, _head(book, tab) + list(parameters(book, facts, lambda other: tab_lesson(book, other))))


def _vectors(book: Blueprint, tab: Tab, facts: list[ParameterFact], rows: Rows) -> Sheet:
    cells = _head(book, tab)
    masses: list[Mass] = []
    boxes = [book.layout.ranges[name] for name in tab.bands[0].names]
    masses.append(_numbered(tab.name, SHORT_HEAD, LEFT, max(b.cols for b in boxes)))
    for box in boxes:
        cells.append(_text(box.row, 0, box.name, Style.LABEL))
        masses.append(Mass(box, rows(box.name)))
    sources = [source(book, fact) for fact in facts if fact.name in tab.bands[0].names]
    cells += [_text(boxes[-1].row + 2 + r, 1, text, Style.NOTE) for r, text in enumerate(sources)]
    return Sheet(tab, cells, masses)


def _parameter(book: Blueprint, tab: Tab, env: Env, facts: list[ParameterFact], rows: Rows) -> Sheet:
    """A matrix as its CSV has it, or the vocabulary."""
    cells = _head(book, tab, facts)
    masses: list[Mass] = []
    for name in tab.bands[0].names:
        box = book.layout.ranges[name]
        _sort(_ruler(book, box), cells, masses)
        if name in book.plan.text:
            cells += _given(book, box, env)
        else:
            learned = book.plan.roles[name] is Role.PARAMETER
            pieces = rows(name) if learned else partial(whole, env[name])
            masses.append(Mass(box, pieces, _style(book, name)))
    words = tab.name == book.card.config.head_name == "wte" and "vocab.text" in book.plan
    for r in range(box.rows):
        label: Value = str(env["vocab.text"][r, 0]) if words else float(r)
        cells.append(_static(box.row + r, 0, label, Style.LABEL))
    return Sheet(tab, cells, masses)


def _check(book: Blueprint, tab: Tab, env: Env) -> Sheet:
    """The lights, what they stand for in words, and the numbers behind them."""
    sheet = _tables(book, tab, env, told(book, tab, tab_lesson(book, tab)))
    boxes = (book.layout.ranges[name] for band in tab.bands for name in band.names)
    lights = [box for box in boxes if _style(book, box.name) is Style.LIGHT]
    return sheet._replace(lights=[box._replace(cols=3) if box.name == ALL else box for box in lights])


def _tables(book: Blueprint, tab: Tab, env: Env, words: Iterable[Cell]) -> Sheet:
    """The places of a tab among words of its own."""
    cells, masses = [*_head(book, tab), *words], list[Mass]()
    for name in (name for band in tab.bands for name in band.names):
        _sort(_filled(book, book.layout.ranges[name], env), cells, masses)
    return Sheet(tab, cells, masses)


def _surgery(book: Blueprint, tab: Tab, env: Env) -> Sheet:
    """Switches in a grid of blocks and heads, and what turning them changes."""
    boxes = [book.layout.ranges[name] for band in tab.bands for name in band.names]
    cells = [*_head(book, tab), *surgery_told(book.card.config, tab_lesson(book, tab))]
    cells += _row_labels(book, book.layout.ranges["embed.pos.on"], env)
    masses: list[Mass] = []
    for box in boxes:
        _sort(_filled(book, box, env), cells, masses)
    scales = {box.name: box for box in boxes if _SCALED.fullmatch(box.name)}
    effect = scales["surgery.effect"]  # of heads, and of MLPs, which do much more
    scales |= {f"{effect.name}.mlp": effect.columns(effect.name, effect.cols - 1, effect.cols)}
    scales[effect.name] = effect.columns(effect.name, 0, effect.cols - 1)
    switches = [box for box in boxes if _style(book, box.name) is Style.SWITCH]
    return Sheet(tab, cells, masses, scales, charts=list(charts_of(book, tab, env)), switches=switches)


# ---- the tabs of the pipeline ----------------------------------------------------------------------------


def _stage(book: Blueprint, tab: Tab, env: Env) -> Sheet:
    cells = _head(book, tab) + list(_unanswered(book, tab, env))
    masses: list[Mass] = []
    words = tab_lesson(book, tab)
    scales: dict[str, Range] = {}
    masked: list[Range] = []
    labelled: list[Range] = []
    headed: list[Range] = []
    folds: list[tuple[int, int]] = _words_of(book, tab)
    tops: list[int] = []
    for band in tab.bands:
        boxes = [book.layout.ranges[name] for name in band.names]
        cells += _list(book, boxes, words) if band.listed else _band_text(book, boxes, words)
        cells += _row_labels(book, boxes[0], env)
        labelled += [box for box in boxes if box.name not in book.blank] if labels_of(boxes[0].name) else []
        tops.append(boxes[0].row - band.head)
        if not any(box.name in book.results or _SCALED.fullmatch(box.name) for box in boxes):
            last = max(box.row + box.rows - 1 for box in boxes)
            folds.append((boxes[0].row - band.head + 1, last))  # the line with the names stays
        for box in boxes:
            source = _columns_of(box.name)
            ruler = _token_ruler(book, box, env, source) if source else _ruler(book, box)
            _sort(chain(ruler, _filled(book, box, env)), cells, masses)
            masked += [box] if box.name.endswith(".scores") else []
            headed += [box] if source == "prompt.tokens" and not _SCALED.fullmatch(box.name) else []
            if _SCALED.fullmatch(box.name) and book.plan[box.name].args:
                scales[box.name] = box
    square = [box for name, box in scales.items() if name.endswith(".pattern")]
    charts = list(charts_of(book, tab, env))
    numbers = [book.layout.ranges[name] for band in tab.bands for name in band.names]
    numbers = [box for box in numbers if _style(book, box.name) in (Style.VALUE, Style.STEP)]
    faces = scales, masked, labelled, _ladder(book, tab), charts
    return Sheet(tab, cells, masses, *faces, folds=folds, square=square, tops=tops, headed=headed, numbers=numbers)


def _unanswered(book: Blueprint, tab: Tab, env: Env) -> Iterator[Cell]:
    """A line that says so where the prompt has no answer."""
    if book.card.live and tab.lesson not in _WITHOUT_PROMPT:
        n = known(book, "prompt.n", env["prompt.n"][0, 0])
        value = None if n is None else NOTHING if n < 1 else ""
        yield formula(HEAD - 1, LEFT, f'IF(prompt.n<1,"{NOTHING}","")', Style.WARNING, value)


def _words_of(book: Blueprint, tab: Tab) -> list[tuple[int, int]]:
    """On the tab Merges the rows below each word's first one: folded, the words are left."""
    if tab.lesson != "merges":
        return []
    ladder, words = book.layout.ranges["merges.ladder"], book.layout.ranges["words.text"].rows
    tall = ladder.rows // words
    return [(ladder.row + k * tall + 1, ladder.row + (k + 1) * tall - 1) for k in range(words)]


def _ladder(book: Blueprint, tab: Tab) -> Ladder | None:
    ranges = book.layout.ranges
    return Ladder(ranges["merges.text"], ranges["merges.ladder"]) if tab.lesson == "merges" else None


def _list(book: Blueprint, boxes: list[Range], words: Lesson) -> Iterator[Cell]:
    """Two lines for each place: name and meaning, formula and numpy line. Below the short names, above the numbers."""
    top = boxes[0].row - LISTED * len(boxes) - 3
    for line, box in zip(range(top, boxes[0].row, LISTED), boxes, strict=False):
        yield _text(line, 0, f"{box.name}  [{box.rows} x {box.cols}]", Style.NAME)
        yield _text(line, _MEANING, words.meaning(box.name), Style.NOTE)
        if book.plan[box.name].args:
            yield _text(
                line + 1, _MEANING, f"{formula_shown(book, box, _LONGEST)}    {_numpy_shown(book, box)}", Style.CODE
            )
        yield _text(box.row - 2, box.col, box.name, Style.NAME)


def _band_text(book: Blueprint, boxes: list[Range], words: Lesson) -> Iterator[Cell]:
    """Names, meaning, formulas, numpy lines: four rows above the ruler."""
    top, left = boxes[0].row - BAND, boxes[0].col
    for box in boxes:
        if box is boxes[0] or box.cols > 1 or box.col - left > boxes.index(box):  # else there is no room for it
            yield _text(top, box.col, f"{box.name}  [{box.rows} x {box.cols}]", Style.NAME)
    yield _text(top + 1, left, words.meaning(boxes[0].name), Style.NOTE)
    computed = [box for box in boxes if book.plan[box.name].args]
    shown = computed[:1] if ".head" in boxes[0].name else computed
    if shown:
        yield _text(top + 2, left, "    ".join(formula_shown(book, box, _LONGEST) for box in shown), Style.CODE)
        yield _text(top + 3, left, "    ".join(_numpy_shown(book, box) for box in shown), Style.CODE)


def _numpy_shown(book: Blueprint, box: Range) -> str:
    return short(f"{box.name} = {say(book.plan[box.name])}", _LONGEST)


def _row_labels(book: Blueprint, box: Range, env: Env) -> Iterator[Cell]:
    if box.name in _BY_WORD:
        yield from (_text(box.row + r, 0, str(env["vocab.text"][r, 0]), Style.LABEL) for r in range(box.rows))
    elif box.name == f"{LOOP}.prompt":
        yield from (_static(box.row + r, 0, f"step {r + 1}", Style.LABEL) for r in range(box.rows))
    elif box.name.startswith("merges."):
        yield from _rung_labels(book, box, env)
    elif box.name in _NAMED_ROWS:
        names = _NAMED_ROWS[box.name]
        yield from (
            _text(box.row + r, 0, names[min(r, len(names) - 1)].format(r - 1), Style.LABEL) for r in range(box.rows)
        )
    elif source := labels_of(box.name):
        labels = book.layout.ranges[source]
        for r in range(box.rows):
            value = known(book, source, env[source][r, 0])
            yield formula(box.row + r, 0, _text_of(book, labels, r, box.tab), Style.LABEL, value)


def _text_of(book: Blueprint, labels: Range, r: int, seen_from: str) -> str:
    """The formula that shows a label's text; where a cell of given texts is empty it makes no 0 of it."""
    ref = labels.cell(r, 0, seen_from)
    return ref if book.plan[labels.name].args else f'{ref}&""'


def _rung_labels(book: Blueprint, box: Range, env: Env) -> Iterator[Cell]:
    """A word's text at the first row of its ladder, the number of merges at the others."""
    words = book.layout.ranges["words.text"]
    rungs = box.rows // words.rows // 2
    for rung in range(box.rows // 2):
        word, step = divmod(rung, rungs)
        if step:
            yield _static(box.row + 2 * rung, 0, step, Style.LABEL)
        else:
            text = known(book, "words.text", env["words.text"][word, 0])
            yield formula(box.row + 2 * rung, 0, words.cell(word, 0, box.tab), Style.LABEL, text)


def _columns_of(name: str) -> str:
    """The place whose texts stand above the columns of another; empty where columns are numbered."""
    return "cosines.seen" if name == "cosines.table" else "prompt.tokens" if _BY_TOKEN.fullmatch(name) else ""


def _token_ruler(book: Blueprint, box: Range, env: Env, source: str) -> Iterator[Cell]:
    """Columns that stand for tokens: who is looked at."""
    tokens = book.layout.ranges[source]
    for c in range(box.cols):
        text = known(book, source, env[source][c, 0])
        yield formula(box.row - 1, box.col + c, _text_of(book, tokens, c, box.tab), Style.LABEL, text)


def _ruler(book: Blueprint, box: Range) -> Iterator[Cell | Mass]:
    """Columns by number from 0; in `qkv` by query, key or value, head, and number within the head."""
    if box.name == "merges.ladder":
        yield _numbered(box.tab, box.row - 1, box.col, box.cols - 1)
        yield _text(box.row - 2, box.col + box.cols - 2, "lowest", Style.NAME)
        yield _text(box.row - 1, box.col + box.cols - 1, "at / makes", Style.NAME)
    elif box.name in _RANKED:
        yield from (_text(box.row - 1, box.col + c, f"no. {c + 1}", Style.RULER) for c in range(box.cols))
    elif box.name.endswith(".qkv"):
        d, width = book.card.config.n_embd, book.card.config.d_head
        for c in range(box.cols):
            text = f"{'qkv'[c // d]}{c % d // width}.{c % width}"
            yield _text(box.row - 1, box.col + c, text, Style.RULER)
    elif head := _HEAD_OF.fullmatch(box.name):
        yield _text(box.row - 1, box.col, f"head {head[1]}", Style.RULER)
    elif box.cols == 1 and book.layout.tab_of(box.name).group == "parameters":
        yield _text(box.row - 1, box.col, box.name, Style.NAME)
    elif box.cols > 1:
        yield _numbered(box.tab, box.row - 1, box.col, box.cols)


def _filled(book: Blueprint, box: Range, env: Env) -> Iterator[Cell | Mass]:
    """The cells of a place."""
    if book.plan.roles[box.name] is Role.UPSTREAM:
        yield Mass(box, partial(whole, env[box.name]), Style.GIVEN)
    elif box.name.endswith(RECORDED):
        yield Mass(box, partial(whole, env[box.name]), Style.RECORDED)
    elif book.plan.roles[box.name] is Role.RECORD and box.name not in book.plan.text:  # right but for rounding
        yield Mass(box, partial(whole, env[box.name]), _style(book, box.name))
    elif book.plan.roles[box.name] in (Role.INPUT, Role.KNOB, Role.RECORD):
        yield from _given(book, box, env)
    elif box.name in book.blank:
        for r, c in product(range(box.rows), range(box.cols)):
            yield Cell(box.row + r, box.col + c, Kind.BLANK, "", Style.BLANK)
    else:
        known = box.name not in book.after_blank
        yield from computed(book.formulas(box.name), box, env[box.name], _style(book, box.name), known=known)


def _given(book: Blueprint, box: Range, env: Env) -> Iterator[Cell]:
    values, style = env[box.name], _style(book, box.name)
    for r in range(box.rows):
        for c in range(box.cols):
            yield _static(box.row + r, box.col + c, values[r, c], style)


def _read(env: Env, name: str) -> list[NDArray[Any]]:
    return [env[name]]


def _style(book: Blueprint, name: str) -> Style:
    style = next((style for pattern, style in _STYLES if pattern.fullmatch(name)), Style.VALUE)
    role = book.plan.roles[name]
    if style is Style.VALUE:
        return _ROLES.get(role) or (Style.VALUE if name in book.results else Style.STEP)
    return Style.INPUT if style is Style.WHOLE and role is Role.INPUT else style


def _sort(parts: Iterable[Cell | Mass], cells: list[Cell], masses: list[Mass]) -> None:
    """Put single cells to the cells, arrays to the masses."""
    for part in parts:
        cells.append(part) if isinstance(part, Cell) else masses.append(part)


# ---- atoms -----------------------------------------------------------------------------------------------


def _numbered(tab: str, row: int, col: int, count: int) -> Mass:
    """0, 1, 2 ... in a row, which belongs to no place."""
    return Mass(Range("", tab, row, col, 1, count), partial(whole, np.arange(count, dtype=float)[None, :]), Style.RULER)


def _static(row: int, col: int, value: Any, style: Style | None = None) -> Cell:
    return given(row, col, value, style or (Style.NOTE if isinstance(value, str) else Style.WHOLE))
