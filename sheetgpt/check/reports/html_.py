"""A report as one page of HTML: no script, nothing from elsewhere, everything from the file escaped.

The heat of a tab is a grid of its places, coloured by their own gap: where the pipeline goes wrong is seen at a glance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import takewhile
from pathlib import Path

from sheetgpt.check.faults import Fault
from sheetgpt.check.reports.words import (
    HEAT_LIMITS,
    HOTTEST,
    NO_FAULT,
    TRIED,
    TabSum,
    counted,
    details,
    heat,
    number,
    provenance,
    tab_sums,
    title,
    verdict,
)
from sheetgpt.check.result import Law, Report, Row
from sheetgpt.errors import visible

STYLE = Path(__file__).with_name("page.css")
_VERDICT = {0: "equal", 1: "wrong", 4: "unproven"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(report: Report) -> str:
    """Verdict, provenance, faults, the heat of every tab, the laws."""
    style = STYLE.read_text(encoding="utf-8")
    page = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>sheetgpt verify: {text(report.workbook)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        f'<header class="{_VERDICT[report.exit_code]}"><h1>sheetgpt verify</h1><p>{text(verdict(report))}</p></header>',
        "<main>",
        *_provenance(report),
        *_faults(report.faults),
        *_heat(report),
        *_laws(report.laws),
        "</main>\n</body>\n</html>",
    ]
    return "\n".join(page)


def text(value: object) -> str:
    """Text of any origin as HTML, in an element or an attribute."""
    return escape(visible(value))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs) + "</dl>"


def _provenance(report: Report) -> Iterator[str]:
    yield f"<section>{_pairs([('workbook', report.workbook), *provenance(report), ('checked', counted(report))])}"
    if report.unchecked:
        reasons = "".join(f"<li>{text(reason)}</li>" for reason in report.unchecked)
        yield f"<h2>Not independently checked</h2><ul>{reasons}</ul>"
    yield "</section>"


def _faults(faults: list[Fault]) -> Iterator[str]:
    if not faults:
        return
    yield "<section><h2>Faults</h2><p>In pipeline order: those after the first may follow from it.</p>"
    for i, fault in enumerate(faults, 1):
        first = " open" if i == 1 else ""
        yield f'<details id="fault-{i}"{first}><summary><b>{i}</b> {text(title(fault))}'
        yield f"<small>{text(fault.tab)} {text(fault.cell)}</small></summary>{_pairs(details(fault))}</details>"
    yield "</section>"


def _heat(report: Report) -> Iterator[str]:
    anchors: dict[str, int] = {}
    for i, fault in enumerate(report.faults, 1):
        anchors.setdefault(fault.place, i)
    yield "<section><h2>Heat of the gaps, tab by tab</h2>"
    yield "<p>A tile is a place, coloured by its own gap: how far it is from numpy on the workbook's own inputs.</p>"
    yield f'{_legend()}<div class="tabs">'
    for tab in tab_sums(report.rows):
        yield from _tab(tab, anchors)
    yield "</div></section>"


def _legend() -> str:
    words = ["equal", *(f"to {limit:.0e}" for limit in HEAT_LIMITS[1:]), "more", "no number"]
    steps = "".join(f'<i class="h{step}">{word}</i>' for step, word in zip(range(HOTTEST + 1), words, strict=True))
    marks = '<i class="tile faulty">faulty</i><i class="tile follows">wrong only because an input is</i>'
    return f'<p class="legend">{steps}{marks}</p>'


def _tab(tab: TabSum, anchors: dict[str, int]) -> Iterator[str]:
    gaps = f"own gap {number(tab.own_gap)}, total gap {number(tab.total_gap)}, worst cell {tab.worst_cell}"
    small = f"<small>{text(gaps)}</small>" if len(tab.rows) > 1 else ""
    status = "" if tab.status == "ok" else f' <em class="{_kind(tab.status)}">{text(tab.status)}</em>'
    yield f'<article title="{text(f"{len(tab.rows)} places, {tab.cells:,} cells")}">'
    yield f'<h3>{text(tab.tab)}{small}{status}</h3><div class="grid">'
    shared = len(_shared([row.name for row in tab.rows]))
    yield from (_tile(row, row.name[shared:], anchors.get(row.name)) for row in tab.rows)
    yield "</div></article>"


def _shared(names: list[str]) -> str:
    """What all the names of a tab begin with, in whole words: `h0.attn.`."""
    words = (set(at) for at in zip(*(name.split(".")[:-1] for name in names), strict=False))
    return "".join(f"{word.pop()}." for word in takewhile(lambda word: len(word) == 1, words))


def _tile(row: Row, label: str, fault: int | None) -> str:
    told = f"{row.name}: {row.status}\nown gap {number(row.own_gap)}, total gap {number(row.total_gap)}"
    told += f", cached values off by {number(row.cache_gap)}" if row.cache_gap else ""
    hint = escape(f"{told}\nworst cell {row.tab}!{row.worst_cell}\n{row.cells:,} cells, {row.op}")
    at = f' href="#fault-{fault}"' if fault else ""
    inner = f"<span>{text(label)}</span><b>{number(row.own_gap)}</b><s>{text(row.worst_cell)}</s>"
    return f'<a class="tile h{heat(row.own_gap)} {_kind(row.status)}" title="{hint}"{at}>{inner}</a>'


def _kind(status: str) -> str:
    return status if status in NO_FAULT else "faulty"


def _laws(laws: list[Law]) -> Iterator[str]:
    if not laws:
        return
    yield "<section><h2>Laws</h2><p>What holds whatever the weights are.</p><table>"
    yield "<tr><th>law</th><th>place</th><th>worst cell</th><th>gap</th><th>status</th><th></th></tr>"
    for law in laws:
        kind = law.status if law.status in TRIED else "untried"
        gap = number(law.gap) if law.status in TRIED else ""
        cells = (law.law, law.place, f"{law.tab} {law.cell}", gap, law.status, law.detail)
        yield f'<tr class="{kind}">' + "".join(f"<td>{text(cell)}</td>" for cell in cells) + "</tr>"
    yield "</table></section>"
