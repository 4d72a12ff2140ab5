"""What a reader sees beside the numbers: charts, colours, folds, pages; read back by openpyxl and LibreOffice."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from openpyxl.utils.cell import range_boundaries
from openpyxl.worksheet.worksheet import Worksheet

from sheetgpt.build import Built, Room, evaluated
from sheetgpt.check.evaluate import run
from sheetgpt.engines.libreoffice import find
from sheetgpt.models.weights import Weights
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.plan.points import last_of
from sheetgpt.plan.stages import Stages
from sheetgpt.sheet.cells import Cell, Kind, Sheet, Style
from sheetgpt.sheet.layout import HEAD, Tab
from sheetgpt.sheet.sheets import NOTHING
from sheetgpt.sheet.xlsx import write
from tests.office import typed

PICTURES = {"Prompt", "h0 attention", "h1 attention", "Next token", "Token map", "GELU"}  # at least
WHOLE = {"Contents", "Parameters", "Compute", "Glossary"}  # wide tables that are printed whole


@pytest.fixture(scope="module")
def book(live_lesson: Built) -> openpyxl.Workbook:
    """The live workbook of the tiny model as openpyxl sees it, with the values that the file remembers."""
    return openpyxl.load_workbook(live_lesson.path, data_only=True)


# ---- charts ----------------------------------------------------------------------------------------------


def references(chart: Any) -> Iterator[tuple[str, str, list[Any]]]:
    """Kind, reference and what is remembered of it, for each thing that the series of a chart read."""
    for series in chart.series:
        for kind in ("cat", "xVal", "val", "yVal"):
            source = getattr(series, kind, None)
            found = source and (source.numRef or source.strRef)
            if found:
                cache = found.numCache if source.numRef else found.strCache
                yield kind, found.f, [point.v for point in cache.pt]


def pictures(book: openpyxl.Workbook) -> dict[str, int]:
    """How many charts each tab has that has any."""
    return {ws.title: len(ws._charts) for ws in book if ws._charts}


def cells(book: openpyxl.Workbook, reference: str) -> list[Any]:
    tab, _, area = reference.rpartition("!")
    left, top, right, bottom = range_boundaries(area.replace("$", ""))
    rows = book[tab.strip("'")].iter_rows(top, bottom, left, right, values_only=True)
    return [value for row in rows for value in row]


def test_charts_show_cells_that_are_there(book: openpyxl.Workbook) -> None:
    assert set(pictures(book)) >= PICTURES
    for ws in book:
        for chart in ws._charts:
            found = list(references(chart))
            assert found
            for kind, reference, remembered in found:
                values = cells(book, reference)
                assert any(value is not None for value in values), reference
                if kind != "cat":
                    assert all(isinstance(value, int | float) for value in values), reference
                    assert [float(v) for v in remembered] == pytest.approx(values)
                else:
                    told = [str(v).replace("None", "").removesuffix(".0") for v in remembered]
                    assert told == ["" if v is None else str(v) for v in values]


def test_charts_cover_no_cell(live_lesson: Built, book: openpyxl.Workbook) -> None:
    boxes = live_lesson.blueprint.layout.ranges.values()
    for title in pictures(book):
        ws = book[title]
        for chart in ws._charts:
            start, end = chart.anchor._from, chart.anchor.to
            for box in boxes:
                over = start.row < box.row + box.rows and box.row <= end.row
                beside = start.col < box.col + box.cols and box.col <= end.col
                assert not (box.tab == title and over and beside), f"{title}: a chart stands on {box.name}"
            _, _, right, bottom = range_boundaries(ws.print_area.rpartition("!")[2].replace("$", ""))
            assert (end.col, end.row) < (right, bottom), f"{title}: the page ends within the chart"


def test_the_last_row_of_each_pattern(live_lesson: Built) -> None:
    env, config = live_lesson.env, live_lesson.blueprint.card.config
    last = int(env["prompt.n"][0, 0]) - 1
    for i in range(config.n_layer):
        for j, name in enumerate(last_of(config, i)):
            assert np.array_equal(env[name][:, 0], env[f"h{i}.attn.head{j}.pattern"][last])


# ---- principal components --------------------------------------------------------------------------------


def components(wte: np.ndarray, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Positions along the two widest directions, and the singular values, by LAPACK."""
    x = wte[ids]
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return u[:, :2] * s[:2], s


@pytest.mark.parametrize("text", ["the cat sat", "at the mat, a cat", "the hat"])
def test_points_are_those_of_svd(tiny: Weights, text: str) -> None:
    _, env = evaluated(tiny, text, Room(tokens=16))
    ids = tiny.tokenizer().encode(text)
    wanted, s = components(np.asarray(tiny["wte"]), ids)
    assert s[1] / s[0] < 0.97 > s[2] / s[1], "too even to tell directions apart"
    for axis, place in enumerate(("points.x", "points.y")):
        got = env[place][:, 0]
        assert not got[len(ids) :].any()
        sign = np.sign(got[: len(ids)] @ wanted[:, axis])
        assert got[: len(ids)] == pytest.approx(sign * wanted[:, axis], abs=2e-3 * s[0])
        far = np.abs(got) >= np.abs(got).max() * 0.95  # the first of the farthest is on the right side
        assert got[far][0] > 0


@pytest.mark.parametrize(("ids", "spread"), [([], 0), ([7], 0), ([7, 7, 7], 0), ([7, 9, 7], 1), ([7, 9, 9, 7], 1)])
def test_points_without_a_direction_are_zero(tiny: Weights, ids: list[int], spread: int) -> None:
    """No answer, one token, equal tokens: all at 0; two different ones: nothing upwards. No number fails."""
    book, env = evaluated(tiny, "the cat sat", Room(tokens=7, fixed=True))
    given = {name: env[name] for name in book.plan if book.plan[name].op == "data"}
    given |= {"prompt.n": np.array([[float(len(ids))]]), "prompt.ids": np.array([[*ids, *[0.0] * (7 - len(ids))]]).T}
    now = run(book.plan, given)
    x, y = now["points.x"][:, 0], now["points.y"][:, 0]
    assert np.isfinite([now[name] for name in ("points.x", "points.y")]).all()
    assert not y.any()
    wte = np.asarray(tiny["wte"])
    assert np.linalg.norm(x) == pytest.approx(spread and components(wte, ids)[1][0], abs=1e-9)
    assert len(ids) == 0 or all(x[k] == pytest.approx(x[ids.index(i)], abs=1e-9) for k, i in enumerate(ids))


# ---- colours, folds, pages -------------------------------------------------------------------------------


def fill(book: openpyxl.Workbook, built: Built, name: str) -> str:
    box = built.blueprint.layout.ranges[name]
    return str(book[box.tab].cell(box.row + 1, box.col + 1).fill.fgColor.rgb)[2:]


def test_learned_worked_out_and_handed_on_have_a_colour_each(live_lesson: Built, book: openpyxl.Workbook) -> None:
    legend = {c.value: str(c.fill.fgColor.rgb)[2:] for row in book["Contents"].iter_rows() for c in row if c.value}
    learned = ("wte", "h0.attn.c_attn.w", "h1.mlp.c_fc.b")
    on_the_way = ("embed.token", "h0.ln_1.var", "h0.attn.qkv", "h0.mlp.pre", "h1.mlp.out", "points.gram")
    results = ("embed.out", "h0.ln_1.out", "h0.resid_mid", "h1.resid_post", "ln_f.last", "points.across")
    for words, names in (("learned", learned), ("worked out on the way", on_the_way), ("handed on", results)):
        assert {fill(book, live_lesson, name) for name in names} == {legend[words]}
    assert len({legend[words] for words in ("learned", "worked out on the way", "handed on", "given, or typed")}) == 4


def test_what_can_be_folded_is_open_and_no_result(live_lesson: Built, book: openpyxl.Workbook) -> None:
    layout, results = live_lesson.blueprint.layout, live_lesson.blueprint.results
    for name in live_lesson.blueprint.plan:
        box = layout.ranges[name]
        rows = [book[box.tab].row_dimensions[r + 1] for r in range(box.row, box.row + box.rows)]
        assert not any(row.hidden for row in rows)
        if name.startswith("merges."):  # below the first row of each word
            tall = box.rows // layout.ranges["words.text"].rows
            assert [bool(row.outlineLevel) for row in rows] == [bool(r % tall) for r in range(box.rows)]
        elif (name in results or name.endswith(".pattern")) and not live_lesson.blueprint.plan.is_view(name):
            assert not any(row.outlineLevel for row in rows), name
    folded = ("h0.attn.head0.max", "h1.attn.head1.exp", "h0.ln_1.mean", "h0.mlp.pre", "points.second.power_4")
    for box in map(layout.ranges.__getitem__, folded):
        assert [book[box.tab].row_dimensions[box.row + 1 + d].outlineLevel for d in (0, -5)] == [1, 0]


def test_wide_numbers_lose_decimals_and_masked_ones_say_so(live_lesson: Built, book: openpyxl.Workbook) -> None:
    box = live_lesson.blueprint.layout.ranges["h0.attn.head0.scores"]
    rules = [
        r
        for area in book[box.tab].conditional_formatting
        for r in area.rules
        if next(iter(area.sqref.ranges)).min_row == box.row + 1
    ]
    told = {rule.operator: rule.dxf.numFmt.formatCode for rule in rules if rule.dxf and rule.dxf.numFmt}
    assert told == {"lessThan": '"masked"', "notBetween": "0.0"}
    assert min(rules, key=lambda rule: rule.priority).operator == "lessThan"


def test_a_change_has_the_colour_of_its_size(live_lesson: Built, book: openpyxl.Workbook) -> None:
    """Not of its size among the others; and what is shown as none has no sign."""
    box = live_lesson.blueprint.layout.ranges["surgery.change"]
    areas = book[box.tab].conditional_formatting
    rules = [r for area in areas for r in area.rules if next(iter(area.sqref.ranges)).min_col == box.col + 1]
    scale = next(rule.colorScale for rule in rules if rule.colorScale)
    assert [(limit.type, float(limit.val)) for limit in scale.cfvo] == [("num", -0.5), ("num", 0.0), ("num", 0.5)]
    none = [r for r in rules if r.operator == "between" and r.dxf.numFmt.formatCode == '"0.0%"']
    assert {tuple(map(float, rule.formula)) for rule in none} == {(-0.0004999, 0.0004999)}


def test_pages_are_legible(book: openpyxl.Workbook) -> None:
    for ws in book:
        assert ws.page_setup.paperSize == 9
        assert ws.oddFooter.left.text.endswith("&A")
        assert ws.print_title_rows == "$1:$1"
        width, height = size(ws)
        sides = (700, 1000) if ws.page_setup.orientation == "portrait" else (1000, 700)
        if ws.sheet_properties.pageSetUpPr and ws.sheet_properties.pageSetUpPr.fitToPage:
            fits = min(1, sides[0] / width, sides[1] / height if ws.page_setup.fitToHeight != 0 else 1)
            assert fits > 0.36 or ws.title in WHOLE, (ws.title, fits)
        else:
            assert ws.page_setup.scale >= 40
            assert width * ws.page_setup.scale / 100 < sides[0], ws.title
            assert ws.row_breaks.brk


def test_no_page_cuts_a_line_of_words(book: openpyxl.Workbook) -> None:
    for ws in book:
        _, _, right, bottom = range_boundaries(ws.print_area.rpartition("!")[2].replace("$", ""))
        merged = [area for area in ws.merged_cells.ranges if area.min_row <= bottom]
        assert [area.coord for area in merged if area.max_col > right] == [], ws.title


def size(ws: Worksheet) -> tuple[float, float]:
    """Pixels of the print area."""
    _, _, right, bottom = range_boundaries(ws.print_area.rpartition("!")[2].replace("$", ""))
    wide = {c: d.width for d in ws.column_dimensions.values() for c in range(d.min or 1, min(d.max or 1, right) + 1)}
    rows = (ws.row_dimensions[r].height or 15 for r in range(1, bottom + 1))
    return sum(7 * wide.get(c, 8.43) + 5 for c in range(1, right + 1)), sum(rows) * 4 / 3


# ---- in LibreOffice --------------------------------------------------------------------------------------


def converted(path: Path, form: str, folder: Path) -> None:
    program = find()
    if program is None:
        pytest.skip("LibreOffice is not installed")
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = [program, profile, "--headless", "--convert-to", form, "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def test_numbers_as_libreoffice_shows_them(tmp_path: Path) -> None:
    """No sign is lost, as formats with conditions lose it."""
    numbers = [0.0, 0.0004, 0.5, -0.5, 12.3456, -12.3456, 99.5]
    values = [Cell(r, 1, Kind.NUMBER, x, Style.VALUE) for r, x in enumerate(numbers)]
    shares = [Cell(r, 2, Kind.NUMBER, x, Style.SHARE) for r, x in enumerate((0.0, 0.0004, 0.123, 1.0))]
    sheet = Sheet(Tab("Sheet", "attention"), [*values, *shares])
    write(tmp_path / "book.xlsx", [sheet], {"a.name": "Sheet!$B$1"})
    converted(tmp_path / "book.xlsx", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true", tmp_path)
    with (tmp_path / "book.csv").open(encoding="utf-8") as file:
        shown = [row[1:3] for row in csv.reader(file)]
    assert [row[0] for row in shown] == ["0.000", "0.000", "0.500", "-0.500", "12.346", "-12.346", "99.500"]
    assert [row[1] for row in shown[:4]] == ["0", "0.0%", "12.3%", "100.0%"]


def test_libreoffice_keeps_what_a_reader_sees(live_lesson: Built, book: openpyxl.Workbook, tmp_path: Path) -> None:
    converted(live_lesson.path, "xlsx", tmp_path)
    saved = openpyxl.load_workbook(tmp_path / live_lesson.path.name)
    assert pictures(saved) == pictures(book)
    for title in pictures(book):
        wanted, found = ([sorted(reads for _, reads, _ in references(chart)) for chart in ws._charts]
                         for ws in (book[title], saved[title]))  # fmt: skip
        assert [[r.replace("'", "") for r in chart] for chart in found] == [
            [r.replace("'", "") for r in chart] for chart in wanted
        ]
    for ws in book:
        there = saved[ws.title]
        assert there.print_area == ws.print_area
        assert len(there.conditional_formatting) == len(ws.conditional_formatting)
    mlp = live_lesson.blueprint.layout.ranges["h0.mlp.pre"]
    assert saved[mlp.tab].row_dimensions[mlp.row + 1].outlineLevel == 1


def test_without_an_answer_the_workbook_says_so(live_lesson: Built) -> None:
    """In LibreOffice: a prompt that has no room, and none at all; then one that has an answer."""
    if find() is None:
        pytest.skip("LibreOffice is not installed")
    ranges = live_lesson.blueprint.layout.ranges
    drawn = ("top.prob", "sample.top.after", "sample.top.prob", "surgery.now.prob", "surgery.change", "points.up")
    said = {
        "top.text": NO_ANSWER,
        "sample.top.text": NO_ANSWER,
        "surgery.now.answer": NO_ANSWER,
        "surgery.verdict": "No answer: see the tab Prompt",
        "points.name": NO_ANSWER,
        f"Contents.B{HEAD + 2}": NO_ANSWER,
        f"Contents.D{HEAD + 2}": "see the tab Prompt",
        f"'{ranges['top.text'].tab}'.B{HEAD}": NOTHING,
        f"'{ranges['h1.attn.out'].tab}'.B{HEAD}": NOTHING,
    }
    *silent, spoken = typed(live_lesson.path, "prompt.text", ["", "the cat " * 9, "the cat"], [*drawn, *said])
    for reading in silent:
        assert {name: reading[name][0][0] for name in said} == said
        assert not any(value for name in drawn for row in reading[name] for value in row)
        assert {text for (text,) in reading["top.text"][1:]} == {""}
    assert not {spoken[name][0][0] for name in said} & set(said.values())
    assert sum(p for (p,) in spoken["top.prob"]) > 0.1


def test_tokens_are_drawn_once_each(tiny: Weights) -> None:
    """Rows without a token lie on the last one, without a name."""
    _, env = evaluated(tiny, "the cat sat", Room(tokens=16))
    n = int(env["prompt.n"].item())
    points = {tuple(p) for p in np.hstack([env["points.across"], env["points.up"]])}
    assert points == {tuple(p) for p in np.hstack([env["points.x"], env["points.y"]])[:n]}
    assert [text.strip() for text in env["points.name"][:, 0]] == [*env["prompt.tokens"][:n, 0], *[""] * (16 - n)]


def test_a_part_of_the_pipeline_has_pictures_of_what_it_has(tiny: Weights) -> None:
    from sheetgpt.sheet.charts import charts_of

    book, env = evaluated(tiny, "the cat", stages=Stages("h0", "next"))
    assert [tab.name for tab in book.layout.tabs if list(charts_of(book, tab, env))] == ["Prompt", "Next token"]
