"""Faults as data: which of them are told as one."""

from __future__ import annotations

from pathlib import Path

from sheetgpt.build import Built
from sheetgpt.check.faults import Fault, FaultKind, merged
from sheetgpt.check.reports import render
from sheetgpt.check.result import Report, Row
from sheetgpt.check.verify import verify
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.a1 import cell as a1
from tests.mutants import Mutant, make

ROW = Row("wte", "wte", "data", 1, 0.0, 0.0, "B15", "ok")


def wrong(cell: str, formula: str) -> Fault:
    return Fault(FaultKind.FORMULA, "h1.ln_1.var", "h1 ln_1", cell, formula, "=VARP(A1:B1)")


def test_two_wrong_formulas_of_a_place_are_two_faults() -> None:
    """What is copied down is one rule, and one fault."""
    faults = [wrong(f"F{r}", f"=DEVSQ(A{r}:E{r})") for r in (15, 16)] + [wrong("F17", "=SUMSQ(A17:E17)")]
    assert [(f.cell, f.more) for f in merged(faults)] == [("F15", 1), ("F17", 0)]


def test_ten_thousand_wrong_formulas_are_a_few_faults() -> None:
    faults = [wrong(f"F{i}", f"=A{i}*{i}") for i in range(1, 10_001)]
    told = merged([*faults, wrong("G1", "=B1*1")])
    assert [(f.cell, f.more) for f in told] == [("F1", 1), *((f"F{i}", 0) for i in range(2, 9)), ("F9", 9_991)]
    assert "further ways" in told[-1].cause


def test_settings_are_no_cells_of_one_fault() -> None:
    faults = [Fault(FaultKind.SETTING, "", "the workbook", "", what, "not set") for what in ("iterate=1", "date1904=1")]
    assert merged(faults) == faults
    report = Report("b.xlsx", "us", "tiny", "''", 1, "cached", "", "files", [ROW], faults=faults)
    assert "also: wrong setting, the workbook: date1904=1\n" in render(report, "text")


def test_two_wrong_formulas_in_one_place_of_a_workbook(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h0.ln_1.var"]
    first, second = (a1(box.row + r, box.col) for r in (0, 2))

    def edit(xml: str) -> str:
        at = xml.index(f'<c r="{second}"')
        return xml[:at].replace("VARP(", "DEVSQ(") + xml[at:].replace("VARP(", "SUMSQ(", 1)

    mutant = Mutant("two", lambda _: "h0 ln_1", lambda _: edit, FaultKind.FORMULA, "h0.ln_1.var")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "two.xlsx")
    faults = verify(tmp_path / "two.xlsx", "cached", str(tiny.folder)).faults
    assert [(f.cell, f.found[:6]) for f in faults if f.kind is FaultKind.FORMULA] == [
        (first, "=DEVSQ"),
        (second, "=SUMSQ"),
    ]
