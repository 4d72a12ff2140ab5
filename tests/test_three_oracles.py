"""Cached values, an engine, numpy: which two disagree, where, and why it may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sheetgpt.build import Built
from sheetgpt.check import evaluate
from sheetgpt.check.faults import Fault, FaultKind, distances
from sheetgpt.check.inspect import unplanned
from sheetgpt.check.slips import difference
from sheetgpt.check.source import Source, expected
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES, Values
from sheetgpt.models.weights import Weights
from sheetgpt.plan.plan import Role
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.grid import Grid, Value
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.sheets import names_of
from tests.mutants import LIVE_MUTANTS, MUTANTS, Mutant, make, replace_cell, stale


class Careless:
    """An engine that computes TANH too roughly, and everything else rightly from that."""

    name = "careless"

    def __init__(self, built: Built) -> None:
        self.built = built

    def version(self) -> str:
        return "1"

    def hint(self) -> str:
        return ""

    def recalculate(self, path: Path, **_: Any) -> Values:
        book, env = self.built.blueprint, self.built.env
        exact = evaluate.NUMPY["tanh"]
        evaluate.NUMPY["tanh"] = lambda x: exact(x).round(6)
        try:
            given = {name: env[name] for name, role in book.plan.roles.items() if role is not Role.VALUE}
            rough = evaluate.run(book.plan, given)
        finally:
            evaluate.NUMPY["tanh"] = exact
        tabs: dict[str, dict[tuple[int, int], Value]] = {
            tab: dict(grid) for tab, grid in ENGINES["ironcalc"].recalculate(path).items()
        }
        for name, expr in book.plan.items():
            box = book.layout.ranges[name]
            if expr.op != "data" and not book.plan.is_view(name):
                for r, c in np.ndindex(expr.shape):
                    value = rough[name][r, c]
                    tabs[box.tab][box.row + r, box.col + c] = value if isinstance(value, str) else float(value)
        return {tab: Grid(cells) for tab, cells in tabs.items()}


@pytest.fixture
def careless(tiny_book: Built, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(ENGINES, "careless", Careless(tiny_book))  # type: ignore[arg-type]
    return "careless"


def test_an_engine_is_blamed_where_it_alone_differs(careless: str, tiny_book: Built, tiny: Weights) -> None:
    report = verify(tiny_book.path, careless, str(tiny.folder))
    faults = [fault for fault in report.faults if fault.place]  # this engine computes no cells beside the places
    assert {(f.kind, f.place) for f in faults} == {
        (FaultKind.ENGINE, "h0.mlp.post"),
        (FaultKind.ENGINE, "h1.mlp.post"),
    }
    assert report.exit_code == 1
    first = faults[0]
    assert first.kind.between == "recalculation and numpy, though cached value and numpy agree"
    assert "careless computes it otherwise" in first.cause
    assert report.divergence is not None
    assert report.divergence.name == "h0.mlp.post"
    assert verify(tiny_book.path, "ironcalc", str(tiny.folder)).divergence is None


def test_a_value_is_wrong_where_the_cache_does_not_help_the_formula(
    careless: str, tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    """Formula right, engine and cache both unlike numpy: nobody can say that it is the engine's."""
    box = tiny_book.blueprint.layout.ranges["h0.mlp.post"]
    at = a1(box.row, box.col)

    def edit(xml: str) -> str:
        before, cell, after = xml.partition(f'<c r="{at}"')
        old, close, rest = after.partition("</v>")
        return before + cell + old[: old.index("<v>") + 3] + "0.875" + close + rest

    mutant = Mutant("both", lambda _: box.tab, lambda _: edit, FaultKind.VALUE, box.name)
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "both.xlsx")
    report = verify(tmp_path / "both.xlsx", careless, str(tiny.folder))
    kinds = {f.kind for f in report.faults if f.place == box.name}
    assert kinds == {FaultKind.VALUE, FaultKind.STALE}


def test_a_stale_cache_is_between_cache_and_recalculation(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h0.ln_1.var"]
    at = a1(box.row + 2, box.col)
    mutant = Mutant("stale", lambda _: box.tab, lambda _: lambda xml: stale(xml, at), FaultKind.STALE, box.name)
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "stale.xlsx")
    report = verify(tmp_path / "stale.xlsx", "ironcalc", str(tiny.folder))
    assert [f.kind.between for f in report.faults] == ["cached value and recalculation"]
    row = next(row for row in report.rows if row.name == box.name)
    assert row.cache_gap > row.own_gap
    [alone] = [f for f in verify(tmp_path / "stale.xlsx", "cached", str(tiny.folder)).faults if f.place == box.name]
    assert alone.kind.between == "cached value and numpy"


# ---- what is said of each mutant ------------------------------------------------------------------------

_BETWEEN = {FaultKind.WEIGHT: "file and weight source"}
CAUSES = {  # by a part of the mutant's name
    "h0.attn.head1.scores: /SQRT(4) -> ": "leaves out /SQRT(4); differs from its siblings h0.attn.head0.scores",
    "-> prompt.pos<=TRANSPOSE(prompt.pos)": "the same parts in another order",
    "h1.attn.head0.scores: <= -> <": "< where the plan has <=; differs from its siblings",
    "h1.attn.head0.k -> h1.attn.head1.k": "reads h1.attn.head1.k where the plan reads h1.attn.head0.k; differs from",
    "h0.attn.head0.exp: -h0.attn.head0.max": "leaves out -h0.attn.head0.max; differs from its siblings",
    "h1.attn.out: +h1.attn.c_proj.b": "leaves out +h1.attn.c_proj.b; differs from its siblings h0.attn.out",
    "h0.attn.qkv: +h0": "the sign - where the plan has +",
    "h1.ln_2.var": "VAR for VARP; differs from its siblings h0.ln_2.var",
    "1E-05": "0.001 where the plan has 1E-05",
    "h1.resid_mid": "reads embed.out where the plan reads h0.resid_post",
    "prompt.next": 'the constant "cat" where the plan reads next.text',
    "the right constant over a formula": "right now, but it follows no input",
    "a wrong constant over a formula": "typed over the formula",
    "embed.out -> Embedding!B": "without $ a name moves",
    "words.token: Merges! -> Merges!$": "a $ decides what moves",
    "words.at: ,0)-1 -> ,0)": "leaves out -1",
    "chars.togo": "2 where the plan has 1; differs from its neighbours above and below",
    "chars.code: UNICODE(": 'adds "x"&',
}


@pytest.mark.parametrize("part", CAUSES, ids=str)
def test_a_mutant_is_explained(part: str, tiny_book: Built, live_book: Built, tiny: Weights, tmp_path: Path) -> None:
    [(mutant, built)] = [
        (mutant, built)
        for mutants, built in ((MUTANTS, tiny_book), (LIVE_MUTANTS, live_book))
        for mutant in mutants
        if part in mutant.name
    ]
    first = _first(mutant, built, tiny, tmp_path)
    assert CAUSES[part] in first.cause
    assert first.kind.between == _BETWEEN.get(mutant.kind, "file and plan")


def _first(mutant: Mutant, built: Built, tiny: Weights, tmp_path: Path) -> Fault:
    make(mutant, built.blueprint, built.path, tmp_path / "mutant.xlsx")
    first = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder)).first_fault
    assert first is not None
    assert (first.kind, first.place) == (mutant.kind, mutant.place)
    return first


def test_a_fault_says_where_in_its_place_it_is_and_how_far_off(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h1.mlp.c_fc.w"]
    mutant = next(m for m in MUTANTS if m.place == box.name)
    fault = _first(mutant, tiny_book, tiny, tmp_path)
    old, new = float(fault.wanted), float(fault.found)
    assert (fault.feature, fault.block, fault.head) == (2, 1, None)
    assert fault.absolute == abs(new - old) > 0
    assert fault.relative == pytest.approx(abs(new / old - 1))
    assert fault.ulp == fault.absolute / np.spacing(abs(old))


def test_precedents_are_those_of_the_formula_as_it_stands(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    """A head that reads another head's keys: its row of q, the foreign row of k, as the file has them."""
    mutant = next(m for m in MUTANTS if m.name.endswith("-> h1.attn.head1.k"))
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    report = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder))
    value = next(f for f in report.faults if f.kind is FaultKind.VALUE)
    ranges = tiny_book.blueprint.layout.ranges
    row, col = (int(n) for n in _offset(value, ranges[value.place].row, ranges[value.place].col))
    q, k = ranges["h1.attn.head0.q"], ranges["h1.attn.head1.k"]
    wanted = {
        "h1.attn.head0.q": f"h1 attention!{a1(q.row + row, q.col)}:{a1(q.row + row, q.col + 3)}",
        "h1.attn.head1.k": f"h1 attention!{a1(k.row + col, k.col)}:{a1(k.row + col, k.col + 3)}",
    }
    found = {p.place: p for p in value.precedents}
    assert {name: found[name].ref for name in wanted} == wanted
    keys = [float(text) for text in found["h1.attn.head1.k"].value.split(", ")]
    assert keys == pytest.approx(tiny_book.env["h1.attn.head1.k"][col], rel=1e-12)


def _offset(fault: Fault, row: int, col: int) -> tuple[int, int]:
    from sheetgpt.sheet.a1 import parse_cell

    r, c = parse_cell(fault.cell)
    return r - row, c - col


def test_a_wrong_input_is_told_once(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["vocab.text"]
    at = a1(box.row + 3, box.col)
    other = ' t="inlineStr"><is><t>dog</t></is></c>'
    mutant = Mutant("", lambda _: box.tab, lambda _: lambda xml: replace_cell(xml, at, other), FaultKind.TEXT, box.name)
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    faults = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder)).faults
    assert [(f.kind, f.cell, f.more) for f in faults] == [(FaultKind.TEXT, at, 0)]


# ---- the text of formulas -------------------------------------------------------------------------------

SLIPS: Mapping[tuple[str, str], str] = {
    ("AVERAGE(B5:E5)", "AVERAGE(B6:E6)"): "reads row 5 where the plan reads row 6",
    ("AVERAGE(C6:F6)", "AVERAGE(B6:E6)"): "reads column C where the plan reads column B",
    ("INDEX(wte,'h1 mlp'!B7,1)", "INDEX(wte,Tokens!B7,1)"): "reads the tab h1 mlp where the plan reads Tokens",
    ("SUM($B6:$E6)", "SUM(B6:E6)"): "a $ decides what moves",
    ("a.b+c.d*2", "a.b+c.d"): "adds *2",
    ("0.5", "x.y"): "the constant 0.5 where the plan reads x.y",
    ("IF(A1<0,1,2)", "IF(0<A1,1,2)"): "the same parts in another order",
}


@pytest.mark.parametrize(("found", "wanted"), SLIPS, ids=str)
def test_a_slip_has_a_name(found: str, wanted: str) -> None:
    assert SLIPS[found, wanted] in difference(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [("sum(b6:e6)", "SUM(B6:E6)"), ('"open', "SUM(B6)"), ("SUM(1,2)*3-LEN(x)", "MMULT(TRANSPOSE(a.b),c.d)/SQRT(4)")],
)
def test_nothing_is_said_where_nothing_is_known(found: str, wanted: str) -> None:
    assert difference(found, wanted) == ""


def test_distances_are_of_numbers_only() -> None:
    assert distances("1.5", "1.0") == (0.5, 0.5, 0.5 / np.spacing(1.0))
    assert distances("2.0", "0.0") == (2.0, None, None)
    assert distances("'0.5'", "0.5") is distances("nan", "1.0") is distances("nothing", "1.0") is None


def test_weights_that_are_here_are_not_read_from_the_workbook(tiny_book: Built, tiny: Weights) -> None:
    plan = tiny_book.blueprint.plan
    own = {name: tiny_book.env[name] for name, role in plan.roles.items() if role is Role.INPUT}
    wanted, problem = expected(tiny_book.blueprint, Source(tiny, ""), own)
    assert problem == ""
    assert np.array_equal(wanted["logits"], tiny_book.env["logits"])


def test_a_chart_tab_is_told(tiny_book: Built) -> None:
    tabs = [tab.name for tab in tiny_book.blueprint.layout.tabs]
    book, names = read(tiny_book.path), names_of(tiny_book.blueprint)
    assert list(unplanned(book, tabs, names)) == []
    [told] = unplanned(replace(book, charts=("Picture",)), tabs, names)
    assert told == "1 tab without cells, for a chart or the like: Picture"
