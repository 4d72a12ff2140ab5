"""What somebody would try who wants a wrong workbook to pass, or a right one to fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import orjson
import pytest
from openpyxl.workbook.defined_name import DefinedName

from sheetgpt.build import Built, Form, Room, build
from sheetgpt.check.faults import FaultKind
from sheetgpt.check.reports import to_json, to_text
from sheetgpt.check.result import Report
from sheetgpt.check.verify import verify
from sheetgpt.engines import ENGINES
from sheetgpt.engines.base import run
from sheetgpt.engines.libreoffice import find
from sheetgpt.errors import OutputError, WeightError, WorkbookError
from sheetgpt.models.stored import CsvFile
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.sheet.parameters import first_fact
from sheetgpt.sheet.xlsx import whole_file
from tests.conftest import CORE
from tests.mutants import replace_cell
from tests.test_cli import refused
from tests.test_cli import run as sheetgpt

Edit = Callable[[str], str]


def edited(built: Built, target: Path, **edits: Edit) -> Path:
    """A copy with parts changed; the key is the part's file name without `.xml`, `_rels` for `.xml.rels`."""
    todo = set(edits)
    with zipfile.ZipFile(built.path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data, key = old.read(name), Path(name).name.replace(".xml.rels", "_rels").removesuffix(".xml")
            if key in edits:
                changed = edits[key](data.decode()).encode()
                assert changed != data, f"{key} is not changed"
                data = changed
                todo.discard(key)
            new.writestr(name, data)
    assert not todo
    return target


def sheet(built: Built, tab: str) -> str:
    return f"sheet{[t.name for t in built.blueprint.layout.tabs].index(tab) + 1}"


@pytest.fixture(scope="module")
def book(tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tiny, "the cat sat", tmp_path_factory.mktemp("adversary") / "book.xlsx", Room(fixed=True), form=CORE)


@pytest.fixture
def check(tiny: Weights, tmp_path: Path, book: Built) -> Callable[..., Report]:
    def run_check(**edits: Edit) -> Report:
        return verify(edited(book, tmp_path / "edited.xlsx", **edits), "ironcalc", str(tiny.folder))

    return run_check


# ---- what must not pass ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "the cat sat on", "the cat", "the cat sat " * 40, ""])
def test_a_prompt_whose_ids_are_others(text: str, check: Callable[..., Report], book: Built) -> None:
    def edit(xml: str) -> str:
        return replace_cell(xml, "B15", f' t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')

    report = check(**{sheet(book, "Prompt"): edit})
    assert report.exit_code == 1
    assert {f.kind for f in report.faults} >= {FaultKind.INPUT}
    assert report.faults[0].tab in ("Prompt", "Tokens")


@pytest.mark.parametrize("column", ["I", "J"])
def test_a_forged_sha256(column: str, check: Callable[..., Report], book: Built) -> None:
    cell = f"{column}{first_fact(book.blueprint) + 1}"

    def edit(xml: str) -> str:
        return replace_cell(xml, cell, f' t="inlineStr"><is><t>{"0" * 64}</t></is></c>')

    report = check(**{sheet(book, "Parameters"): edit})
    assert report.exit_code == 1
    assert any(f.tab == "Parameters" and f.cell == cell for f in report.faults)


@pytest.mark.parametrize("setting", ['fullPrecision="0"', 'iterate="1"', 'fullPrecision=" false "', 'iterate="on"'])
def test_settings_under_which_a_spreadsheet_computes_otherwise(setting: str, check: Callable[..., Report]) -> None:
    report = check(workbook=lambda xml: xml.replace("<calcPr ", f"<calcPr {setting} "))
    assert [f.kind for f in report.faults] == [FaultKind.SETTING]


@pytest.mark.parametrize(
    ("part", "old", "new", "says"),
    [
        ("workbook", "</sheets>", "</sheets><extLst><ext><definedName name='x.y'>1</definedName></ext></extLst>", ""),
        ("workbook", "<calcPr ", '<calcPr calcMode="auto" ', ""),
        ("workbook", "<calcPr ", '<calcPr calcMode="manual" ', "calcMode=manual"),
        ("workbook", '<sheet name="Logits"', '<sheet state="veryHidden" name="Logits"', "1 tab that is hidden: Logits"),
        (
            "workbook",
            "<definedNames>",
            '<definedNames><definedName name="x.y">1</definedName>',
            "1 defined name that",
        ),
        (
            "workbook",
            "</definedNames>",
            '<definedName name="a.b" localSheetId="1">1</definedName></definedNames>',
            "a.b",
        ),
    ],
)
def test_what_the_plan_does_not_know_is_told(
    part: str, old: str, new: str, says: str, check: Callable[..., Report]
) -> None:
    report = check(**{part: lambda xml: xml.replace(old, new, 1)})
    assert report.faults == []
    assert report.exit_code == (4 if says else 0)
    assert says in " ".join(report.unchecked)


_FAR = "h0 mlp!B900 holds =[1]Sheet1!A1+FOO(2)+_xlfn.XLOOKUP(1,A1:A2,A1:A2)"
STRANGE = [
    'Secret!C1 holds =WEBSERVICE("http://x.invalid"), and 1 more cell: better no WEBSERVICE: it reaches outside',
    f"{_FAR}: better no FOO: not every spreadsheet program has it",
    f"{_FAR}: better no XLOOKUP: not every spreadsheet program has it",
    f"{_FAR}: better nothing from other files",
    "the name slides is Prompt!A1: better an absolute reference",
    "the name today is NOW(): better no NOW: it is computed anew each time",
]


def test_formulas_that_the_plan_does_not_know_are_told_by_what_they_do(tmp_path: Path, book: Built) -> None:
    """A line for each tab and reason; those of the plan are faults already and are not told twice."""
    file = openpyxl.load_workbook(book.path)
    secret = file.create_sheet("Secret")
    secret.sheet_state = "veryHidden"
    secret["C1"] = secret["C2"] = '=WEBSERVICE("http://x.invalid")'
    secret["C3"] = "=SUM(C1:C2)"
    file["h0 mlp"]["B900"] = "=[1]Sheet1!A1+FOO(2)+_xlfn.XLOOKUP(1,A1:A2,A1:A2)"
    box = book.blueprint.layout.ranges["h0.ln_1.mean"]
    file["h0 ln_1"].cell(box.row + 1, box.col + 1).value = "=NOW()"
    for name, ref in (("slides", "Prompt!A1"), ("today", "NOW()"), ("fixed", "Prompt!$A$1")):
        file.defined_names[name] = DefinedName(name, attr_text=ref)
    file.save(tmp_path / "strange.xlsx")
    report = verify(tmp_path / "strange.xlsx", "cached")
    told = [line for line in report.unchecked if ": better " in line]
    assert sorted(line[: len(wanted)] for line, wanted in zip(sorted(told), STRANGE, strict=True)) == STRANGE
    assert any(fault.found == "=NOW()" for fault in report.faults)


def test_a_workbook_full_of_strange_functions_gives_no_endless_report(tmp_path: Path, book: Built) -> None:
    file = openpyxl.load_workbook(book.path)
    for row in range(900, 1_000):
        file["h0 mlp"][f"B{row}"] = f"=FOO{row}.X(1)"
    file.save(tmp_path / "strange.xlsx")
    told = [
        line for line in verify(tmp_path / "strange.xlsx", "cached").unchecked if "better" in line or "remark" in line
    ]
    assert (len(told), told[-1]) == (41, "60 more remarks of this sort on formulas and names")


@pytest.mark.parametrize(
    ("part", "says"),
    [("xl/vbaProject.bin", "the file has macros"), ("xl/externalLinks/externalLink1.xml", "other files")],
)
def test_macros_and_links_are_told_apart(part: str, says: str, tmp_path: Path, book: Built) -> None:
    (tmp_path / "part.xlsx").write_bytes(book.path.read_bytes())
    with zipfile.ZipFile(tmp_path / "part.xlsx", "a") as file:
        file.writestr(part, b"<x/>")
    [line] = [line for line in verify(tmp_path / "part.xlsx", "cached").unchecked if "which sheetgpt never" in line]
    assert says in line


def test_a_name_where_only_a_careless_reader_finds_it(check: Callable[..., Report]) -> None:
    def move(xml: str) -> str:
        name = re.search(r'<definedName name="h0.mlp.pre">.*?</definedName>', xml)
        assert name is not None
        return xml.replace(name[0], "").replace("</workbook>", f"<extLst><ext>{name[0]}</ext></extLst></workbook>")

    report = check(workbook=move)
    assert (FaultKind.NAME, "h0.mlp.pre") in {(f.kind, f.place) for f in report.faults}


def test_settings_where_only_some_programs_find_them(check: Callable[..., Report]) -> None:
    hidden = "<m:AlternateContent xmlns:m='urn:m'><m:Choice><calcPr fullPrecision='0'/></m:Choice></m:AlternateContent>"
    report = check(workbook=lambda xml: xml.replace("</workbook>", hidden + "</workbook>"))
    assert [f.kind for f in report.faults] == [FaultKind.SETTING]


@pytest.mark.parametrize("tag", ["definedNames", "sheets"])
def test_a_part_in_a_language_of_its_own(tag: str, tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        return xml.replace(f"<{tag}>", f'<z:{tag} xmlns:z="urn:z">').replace(f"</{tag}>", f"</z:{tag}>")

    with pytest.raises(WorkbookError, match=r"language of its own|no cell sheetgpt\.card"):
        verify(edited(book, tmp_path / "edited.xlsx", workbook=edit))


def test_cells_that_only_some_programs_read(tmp_path: Path, book: Built) -> None:
    row = '<row r="900"><c r="A900"><v>1</v></c></row>'
    hidden = f'<m:AlternateContent xmlns:m="urn:m"><m:Fallback>{row}</m:Fallback></m:AlternateContent></sheetData>'
    edit = {sheet(book, "Prompt"): lambda xml: xml.replace("</sheetData>", hidden)}
    with pytest.raises(WorkbookError, match="not every program reads"):
        verify(edited(book, tmp_path / "edited.xlsx", **edit))


def test_a_card_that_names_another_model(check: Callable[..., Report]) -> None:
    def edit(xml: str) -> str:
        return (
            re.sub(r'("model": "|&quot;model&quot;: &quot;)tiny', r"\g<1>gpt2-xl", xml)
            .replace("GPT-2 in a spreadsheet: tiny", "GPT-2 in a spreadsheet: gpt2-xl")
            .replace("<t>tiny</t>", "<t>gpt2-xl</t>")
        )  # in the Glossary

    report = check(sharedStrings=edit)
    assert report.exit_code == 4
    assert "the card names 'gpt2-xl'" in " ".join(report.unchecked)


def test_blank_text_for_a_cached_number(check: Callable[..., Report], book: Built) -> None:
    def edit(xml: str) -> str:
        changed, n = re.subn(
            r'<c r="B15"( s="\d+")?><f>([^<]*)</f><v>[^<]*</v>', r'<c r="B15" t="str"><f>\2</f><v></v>', xml
        )
        assert n == 1
        return changed

    report = check(**{sheet(book, "h0 ln_1"): edit})
    assert [(f.kind, f.place) for f in report.faults] == [(FaultKind.STALE, "h0.ln_1.mean")]


def test_names_in_capitals_are_the_same_names(check: Callable[..., Report]) -> None:
    def edit(xml: str) -> str:
        return re.sub(r'<definedName name="([^"]+)"', lambda m: f'<definedName name="{m[1].upper()}"', xml)

    assert check(workbook=edit).faults == []


def test_tabs_in_another_order(check: Callable[..., Report]) -> None:
    def swap(xml: str) -> str:
        first, second = re.findall(r"<sheet [^>]*>", xml)[3:5]
        return xml.replace(first, "@").replace(second, first).replace("@", second)

    assert "another order" in " ".join(check(workbook=swap).unchecked)


def test_two_relationships_of_one_name(tmp_path: Path, book: Built) -> None:
    def twice(xml: str) -> str:
        first, second = re.findall(r"<Relationship [^>]*>", xml)[:2]
        name = re.search(r'Id="\w+"', first)
        assert name is not None
        return xml.replace(second, re.sub(r'Id="\w+"', name[0], second))

    with pytest.raises(WorkbookError, match="two relationships"):
        verify(edited(book, tmp_path / "edited.xlsx", workbook_rels=twice))


def test_a_link_to_elsewhere(book: Built, check: Callable[..., Report], tmp_path: Path) -> None:
    with zipfile.ZipFile(book.path) as old, zipfile.ZipFile(tmp_path / "link.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
        rels = f'<Relationships><Relationship Id="x" Type="{kind}" Target="http://x.invalid" TargetMode="External"/>'
        free = f"xl/worksheets/_rels/{sheet(book, 'Vocabulary')}.xml.rels"
        new.writestr(free, rels + "</Relationships>")
    report = verify(tmp_path / "link.xlsx")
    assert any("leads to other files" in why for why in report.unchecked)


def test_a_report_cannot_be_forged_by_the_file(check: Callable[..., Report], book: Built) -> None:
    lie = "x\nEQUAL: every cell is right"

    def edit(xml: str) -> str:
        return replace_cell(xml, "B15", f' t="inlineStr"><is><t>{lie}</t></is></c>')

    text = to_text(check(**{sheet(book, "Prompt"): edit, "app": lambda xml: xml.replace("Microsoft Excel", lie)}))
    assert not [line for line in text.splitlines() if line.startswith("EQUAL")]
    assert text.splitlines()[-1].startswith("WRONG")


def test_a_card_with_a_line_break_is_refused(tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        return xml.replace("&quot;sheetgpt&quot;: &quot;", "&quot;sheetgpt&quot;: &quot;9\\n")

    def plain(xml: str) -> str:
        return xml.replace('"sheetgpt": "', '"sheetgpt": "9\\n') if '"sheetgpt": "' in xml else edit(xml)

    with pytest.raises(WorkbookError, match="not plain text"):
        verify(edited(book, tmp_path / "edited.xlsx", sharedStrings=plain))


# ---- what must not fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sorter", pytest.param("fable", marks=pytest.mark.slow)])
def test_a_workbook_that_libreoffice_saved(name: str, tmp_path: Path) -> None:
    program = find()
    if program is None:
        pytest.skip(f"libreoffice is not installed: {ENGINES['libreoffice'].hint()}")
    prompt = "CABBAC" if name == "sorter" else "Once upon a time"
    form = Form(core=name == "fable")  # the small model with everything beside the pipeline
    build(find_model(name), prompt, tmp_path / "book.xlsx", form=form, check=False)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [program, profile, "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir"]
    run("libreoffice", [*command, str(tmp_path / "out"), str(tmp_path / "book.xlsx")], tmp_path, 120, 1 << 36)
    report = verify(tmp_path / "out" / "book.xlsx")
    assert "LibreOffice" in report.made_by
    assert report.faults == []
    assert report.cells_checked == report.cells_present


def test_a_workbook_that_openpyxl_saved(tmp_path: Path, book: Built, tiny: Weights) -> None:
    openpyxl.load_workbook(book.path).save(tmp_path / "saved.xlsx")
    report = verify(tmp_path / "saved.xlsx", "ironcalc", str(tiny.folder))
    assert (report.faults, report.exit_code) == ([], 0)


# ---- one clear answer -----------------------------------------------------------------------------------


def test_text_for_a_weight_without_a_source(tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        return replace_cell(xml, "B7", ' t="inlineStr"><is><t>0.5</t></is></c>')

    report = verify(edited(book, tmp_path / "edited.xlsx", **{sheet(book, "wte"): edit}))
    assert report.exit_code == 1
    assert {f.place for f in report.faults if f.kind is FaultKind.WEIGHT} == {"wte"}
    data = orjson.loads(to_json(report))  # strict JSON, though some gap is infinite
    assert json.dumps(data)


def test_an_id_that_is_no_row(check: Callable[..., Report], tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        return replace_cell(xml, "F15", "><v>99999</v></c>")

    report = check(**{sheet(book, "Tokens"): edit})
    assert report.first_fault is not None
    assert (report.first_fault.kind, report.first_fault.place) == (FaultKind.INPUT, "prompt.ids")
    alone = verify(tmp_path / "edited.xlsx")  # without a source: the ids are taken as they are
    assert alone.exit_code in (1, 4)


def test_a_formula_that_is_none(check: Callable[..., Report], book: Built) -> None:
    report = check(**{sheet(book, "Prompt"): lambda xml: xml.replace("<f>next.text</f>", '<f>"next</f>')})
    assert report.first_fault is not None
    assert (report.first_fault.kind, report.first_fault.place) == (FaultKind.FORMULA, "prompt.next")


def test_a_model_of_the_same_name_with_other_weights(tmp_path: Path) -> None:
    theirs = Path(shutil.copytree(find_model("sorter").folder, tmp_path / "theirs"))
    text = (theirs / "model_wpe.csv").read_text()
    (theirs / "model_wpe.csv").write_text(re.sub(r"^[^,]+", "0.5", text, count=1))
    built = build(Weights.open(theirs), "CAB", tmp_path / "book.xlsx", form=CORE, check=False)
    report = verify(built.path)
    assert (report.faults, report.exit_code) == ([], 4)
    assert "other weights" in report.unchecked[-1]
    assert verify(built.path, "ironcalc", str(theirs)).exit_code == 0
    result = sheetgpt("build", "CAB", "--model", theirs, "-o", built.path, "--core", "--no-check")
    assert f"verify {built.path} --model {theirs}" in result.output


@pytest.mark.parametrize(
    "change",
    [{"n_ctx": 1_048_576}, {"n_vocab": 1_000_000}, {"n_layer": 512}, {"n_embd": 16384, "n_head": 1}],
    ids=str,
)
def test_a_card_that_asks_for_the_moon(change: dict[str, int], tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        for key, value in change.items():
            xml = re.sub(rf'("{key}": |&quot;{key}&quot;: )\d+', rf"\g<1>{value}", xml)
        return xml

    with pytest.raises(WorkbookError, match=r"the file has|too many|does not fit"):
        verify(edited(book, tmp_path / "edited.xlsx", sharedStrings=edit))


def test_an_array_formula_over_the_whole_sheet(tmp_path: Path, book: Built) -> None:
    def edit(xml: str) -> str:
        cell = '<row r="900"><c r="A900"><f t="array" ref="A900:Z60000">1</f></c></row></sheetData>'
        return xml.replace("</sheetData>", cell)

    with pytest.raises(WorkbookError, match="formulas compute"):
        verify(edited(book, tmp_path / "edited.xlsx", **{sheet(book, "Prompt"): edit}))


# ---- where to write, what to read ------------------------------------------------------------------------


def test_only_a_file_is_replaced(tmp_path: Path) -> None:
    fifo, link, real = tmp_path / "pipe.xlsx", tmp_path / "link.xlsx", tmp_path / "real.xlsx"
    os.mkfifo(fifo)
    link.symlink_to(real)
    with pytest.raises(OutputError, match="not a file"), whole_file(fifo):
        pass
    with whole_file(link) as temporary:
        temporary.write_text("new")
    assert (link.is_symlink(), real.read_text()) == (True, "new")
    for name in ("book", "book.txt", "x" * 300 + ".xlsx", "nul\0.xlsx"):
        with pytest.raises(OutputError), whole_file(tmp_path / name):
            pass


def test_outputs_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").write_text("")
    refused(sheetgpt("build", "CAB", "--model", "sorter"), 2, "cannot make the folder")


@pytest.mark.parametrize("name", ["", "a/b", "..\\x", "x\ny", "\x1b[31m", "n" * 61, 5, None, "nul\0"])
def test_names_that_a_model_may_not_have(name: object, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(find_model("sorter").folder, tmp_path / "model"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"name": name}))
    with pytest.raises(WeightError, match="not plain text"):
        Weights.open(folder)


@pytest.mark.parametrize("file", ["manifest.json", "vocab.bpe"])
def test_a_pipe_in_place_of_a_file(file: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(find_model("sorter").folder, tmp_path / "model"))
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(WeightError, match="not a file"):
        Weights.open(folder).tokenizer()


def test_csv_of_other_hands(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbf1,-0,1e-3\r\n 2 ,.5,1.\r\n")
    assert next(CsvFile(path, (2, 3)).rows()).tolist() == [[1, 0, 0.001], [2, 0.5, 1]]
    path.write_bytes(b"1_000,2\n")
    with pytest.raises(WeightError, match="'1_000', not a finite number"):
        next(CsvFile(path, (1, 2)).rows())
    path.write_bytes(b",".join([b"0." + b"3" * 40] * 3) + b"\n")
    assert next(CsvFile(path, (1, 3)).rows())[0, 0] == pytest.approx(1 / 3)


def test_a_card_that_plans_more_than_the_file_can_hold(live_book: Built, tmp_path: Path) -> None:
    """Ladders of 300 bytes a word would be some ten million cells."""

    def edit(xml: str) -> str:
        return re.sub(r'"n_bytes": \d+', '"n_bytes": 300', xml)

    with pytest.raises(WorkbookError, match="its card plans"):
        verify(edited(live_book, tmp_path / "forged.xlsx", sharedStrings=edit), "cached")
