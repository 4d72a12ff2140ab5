"""`sheetgpt trace`: what a cell is computed from, against openpyxl and trees made by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result
from openpyxl.formula import Tokenizer
from openpyxl.utils import range_boundaries

from sheetgpt.build import Built
from sheetgpt.cli import main


def told(*words: object) -> Result:
    return CliRunner().invoke(main, ["trace", *map(str, words)], catch_exceptions=False)


def tree(*words: object) -> dict[str, Any]:
    root: dict[str, Any] = json.loads(told(*words, "--format", "json").output)["root"]
    return root


def walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(below for each in node["reads"] for below in walk(each))]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook by another hand: no card, no cached values."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "it's"
    for row in [
        (2, "=A1*3", "=SUM(A1:B1,total)"),
        ("=B2+1", "=A2+1", '=UNICHAR(8238)&"[31m"'),
        ("=SUM(A3:B3)", "=gone+1"),
    ]:
        sheet.append(row)
    sheet["E1"], sheet["F1"], sheet["G1"] = "=F1", "=G1", "=E1"
    book.defined_names["total"] = openpyxl.workbook.defined_name.DefinedName("total", attr_text="'it''s'!$B$1")
    path = tmp_path_factory.mktemp("foreign") / "foreign.xlsx"
    book.save(path)
    return path


def test_values_are_those_of_an_engine_not_of_the_file(foreign: Path) -> None:
    root = tree(foreign, "'it''s'!C1", "--depth", 3)
    assert root["values"] == [14.0]  # 2 + 6 + 6
    assert [(node["place"], node["ref"], node["values"]) for node in root["reads"]] == [
        ("", "'it''s'!A1:B1", [2.0, 6.0]),
        ("total", "'it''s'!B1", [6.0]),
    ]
    assert root["reads"][1]["reads"][0]["what"] == "a constant, not computed"
    assert tree(foreign, "'it''s'!C1", "--engine", "cached")["values"] == [None]


def test_depth_is_how_many_formulas_are_followed(foreign: Path) -> None:
    cut = tree(foreign, "'it''s'!C1", "--depth", 0, "--engine", "cached")
    assert (cut["reads"], cut["note"]) == ([], "not followed further")
    once = tree(foreign, "'it''s'!C1", "--depth", 1, "--engine", "cached")
    assert [node["reads"] for node in once["reads"]] == [[], []]


@pytest.mark.parametrize("cell", ["A2", "A3", "E1"])
def test_a_circle_is_told_and_ends(foreign: Path, cell: str) -> None:
    root = tree(foreign, f"it's!{cell}", "--depth", 50, "--engine", "cached")
    assert len(walk(root)) <= 4
    assert [node["note"] for node in walk(root) if node["note"]] == ["a circle: it is computed from itself"]


def test_what_leads_nowhere_is_told(foreign: Path) -> None:
    assert "gone  (leads nowhere: no such name or tab)" in told(foreign, "it's!B3", "--engine", "cached").output


def test_text_of_a_file_cannot_move_the_cursor(foreign: Path) -> None:
    output = told(foreign, "it's!C2").output
    assert "\u202e" not in output
    assert "\\u202e[31m" in output


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("nowhere!A1", "the workbook has no tab 'nowhere'"),
        ("'h0 mpl'!B12", "did you mean h0 mlp"),
        ("h0.mlp.pree", "did you mean h0.mlp.pre"),
        ("h0.mlp.pre", "say which, such as h0.mlp.pre[0,0]"),
        ("h0.mlp.pre[99,0]", "there is no [99,0]"),
        ("Embedding!B", "one cell is written as B12"),
        ("Embedding!XFE1", "outside the grid"),
        ("x\x1b[2J", "no place 'x\\x1b[2J'"),
    ],
)
def test_a_cell_that_is_not_there(tiny_book: Built, cell: str, says: str) -> None:
    result = told(tiny_book.path, cell, "--engine", "cached")
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_cells_that_are_not_computed(tiny_book: Built) -> None:
    path = tiny_book.path
    assert "(text, not computed)" in told(path, "Embedding!A1", "--engine", "cached").output
    assert "nothing  (empty: nothing stands there)" in told(path, "Embedding!ZZ999", "--engine", "cached").output
    assert "(learned)" in told(path, "wte[0,0]", "--engine", "cached").output
    assert tree(path, "prompt.text", "--engine", "cached")["values"] == ["the cat sat"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(b"PK nothing")
    assert told(path, "A!B1", "--engine", "cached").exit_code == 3


def areas(book: Any, formula: str, tab: str) -> set[tuple[str, tuple[int, ...]]]:
    """Tab and area of every reference and name of a formula, as openpyxl reads them."""
    out = set()
    for token in Tokenizer(formula).items:
        if token.type == "OPERAND" and token.subtype == "RANGE":
            text = book.defined_names[token.value].attr_text if token.value in book.defined_names else token.value
            there, sign, area = text.rpartition("!")
            out.add((there.strip("'") if sign else tab, range_boundaries(area.replace("$", ""))))
    return out


@pytest.mark.parametrize("place", ["h0.ln_1.var", "embed.out", "h1.mlp.post", "logits", "next.id", "prompt.tokens"])
def test_a_cell_reads_what_openpyxl_says_its_formula_reads(tiny_book: Built, place: str) -> None:
    """Every node lies in an area that openpyxl finds in the formula, none is left out, values are equal."""
    book, values = (openpyxl.load_workbook(tiny_book.path, data_only=only) for only in (False, True))
    cell = place if tiny_book.blueprint.plan[place].shape == (1, 1) else f"{place}[1,0]"
    root = tree(tiny_book.path, cell, "--depth", 1, "--engine", "cached")
    tab, _, address = root["ref"].rpartition("!")
    sheet = book[tab.strip("'")]
    array = next((a for a in sheet.array_formulae.values() if root["array"] == a), None)
    corner = (array or root["array"] or address).partition(":")[0]
    held = sheet[corner].value
    formula = getattr(held, "text", held)
    assert root["formula"].strip("{}") == formula
    wanted = areas(book, formula, tab.strip("'"))
    found = set()
    for node in root["reads"]:
        there, _, area = node["ref"].rpartition("!")
        c0, r0, c1, r1 = range_boundaries(area)
        around = {
            w
            for w in wanted
            if w[0] == there.strip("'") and w[1][0] <= c0 and w[1][1] <= r0 and c1 <= w[1][2] and r1 <= w[1][3]
        }
        assert around, node["ref"]
        found |= around
        first = values[there.strip("'")].cell(r0, c0).value
        assert node["values"][0] == pytest.approx(first if first is not None else "", abs=0)
        assert node["cells"] == (c1 - c0 + 1) * (r1 - r0 + 1)
    assert found == wanted


def test_a_cell_of_a_product_reads_a_row_and_a_column(tiny_book: Built) -> None:
    root = tree(tiny_book.path, "h0.attn.qkv[2,5]", "--depth", 2, "--engine", "cached")
    assert root["place"] == "h0.attn.qkv[2,5]"
    assert root["shape"][1] == 24
    assert [node["place"] for node in root["reads"]] == [
        "h0.ln_1.out[2,0:7]",
        "h0.attn.c_attn.w[0:7,5]",
        "h0.attn.c_attn.b[0,5]",
    ]
    row, column, bias = root["reads"]
    assert [node["place"] for node in row["reads"]] == ["h0.ln_1.normalized[2,0]", "h0.ln_1.g[0,0]", "h0.ln_1.b[0,0]"]
    assert (column["what"], bias["what"], row["what"]) == ("learned", "learned", "computed")


def test_the_tree_as_text(tiny_book: Built) -> None:
    lines = told(tiny_book.path, "h0.attn.qkv[2,5]", "--engine", "cached").output.splitlines()
    rows = tiny_book.blueprint.card.n_rows
    assert lines[0].endswith("values cached in the file, not computed anew")
    shape = re.sub(r"[A-Z]+\d+(:[A-Z]+\d+)?", "#", "\n".join(line.partition(" = ")[0] for line in lines[2:]))
    assert shape.splitlines()[:3] == [
        f"h0.attn.qkv[2,5] of {rows} x 24, 'h0 attention'!#",
        "|  {=MMULT(h0.ln_1.out,h0.attn.c_attn.w)+h0.attn.c_attn.b}   one array formula over #",
        f"|- h0.ln_1.out[2,0:7] of {rows} x 8, 'h0 ln_1'!#",
    ]
    assert lines[-1].startswith("`- h0.attn.c_attn.b[0,5] of 1 x 24, 'h0 vectors'!G")


def test_a_look_up_is_followed_to_the_cell_that_it_finds(tiny_book: Built) -> None:
    """The row of wte is the token's, by our tokenizer's ids; the column is the cell's own."""
    ids = tiny_book.env["prompt.ids"][:, 0].astype(int)
    for row in (0, 3):
        root = tree(tiny_book.path, f"embed.token[{row},5]", "--depth", 1, "--engine", "cached")
        assert root["reads"][0]["place"] == f"wte[{ids[row]},5]"
        assert root["reads"][0]["values"] == root["values"]
