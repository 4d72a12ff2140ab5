"""Three engines by other hands must agree with numpy on one workbook whose every cached value is wrong."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter

from sheetgpt.build import Built
from sheetgpt.engines import ENGINES, get
from sheetgpt.engines.base import Allowance, Engine, Values
from sheetgpt.engines.session import Session
from sheetgpt.errors import EngineError, EngineMissingError, SheetGPTError, WorkbookError
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.strip import strip_caches

T, D, V = 5, 4, 9
WRONG = 12345.678
HEAD = "h0 attention"


def param(name: str) -> object:
    marks = pytest.mark.skipif(ENGINES[name].version() is None, reason=ENGINES[name].hint())
    return pytest.param(ENGINES[name], id=name, marks=marks)


@pytest.fixture(params=[param(name) for name in ENGINES], scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


def fill(sheet, r0: int, c0: int, values) -> None:
    for (r, c), value in np.ndenumerate(np.atleast_2d(np.asarray(values, object))):
        sheet.write(r0 + r, c0 + c, value)


def array(sheet, formula: str, r0: int, c0: int, rows: int, cols: int) -> None:
    """An array formula whose every cached cell is wrong."""
    sheet.write_array_formula(r0, c0, r0 + rows - 1, c0 + cols - 1, f"{{={formula}}}", None, WRONG)
    for r, c in np.ndindex(rows, cols):
        if (r, c) != (0, 0):
            sheet.write_number(r0 + r, c0 + c, WRONG)


class Toy:
    """A little of everything that sheetgpt writes, and numpy's opinion of it by (tab, row, column)."""

    def __init__(self) -> None:
        g = np.random.default_rng(0)
        self.wte, self.w, self.b = g.normal(size=(V, D)), g.normal(size=(D, 2 * D)), g.normal(size=(1, 2 * D))
        self.ids = np.array([3, 1, 4, 1, 5])
        self.vocab = ["the", "a", "=b", "3", " c", "é☃", "d", "the", "x_y"]
        self.pos = np.arange(T)[:, None]
        self.want: dict[tuple[str, int, int], object] = {}

    def expect(self, tab: str, r0: int, c0: int, values) -> None:
        for (r, c), value in np.ndenumerate(np.atleast_2d(np.asarray(values, object))):
            self.want[tab, r0 + r, c0 + c] = value

    def write(self, path: Path) -> None:
        with xlsxwriter.Workbook(path) as book:
            self.parameters(book, book.add_worksheet("wte tab"))
            self.attention(book, book.add_worksheet(HEAD))
            self.rows(book.add_worksheet("h0 ln_1.x"))
            self.sampling(book, book.add_worksheet("Next token"))

    def parameters(self, book, sheet) -> None:
        fill(sheet, 0, 0, self.wte)
        fill(sheet, 0, 10, self.w)
        fill(sheet, 5, 10, self.b)
        fill(sheet, 0, 20, np.array(self.vocab, object)[:, None])
        fill(sheet, 0, 21, np.arange(V)[:, None])
        fill(sheet, 0, 22, self.ids[:, None])
        fill(sheet, 0, 23, self.pos)
        for name, ref in (
            ("wte", "$A$1:$D$9"),
            ("h0.attn.c_attn.w", "$K$1:$R$4"),
            ("h0.attn.c_attn.b", "$K$6:$R$6"),
            ("vocab.text", "$U$1:$U$9"),
            ("vocab.id", "$V$1:$V$9"),
            ("prompt.ids", "$W$1:$W$5"),
            ("prompt.pos", "$X$1:$X$5"),
        ):
            book.define_name(name, f"='wte tab'!{ref}")

    def attention(self, book, sheet) -> None:
        x = self.wte[self.ids]
        for r, c in np.ndindex(T, D):
            column = xlsxwriter.utility.xl_col_to_name(c)
            sheet.write_formula(r + 1, c, f"=INDEX(wte,INDEX(prompt.ids,{r + 1})+1,{column}$1+1)", None, WRONG)
        fill(sheet, 0, 0, np.arange(D))
        self.expect(HEAD, 1, 0, x)
        array(sheet, "MMULT(embed.out,h0.attn.c_attn.w)+h0.attn.c_attn.b", 10, 0, T, 2 * D)
        qk = x @ self.w + self.b
        self.expect(HEAD, 10, 0, qk)
        scores = "IF(TRANSPOSE(prompt.pos)<=prompt.pos,MMULT(h0.attn.q,TRANSPOSE(h0.attn.k))/SQRT(4),-1E10)"
        array(sheet, scores, 20, 0, T, T)
        s = np.where(self.pos.T <= self.pos, qk[:, :D] @ qk[:, D:].T / 2, -1e10)
        self.expect(HEAD, 20, 0, s)
        for r in range(T):
            row = f"A{21 + r}:E{21 + r}"
            for c, f in enumerate(("MAX", "SUM", "AVERAGE", "VARP")):
                sheet.write_formula(20 + r, 6 + c, f"={f}({row})", None, WRONG)
        self.expect(HEAD, 20, 6, np.stack([s.max(1), s.sum(1), s.mean(1), s.var(1)], 1))
        array(sheet, "EXP(h0.attn.head0.scores-h0.attn.head0.max)", 30, 0, T, T)
        e = np.exp(s - s.max(1, keepdims=True))
        self.expect(HEAD, 30, 0, e)
        array(sheet, "h0.attn.head0.exp*2", 30, T, T, T)
        self.expect(HEAD, 30, T, e * 2)
        array(sheet, "MMULT(h0.attn.both,TRANSPOSE(h0.attn.both))", 40, 0, T, T)
        both = np.hstack([e, 2 * e])
        self.expect(HEAD, 40, 0, both @ both.T)
        for name, ref in (
            ("embed.out", "$A$2:$D$6"),
            ("h0.attn.q", "$A$11:$D$15"),  # parts of one array formula's area
            ("h0.attn.k", "$E$11:$H$15"),
            ("h0.attn.head0.scores", "$A$21:$E$25"),
            ("h0.attn.head0.max", "$G$21:$G$25"),
            ("h0.attn.head0.exp", "$A$31:$E$35"),
            ("h0.attn.both", "$A$31:$J$35"),  # two array formulas side by side
        ):
            book.define_name(name, f"='{HEAD}'!{ref}")
        self.embed = x

    def rows(self, sheet) -> None:
        x = self.embed
        mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        for r in range(T):
            sheet.write_formula(r, 0, f"=AVERAGE('{HEAD}'!$A${r + 2}:$D${r + 2})", None, WRONG)
            sheet.write_formula(r, 1, f"=VARP('{HEAD}'!$A${r + 2}:$D${r + 2})", None, WRONG)
        self.expect("h0 ln_1.x", 0, 0, np.hstack([mean, var]))
        array(sheet, "(embed.out-A1:A5)/SQRT(B1:B5+1E-5)", 0, 3, T, D)
        y = (x - mean) / np.sqrt(var + 1e-5)
        self.expect("h0 ln_1.x", 0, 3, y)
        gelu = "0.5*{0}*(1+TANH(0.7978845608028654*({0}+0.044715*{0}^3)))".format("D1:G5")
        array(sheet, gelu, 0, 8, T, D)
        self.expect("h0 ln_1.x", 0, 8, 0.5 * y * (1 + np.tanh(0.7978845608028654 * (y + 0.044715 * y**3))))

    def sampling(self, book, sheet) -> None:
        logits = np.array([1.5, 2.25, -1.0, 7.0, 2.25, 0.5, 7.0, -3.0, 2.25])
        array(sheet, "(vocab.id+1)*0+E1:E9", 0, 0, V, 1)
        fill(sheet, 0, 4, logits[:, None])
        self.expect("Next token", 0, 0, logits[:, None])
        book.define_name("logits", "='Next token'!$A$1:$A$9")
        tab, top = "Next token", np.sort(logits)[::-1]
        for k in range(5):
            sheet.write_formula(k, 1, f"=LARGE(logits,{k + 1})", None, WRONG)
            one = f"SMALL(IF(logits=B{k + 1},vocab.id),COUNTIF(B$1:B{k + 1},B{k + 1}))"
            array(sheet, one, k, 2, 1, 1)
            sheet.write_formula(k, 3, f"=INDEX(vocab.text,C{k + 1}+1)", None, "wrong")
        ids = [3, 6, 1, 4, 8]
        self.expect(tab, 0, 1, top[:5, None])
        self.expect(tab, 0, 2, np.array(ids)[:, None])
        self.expect(tab, 0, 3, np.array([self.vocab[i] for i in ids], object)[:, None])
        odd = {
            "MATCH(MAX(logits),logits,0)-1": 3.0,
            '"next: "&D1': "next: 3",
            "B1>B2": False,
            "B1=B2": True,
            "IF(B1>B3,D1,0)": "3",
            "1/(B1-B2)": CellError("#DIV/0!"),
            "Z99": 0.0,
            "Z99+1": 1.0,
            "ROW(A12)+COLUMN(C1)+ROWS(logits)+COLUMNS(logits)": 25.0,
            "SUM(B:B)": float(top[:5].sum()),
            "LEN(D1)+0": 1.0,
            "-B1^2": 49.0,
            "SUMPRODUCT(logits,vocab.id)": float(logits @ np.arange(V)),
            "_xlfn.VAR.P(logits)": float(logits.var()),
        }
        for k, (formula, value) in enumerate(odd.items()):
            sheet.write_formula(k, 6, f"={formula}", None, WRONG)
            self.want[tab, k, 6] = value


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, Path]:
    toy, path = Toy(), tmp_path_factory.mktemp("toy") / "toy.xlsx"
    toy.write(path)
    return toy, path


@pytest.fixture(scope="module")
def recalculated(engine: Engine, toy: tuple[Toy, Path]) -> Values:
    return engine.recalculate(toy[1])


def faults(toy: Toy, got: Values) -> list[str]:
    rows = []
    for (tab, r, c), want in toy.want.items():
        have = got[tab].get((r, c))
        same = have == want and type(have) is type(want)
        if isinstance(want, float | int) and not isinstance(want, bool) and type(have) is float:
            same = abs(have - want) <= 1e-12 * max(1.0, abs(want))
        if not same:
            rows.append(f"{tab}!R{r + 1}C{c + 1}: got {have!r}, wanted {want!r}")
    return rows


def test_caches_are_wrong(toy: tuple[Toy, Path]) -> None:
    """Without recalculation nothing agrees, so agreement below is the engine's own work."""
    book = read(toy[1])
    got = {tab: dict(sheet.values) for tab, sheet in book.sheets.items()}
    assert len(faults(toy[0], got)) == len(toy[0].want)


def test_agrees_with_numpy(recalculated: Values, toy: tuple[Toy, Path]) -> None:
    assert faults(toy[0], recalculated) == []


def test_answers_for_exactly_the_formula_cells(recalculated: Values, toy: tuple[Toy, Path]) -> None:
    wanted = {tab: set(sheet.formula_cells()) for tab, sheet in read(toy[1]).sheets.items()}
    assert {tab: set(cells) for tab, cells in recalculated.items()} == {
        t: cells for t, cells in wanted.items() if cells
    }


def test_unknown_function_is_an_error(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_formula(0, 0, "=NOSUCH(1)", None, WRONG)
        sheet.write_formula(0, 1, "=A1+1", None, WRONG)
    got = engine.recalculate(path)["Sheet1"]
    assert got[0, 0] == CellError("#NAME?")
    assert isinstance(got[0, 1], CellError)


def test_circle_is_no_number(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_formula(0, 0, "=B1+1", None, WRONG)
        sheet.write_formula(0, 1, "=A1+1", None, WRONG)
    if engine.name == "formulas":
        with pytest.raises(EngineError, match="circle near Sheet1!A1"):
            engine.recalculate(path)
    else:
        got = engine.recalculate(path)["Sheet1"]
        assert all(isinstance(value, CellError) for value in got.values())


def test_no_formulas(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_number(0, 0, 1)
    assert engine.recalculate(path) == {}


def test_input_is_untouched(engine: Engine, toy: tuple[Toy, Path]) -> None:
    before = toy[1].read_bytes(), sorted(toy[1].parent.iterdir())
    engine.recalculate(toy[1])
    assert (toy[1].read_bytes(), sorted(toy[1].parent.iterdir())) == before


def descendants() -> set[str]:
    """Processes of this machine that work in one of our temporary folders."""
    if not Path("/proc").is_dir():
        return set()
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            target = os.readlink(entry)
        except OSError:
            continue
        if "sheetgpt-test-" in target:
            found.add(f"{entry.parent.name} {target}")
    return found


@pytest.mark.parametrize("timeout", [0.01, 0.1])
def test_timeout_leaves_nothing_behind(
    engine: Engine, toy: tuple[Toy, Path], timeout: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "sheetgpt-test-home"
    home.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home))
    began = time.monotonic()
    with pytest.raises(EngineError, match="ran out of time"):
        engine.recalculate(toy[1], timeout=timeout)
    assert time.monotonic() - began < 10
    assert descendants() == set()
    assert list(home.iterdir()) == []


def test_memory_limit(engine: Engine, toy: tuple[Toy, Path]) -> None:
    with pytest.raises(EngineError) as caught:
        engine.recalculate(toy[1], memory=40 << 20)
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_workbook(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(WorkbookError, match="CSV"):
        engine.recalculate(path)


def test_unknown_engine_lists_the_known() -> None:
    with pytest.raises(SheetGPTError, match="ironcalc, libreoffice, formulas"):
        get("excel")


@pytest.mark.parametrize("name", list(ENGINES))
def test_missing_engine_says_how(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(type(ENGINES[name]), "version", lambda self: None)
    with pytest.raises(EngineMissingError, match="install"):
        get(name)
    with pytest.raises(EngineMissingError, match="install"):
        ENGINES[name].recalculate(tmp_path / "any.xlsx")


def test_soffice_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHEETGPT_SOFFICE", str(tmp_path / "nothing"))
    assert ENGINES["libreoffice"].version() is None


def test_worker_says_one_line(tmp_path: Path, toy: tuple[Toy, Path]) -> None:
    stripped, job = tmp_path / "book.xlsx", tmp_path / "job.json"
    strip_caches(toy[1], stripped)
    job.write_text(json.dumps({"no such tab": [[0, 0, 0, 0]]}))
    root = Path(__file__).parents[1]
    words = [sys.executable, "-m", "sheetgpt.engines.worker", "formulas", stripped, job, tmp_path / "out"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


# ---- workbooks that are not only tabs of cells -----------------------------------------------------------


def odd_workbook(path: Path, what: str) -> Path:
    with xlsxwriter.Workbook(path) as book:
        if what == "a chart sheet":
            chart = book.add_chart({"type": "line"})
            chart.add_series({"values": "=one!$A$1:$A$3"})
            book.add_chartsheet("chart").set_chart(chart)
        names = {"tabs that are called as ours": ["computed 0", "computed 1"]}.get(what, ["one", "two"])
        for number, name in enumerate(names):
            sheet = book.add_worksheet(name)
            sheet.write_formula(0, 0, f"={number}+40", None, WRONG)
            sheet.write_array_formula(1, 0, 40, 3, f"{{=ROW(A2:D41)*{number + 1}+COLUMN(A2:D41)}}", None, WRONG)
            if what == "a protected sheet":
                sheet.protect()
            if what == "a hidden sheet" and number:
                sheet.hide()
    return path


@pytest.mark.parametrize(
    "what", ["a chart sheet", "a protected sheet", "a hidden sheet", "tabs that are called as ours"]
)
def test_odd_workbooks(engine: Engine, what: str, tmp_path: Path) -> None:
    values = engine.recalculate(odd_workbook(tmp_path / "odd.xlsx", what))
    assert len(values) == 2
    for number, grid in enumerate(values.values()):
        wanted = [[(r + 1) * (number + 1) + c + 1 for c in range(4)] for r in range(1, 41)]
        assert grid[0, 0] == number + 40
        assert grid.numbers((1, 0, 40, 3)).tolist() == wanted


def bomb(path: Path, formula: str) -> Path:
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_formula(0, 0, formula)
    return path


def test_a_formula_that_computes_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ENGINES["ironcalc"], "allowance", Allowance(1, 0, 700 << 20, 0))
    with pytest.raises(EngineError, match="ironcalc ran out of time: 1 s of computing"):
        get("ironcalc").recalculate(bomb(tmp_path / "book.xlsx", "=SUM(FACT(ROW(A1:A99)*1E9))+FACT(1E12)"))


def test_a_formula_that_needs_the_whole_grid(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"ironcalc (failed|ran out)"):
        get("ironcalc").recalculate(bomb(tmp_path / "book.xlsx", "=SUMPRODUCT(B:XFD*B:XFD)"))


def test_what_an_engine_may_use_grows_with_the_file(tmp_path: Path) -> None:
    path = bomb(tmp_path / "book.xlsx", "=1")
    small = Allowance(5, 1, 100, 10).of(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("more", b" " * (8 << 20))
    large = Allowance(5, 1, 100, 10).of(path)
    assert large[0] - small[0] == pytest.approx(8)
    assert 79 <= large[1] - small[1] <= 81


def test_ironcalc_says_nothing_on_standard_output(tiny_book: Built, capfd: pytest.CaptureFixture[str]) -> None:
    """It would name each cell without a value: a JSON report of `mutate` could not be read."""
    Session(tiny_book.path)
    print("heard")
    assert capfd.readouterr().out == "heard\n"
