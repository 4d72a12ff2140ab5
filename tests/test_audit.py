"""Foreign workbooks: a small one that XlsxWriter and plain numpy make here, and NanoGPT-Excel where it is at hand."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter
from click.testing import CliRunner
from openpyxl.workbook.defined_name import DefinedName

from sheetgpt.check.audit import Audit, Auditor, audit
from sheetgpt.check.audit_report import to_json, to_text
from sheetgpt.check.mapping import Mapped, WorkbookMap, maps, parse_map, read_map
from sheetgpt.cli import main
from sheetgpt.errors import MapError, SheetGPTError, WorkbookError
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.grid import Grid
from sheetgpt.sheet.readback import read

# ---- a small workbook of another hand -------------------------------------------------------------------

T, D, V, HEADS = 4, 6, 5, 2
WIDE, SIZE = 4 * D, D // HEADS
IDS = np.array([2, 0, 4, 2])

MAP = """
title = "small"
rows = 4
transposed = true
[config]
n_vocab = 5
n_ctx = 4
n_embd = 6
n_head = 2
n_layer = 2
eps = 1e-3
tied = true
activation = "relu"
[tabs]
block = ["One", "Two"]
[inputs]
"prompt.ids" = { tab = "In", ref = "A1:D1" }
[weights]
"wte" = { tab = "In", ref = "A3:E8" }
"wpe" = { tab = "In", ref = "A10:D15" }
"h{block}.ln_1.g" = 1.0
"h{block}.ln_1.b" = 0
"h{block}.attn.c_attn.w" = [
    { tab = "block", ref = "A1:F3", step = { head = [3, 0] } },
    { tab = "block", ref = "H1:M3", step = { head = [3, 0] } },
    { tab = "block", ref = "O1:T3", step = { head = [3, 0] } },
]
"h{block}.attn.c_attn.b" = { tab = "block", ref = "V1:V18" }
"h{block}.attn.c_proj.w" = { tab = "block", ref = "A20:F25" }
"h{block}.attn.c_proj.b" = { tab = "block", ref = "H20:H25" }
"h{block}.ln_2.g" = { tab = "block", ref = "J20:J25" }
"h{block}.ln_2.b" = { tab = "block", ref = "L20:L25" }
"h{block}.mlp.c_fc.w" = { tab = "block", ref = "A30:F53" }
"h{block}.mlp.c_fc.b" = { tab = "block", ref = "H30:H53" }
"h{block}.mlp.c_proj.w" = { tab = "block", ref = "A60:X65" }
"h{block}.mlp.c_proj.b" = { tab = "block", ref = "Z60:Z65" }
"ln_f.g" = { tab = "In", ref = "G10:G15" }
"ln_f.b" = { tab = "In", ref = "I10:I15" }
[stages]
"embed.out" = { tab = "In", ref = "A20:D25" }
"h{block}.ln_1.out" = { tab = "block", ref = "A70:D75" }
"h{block}.attn.head{head}.q" = { tab = "block", ref = "A80:D82", step = { head = [0, 10] } }
"h{block}.attn.head{head}.k" = { tab = "block", ref = "A84:D86", step = { head = [0, 10] } }
"h{block}.attn.head{head}.v" = { tab = "block", ref = "A88:D90", step = { head = [0, 10] } }
"h{block}.attn.head{head}.pattern" = { tab = "P{block+1}{head}", ref = "A1:D4", transposed = false, blank = 0 }
"h{block}.attn.head{head}.z" = { tab = "block", ref = "A92:D94", step = { head = [0, 10] } }
"h{block}.attn.out" = { tab = "block", ref = "A100:D105" }
"h{block}.resid_mid" = { tab = "block", ref = "G100:J105" }
"h{block}.ln_2.out" = { tab = "block", ref = "A110:D115" }
"h{block}.mlp.pre" = { tab = "block", ref = "A120:X123", transposed = false }
"h{block}.mlp.post" = { tab = "block", ref = "A130:X133", transposed = false }
"h{block}.mlp.out" = { tab = "block", ref = "A140:D145" }
"h{block}.resid_post" = { tab = "block", ref = "G140:J145" }
"ln_f.out" = { tab = "In", ref = "A40:D45" }
"logits" = { tab = "In", ref = "A50:D54" }
[parts]
"h{block}.ln_2.mean" = { tab = "block", ref = "A117:D117" }
[[copies]]
of = "{stream}"
tab = "block"
ref = "G70:J75"
[[elsewhere]]
tab = "In"
ref = "A60"
why = "a note"
"""


def norm(x: np.ndarray, g: object, b: object) -> np.ndarray:
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3) * g + b


def small() -> dict[str, np.ndarray]:
    """Weights and every stage of the small model, by plain numpy in the order of the textbook."""
    rng = np.random.default_rng(3)
    w = {"wte": (V, D), "wpe": (T, D), "ln_f.g": (1, D), "ln_f.b": (1, D)}
    for i in (0, 1):
        w |= {f"h{i}.attn.c_attn.w": (D, 3 * D), f"h{i}.attn.c_attn.b": (1, 3 * D), f"h{i}.attn.c_proj.w": (D, D)}
        w |= {f"h{i}.{name}": (1, D) for name in ("attn.c_proj.b", "ln_2.g", "ln_2.b", "mlp.c_proj.b")}
        w |= {f"h{i}.mlp.c_fc.w": (D, WIDE), f"h{i}.mlp.c_fc.b": (1, WIDE), f"h{i}.mlp.c_proj.w": (WIDE, D)}
    e = {name: rng.normal(size=shape) for name, shape in w.items()} | {"prompt.ids": IDS[:, None].astype(float)}
    x = e["embed.out"] = e["wte"][IDS] + e["wpe"]
    for h in ("h0", "h1"):
        y = e[f"{h}.ln_1.out"] = norm(x, 1, 0)
        qkv = y @ e[f"{h}.attn.c_attn.w"] + e[f"{h}.attn.c_attn.b"]
        for j in range(HEADS):
            at = f"{h}.attn.head{j}"
            q, k, v = (qkv[:, n * D + j * SIZE : n * D + (j + 1) * SIZE] for n in range(3))
            exp = np.tril(np.exp(q @ k.T / np.sqrt(SIZE)))
            a = exp / exp.sum(1, keepdims=True)
            e |= {f"{at}.q": q, f"{at}.k": k, f"{at}.v": v, f"{at}.pattern": a, f"{at}.z": a @ v}
        z = np.hstack([e[f"{h}.attn.head{j}.z"] for j in range(HEADS)])
        out = e[f"{h}.attn.out"] = z @ e[f"{h}.attn.c_proj.w"] + e[f"{h}.attn.c_proj.b"]
        x = e[f"{h}.resid_mid"] = x + out
        e[f"{h}.ln_2.mean"] = x.mean(1, keepdims=True)
        y = e[f"{h}.ln_2.out"] = norm(x, e[f"{h}.ln_2.g"], e[f"{h}.ln_2.b"])
        pre = e[f"{h}.mlp.pre"] = y @ e[f"{h}.mlp.c_fc.w"] + e[f"{h}.mlp.c_fc.b"]
        post = e[f"{h}.mlp.post"] = np.maximum(pre, 0)
        out = e[f"{h}.mlp.out"] = post @ e[f"{h}.mlp.c_proj.w"] + e[f"{h}.mlp.c_proj.b"]
        x = e[f"{h}.resid_post"] = x + out
    e["ln_f.out"] = norm(x, e["ln_f.g"], e["ln_f.b"])
    e["logits"] = e["ln_f.out"] @ e["wte"].T
    return e


@pytest.fixture(scope="module")
def chart() -> WorkbookMap:
    return parse_map(tomllib.loads(MAP))


@pytest.fixture(scope="module")
def env() -> dict[str, np.ndarray]:
    return small()


def written(path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], text: tuple[str, object] | None = None) -> Path:
    """The workbook; stages are formulas with the cached values of `env`. `text`: a place whose first cell is other."""
    copies = [Mapped("copy", m.spots) for m in chart.copies]
    env = env | {"copy": np.nan * IDS}
    with xlsxwriter.Workbook(path) as book:
        tabs = {tab: book.add_worksheet(tab) for tab in ("In", *sorted(chart.tabs - {"In"}))}
        tabs["In"].write("A60", "note")
        for m in (*chart.inputs, *chart.weights, *chart.stages, *chart.parts, *copies):
            at = 0
            for spot in m.spots:
                streams = env["embed.out"] if spot.tab == "One" else env["h0.resid_post"]
                values = streams if m.name == "copy" else env[m.name][:, at : at + spot.shape[1]]
                at += spot.shape[1]
                turned = values.T if spot.transposed else values
                for (r, c), value in np.ndenumerate(turned):
                    where = spot.area[0] + r, spot.area[1] + c
                    if text and text[0] == m.name and (r, c) == (0, 0):
                        tabs[spot.tab].write(*where, text[1])
                    elif m in chart.stages and (spot.blank is None or value):
                        tabs[spot.tab].write_formula(*where, "=1+1", None, value)
                    elif spot.blank is None:
                        tabs[spot.tab].write_number(*where, value)
    return path


def test_a_right_workbook_is_right(tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray]) -> None:
    found = audit(written(tmp_path / "a.xlsx", chart, env), chart, each_cell=True)
    assert (found.exit_code, found.faults, found.families, found.cells) == (0, [], [], [])
    assert len(found.of("stage")) == len(chart.stages) == 1 + 2 * (8 + 5 * HEADS) + 2
    assert found.formulas["stages"] == sum(row.cells for row in found.of("stage"))
    assert [row.name for row in found.of("copy")] == ["embed.out", "h0.resid_post"]
    assert "EQUAL" in to_text(found)
    assert "cached in the file" in to_text(found).splitlines()[1]


@pytest.mark.parametrize("name", [m.name for m in parse_map(tomllib.loads(MAP)).stages if "pattern" not in m.name])
def test_one_wrong_cell_is_found_where_it_is(
    tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], name: str
) -> None:
    """Only the stage whose cell it is has an own gap; what comes after only follows."""
    values = env[name].copy()
    values[1, 2] += 0.25
    found = audit(written(tmp_path / "a.xlsx", chart, env | {name: values}), chart, each_cell=True)
    wrong = [row for row in found.of("stage") if row.faulty]
    reads = [m.name for m in chart.stages if name in reading(chart, m.name)]
    assert wrong[0].name == name
    assert wrong[0].faulty == 1
    assert {row.name for row in wrong} <= {name, *reads}  # those that read the wrong number compute others
    assert (found.faults[0].place, found.faults[0].more, found.faults[0].formula) == (name, 0, "1+1")
    assert found.cells[0].cell == found.faults[0].cell == wrong[0].worst_cell
    assert found.faults[0].absolute == pytest.approx(0.25)


def reading(chart: WorkbookMap, name: str) -> set[str]:
    """Mapped stages that a stage reads, through places that are not mapped."""
    mapped, out, todo = {m.name for m in chart.stages}, set(), list(chart.plan.inputs(name))
    while todo:
        one = todo.pop()
        if one in mapped:
            out.add(one)
        elif one in chart.plan:
            todo += chart.plan.inputs(one)
    return out


def swap_bias(e: dict[str, np.ndarray]) -> np.ndarray:
    b = e["h1.attn.c_attn.b"]
    return e["h1.attn.head1.k"] - b[:, D + SIZE : 2 * D] + b[:, SIZE:D]


MISTAKES: dict[str, tuple[str, Callable[[dict[str, np.ndarray]], np.ndarray], str]] = {
    "bias": ("h1.attn.head1.k", swap_bias, "adds h1.attn.head1.q.b instead of h1.attn.head1.k.b"),
    "residual": (
        "h1.resid_mid",
        lambda e: e["embed.out"] + e["h1.attn.out"],
        "adds embed.out instead of h0.resid_post",
    ),
    "frozen": ("h0.mlp.pre", lambda e: np.repeat(e["h0.mlp.pre"][:1], T, axis=0), "shows what row 0 should show"),
    "mask": ("h0.attn.head1.pattern", lambda e: np.full((T, T), 1 / T), "mask is missing"),
    "dropped": ("h1.mlp.out", lambda e: e["h1.mlp.out"] - e["h1.mlp.c_proj.b"], "h1.mlp.c_proj.b is not added"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_causes(tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], name: str) -> None:
    place, mistake, cause = MISTAKES[name]
    found = audit(written(tmp_path / "a.xlsx", chart, env | {place: mistake(env)}), chart)
    fault = found.faults[0]
    assert (fault.place, fault.block) == (place, int(place[1]))
    assert cause in fault.cause
    assert found.families[0].stages == [place]


@pytest.mark.parametrize(("cell", "says"), [("0.5", "text"), (True, "no number"), (None, "empty")])
def test_a_stage_without_a_number(
    tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], cell: object, says: str
) -> None:
    found = audit(written(tmp_path / "a.xlsx", chart, env, ("h0.attn.out", cell)), chart)
    assert (found.exit_code, found.faults[0].place, found.faults[0].cell) == (1, "h0.attn.out", "A100")
    assert says in found.faults[0].cause
    assert json.loads(to_json(found))["faults"][0]["gap"] is None


@pytest.mark.parametrize("name", ["prompt.ids", "wpe"])
def test_what_all_is_computed_from_must_be_numbers(
    tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], name: str
) -> None:
    with pytest.raises(MapError, match=f"{name}: In!A1"):
        audit(written(tmp_path / "a.xlsx", chart, env, (name, "C")), chart)


@pytest.mark.parametrize("number", [-1.0, 5.0, 0.5])
def test_token_ids_that_are_none(tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray], number: float) -> None:
    with pytest.raises(MapError, match="whole numbers from 0 to 4"):
        audit(written(tmp_path / "a.xlsx", chart, env, ("prompt.ids", number)), chart)


# ---- maps -----------------------------------------------------------------------------------------------


def change(*path: str, to: Any = None) -> Callable[[dict[str, Any]], None]:
    """An edit of a map's data: the entry at `path` replaced, or taken away."""

    def edit(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data.pop(path[-1], None) if to is None else data.update({path[-1]: to})

    return edit


SPOT = {"tab": "In", "ref": "A20:D25"}
WRONG_MAPS = {
    "no config": (change("config"), "n_vocab"),
    "odd heads": (change("config", "n_head", to=4), "not a multiple"),
    "activation": (change("config", "activation", to="swish"), "activation"),
    "a table": (change("stages", to=[1]), r"\[stages\]"),
    "unknown entry": (change("stagez", to={}), "unknown entry 'stagez'"),
    "no rows": (change("rows"), "rows must be"),
    "too many rows": (change("rows", to=5), "rows must be"),
    "flag": (change("transposed", to="yes"), "true or false"),
    "no ids": (change("inputs", "prompt.ids"), "prompt.ids is missing"),
    "weight missing": (change("weights", "wpe"), "wpe not in the map"),
    "no stages": (change("stages", to={}), "stages: none"),
    "no such place": (change("stages", "h0.attn.hed0.q", to=SPOT), "no place 'h0.attn.hed0.q'"),
    "weight as stage": (change("stages", "wte", to=SPOT), "wte is a parameter"),
    "twice": (change("stages", "h0.mlp.out", to=SPOT), "h0.mlp.out is there twice"),
    "shape": (change("stages", "embed.out", "ref", to="A20:D24"), "4 x 6 cells are wanted, the map has 4 x 5"),
    "on its side": (change("stages", "embed.out", "transposed", to=False), "the map has 6 x 4"),
    "no ref": (change("stages", "embed.out", "ref"), "needs tab and ref"),
    "bad ref": (change("stages", "embed.out", "ref", to="A0:D25"), "not a cell address"),
    "outside": (change("stages", "logits", "ref", to="XFD1:XFG5"), "outside the grid"),
    "blank without end": (change("stages", "logits", "blank", to=float("inf")), "blank must be a number"),
    "weights without end": (change("weights", "h{block}.ln_1.g", to=float("nan")), "needs tab and ref"),
    "blank": (change("stages", "logits", "blank", to="x"), "blank must be a number"),
    "a number": (change("stages", "logits", to=3), "needs tab and ref"),
    "misspelt": (change("stages", "logits", "transpose", to=True), "unknown entry 'transpose'"),
    "overlap": (change("stages", "ln_f.out", "ref", to="A25:D30"), "share cells"),
    "placeholder": (change("stages", "h{layer}.x", to=SPOT), "unknown placeholder '{layer}'"),
    "attribute": (change("stages", "{block.__class__}", to=SPOT), "unknown placeholder"),
    "which head": (change("stages", "logits", "tab", to="T{block}"), "nothing here says which"),
    "tabs of blocks": (change("tabs", "block", to=["One"]), "one tab for each of 2 blocks"),
    "step": (change("stages", "logits", "step", to={"head": 3}), r"\[rows, columns\]"),
    "step of nothing": (change("stages", "logits", "step", to={"block": [1, 0]}), "nothing names a block"),
    "stage and part": (change("parts", "ln_f.out", to=SPOT), "ln_f.out is a stage and a part"),
    "copy of nothing": (change("copies", to=[{"tab": "In", "ref": "A1"}]), "needs `of`"),
    "no reason": (change("elsewhere", to=[{"tab": "In", "ref": "A1"}]), "`why`"),
}


@pytest.mark.parametrize("name", WRONG_MAPS)
def test_maps_that_cannot_be_followed(name: str) -> None:
    data = copy.deepcopy(tomllib.loads(MAP))
    edit, says = WRONG_MAPS[name]
    edit(data)
    with pytest.raises(SheetGPTError, match=says) as error:
        parse_map(data)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"rows = ", "not TOML"),
        (b"\xff", "not TOML"),
        (b"#" * (2 << 20), "larger"),
        (b"rows = 1", "small.toml: config"),
    ],
)
def test_files_that_are_no_maps(tmp_path: Path, text: bytes, says: str) -> None:
    (tmp_path / "small.toml").write_bytes(text)
    with pytest.raises(MapError, match=says):
        read_map(str(tmp_path / "small.toml"))


def test_the_command(tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray]) -> None:
    """Exit codes as verify's, and one line for each mistake."""
    book, toml = str(written(tmp_path / "a.xlsx", chart, env)), tmp_path / "small.toml"
    wrong = str(written(tmp_path / "b.xlsx", chart, env | {"logits": env["logits"] * 2}))
    toml.write_text(MAP)

    def call(*args: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["audit", *args])
        return result.exit_code, result.output

    assert call(book, "--map", str(toml))[0] == 0
    code, text = call(wrong, "--map", str(toml), "--format", "json", "--cells")
    assert code == 1
    assert len(json.loads(text)["cells"]) == T * V
    assert json.loads(text)["remarks"] == []
    code, text = call(book, "--map", "nanogpt-excel")
    assert code == 2
    assert "does not have" in text
    code, text = call(book, "--map", "no-such-map")
    assert code == 2
    assert "nanogpt-excel" in text
    assert call(str(toml), "--map", str(toml))[0] == 3
    assert call(book)[0] == 2


def test_what_a_workbook_is_better_without_is_a_remark_and_no_fault(
    tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray]
) -> None:
    book = openpyxl.load_workbook(written(tmp_path / "a.xlsx", chart, env), data_only=True)
    for tab in ("Extra", "More"):
        sheet = book.create_sheet(tab)
        sheet["A1"] = sheet["A2"] = '=WEBSERVICE("http://x.invalid")'
    book.defined_names["gone"] = DefinedName("gone", attr_text="Nowhere!$A$1")
    book.save(tmp_path / "b.xlsx")
    found = audit(tmp_path / "b.xlsx", chart)
    assert (found.exit_code, found.faults) == (0, [])
    text = to_text(found)
    assert "  the name gone is Nowhere!$A$1: better a tab that is there\n" in text
    assert '  Extra!A1 holds =WEBSERVICE("http://x.invalid"), and 3 more cells on 2 tabs: better no WEBSERVICE' in text
    assert [(f["tab"], f["more"]) for f in json.loads(to_json(found))["remarks"][1:]] == [("Extra", 1), ("More", 1)]


def test_a_map_of_a_far_larger_model(tmp_path: Path, chart: WorkbookMap, env: dict[str, np.ndarray]) -> None:
    """It is refused before there are arrays of that size."""
    config = replace(chart.config, n_embd=8192, n_head=2)
    with pytest.raises(MapError, match="the map speaks of"):
        audit(written(tmp_path / "a.xlsx", chart, env), replace(chart, config=config))


def test_a_workbook_that_is_not_there(tmp_path: Path, chart: WorkbookMap) -> None:
    with pytest.raises(WorkbookError):
        audit(tmp_path / "none.xlsx", chart)


@pytest.mark.parametrize("name", maps())
def test_maps_that_come_with_sheetgpt(name: str) -> None:
    assert read_map(name).stages


# ---- NanoGPT-Excel --------------------------------------------------------------------------------------

FOREIGN = Path(__file__).parents[2] / "shared/data/foreign/NanoGPT-Excel.xlsx"
needs_foreign = pytest.mark.skipif(not FOREIGN.exists(), reason="NanoGPT-Excel.xlsx is not at hand")


@pytest.fixture(scope="module")
def nano() -> tuple[Book, WorkbookMap, Audit]:
    book, chart = read(FOREIGN), read_map("nanogpt-excel")
    return book, chart, Auditor(book, chart).audit(each_cell=True)


@needs_foreign
def test_the_five_families(nano: tuple[Book, WorkbookMap, Audit]) -> None:
    """Counts by another hand, in numpy without any of our code: see the data's README."""
    found = nano[2]
    mlp = {f"Random Weights - MLP  (multi-l{i}" for i in "a12"}
    norms = {row.tab for row in found.of("stage") if ".ln_" in row.name or row.name.startswith("ln_f")}
    heads = {f"Random Weights-T0 Self Attn H{j}" for j in (0, 1)}
    residuals = {f"Random Weights - Projection-{i}" for i in (1, 2)}
    wanted = [("sample variance", norms, 3696), ("attn.head*.q.b", heads, 704), ("row 0", mlp, 5760)]
    wanted += [("mlp.c_proj.b", mlp, 141), ("embed.out", residuals, 1056)]
    assert [(set(f.tabs), f.cells) for f in found.families] == [(tabs, cells) for _, tabs, cells in wanted]
    assert all(says in f.cause for f, (says, _, _) in zip(found.families, wanted, strict=True))
    assert len(norms) == 7


@needs_foreign
def test_the_other_stages_are_right(nano: tuple[Book, WorkbookMap, Audit]) -> None:
    rows = nano[2].of("stage")
    assert (len(rows), sum(row.cells for row in rows)) == (72, 30_195)
    assert (sum(row.faulty > 0 for row in rows), sum(row.faulty for row in rows)) == (19, 11_357)
    assert all(row.own_gap < 1e-12 for row in rows if not row.faulty)
    cells = nano[2].cells
    assert sum(cell.place.endswith(".std") for cell in cells) == 77
    assert len({(cell.tab, cell.cell) for cell in cells}) == len(cells) == 11_357 + 77


@needs_foreign
def test_every_formula_is_accounted_for(nano: tuple[Book, WorkbookMap, Audit]) -> None:
    book, _, found = nano
    assert "85,712 by RANDBETWEEN" in found.weights
    told = sum(found.formulas.values()) + sum(int(line.split()[0].replace(",", "")) for line in found.outside)
    assert told == sum(len(sheet.formulas) for sheet in book.sheets.values()) == 129_603
    assert "unknown" not in " ".join(found.outside)


@needs_foreign
def test_the_mended_workbook_is_right(nano: tuple[Book, WorkbookMap, Audit]) -> None:
    """With the specification's numbers in its cells, nothing is left to say: the faults were the faults."""
    book, chart, _ = nano
    total = Auditor(book, chart).total
    cells = {tab: dict(sheet.values.single) for tab, sheet in book.sheets.items()}
    for m in (*chart.stages, *chart.parts, *chart.copies):
        at = 0
        for spot in m.spots:
            values = total[m.name][:, at : at + spot.shape[1]]
            at += spot.shape[1]
            for (r, c), value in np.ndenumerate(values.T if spot.transposed else values):
                where = spot.area[0] + r, spot.area[1] + c
                if spot.blank is None or where in cells[spot.tab]:
                    cells[spot.tab][where] = float(value)
    sheets = {tab: replace(sheet, values=Grid(cells[tab])) for tab, sheet in book.sheets.items()}
    mended = Auditor(replace(book, sheets=sheets), chart).audit(each_cell=False)
    assert (mended.exit_code, mended.faults) == (0, [])


@needs_foreign
def test_the_page_says_what_was_found(nano: tuple[Book, WorkbookMap, Audit]) -> None:
    """docs/audit-nanogpt-excel.md: its figures are those of this run."""
    book, chart, found = nano
    page = (Path(__file__).parents[1] / "docs/audit-nanogpt-excel.md").read_text()
    auditor = Auditor(book, chart)
    says = [f"{family.cells:,} |" for family in found.families] + [family.first.cell for family in found.families]
    says += [family.first.formula for family in found.families]
    says += [f"{sum(row.cells for row in found.of(kind)):,}" for kind in ("stage", "part", "copy")]
    letters, right = auditor.stages["logits"].argmax(axis=1), auditor.total["logits"].argmax(axis=1)
    says += ["".join("ABC"[i] for i in row) for row in (letters, right)]
    says += [
        f"{(letters != right).sum()} of 11",
        f"up to {np.abs(auditor.stages['logits'] - auditor.total['logits']).max():.1f}",
    ]
    drawn, moved = (sum(f.more + 1 for f in found.remarks if name in f.wanted) for name in ("RANDBETWEEN", "OFFSET"))
    says += [f"{drawn:,} cells on 24 tabs", f"{moved:,} on 13 tabs"]
    assert {fault.wanted.split(":")[0] for fault in found.remarks} == {"no RANDBETWEEN", "no OFFSET"}
    assert [text for text in says if text not in page] == []
