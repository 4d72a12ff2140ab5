"""Slips of the hand and of the mind, as small functions: each makes one faulty change to one of our workbooks.

A rule takes the text of a formula as it stands in the workbook and gives the texts that a slip would make of it; an
operator picks with a seeded generator where the slip happens. Nothing here knows how a fault is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from openpyxl.formula import Tokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError

from sheetgpt.check.faults import shown
from sheetgpt.check.formula import plain_tab
from sheetgpt.check.places import Places
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.a1 import parse_area, parse_cell, parse_ref, tab_ref
from sheetgpt.sheet.blueprint import CARD_NAME, Blueprint
from sheetgpt.sheet.book import Book, Formula
from sheetgpt.sheet.grid import At, CellError, Value, cells
from sheetgpt.sheet.layout import Range
from sheetgpt.sheet.rewrite import Written

_QK_BIAS = "real: K, V add Q's bias"
_TRIES = 60  # places and cells that are looked at before an operator is said not to apply
_REF = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)([0-9]+)")
_HEAD, _BLOCK = re.compile(r"(\.head)(\d+)(\.)"), re.compile(r"^h(\d+)\.")


class Mutation(NamedTuple):
    """One faulty change: which operator made it, where the fault truly is, and what is to be written."""

    operator: str
    place: str  # empty for cells that belong to none, such as labels
    tab: str
    cell: str  # A1; empty where a name is moved
    was: str
    now: str
    cells: Mapping[At, Written]  # of `tab`
    names: Mapping[str, str]
    stripped: bool = False  # whether a changed formula has lost its cached values, too
    equivalent: str = ""  # why no input whatever could tell it from the original; empty where one may

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two mutants the same one."""
        return self.tab, self.cell, self.now, self.stripped, tuple(self.names.items())


@dataclass(frozen=True)
class Original:
    """The workbook that is to be spoilt."""

    book: Book
    blueprint: Blueprint

    @cached_property
    def formulas(self) -> dict[str, list[tuple[str, At]]]:
        """Cells with formulas by place, in the file's order; under '' those that belong to no place, such as labels."""
        out: dict[str, list[tuple[str, At]]] = {}
        for tab, sheet in self.book.sheets.items():
            for at in sheet.formulas:
                out.setdefault(self.places.at(tab, *at), []).append((tab, at))
        return out

    @cached_property
    def places(self) -> Places:
        """Which place a cell belongs to."""
        return Places(self.blueprint)

    @cached_property
    def given(self) -> list[str]:
        """Places that hold numbers which no formula computes."""
        plan = self.blueprint.plan
        return [name for name, expr in plan.items() if expr.op == "data" and name not in plan.text]

    @cached_property
    def weights(self) -> list[str]:
        """Places of learned numbers."""
        return self.blueprint.plan.parameters

    @cached_property
    def texts(self) -> list[tuple[str, At]]:
        """Cells that hold text and no formula: headings, explanations, the vocabulary."""
        ours = [(tab, self.book.sheets[tab]) for tab in (t.name for t in self.blueprint.layout.tabs)]
        skip = self._unread
        return [(t, at) for t, s in ours for at, v in s.values.single.items()
                if type(v) is str and v and at not in s.formulas and (t, at) not in skip]  # fmt: skip

    @cached_property
    def _unread(self) -> set[tuple[str, At]]:
        """Texts that may be any, the prompt and what a reader changes at will, and the card, by which all is judged."""
        card, (row, col, *_) = parse_ref(self.book.reference(CARD_NAME))
        plan, ranges = self.blueprint.plan, self.blueprint.layout.ranges
        free = [name for name in plan.text if name == "prompt.text" or plan.roles[name] is Role.KNOB]
        return {(card, (row, col)), *((ranges[name].tab, at) for name in free for at in cells(ranges[name].area))}

    def value(self, tab: str, at: At) -> Value:
        """What a cell shows."""
        return self.book.sheets[tab].values.get(at)

    def formula(self, tab: str, at: At) -> Formula:
        """The formula of a cell that has one."""
        return self.book.sheets[tab].formulas[at]


Rule = Callable[[str, "Original", str], Iterator[str]]  # of a formula, in a workbook, on a tab
Pick = Callable[[Original, np.random.Generator], Mutation | None]


class Operator(NamedTuple):
    """A kind of slip: `pick` makes one of it, or None where it finds no place for it."""

    name: str
    sentence: str
    pick: Pick


# ---- rules: what a slip makes of a formula's text --------------------------------------------------


def tokens(text: str) -> list[Token]:
    """The tokens of a formula; none of one that is not a formula."""
    try:
        return list(Tokenizer("=" + text).items)
    except TokenizerError:
        return []


def _each(text: str, change: Callable[[Token], Iterable[str]]) -> Iterator[str]:
    """The formula with one token after the other spelt otherwise."""
    items = tokens(text)
    for i, token in enumerate(items):
        for spelling in change(token):
            yield "".join(t.value for t in (*items[:i],)) + spelling + "".join(t.value for t in items[i + 1 :])


def _operand(token: Token) -> bool:
    return bool(token.type == Token.OPERAND and token.subtype == Token.RANGE)


def _reference(token: Token) -> tuple[str, str] | None:
    """(tab with '!', area) of a token that is a reference to cells."""
    if not _operand(token):
        return None
    tab, sign, area = token.value.rpartition("!")
    return (tab + sign, area) if all(_REF.fullmatch(part) for part in area.split(":")) else None


def _moved(area: str, rows: int, cols: int) -> str:
    """An A1 area some rows and columns on, its $ kept; empty outside the grid."""
    out = []
    for part in area.split(":"):
        match = _REF.fullmatch(part)
        assert match is not None
        row, col = parse_cell(part)
        if row + rows < 0 or col + cols < 0:
            return ""
        letters = a1(0, col + cols)[:-1]
        out.append(f"{match[1]}{letters}{match[3]}{row + rows + 1}")
    return ":".join(out)


def _shifted(steps: Iterable[tuple[int, int]], ranges: bool | None = None) -> Rule:
    def change(token: Token) -> Iterator[str]:
        if (ref := _reference(token)) and ranges in (None, ":" in ref[1]):
            yield from (ref[0] + area for step in steps if (area := _moved(ref[1], *step)))

    return lambda text, *_: _each(text, change)


def frozen(text: str, *_: object) -> Iterator[str]:
    """Each single `$` of a reference put in or taken out."""

    def change(token: Token) -> Iterator[str]:
        if ref := _reference(token):
            parts = ref[1].split(":")
            for i, part in enumerate(parts):
                match = _REF.fullmatch(part)
                assert match is not None
                column, row = ("" if match[1] else "$"), ("" if match[3] else "$")
                for new in (f"{column}{match[2]}{match[3]}{match[4]}", f"{match[1]}{match[2]}{row}{match[4]}"):
                    yield ref[0] + ":".join([*parts[:i], new, *parts[i + 1 :]])

    return _each(text, change)


def wrong_tab(text: str, original: Original, _: str) -> Iterator[str]:
    """A reference to the tab beside the right one, or a name of the same kind in another block."""
    names, tabs = original.blueprint.plan, [tab.name for tab in original.blueprint.layout.tabs]

    def change(token: Token) -> Iterator[str]:
        if ref := _reference(token):
            here = ref[0][:-1].strip("'")
            at = tabs.index(here) if here in tabs else 0
            yield from (f"{tab_ref(tabs[i])}!{ref[1]}" for i in (at - 1, at + 1) if 0 <= i < len(tabs))
        elif _operand(token) and (block := _BLOCK.match(token.value)):
            others = (f"h{int(block[1]) + step}.{token.value[block.end() :]}" for step in (-1, 1))
            yield from (name for name in others if name in names)

    return _each(text, change)


def _function(swaps: Mapping[str, str]) -> Rule:
    def change(token: Token) -> Iterator[str]:
        if token.type == Token.FUNC and token.subtype == Token.OPEN and token.value[:-1] in swaps:
            yield swaps[token.value[:-1]] + "("

    return lambda text, *_: _each(text, change)


def _operators(swaps: Mapping[str, str]) -> Rule:
    def change(token: Token) -> Iterator[str]:
        if token.type == Token.OP_IN and token.value in swaps:
            yield swaps[token.value]

    return lambda text, *_: _each(text, change)


def _read_by(token: Token, original: Original, tab: str) -> str:
    """The place that an operand reads, by its name or by reference to its cells; empty where there is none."""
    if ref := _reference(token):
        return original.places.at(_tab_of(ref[0], tab), *parse_cell(ref[1].partition(":")[0]))
    return str(token.value) if _operand(token) and token.value in original.blueprint.plan else ""


def _tab_of(prefix: str, tab: str) -> str:
    """The tab that a reference leads to, which stands on `tab`."""
    return plain_tab(prefix[:-1]) or tab


def _instead(token: Token, place: str, other: str, original: Original, tab: str) -> str:
    """An operand that reads `place`, made to read the same cells of another place."""
    ref = _reference(token)
    if ref is None:
        return other
    old, new = (original.blueprint.layout.ranges[name] for name in (place, other))
    area = _moved(ref[1], new.row - old.row, new.col - old.col)
    return area if new.tab == tab else f"{tab_ref(new.tab)}!{area}"


def bias_dropped(text: str, original: Original, tab: str) -> Iterator[str]:
    """Without `+bias` at the end."""
    *rest, sign, last = [None, None, *tokens(text)]
    if sign and last and sign.value == "+" and _read_by(last, original, tab).endswith(".b"):
        yield "".join(t.value for t in rest if t)


def bias_swapped(text: str, original: Original, tab: str) -> Iterator[str]:
    """Another bias of the same width."""
    plan = original.blueprint.plan
    biases = [name for name in plan.parameters if name.endswith(".b")]

    def change(token: Token) -> Iterator[str]:
        if (own := _read_by(token, original, tab)) in biases:
            others = [name for name in biases if name != own and plan[name].shape == plan[own].shape]
            yield from (_instead(token, own, name, original, tab) for name in others)

    return _each(text, change)


def heads_swapped(text: str, original: Original, tab: str) -> Iterator[str]:
    """What another head of the same block has."""
    names, most = original.blueprint.plan, original.blueprint.card.config.n_head

    def change(token: Token) -> Iterator[str]:
        own = _read_by(token, original, tab)
        if head := _HEAD.search(own):
            others = (_HEAD.sub(rf"\g<1>{j}\g<3>", own) for j in range(most) if j != int(head[2]))
            yield from (_instead(token, own, name, original, tab) for name in others if name in names)

    return _each(text, change)


def off_by_one(text: str, original: Original, tab: str) -> Iterator[str]:
    """A range of one row one row lower, or a row number that counts from the wrong end of 1."""
    yield from _shifted([(1, 0), (-1, 0)], ranges=True)(text, original, tab)
    for match in re.finditer(r"\+1(?=[,)])", text):
        yield text[: match.start()] + text[match.end() :]
        yield text[: match.start()] + "+2" + text[match.end() :]


def _replaced(*pairs: tuple[str, str]) -> Rule:
    """Each place where a pattern matches, replaced."""

    def rule(text: str, *_: object) -> Iterator[str]:
        for pattern, new in pairs:
            for match in re.finditer(pattern, text):
                yield text[: match.start()] + match.expand(new) + text[match.end() :]

    return rule


_MASK = r"IF\((TRANSPOSE\([\w.]+\)|[\w.!$' ]+)<=([\w.!$' ]+),(.*),-10000000000\)"


def first_row_everywhere(text: str, original: Original, tab: str) -> Iterator[str]:
    """The first MLP layer of every token reads the row of token 0."""
    ranges = original.blueprint.layout.ranges
    if match := re.fullmatch(r"MMULT\((h\d+\.ln_2\.out),(h\d+\.mlp\.c_fc\.w)\)(\+.*)", text):
        box = ranges[match[1]]
        row = box._replace(rows=1).ref
        yield f"MMULT({row}+0*prompt.pos,{match[2]}){match[3]}"

    def change(token: Token) -> Iterator[str]:
        place = _read_by(token, original, tab)
        if (ref := _reference(token)) and place.endswith(".ln_2.out"):
            yield ref[0] + _moved(ref[1], ranges[place].row - parse_area(ref[1])[0], 0)

    yield from _each(text, change)


def one_bias_everywhere(text: str, original: Original, tab: str) -> Iterator[str]:
    """The MLP's projection adds the first number of its bias to every column."""
    ranges = original.blueprint.layout.ranges
    if match := re.fullmatch(r"(MMULT\(h\d+\.mlp\.post,.*\)\+)(h\d+\.mlp\.c_proj\.b)", text):
        yield match[1] + ranges[match[2]]._replace(rows=1, cols=1).ref

    def change(token: Token) -> Iterator[str]:
        place = _read_by(token, original, tab)
        if (ref := _reference(token)) and place.endswith(".mlp.c_proj.b"):
            yield ref[0] + _moved(ref[1], 0, ranges[place].col - parse_area(ref[1])[1])

    yield from _each(text, change)


def stream_of_block_0(text: str, original: Original, tab: str) -> Iterator[str]:
    """The residual of a later block's attention adds what block 0 read."""

    def change(token: Token) -> Iterator[str]:
        place = _read_by(token, original, tab)
        if place.endswith(".resid_post"):
            yield _instead(token, place, "embed.out", original, tab)

    return _each(text, change)


# ---- what is picked --------------------------------------------------------------------------------


def of_formula(name: str, rule: Rule, only: str = "") -> Pick:
    """The operator that spoils one formula by a rule; the old cached values stay, or go, by chance."""
    wanted = re.compile(only)

    def pick(original: Original, rng: np.random.Generator) -> Mutation | None:
        places = [place for place in original.formulas if wanted.search(place)]
        for _ in range(_TRIES if places else 0):
            found = original.formulas[places[rng.integers(len(places))]]
            tab, at = found[rng.integers(len(found))]
            formula = original.formula(tab, at)
            texts = [text for text in dict.fromkeys(rule(formula.text, original, tab)) if text != formula.text]
            if texts:
                text = texts[rng.integers(len(texts))]
                return _reworded(name, original, tab, at, text, bool(rng.integers(2)))
        return None

    return pick


def _reworded(name: str, original: Original, tab: str, at: At, text: str, stripped: bool) -> Mutation:
    formula = original.formula(tab, at)
    written = {at: Written(None if stripped else original.value(tab, at), formula._replace(text=text))}
    if stripped and formula.area:
        written |= {cell: Written(None) for cell in cells(formula.area) if cell != at}
    alike = same_references(formula.text, text)
    proof = "it reads the same cells: only $ differs, and the formula is not filled" if alike else ""
    place, where = original.places.at(tab, *at), a1(*at)
    return Mutation(name, place, tab, where, f"={formula.text}", f"={text}", written, {}, stripped, proof)


def same_references(one: str, other: str) -> bool:
    """Whether two formulas of one cell differ in nothing but the `$` of their references.

    Then they are the same in R1C1 once resolved for that cell, so they have the same value whatever stands in the
    workbook: a `$` means something only where a formula is filled, and no cell takes its formula from another.
    """
    return one != other and _resolved(one) == _resolved(other)


def _resolved(text: str) -> list[str]:
    return [t.value.replace("$", "") if _reference(t) else t.value for t in tokens(text)]


def whole_column(name: str, rule: Rule, only: str) -> Pick:
    """The operator that spoils all formulas of a place, as when the first is filled down."""
    wanted = re.compile(only)

    def pick(original: Original, rng: np.random.Generator) -> Mutation | None:
        places = [place for place in original.formulas if wanted.search(place)]
        if not places:
            return None
        found = original.formulas[places[rng.integers(len(places))]]
        stripped = bool(rng.integers(2))
        made = [_reworded(name, original, tab, at, next(rule(original.formula(tab, at).text, original, tab)), stripped)
                for tab, at in found]  # fmt: skip
        everywhere = {at: written for one in made for at, written in one.cells.items()}
        return made[0]._replace(cells=everywhere)

    return pick


def constant(original: Original, rng: np.random.Generator) -> Mutation | None:
    """The formula is gone, its values stay; where it had one cell, another number may stand there."""
    tab, at = _formula_cell(original, rng)
    formula, value = original.formula(tab, at), original.value(tab, at)
    if type(value) is float and formula.area is None and rng.integers(2):
        value = value + 0.5
    return _cell("constant", original, tab, at, Written(value), f"={formula.text}")


def stale(original: Original, rng: np.random.Generator) -> Mutation | None:
    """Only what a formula remembers is changed."""
    tab, at = _formula_cell(original, rng)
    formula, value = original.formula(tab, at), original.value(tab, at)
    other: Value = value * 1.01 + 0.5 if type(value) is float else f"{value or ''}x"
    return _cell("stale", original, tab, at, Written(other, formula), shown(value))


def error_cell(original: Original, rng: np.random.Generator) -> Mutation | None:
    """#N/A where a number or a formula was."""
    if rng.integers(2):
        tab, at = _formula_cell(original, rng)
        if original.formula(tab, at).area:
            return None
    else:
        tab, at = _number_cell(original, rng, original.given)
    return _cell("error", original, tab, at, Written(CellError("#N/A")), _was(original, tab, at))


def text_for_number(original: Original, rng: np.random.Generator) -> Mutation | None:
    """The digits of a number, as text."""
    tab, at = _number_cell(original, rng, original.given)
    value = original.value(tab, at)
    return _cell("text", original, tab, at, Written(f"{value:.15g}"), shown(value)) if type(value) is float else None


def weight_nudged(original: Original, rng: np.random.Generator) -> Mutation | None:
    """A millionth more."""
    return _weight("weight 1e-6", original, rng, lambda w: w * (1 + 1e-6) if w else 1e-6)


def weight_ulp(original: Original, rng: np.random.Generator) -> Mutation | None:
    """The next number of float32."""
    return _weight("weight ulp", original, rng, lambda w: float(np.nextafter(np.float32(w), np.float32(np.inf))))


def _weight(
    name: str, original: Original, rng: np.random.Generator, change: Callable[[float], float]
) -> Mutation | None:
    if not original.weights:
        return None
    tab, at = _number_cell(original, rng, original.weights)
    value = original.value(tab, at)
    return _cell(name, original, tab, at, Written(change(value)), shown(value)) if type(value) is float else None


def label(original: Original, rng: np.random.Generator) -> Mutation | None:
    """Another text where a text stands."""
    tab, at = original.texts[rng.integers(len(original.texts))]
    value = original.value(tab, at)
    assert isinstance(value, str)
    i = int(rng.integers(len(value)))
    other = value[:i] + ("x" if value[i] != "x" else "y") + value[i + 1 :]
    return _cell("label", original, tab, at, Written(other), shown(value))


def array_area(original: Original, rng: np.random.Generator) -> Mutation | None:
    """An array formula over a row or a column less: the rest are constants."""
    arrays = [place for place, found in original.formulas.items() if place and _size(original, found[0]) > 1]
    if not arrays:
        return None
    tab, at = original.formulas[arrays[rng.integers(len(arrays))]][0]
    formula = original.formula(tab, at)
    assert formula.area is not None
    r0, c0, r1, c1 = formula.area
    smaller = [a for a in ((r0, c0, r1 - 1, c1), (r0, c0, r1, c1 - 1), (r0, c0, r0, c0)) if a[2] >= r0 and a[3] >= c0]
    area = smaller[rng.integers(len(smaller))]
    mutation = _cell("area", original, tab, at, Written(original.value(tab, at), formula._replace(area=area)), "")
    told = (f"over {a1(*a[:2])}:{a1(*a[2:])}" for a in (formula.area, area))
    return mutation._replace(was=next(told), now=next(told))


def name_moved(original: Original, rng: np.random.Generator) -> Mutation | None:
    """A defined name that leads one row or column on, or to a row less."""
    names = list(original.blueprint.layout.ranges)
    name = names[rng.integers(len(names))]
    box = original.blueprint.layout.ranges[name]
    moved = [_ref(box, 1, 0), _ref(box, 0, 1), _ref(box, -1, 0), box._replace(rows=max(1, box.rows - 1)).ref]
    others = [ref for ref in moved if ref != box.ref]
    ref = others[rng.integers(len(others))]
    return Mutation("name", name, box.tab, "", box.ref, ref, {}, {name: ref})


def qk_bias(original: Original, rng: np.random.Generator) -> Mutation | None:
    """K and V add the bias of Q: three array formulas where there was one, or two thirds of the plain ones."""
    qkv = [place for place in original.formulas if re.fullmatch(r"h\d+\.attn\.qkv", place)]
    if not qkv:
        return None
    place = qkv[rng.integers(len(qkv))]
    ranges, block = original.blueprint.layout.ranges, place.partition(".")[0]
    tab, at = original.formulas[place][0]
    box, weight, bias = (ranges[f"{block}.attn.{name}"] for name in ("qkv", "c_attn.w", "c_attn.b"))
    third = box.cols // 3
    formula = original.formula(tab, at)
    if formula.area is None:
        later = [cell for _, cell in original.formulas[place] if cell[1] >= box.col + third]
        made = [
            _reworded(_QK_BIAS, original, tab, cell, _bias_of_q(original, tab, cell, third, box), False)
            for cell in later
        ]
        return made[0]._replace(cells={cell: written for one in made for cell, written in one.cells.items()})
    written = {}
    for i in range(3):
        part = box.columns("", i * third, (i + 1) * third)
        w = weight.columns("", i * third, (i + 1) * third).ref
        b = bias.columns("", 0, third).ref
        text = f"MMULT({block}.ln_1.out,{w})+{b}"
        written[part.row, part.col] = Written(original.value(tab, (part.row, part.col)), Formula(text, part.area))
    now = f"={written[at].formula.text} and two more"  # type: ignore[union-attr]
    return Mutation(_QK_BIAS, place, tab, a1(*at), f"={formula.text}", now, written, {})


def _bias_of_q(original: Original, tab: str, at: At, third: int, box: Range) -> str:
    """The formula of a key or a value with the bias of the query of the same number."""
    *product, bias = tokens(original.formula(tab, at).text)
    ref = _reference(bias)
    assert ref is not None
    return "".join(t.value for t in product) + ref[0] + _moved(ref[1], 0, -third * ((at[1] - box.col) // third))


# ---- helpers ---------------------------------------------------------------------------------------


def _formula_cell(original: Original, rng: np.random.Generator) -> tuple[str, At]:
    """A place by chance, and a cell with a formula in it."""
    places = list(original.formulas)
    found = original.formulas[places[rng.integers(len(places))]]
    return found[rng.integers(len(found))]


def _number_cell(original: Original, rng: np.random.Generator, names: list[str]) -> tuple[str, At]:
    box = original.blueprint.layout.ranges[names[rng.integers(len(names))]]
    return box.tab, (box.row + int(rng.integers(box.rows)), box.col + int(rng.integers(box.cols)))


def _cell(name: str, original: Original, tab: str, at: At, written: Written, was: str) -> Mutation:
    now = f"={written.formula.text}, remembered {shown(written.value)}" if written.formula else shown(written.value)
    return Mutation(name, original.places.at(tab, *at), tab, a1(*at), was, now, {at: written}, {})


def _was(original: Original, tab: str, at: At) -> str:
    formula = original.book.sheets[tab].formulas.get(at)
    return f"={formula.text}" if formula else shown(original.value(tab, at))


def _size(original: Original, where: tuple[str, At]) -> int:
    area = original.formula(*where).area
    return (area[2] - area[0] + 1) * (area[3] - area[1] + 1) if area else 0


def _ref(box: Range, rows: int, cols: int) -> str:
    return box._replace(row=box.row + rows, col=box.col + cols).ref


RULES: list[tuple[str, str, Rule]] = [
    ("reference", "a reference reads the cell above, below or beside the right one",
     _shifted([(1, 0), (-1, 0), (0, 1), (0, -1)])),
    ("frozen", "a $ is put into a reference or taken out", frozen),
    ("tab", "a reference leads to the tab beside the right one, or to another block", wrong_tab),
    ("function", "AVERAGE for SUM, MAX for MIN, LARGE for SMALL, or the reverse",
     _function({"AVERAGE": "SUM", "SUM": "AVERAGE", "MAX": "MIN", "MIN": "MAX", "LARGE": "SMALL", "SMALL": "LARGE",
                "AND": "OR", "OR": "AND", "LEFT": "RIGHT", "EXP": "TANH", "SQRT": "EXP"})),
    ("rank", "LARGE takes the next k", _replaced((r"(LARGE\([^,]+,[^,)]+)\)", r"\g<1>+1)"))),
    ("bias dropped", "a bias is not added", bias_dropped),
    ("bias swapped", "another bias is added", bias_swapped),
    ("sign", "+ for -, * for /, or the reverse", _operators({"+": "-", "-": "+", "*": "/", "/": "*"})),
    ("comparison", "<= for <, = for <> , or the reverse",
     _operators({"<=": "<", "<": "<=", ">=": ">", ">": ">=", "=": "<>"})),
    ("heads", "what another head has is read", heads_swapped),
    ("row", "a range or a row number is off by one", off_by_one),
    ("scale", "the scores are not divided by the root of the head's width", _replaced((r"/SQRT\(\d+\)", ""))),
    ("mask", "the mask is gone, hides the past, or hides the token itself",
     _replaced((_MASK, r"\3"), (_MASK, r"IF(\2<=\1,\3,-10000000000)"), (_MASK, r"IF(\1<\2,\3,-10000000000)"))),
    ("eps", "another eps in a layer norm", _replaced(*((r"\b1E-05|\b0\.001\b", e) for e in ("1E-06", "1E-12", "0")))),
    ("gelu", "a coefficient of GELU has lost digits",
     _replaced((r"0\.044715", "0.04471"), (r"0\.7978845608028654", "0.79788456"), (r"^0\.5\*", "0.50001*"),
               (r"\^3", "^2"))),
]  # fmt: skip

_REAL: list[Operator] = [
    Operator("real: sample variance", "a layer norm divides by n-1",
             whole_column("real: sample variance", _function({"VARP": "VAR"}), r"\.var$")),
    Operator(_QK_BIAS, "K and V add the bias of Q", qk_bias),
    Operator("real: MLP reads token 0", "the first MLP layer of every token reads token 0's row",
             of_formula("real: MLP reads token 0", first_row_everywhere, r"\.mlp\.pre$")),
    Operator("real: one bias for all", "the MLP's projection adds one number of its bias everywhere",
             of_formula("real: one bias for all", one_bias_everywhere, r"\.mlp\.out$")),
    Operator("real: block 0's input", "the attention residual of a later block adds block 0's input",
             of_formula("real: block 0's input", stream_of_block_0, r"\.resid_mid$")),
]  # fmt: skip

OPERATORS: list[Operator] = [
    *(Operator(name, sentence, of_formula(name, rule)) for name, sentence, rule in RULES),
    Operator("variance", "VAR for VARP in one cell", of_formula("variance", _function({"VARP": "VAR"}))),
    Operator("constant", "a constant stands over a formula, right or wrong", constant),
    Operator("stale", "only the cached value is wrong", stale),
    Operator("weight 1e-6", "a weight is a millionth more", weight_nudged),
    Operator("weight ulp", "a weight is the next number of float32", weight_ulp),
    Operator("error", "a cell holds #N/A", error_cell),
    Operator("text", "a number is text", text_for_number),
    Operator("name", "a defined name leads elsewhere", name_moved),
    Operator("label", "a letter of a text is another", label),
    Operator("area", "an array formula covers fewer cells", array_area),
    *_REAL,
]
