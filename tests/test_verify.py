"""The verifier's own proof: it passes what is right, catches what is wrong, and says where."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from sheetgpt.build import Built, Room, build
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.found import find
from sheetgpt.check.reports import to_json, to_text
from sheetgpt.check.result import Report
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.errors import BuildError, EngineError, WeightError, WorkbookError
from sheetgpt.models.weights import Weights
from sheetgpt.sheet.a1 import cell as a1
from tests.conftest import CORE, TINY, make_model
from tests.mutants import LIVE_MUTANTS, MUTANTS, Mutant, make, stale


@pytest.fixture(scope="module")
def untouched(tiny_book: Built, tiny: Weights) -> Report:
    return verify(tiny_book.path, "ironcalc", str(tiny.folder))


def test_the_untouched_file_passes(untouched: Report) -> None:
    assert untouched.faults == []
    assert untouched.unchecked == []
    assert untouched.exit_code == 0
    assert untouched.cells_checked == untouched.cells_present > 10_000
    assert {row.status for row in untouched.rows} == {"ok"}
    assert max(row.own_gap for row in untouched.rows) < 1e-13


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_mutant_is_caught_and_blamed_on_the_right_place(
    mutant: Mutant, tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    blamed_rightly(mutant, tiny_book, tiny, tmp_path)


def blamed_rightly(mutant: Mutant, built: Built, tiny: Weights, tmp_path: Path) -> None:
    book = built.blueprint
    make(mutant, book, built.path, tmp_path / "mutant.xlsx")
    report = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder))
    first = report.first_fault
    assert first is not None
    assert report.exit_code == 1
    assert (first.kind, first.place) == (mutant.kind, mutant.place)
    assert {f.place for f in report.faults} == {mutant.place}, "an innocent place is blamed"
    if mutant.cell:
        r, c = map(int, mutant.cell.split(","))
        box = book.layout.ranges[mutant.place]
        assert (first.tab, first.cell) == (box.tab, a1(box.row + r, box.col + c))


@pytest.mark.parametrize("mutant", LIVE_MUTANTS, ids=lambda m: m.name)
def test_a_mutant_of_the_tokenizer_is_caught_and_blamed_on_the_right_place(
    mutant: Mutant, live_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    blamed_rightly(mutant, live_book, tiny, tmp_path)


def test_the_untouched_live_file_passes(live_book: Built, tiny: Weights) -> None:
    report = verify(live_book.path, "ironcalc", str(tiny.folder))
    assert (report.faults, report.unchecked, report.exit_code) == ([], [], 0)
    assert report.cells_checked == report.cells_present


# ---- what an engine cannot settle ----------------------------------------------------------------------------


def with_formula(built: Built, place: str, text: str, path: Path) -> Path:
    """A copy in which the first cell of a place has another formula; "" for a cell far from all places."""
    book = openpyxl.load_workbook(built.path)
    box = built.blueprint.layout.ranges[place or "h0.ln_1.var"]
    at = (box.row + 1, box.col + 1) if place else (900, 3)
    was = book[box.tab].cell(*at).value
    book[box.tab].cell(*at).value = text.replace("OLD", str(was)[1:])
    book.save(path)
    return path


@pytest.mark.parametrize("place", ["h1.ln_1.var", ""])
def test_a_random_number_is_told_where_it_stands(place: str, tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    """No two passes of an engine agree about it; everything else is checked all the same."""
    path = with_formula(tiny_book, place, "=OLD+RAND()" if place else "=RAND()", tmp_path / "random.xlsx")
    report = verify(path, "ironcalc", str(tiny.folder))
    assert (report.engine, report.exit_code) == ("ironcalc", 1 if place else 4)
    assert {fault.place for fault in report.faults} == ({place} if place else set())


def test_where_an_engine_fails_the_text_is_told_all_the_same(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    deep = "=" + "(" * 4000 + "OLD" + ")" * 4000
    path = with_formula(tiny_book, "h1.ln_1.var", deep, tmp_path / "deep.xlsx")
    with pytest.raises(EngineError):
        find(path, "ironcalc", str(tiny.folder))
    report = verify(path, "ironcalc", str(tiny.folder))
    first = report.first_fault
    assert first is not None
    assert (report.engine, report.exit_code, first.kind, first.place) == ("cached", 1, FaultKind.FORMULA, "h1.ln_1.var")
    assert report.unchecked[0].startswith("ironcalc failed")


def test_where_an_engine_fails_and_nothing_else_is_wrong_it_is_an_error(
    tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    path = with_formula(tiny_book, "", "=" + "(" * 4000 + "1" + ")" * 4000, tmp_path / "deep.xlsx")
    with pytest.raises(EngineError, match="ironcalc failed"):
        verify(path, "ironcalc", str(tiny.folder))


def redefined(name: str, ref: str) -> Mutant:
    """A name that one tab has for itself, beside that of the workbook."""

    def edit(xml: str) -> str:
        local = f'<definedName name="{name}" localSheetId="7">{ref}</definedName></definedNames>'
        return xml.replace("</definedNames>", local)

    return Mutant("local", lambda _: "xl/workbook.xml", lambda _: edit, FaultKind.NAME, name.casefold())


def test_a_card_that_one_tab_has_of_its_own(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    mutant = redefined("sheetgpt.card", "Embedding!$B$11")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "card.xlsx")
    first = verify(tmp_path / "card.xlsx", "cached", str(tiny.folder)).first_fault
    assert first
    assert (first.kind, first.place) == (FaultKind.NAME, "sheetgpt.card")


@pytest.mark.parametrize("name", ["prompt.n", "prompt.tokens", "top.prob"])
def test_a_name_that_leads_elsewhere_is_told_once(name: str, live_lesson: Built, tiny: Weights, tmp_path: Path) -> None:
    """Not again wherever a label or the map shows what stands there."""
    box = live_lesson.blueprint.layout.ranges[name]
    moved = box._replace(row=box.row + 1)
    mutant = Mutant(
        "moved",
        lambda _: "xl/workbook.xml",
        lambda _: lambda xml: xml.replace(box.ref, moved.ref),
        FaultKind.NAME,
        name,
    )
    make(mutant, live_lesson.blueprint, live_lesson.path, tmp_path / "moved.xlsx")
    faults = verify(tmp_path / "moved.xlsx", "ironcalc", str(tiny.folder)).faults
    assert (faults[0].kind, faults[0].place) == (FaultKind.NAME, name)
    assert all(fault.place for fault in faults)


def test_a_name_that_one_tab_redefines_for_itself(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    mutant = redefined("H0.mlp.pre", "Embedding!$B$11:$C$12")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "local.xlsx")
    first = verify(tmp_path / "local.xlsx", "ironcalc", str(tiny.folder)).first_fault
    assert first is not None
    assert (first.kind, first.place) == (FaultKind.NAME, "h0.mlp.pre")


def test_a_stale_cache_is_told_from_a_wrong_formula(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    box = tiny_book.blueprint.layout.ranges["h0.ln_1.var"]
    at = a1(box.row + 2, box.col)
    mutant = Mutant("stale", lambda _: box.tab, lambda _: lambda xml: stale(xml, at), FaultKind.STALE, box.name)
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "stale.xlsx")
    report = verify(tmp_path / "stale.xlsx", "ironcalc", str(tiny.folder))
    assert [(f.kind, f.place, f.cell, f.found) for f in report.faults] == [(FaultKind.STALE, box.name, at, "0.875")]
    cached = verify(tmp_path / "stale.xlsx", "cached", str(tiny.folder))
    assert cached.first_fault is not None
    assert (cached.exit_code, cached.first_fault.place) == (1, box.name)


def test_a_weight_is_caught_without_its_source(tiny_book: Built, tmp_path: Path) -> None:
    """By the SHA-256 that stands on the tab Parameters."""
    mutant = MUTANTS[0]
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    report = verify(tmp_path / "mutant.xlsx")
    assert (FaultKind.WEIGHT, mutant.place) in {(f.kind, f.place) for f in report.faults}
    assert report.first_fault is not None
    assert (report.first_fault.kind, report.first_fault.place) == (FaultKind.WEIGHT, mutant.place)


def test_without_the_source_nothing_is_called_proven(tiny_book: Built) -> None:
    report = verify(tiny_book.path)
    assert (report.faults, report.exit_code) == ([], 4)
    assert "is not here" in report.unchecked[0]


def test_cached_values_alone_are_never_a_proof(tiny_book: Built, tiny: Weights) -> None:
    report = verify(tiny_book.path, "cached", str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 4)
    assert "no engine ran" in report.unchecked[0]
    assert report.cells_checked < report.cells_present


def test_a_label_is_checked_too(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    def edit(xml: str) -> str:
        return xml.replace(">Tokens!N16</f>", ">Tokens!N15</f>", 1)

    mutant = Mutant("label", lambda _: "h0 mlp", lambda _: edit, FaultKind.FORMULA, "")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "label.xlsx")
    report = verify(tmp_path / "label.xlsx", "ironcalc", str(tiny.folder))
    assert {(f.kind, f.tab, f.place) for f in report.faults} >= {(FaultKind.FORMULA, "h0 mlp", "")}


def test_a_stale_label_is_told(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    def edit(xml: str) -> str:
        changed, n = re.subn(r'(<c r="A15"[^>]*><f>Tokens!N15</f><v>)[^<]*', r"\g<1>theLIE", xml)
        assert n == 1
        return changed

    mutant = Mutant("stale label", lambda _: "h0 mlp", lambda _: edit, FaultKind.STALE, "")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "label.xlsx")
    report = verify(tmp_path / "label.xlsx", "ironcalc", str(tiny.folder))
    assert [(f.kind, f.tab, f.cell, f.found) for f in report.faults] == [(FaultKind.STALE, "h0 mlp", "A15", "'theLIE'")]


def test_a_tab_that_is_gone_comes_first(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    mutant = Mutant(
        "gone",
        lambda _: "xl/workbook.xml",
        lambda _: lambda xml: xml.replace('<sheet name="h0 mlp"', '<sheet name="h0 gone"'),
        FaultKind.TAB,
        "",
    )
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "gone.xlsx")
    report = verify(tmp_path / "gone.xlsx", "ironcalc", str(tiny.folder))
    assert report.first_fault is not None
    assert (report.first_fault.kind, report.first_fault.tab) == (FaultKind.TAB, "h0 mlp")
    assert "h0.mlp.pre" in {f.place for f in report.faults}


def test_gaps_too_small_to_blame_do_not_pass(tiny_book: Built, tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no step is wrong by itself but the answer is, the verdict is not EQUAL."""
    from sheetgpt.check import verify as module

    monkeypatch.setattr(module, "TOTAL_TOLERANCE", 1e-20)
    monkeypatch.setattr(module._Check, "_adds_up", lambda *_: False)  # which are held to that tolerance
    monkeypatch.setattr(module._Check, "_stale_faults", lambda *_: iter(()))
    monkeypatch.setattr(module._Check, "_label_faults", lambda *_: iter(()))
    report = verify(tiny_book.path, "ironcalc", str(tiny.folder))
    assert report.exit_code == 1
    assert [f.kind for f in report.faults] == [FaultKind.VALUE]


def test_a_fault_names_the_token_of_its_row_only_where_rows_are_tokens(
    tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    for place, token in (("h1.ln_2.var", "the"), ("next.id", ""), ("probs", "")):
        mutant = next(m for m in MUTANTS if m.place == place)
        make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
        first = verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder)).first_fault
        assert first is not None
        assert first.token == token, place


def test_tied_logits(tmp_path: Path) -> None:
    """Rows of wte that are equal give logits that are equal, and the first of them wins, in every engine."""
    folder = make_model(tmp_path / "tied", TINY).folder
    rows = (folder / "model_wte.csv").read_text().splitlines()
    (folder / "model_wte.csv").write_text("\n".join([rows[7]] * len(rows)) + "\n")
    built = build(Weights.open(folder), "the cat", tmp_path / "tied.xlsx", form=CORE)
    assert built.env["next.id"][0, 0] == 0
    assert built.env["top.id"][:, 0].tolist() == list(range(10))
    for engine in ENGINES.values():
        if engine.version() is None:
            continue
        assert verify(built.path, engine.name, str(folder)).exit_code == 0, engine.name


def test_a_ruler_that_a_lookup_reads_is_blamed_before_the_lookup(
    tiny_book: Built, tiny: Weights, tmp_path: Path
) -> None:
    def edit(xml: str) -> str:
        return xml.replace("<v>3.0</v></c>", "<v>4.0</v></c>", 1)  # row 14 of Embedding: the first ruler

    mutant = Mutant("ruler", lambda _: "Embedding", lambda _: edit, FaultKind.INPUT, "")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "ruler.xlsx")
    report = verify(tmp_path / "ruler.xlsx", "ironcalc", str(tiny.folder))
    kinds = [(f.kind, f.place, f.tab, f.cell) for f in report.faults]
    assert kinds[0] == (FaultKind.INPUT, "", "Embedding", "E14")
    assert (FaultKind.VALUE, "embed.token", "Embedding", "E15") in kinds


def test_a_note_in_the_margin_is_counted_not_condemned(tiny_book: Built, tiny: Weights, tmp_path: Path) -> None:
    def edit(xml: str) -> str:
        note = '<row r="900"><c r="C900" t="inlineStr"><is><t>I see!</t></is></c></row></sheetData>'
        return xml.replace("</sheetData>", note)

    mutant = Mutant("note", lambda _: "h0 mlp", lambda _: edit, FaultKind.TEXT, "")
    make(mutant, tiny_book.blueprint, tiny_book.path, tmp_path / "note.xlsx")
    report = verify(tmp_path / "note.xlsx", "ironcalc", str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 4)
    assert report.unchecked == ["1 cell that the plan does not know: h0 mlp!C900"]


def test_the_report_names_what_computed_and_the_first_fault(
    tiny_book: Built, tiny: Weights, tmp_path: Path, untouched: Report
) -> None:
    text = to_text(untouched)
    assert "recalculated by ironcalc" in text
    assert text.endswith(f"EQUAL: every cell is right (worst gap {max(r.total_gap for r in untouched.rows):.1e})")
    make(MUTANTS[5], tiny_book.blueprint, tiny_book.path, tmp_path / "mutant.xlsx")
    told = to_text(verify(tmp_path / "mutant.xlsx", "ironcalc", str(tiny.folder)), places=True)
    assert "FIRST FAULT: wrong formula at h0.attn.head1.scores" in told
    assert "h0 attention!" in told
    assert "follows" in told  # places downstream are wrong only because this one is


def test_the_readme_counts_rightly() -> None:
    from tests.test_workbook import PROMPTS

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert f"{len(MUTANTS)} faulty copies" in readme
    assert f"and {len(LIVE_MUTANTS)} of one for any prompt" in readme
    assert f"{len(PROMPTS)} prompts," in readme


def test_the_json_report_holds_everything(untouched: Report, tiny_book: Built) -> None:
    data = json.loads(to_json(untouched))
    assert (data["schema"], data["exit_code"], data["engine"]) == (3, 0, "ironcalc")
    assert [row["name"] for row in data["rows"]] == list(tiny_book.blueprint.plan)
    assert data["faults"] == []


def test_a_file_that_another_program_made_is_refused(tmp_path: Path) -> None:
    import openpyxl

    openpyxl.Workbook().save(tmp_path / "theirs.xlsx")
    with pytest.raises(WorkbookError, match=r"not a workbook that sheetgpt made .*`sheetgpt audit FILE --map"):
        verify(tmp_path / "theirs.xlsx")


@pytest.mark.parametrize("card", ["{}", "[1]", "x", '{"format": 2}', '{"format": 1, "config": {"n_vocab": -1}}'])
def test_a_forged_card_is_one_clear_error(card: str, tmp_path: Path) -> None:
    import openpyxl
    from openpyxl.workbook.defined_name import DefinedName

    book = openpyxl.Workbook()
    book.active.title = "Contents"
    book.active["B6"] = card
    book.defined_names["sheetgpt.card"] = DefinedName("sheetgpt.card", attr_text="Contents!$B$6")
    book.save(tmp_path / "forged.xlsx")
    with pytest.raises(WorkbookError):
        verify(tmp_path / "forged.xlsx")


def test_a_model_that_was_asked_for_must_be_there(tiny_book: Built) -> None:
    with pytest.raises(WeightError, match="no model"):
        verify(tiny_book.path, "ironcalc", "nowhere")


def test_build_hands_over_nothing_that_an_engine_disputes(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A numpy rule that is wrong: the engine finds another number, and no file appears."""
    from sheetgpt.check import evaluate

    monkeypatch.setitem(evaluate.NUMPY, "rowvar", lambda x: x.var(axis=1, ddof=1, keepdims=True))
    with pytest.raises(BuildError, match=r"disagrees with numpy at .*h0 ln_1!F15"):
        build(tiny, "the cat", tmp_path / "never.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_padding_changes_nothing(tiny: Weights, tmp_path: Path) -> None:
    short = build(tiny, "the cat", tmp_path / "short.xlsx", Room(fixed=True), check=False)
    long = build(tiny, "the cat", tmp_path / "long.xlsx", Room(tokens=9, fixed=True), check=False)
    assert np.abs(short.env["logits"] - long.env["logits"]).max() < 1e-14
    assert replace(short.blueprint.card, n_rows=9) == long.blueprint.card
