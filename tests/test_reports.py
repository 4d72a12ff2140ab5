"""Every form of a report: what it says (golden texts), and that it is what its format demands (schemas of others)."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from math import inf, isfinite
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import jsonschema
import orjson
import pytest
import xmlschema
from click.testing import CliRunner, Result
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sheetgpt import __version__
from sheetgpt.build import Built
from sheetgpt.check.faults import Fault, FaultKind, Precedent
from sheetgpt.check.reports import render
from sheetgpt.check.reports.html_ import STYLE
from sheetgpt.check.reports.markdown import code
from sheetgpt.check.reports.sarif import rule_id
from sheetgpt.check.reports.words import HEAT_LIMITS, HOTTEST, heat, verdict
from sheetgpt.check.result import CACHED, Knob, Law, Report, Row
from sheetgpt.check.verify import verify
from sheetgpt.cli import main
from sheetgpt.cli.verify import FORMS
from sheetgpt.errors import visible
from sheetgpt.models.weights import Weights
from tests.mutants import MUTANTS, make

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
OURS = json.loads((HERE.parent / "docs/schemas/verify-3.schema.json").read_text())
SARIF = json.loads((HERE / "schemas/sarif-schema-2.1.0.json").read_text())
JUNIT = xmlschema.XMLSchema(HERE / "schemas/junit-10.xsd")
ALL = sorted(FORMS.values())


def row(name: str, tab: str, gap: float, status: str = "ok", total: float | None = None) -> Row:
    total = gap if total is None else total
    return Row(name, tab, "matmul", 12, gap, total, "B7", status, "B7" if total > 1e-9 else "")


ROWS = [
    row("wte", "wte", 0.0),
    row("h0.attn.head0.scores", "h0 attention", 2.2e-16),
    row("h0.attn.head0.z", "h0 attention", 0.25, FaultKind.FORMULA.value),
    row("logits", "Logits", 4.4e-16, "follows", 0.5),
    row("next.text", "Next token", inf, FaultKind.VALUE.value),
]
FORMULA = Fault(
    FaultKind.FORMULA,
    "h0.attn.head0.z",
    "h0 attention",
    "B7",
    "=MMULT(h0.attn.head0.pattern,h0.attn.head1.v)",
    "=MMULT(h0.attn.head0.pattern,h0.attn.head0.v)",
    token="the",
    formula="MMULT(h0.attn.head0.pattern,h0.attn.head0.v)",
    more=11,
    feature=0,
    block=0,
    head=0,
    precedents=(
        Precedent("h0.attn.head0.pattern", "h0 attention!B2:D2", "1.0, 0.0, 0.0"),
        Precedent("h0.attn.head1.v", "h0 attention!F2:F4", "0.5, 0.25, 0.125"),
    ),
    cause="the values of another head are mixed",
)
VALUE = FORMULA._replace(
    kind=FaultKind.VALUE, found="0.5", wanted="0.25", gap=0.25, absolute=0.25, relative=1.0, ulp=4.5e15, precedents=()
)
FAULTS = [
    Fault(FaultKind.SETTING, "", "the workbook", "", "1904 dates", "not set"),
    FORMULA,
    VALUE,
    Fault(FaultKind.TEXT, "", "Logits", "A1", "'x'", "'logits'"),
    Fault(FaultKind.VALUE, "next.text", "Next token", "B7", "#N/A", "'cat'", gap=inf),
    Fault(FaultKind.STALE, "logits", "Logits", "B7", "0.875", "0.5", gap=0.375),
]
KNOBS = [
    Knob("h0.attn.head0.on", "Surgery", "B17", 0.0, 1.0),
    Knob("embed.pos.on[1,0]", "Surgery", "B32", None, 1.0),
]
LAWS = [
    Law("rows sum to 1", "h0.attn.head0.pattern", "h0 attention", "B7", 2.2e-16, "ok"),
    Law("causality", "logits", "Logits", "B8", inf, "broken", "token 3 changed, row 1 moved: found #N/A, wanted 0.5"),
    Law("softmax: a constant added to the scores changes nothing", "", "", "", 0.0, "not tried: no such places"),
]


def of(rows: list[Row], **more: Any) -> Report:
    by_hand = ("sheetgpt 0.1.0; the file names no program", "tiny", "'the cat'", 2, "ironcalc", "0.9.1", "tiny's files")
    return Report("books/a book.xlsx", *by_hand, rows, cells_present=61, cells_checked=61, **more)


BY_HAND = {
    "equal": of([row("wte", "wte", 0.0), row("logits", "Logits", 2.2e-16)]),
    "unproven": replace(of(ROWS[:2]), engine=CACHED, engine_version="", unchecked=["24 formula cells: no engine ran"]),
    "faulty": of(ROWS, faults=FAULTS, knobs=KNOBS, laws=LAWS),
    "law": of(ROWS[:2], laws=LAWS),
}


@pytest.fixture(scope="module")
def reports(tiny_book: Built, tiny: Weights, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """By hand, and of real runs: an untouched file, one that is cached alone, faults of all sorts."""
    folder = tmp_path_factory.mktemp("mutants")
    out = BY_HAND | {"untouched": verify(tiny_book.path, "ironcalc", str(tiny.folder))}
    out["cached"] = verify(tiny_book.path, "cached", str(tiny.folder))
    for mutant in (MUTANTS[2], MUTANTS[5], MUTANTS[21], MUTANTS[-2]):  # a text for a weight: its gap is infinite
        make(mutant, tiny_book.blueprint, tiny_book.path, folder / "mutant.xlsx")
        out[mutant.name] = verify(folder / "mutant.xlsx", "ironcalc", str(tiny.folder))
    assert {report.exit_code for report in out.values()} == {0, 1, 4}
    return out


# ---- what they say


@pytest.mark.parametrize("form", ALL)
def test_a_faulty_report_is_the_golden_text(form: str, request: pytest.FixtureRequest) -> None:
    told = render(BY_HAND["faulty"], form).replace(STYLE.read_text(), "").replace(f'"{__version__}"', '"VERSION"')
    golden = GOLDEN / f"report.{next(ending for ending in FORMS if FORMS[ending] == form)[1:]}"
    if request.config.getoption("--update-golden"):
        golden.write_text(told)
    assert told == golden.read_text()


@pytest.mark.parametrize("form", ALL)
def test_the_same_report_gives_the_same_bytes(form: str, reports: dict[str, Report]) -> None:
    for report in reports.values():
        assert render(report, form) == render(replace(report), form)
        assert render(report, form).endswith("\n")


def test_text_fits_120_columns(reports: dict[str, Report]) -> None:
    long = replace(BY_HAND["faulty"], faults=[FORMULA._replace(found="=" + "1+" * 250, cause="why " * 90)])
    for report in [*reports.values(), long]:
        assert max(map(len, render(report, "text", places=True).splitlines())) <= 120


def test_text_tells_first_who_wrote_who_computed_and_who_disagrees() -> None:
    lines = render(BY_HAND["faulty"], "text").splitlines()
    assert [line.split()[0] for line in lines[1:8]] == [
        *("made", "model", "values", "wanted", "knobs", "differ", "diverges"),
    ]
    assert lines[6].count(";") == 2  # file and plan, recalculation and numpy, cached value and recalculation
    assert "nothing was recalculated" in render(BY_HAND["unproven"], "text")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("equal", "EQUAL"),
        ("unproven", "NOT PROVEN"),
        ("faulty", "WRONG: 6 faults and 1 broken law"),
        ("law", "WRONG: 1"),
    ],
)
def test_the_verdict_stands_in_every_form_for_people(name: str, verdict: str) -> None:
    for form in ("text", "markdown", "html"):
        assert verdict in render(BY_HAND[name], form)


def test_a_stale_label_has_its_tab_in_the_summary() -> None:
    """A label has no place; one thing is told in the singular."""
    stale = Fault(FaultKind.STALE, "", "h0 ln_1", "A43", "'a'", "'b'")
    lines = render(of(ROWS, faults=[FORMULA._replace(more=1), stale]), "text")
    assert "also: stale cached values at 1 place, the first a label, h0 ln_1!A43" in lines
    assert "and 1 more cell\n" in lines


def test_heat_grows_with_the_gap() -> None:
    assert [heat(limit) for limit in HEAT_LIMITS] == list(range(len(HEAT_LIMITS)))
    assert [heat(limit * 1.01) for limit in HEAT_LIMITS[1:]] == list(range(2, len(HEAT_LIMITS) + 1))
    assert (heat(inf), heat(1e300)) == (HOTTEST, HOTTEST - 1)
    assert all(f".h{step} " in STYLE.read_text() for step in range(HOTTEST + 1))


# ---- JSON


def test_the_schema_is_one_and_names_every_field() -> None:
    jsonschema.Draft202012Validator.check_schema(OURS)
    assert set(OURS["properties"]) == {"schema", "exit_code", *(field.name for field in fields(Report))}
    assert OURS["required"] == list(OURS["properties"])
    for record, more in ((Row, set()), (Fault, {"between"}), (Law, set()), (Precedent, set())):
        assert set(OURS["$defs"][record.__name__.lower()]["properties"]) == {*record._fields} | more
    assert OURS["$defs"]["fault"]["properties"]["kind"]["enum"] == [kind.value for kind in FaultKind]


def test_the_documentation_names_every_field() -> None:
    documented = (HERE.parent / "docs/reports.md").read_text()
    for part in (OURS, *OURS["$defs"].values()):
        assert [name for name in part["properties"] if f"`{name}`" not in documented] == []


def test_json_keeps_its_schema(reports: dict[str, Report]) -> None:
    for report in reports.values():
        jsonschema.Draft202012Validator(OURS).validate(orjson.loads(render(report, "json")))


def test_json_holds_everything(reports: dict[str, Report]) -> None:
    """Read back into the types it came from, it is the report; only what is no number has become null."""
    for report in reports.values():
        data = json.loads(render(report, "json"))
        assert (data.pop("schema"), data.pop("exit_code")) == (3, report.exit_code)
        assert data == {field.name: nulled(getattr(report, field.name)) for field in fields(Report)}


def nulled(item: Any) -> Any:
    if isinstance(item, Fault):
        return {key: nulled(value) for key, value in item._asdict().items()} | {"between": item.kind.between}
    if isinstance(item, Row | Law | Knob | Precedent):
        return {key: nulled(value) for key, value in item._asdict().items()}
    if isinstance(item, tuple | list):
        return [nulled(value) for value in item]
    return None if isinstance(item, float) and not isfinite(item) else item


def test_a_schema_that_catches_nothing_would_be_none() -> None:
    data = json.loads(render(BY_HAND["faulty"], "json"))
    for spoil in (
        {"schema": 1},
        {"exit_code": 2},
        {"rows": [{}]},
        {"new": 1},
        {"faults": [data["faults"][0] | {"x": 1}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(OURS).validate(data | spoil)


# ---- CSV


def test_csv_has_a_line_for_each_place(reports: dict[str, Report]) -> None:
    for report in reports.values():
        head, *lines = csv.reader(io.StringIO(render(report, "csv")))
        assert tuple(head) == Row._fields
        assert [float(line[4]) for line in lines] == [row.own_gap for row in report.rows]
        assert [line[0] for line in lines] == [row.name for row in report.rows]


# ---- JUnit


def test_junit_keeps_the_schema_of_jenkins(reports: dict[str, Report]) -> None:
    for report in reports.values():
        JUNIT.validate(render(report, "junit"))


def test_junit_counts_what_stands_there(reports: dict[str, Report]) -> None:
    for report in reports.values():
        root = fromstring(render(report, "junit"))
        for part in [root, *root]:
            assert int(part.get("tests")) == len(list(part.iter("testcase")))
            assert int(part.get("failures")) == len(list(part.iter("failure")))
        cases = [case.get("name") for case in root.iter("testcase")]
        assert set(cases) >= {row.name for row in report.rows}
        assert (len(list(root.iter("failure"))) > 0) == (report.exit_code == 1)
        assert report.exit_code != 4 or len(list(root.iter("skipped"))) > 0


def test_junit_has_a_suite_for_each_tab_and_a_case_for_each_place() -> None:
    suites = {suite.get("name"): suite for suite in fromstring(render(BY_HAND["faulty"], "junit"))}
    assert list(suites) == ["the workbook", "wte", "h0 attention", "Logits", "Next token", "laws"]
    faulty = suites["h0 attention"][1]
    assert (faulty.get("name"), faulty[0].tag, faulty[0].get("type")) == (FORMULA.place, "failure", "wrong formula")
    assert FORMULA.cause in faulty[0].text
    assert "wrong value" in faulty[0].text  # the second fault of the place
    assert [case[0].tag if len(case) else "" for case in suites["laws"]] == ["", "failure", "skipped"]
    whole = [case.get("name") for case in suites["the workbook"].iter("testcase")]
    assert whole == ["the workbook", "Logits", "everything is checked"]  # a setting, a label


# ---- SARIF


def runs(report: Report) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(render(report, "sarif"))["runs"][0]
    return run


def test_sarif_keeps_the_schema_of_oasis(reports: dict[str, Report]) -> None:
    for report in reports.values():
        jsonschema.Draft4Validator(SARIF).validate(orjson.loads(render(report, "sarif")))


def test_sarif_has_a_rule_for_every_kind_and_a_result_for_every_fault(reports: dict[str, Report]) -> None:
    for report in reports.values():
        run = runs(report)
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert rules == [*map(rule_id, FaultKind), "broken-law"]
        broken = [law for law in report.laws if law.status == "broken"]
        assert [r["ruleId"] for r in run["results"]] == [rule_id(f.kind) for f in report.faults] + ["broken-law"] * len(
            broken
        )
        assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
        assert run["invocations"][0]["exitCode"] == report.exit_code
        prints = [result["partialFingerprints"]["place/v1"] for result in run["results"]]
        assert len(set(prints)) == len(prints)


def test_a_sarif_result_says_where_and_what() -> None:
    result = runs(BY_HAND["faulty"])["results"][1]
    location = result["locations"][0]
    assert location["logicalLocations"][0] == {"fullyQualifiedName": FORMULA.place, "kind": "variable"}
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "books/a%20book.xlsx"
    assert result["properties"]["precedents"] == [precedent._asdict() for precedent in FORMULA.precedents]
    assert (result["properties"]["tab"], result["properties"]["cell"]) == (FORMULA.tab, FORMULA.cell)


def test_sarif_fingerprints_outlast_other_numbers() -> None:
    def fingerprint(fault: Fault) -> str:
        return str(runs(of(ROWS, faults=[fault]))["results"][0]["partialFingerprints"])

    assert fingerprint(VALUE) == fingerprint(VALUE._replace(found="0.7", gap=0.45, more=3, cell="C9"))
    two = runs(of(ROWS, faults=[FORMULA, FORMULA._replace(cell="C9", found="=1")]))["results"]
    assert two[0]["partialFingerprints"] != two[1]["partialFingerprints"]
    assert fingerprint(VALUE) != fingerprint(FORMULA) != fingerprint(FORMULA._replace(place="h0.attn.head1.z"))


@pytest.mark.parametrize("name", ["a book.xlsx", "ä#?%20:b.xlsx", "c:d/e.xlsx", os.fsdecode(b"\xff.xlsx")])
def test_a_sarif_uri_leads_to_the_workbook(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given_path in (name, str(tmp_path / name), f"./x/../{name}"):
        uri = runs(replace(BY_HAND["faulty"], workbook=given_path))["artifacts"][0]["location"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9%/._~-]+", uri)
        assert os.fsencode(unquote(uri, errors="surrogateescape")) == os.fsencode(name)
    outside = runs(replace(BY_HAND["faulty"], workbook=f"../{name}"))["artifacts"][0]["location"]["uri"]
    assert outside.startswith("file:///")


# ---- texts of any origin

NASTY = ["<script>alert(1)</script>", "a|b", "a\\|b", "`x` ``y", "]]>", "&lt;&#96;", "\x00\x1b[2J\r\nEQUAL", "\ud800￾",
         '"\' onmouseover="x', " ", "</style><b>", "--> <!--", "**x** @you #1 http://x.y", "é漢😀"]  # fmt: skip
nasty = st.sampled_from(NASTY) | st.text(min_size=1, max_size=12)


def hostile(text: str) -> Report:
    """A report that says `text` wherever a file, a path or an engine may have put it."""
    kind, place, law = FaultKind.VALUE, "h0.mlp.out", "causality"
    fault = Fault(kind, place, text, "B7", text, text, text, text, 1.0, 1, 1, 0, None, cause=text)
    fault = fault._replace(precedents=(Precedent(text, text, text),))
    label = fault._replace(place="")
    shown = of(
        [row(place, text, 1.0, kind.value)], faults=[fault, label], laws=[Law(law, place, text, "B7", 1.0, text)]
    )
    path = "a path has neither" if set(text) & set("\0\ud800") else text
    return replace(shown, workbook=path, made_by=text, prompt=text, unchecked=[text], source=text)


class Page(HTMLParser):
    """The tags of a page, the names and values of all attributes, and the text of each element of one kind."""

    def __init__(self, page: str, kind: str = "dd") -> None:
        super().__init__()
        self.tags: list[str] = []
        self.told: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.kind, self.within = kind, False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == self.kind:
            self.told.append("")
            self.within = True

    def handle_endtag(self, tag: str) -> None:
        self.within = self.within and tag != self.kind

    def handle_data(self, data: str) -> None:
        if self.within:
            self.told[-1] += data

    def values(self, *names: str) -> list[str]:
        return [value or "" for name, value in self.attributes if name in names]


@given(nasty)
@settings(deadline=None, max_examples=40)
def test_a_text_of_any_origin_stays_text(text: str) -> None:
    report, plain = hostile(text), hostile("plain")
    told = {form: render(report, form) for form in ALL}
    assert all(each.encode() for each in told.values())
    orjson.loads(told["json"])
    jsonschema.Draft4Validator(SARIF).validate(orjson.loads(told["sarif"]))
    JUNIT.validate(told["junit"])
    assert visible(text) in [each.get("value") for each in fromstring(told["junit"]).iter("property")]
    page, like = Page(told["html"]), Page(render(plain, "html"))
    assert page.tags == like.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in like.attributes]
    assert visible(text) in page.told
    assert not [line for line in told["text"].splitlines()[1:-1] if line.startswith(("EQUAL", "WRONG"))]


@given(nasty)
@settings(deadline=None)
def test_markdown_shows_a_text_as_it_is(text: str) -> None:
    """By another hand's reading of GitHub's tables."""
    table = f"| a | b |\n|---|---|\n| {code(text)} | {code('end')} |\n\nafter"
    page = Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(table), "code")
    assert [page.tags.count(tag) for tag in ("table", "td", "p", "code")] == [1, 2, 1, 2]
    assert len(page.tags) == 12
    assert page.told == [visible(text), "end"]


def test_a_page_needs_nothing_from_elsewhere(reports: dict[str, Report]) -> None:
    for report in reports.values():
        page = Page(render(report, "html"))
        assert not {"script", "link", "img", "iframe", "form", "object", "base"} & set(page.tags)
        assert {link.partition("#")[2] for link in page.values("href", "src")} <= set(page.values("id"))
        assert all(link.startswith("#") for link in page.values("href", "src"))
        assert "url(" not in STYLE.read_text()
        assert page.tags.count("details") == len(report.faults)


def test_a_page_has_a_tile_for_each_place(reports: dict[str, Report]) -> None:
    for report in reports.values():
        page = Page(render(report, "html"))
        hints = [hint.partition(":")[0] for hint in page.values("title") if "\nown gap" in hint]
        steps = [int(found[1]) for name in page.values("class") if (found := re.match(r"tile h(\d+)", name))]
        tiles = list(zip(hints, steps, strict=True))
        assert sorted(tiles) == sorted((row.name, heat(row.own_gap)) for row in report.rows)


# ---- the command


@pytest.fixture
def run(tiny_book: Built, tiny: Weights) -> Callable[..., Result]:
    model = str(tiny.folder)
    return lambda *words: CliRunner().invoke(
        main, ["verify", str(tiny_book.path), "--model", model, *map(str, words)], catch_exceptions=False
    )


def test_files_beside_the_text_on_the_terminal(run: Callable[..., Result], tmp_path: Path) -> None:
    files = [tmp_path / f"report{ending}" for ending in FORMS]
    result = run(*(word for file in files for word in ("-o", file)))
    assert result.exit_code == 0
    assert result.output == (tmp_path / "report.txt").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(file.name for file in files)


@pytest.mark.parametrize("form", ALL)
def test_a_form_on_the_terminal_is_the_one_in_a_file(
    form: str, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheetgpt.check.found.find", lambda *_: None)
    monkeypatch.setattr("sheetgpt.check.verify.examine", lambda *_: BY_HAND["faulty"])
    file = tmp_path / f"report{next(ending for ending in FORMS if FORMS[ending] == form).upper()}"
    result = run("--format", form, "-o", file)
    assert (result.exit_code, result.output) == (1, file.read_text())


def refusals(folder: Path) -> Iterator[tuple[list[object], str]]:
    yield ["-o", folder / "report.pdf"], "does not end in one of .txt"
    yield ["-o", folder / "report"], "does not end in one of .txt"
    yield ["-o", folder / "a.md", "-o", folder / "a.md"], "each file is given once"
    yield ["-o", folder / "a.md", "-o", folder / "none" / "a.json"], "cannot write into"
    yield ["-o", folder], "does not end in"
    yield ["-o", folder / "a.md", "--engine", "nobody"], "Invalid value for '--engine'"
    yield ["-o", folder / "a.md", "--engine", "cached", "--laws"], "laws are tried by recalculating"


def test_what_cannot_be_written_is_told_before_the_work(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheetgpt.check.found.find", lambda *_: pytest.fail("verified all the same"))
    for given_words, told in refusals(tmp_path):
        result = run(*given_words)
        assert result.exit_code == 2
        assert told in result.output
        assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_old_reports_as_they_are(tiny_book: Built, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "bad.xlsx").write_text("no workbook")
    words = ["verify", str(tmp_path / "bad.xlsx"), "-o", str(tmp_path / "old.json"), "-o", str(tmp_path / "new.md")]
    assert CliRunner().invoke(main, words).exit_code == 3
    assert (tmp_path / "old.json").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.xlsx", "old.json"]


def test_laws_are_asked_for_with_a_flag(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def laws(*words: object) -> list[Law]:
        asked.append(words)
        return LAWS

    monkeypatch.setattr("sheetgpt.check.found.find", lambda *_: None)
    monkeypatch.setattr("sheetgpt.check.verify.examine", lambda *_: of(ROWS[:2]))
    monkeypatch.setitem(sys.modules, "sheetgpt.check.laws", SimpleNamespace(laws_of=laws))
    assert "causality" not in run().output
    result = run("--laws")
    assert "FIRST BROKEN LAW: causality" in result.output
    assert (result.exit_code, len(asked)) == (1, 1)


def test_cells_that_nobody_has_filled_in_are_no_gap() -> None:
    report = of([*ROWS[:2], row("logits", "Logits", 0.0, "blank", inf)], unchecked=["2 places are blank"])
    assert verdict(report).startswith("NOT PROVEN: no fault found (worst gap 2.2e-16)")
