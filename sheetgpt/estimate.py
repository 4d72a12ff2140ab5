"""What a build would give, before it is built: cells, bytes, seconds, and who can be expected to open the file.

The writer itself writes a thin workbook: the same tabs, but of each place a few rows and of the blocks the first. What
stands there is counted and weighed row by row, each row for as many as it stands for. Nothing is computed.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sheetgpt.engines.base import MEMORY
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.weights import Weights, file_name
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.sheet.blocks import LARGE_COMPACT_TAB, LARGE_TAB, harder
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.cells import COMPUTED, Mass, Sheet
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.sheets import names_of, sheets
from sheetgpt.sheet.xlsx import write
from sheetgpt.sheet.zipped import LARGEST, deflate
from sheetgpt.thin import Thin, Values

# Models that are known without their weights (Radford et al. 2019; Sanh et al. 2019): blocks, heads, width.
KNOWN = {
    name: ModelConfig(50_257, 1024, width, heads, blocks)
    for name, (blocks, heads, width) in {
        "distilgpt2": (6, 12, 768),
        "gpt2": (12, 12, 768),
        "gpt2-medium": (24, 16, 1024),
        "gpt2-large": (36, 20, 1280),
        "gpt2-xl": (48, 25, 1600),
    }.items()
}
MERGES = 50_000  # of GPT-2's tokenizer

_ROW = re.compile(rb'<row r="(\d+)"[^>]*?(?:/>|>.*?</row>)', re.DOTALL)
_STRING = re.compile(rb"<si>.*?</si>", re.DOTALL)
_TEXT = re.compile(rb"<t[^>]*>(.*?)</t>", re.DOTALL)
_MAPPED = 8  # cells of a block on the map, heads aside: its name, its boxes and the arrows between them
_ENTRY = 150  # bytes of a zip for one more tab: its names in the directory and in the workbook part


@dataclass(frozen=True)
class Estimate:
    """A workbook that was not built."""

    tabs: int
    weights: int  # cells that hold a learned number
    computed: int  # cells that formulas compute
    formulas: int  # those formulas; an array formula is one
    others: int  # all other cells that hold something
    grid: int  # cells of the tabs' rectangles, empty ones too
    size: int  # bytes of the file
    largest_tab: str
    largest_xml: int  # bytes of that tab's XML
    seconds: float  # to write it, on two cores
    check_seconds: float  # to have IronCalc recalculate it
    memory: int  # bytes, at the most, to write it
    compact: bool

    @property
    def cells(self) -> int:
        """Cells that hold something."""
        return self.weights + self.computed + self.others


def estimate(card: Card, weights: Weights | None, *, compact: bool = False) -> Estimate:
    """What `xlsx.write` would give for a card; `compact` as there.

    Without `weights` numbers are drawn as GPT-2's are before training. Raises `LayoutError` where there is no room in
    the file format, and `WeightError`.
    """
    book = Blueprint.of(card)
    thin = Thin(book)
    values = Values(thin, weights)
    pages = list(sheets(thin.book, values, _facts(book)))
    with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
        path = Path(folder, "thin.xlsx")
        write(path, pages, names_of(book), compact=compact)
        found = _counted(thin, pages)
        small = harder(found["weights"] + found["computed"], compact)
        weighed = _Weighed.of(path, thin, pages, values, small, compact)
    return Estimate(
        tabs=len(book.layout.tabs),
        **found,
        grid=sum(thin.copies(page.tab) * _rectangle(book, page) for page in pages),
        size=weighed.file,
        largest_tab=weighed.largest,
        largest_xml=weighed.xml[weighed.largest],
        seconds=_cost(_SECONDS, found),
        check_seconds=_IRONCALC[0] + _IRONCALC[1] * (found["weights"] + found["computed"] + found["others"]),
        memory=int(_cost(_MEMORY, found)),
        compact=compact,
    )


def _facts(book: Blueprint) -> list[ParameterFact]:
    rng = np.random.default_rng(0)
    return [
        ParameterFact(name, file_name(name), rng.bytes(32).hex(), rng.bytes(32).hex()) for name in book.plan.parameters
    ]


# ---- counted and weighed ---------------------------------------------------------------------------------


def _counted(thin: Thin, pages: Iterable[Sheet]) -> dict[str, int]:
    """Cells by what they are, and formulas."""
    found: Counter[str] = Counter(weights=0, computed=0, formulas=0, others=0)
    hidden = len(thin.whole.layout.tabs) - len(thin.book.layout.tabs)
    blocks = max(0, thin.n_blocks - 1)  # whose rows on the map of Contents are not here
    found["others"] += 3 * hidden + blocks * (_MAPPED + thin.whole.card.config.n_head)
    found["computed"] += blocks
    found["formulas"] += blocks
    for page in pages:
        copies, stands_for = thin.copies(page.tab), thin.stands_for[page.tab.name]
        plain = sum(stands_for.get(cell.row, 1) for cell in page.cells if cell.kind not in COMPUTED)
        formulas = sum(stands_for.get(cell.row, 1) for cell in page.cells if cell.kind in COMPUTED)
        found["others"] += copies * round(plain)
        found["computed"] += copies * round(formulas)
        found["formulas"] += copies * round(formulas)
        for mass in page.masses:
            rows = thin.whole.plan[mass.box.name].shape[0] if mass.box.name else 1  # the numbers above columns
            found[_kind(thin.whole.plan, mass)] += copies * rows * mass.box.cols
            found["formulas"] += copies * (mass.formula is not None)
    return dict(found)


def _kind(plan: Plan, mass: Mass) -> str:
    if mass.formula is not None:
        return "computed"
    return "weights" if plan.roles.get(mass.box.name) is Role.PARAMETER else "others"


def _rectangle(book: Blueprint, page: Sheet) -> int:
    """Cells from A1 to the last row and the last column of a tab."""
    boxes = [box for box in book.layout.ranges.values() if box.tab == page.tab.name]
    rows = max([cell.row + 1 for cell in page.cells] + [box.row + box.rows for box in boxes])
    return rows * max([cell.col + 1 for cell in page.cells] + [box.col + box.cols for box in boxes])


class _Weighed(NamedTuple):
    """Bytes."""

    file: int
    xml: dict[str, int]  # tab -> its XML

    @property
    def largest(self) -> str:
        """The tab with the most."""
        return max(self.xml, key=lambda name: self.xml[name])

    @classmethod
    def of(cls, path: Path, thin: Thin, pages: Sequence[Sheet], values: Values, small: bool, compact: bool) -> _Weighed:
        """A thin workbook as it was written."""
        hidden = len(thin.whole.layout.tabs) - len(pages)
        large = _large_tabs(thin.whole, compact)
        total, xml = float(_ENTRY * hidden + path.stat().st_size), {}
        with zipfile.ZipFile(path) as archive:
            for number, page in enumerate(pages, 1):
                info = archive.getinfo(f"xl/worksheets/sheet{number}.xml")
                parts = _rows(archive.read(info), thin.stands_for[page.tab.name])
                xml[page.tab.name] = round(sum(times * len(part) for times, part in parts.items()))
                size = _deflated(parts, small or page.tab.name not in large)
                total += thin.copies(page.tab) * size - info.compress_size
            info = archive.getinfo("xl/sharedStrings.xml")
            total += _deflated(_strings(archive.read(info), thin, values), True) - info.compress_size
        return cls(round(total), xml)


def _large_tabs(book: Blueprint, compact: bool) -> set[str]:
    """Tabs of so many weights that they are not deflated as hard as the others."""
    learned: Counter[str] = Counter()
    for name in book.plan.parameters:
        rows, cols = book.plan[name].shape
        learned[book.layout.ranges[name].tab] += rows * cols
    return {tab for tab, count in learned.items() if count > (LARGE_COMPACT_TAB if compact else LARGE_TAB)}


def _deflated(parts: Mapping[float, bytes], small: bool) -> float:
    return sum(times * deflate([part], BytesIO(), small=small).compressed for times, part in parts.items())


def _rows(xml: bytes, stands_for: Mapping[int, float]) -> dict[float, bytes]:
    """A sheet's XML by how often it stands there."""
    parts: dict[float, list[bytes]] = {1.0: [_ROW.sub(b"", xml)]}
    for row in _ROW.finditer(xml):
        parts.setdefault(stands_for.get(int(row[1]) - 1, 1.0), []).append(row[0])
    return {times: b"".join(part) for times, part in parts.items()}


def _strings(xml: bytes, thin: Thin, values: Values) -> dict[float, bytes]:
    """The shared strings by how often such ones stand there: those of the vocabulary, of a block, the others."""
    plan = thin.whole.plan
    tokens = [name for name in ("vocab.text", "vocab.bytes") if name in plan]
    shown = {text for name in tokens for text in values[name][: thin.shape(name)[0], 0]}
    each = plan["vocab.text"].shape[0] / thin.shape("vocab.text")[0] if tokens else 1.0
    of_block = re.compile(rf"\bh{thin.block}\b")
    parts: dict[float, list[bytes]] = {}
    for item in _STRING.findall(xml):
        text = unescape(b"".join(_TEXT.findall(item)).decode())
        times = each if text in shown else thin.n_blocks if of_block.search(text) else 1
        parts.setdefault(times, []).append(item)
    return {times: b"".join(part) for times, part in parts.items()}


# ---- what it costs ---------------------------------------------------------------------------------------

# Seconds and bytes of `sheetgpt build --no-check` on two cores, in all and for each cell or formula: fitted to eleven
# builds (fable and random models of width 64, 256 and 768 with GPT-2's vocabulary; 16, 64 and 128 tokens; live and
# --fixed), user and system time and peak memory by /usr/bin/time -v. Two processes share the weights of large models,
# so of their CPU seconds half is counted. To measure anew: repeat such builds, and fit by least squares.
_SECONDS = {"": 0.6, "weights": 0.17e-6, "computed": 0.2e-6, "formulas": 16e-6, "others": 12e-6}
_MEMORY = {"": 60e6, "weights": 1.0, "computed": 9.5, "formulas": 240.0, "others": 640.0}
_IRONCALC = 1.0, 1e-6  # seconds in all, and for each cell: to cut the caches, to load, to compute


def _cost(each: Mapping[str, float], found: Mapping[str, int]) -> float:
    return each[""] + sum(each[kind] * n for kind, n in found.items())


# ---- who can open it -------------------------------------------------------------------------------------

_SHEETS_CELLS, _SHEETS_FILE = 10_000_000, 100_000_000  # of Google Sheets: cells, empty ones too; bytes of an import
_EXCEL_CELL, _EXCEL_MEMORY = 100, 8e9  # bytes a cell by a rule of thumb; more than this is doubtful
_OFFICE = 0.4e9, 28, 0.65e-6  # LibreOffice 7.4: bytes in all, and a cell; seconds a cell (126 M and 359 M cells)
_IRONCALC_CELL = 62  # bytes (16 M cells)


class Verdict(NamedTuple):
    """Whether a program can be expected to open a workbook, and why."""

    program: str
    expected: str  # expected, doubtful or not expected
    reason: str


def programs(found: Estimate) -> list[Verdict]:
    """A forecast for each program; of those that were never tried it says so."""
    return [_google_sheets(found), _excel(found), _libreoffice(found), _ironcalc(found)]


def _google_sheets(found: Estimate) -> Verdict:
    if found.grid > _SHEETS_CELLS:
        reason = f"{found.grid:,} cells, empty ones too, and it takes {_SHEETS_CELLS:,}"
    elif found.size > _SHEETS_FILE:
        reason = f"{_mb(found.size)}, and it imports {_mb(_SHEETS_FILE)}"
    else:
        reason = f"{found.grid:,} of {_SHEETS_CELLS:,} cells, {_mb(found.size)} of {_mb(_SHEETS_FILE)}; never tried"
        return Verdict("Google Sheets", "expected", reason)
    return Verdict("Google Sheets", "not expected", reason)


def _excel(found: Estimate) -> Verdict:
    memory = found.cells * _EXCEL_CELL
    expected = "expected" if memory <= _EXCEL_MEMORY else "doubtful"
    return Verdict(
        "Excel", expected, f"about {_gb(memory)} of memory by a rule of thumb, {_EXCEL_CELL} bytes a cell; never tried"
    )


def _libreoffice(found: Estimate) -> Verdict:
    if found.size > LARGEST:
        return Verdict("LibreOffice", "not expected", f"{_mb(found.size)}, and it opens no file over {_mb(LARGEST)}")
    if found.largest_xml > LARGEST:
        reason = (
            f"tab {found.largest_tab} has {_mb(found.largest_xml)} of XML, and it reads no part over {_mb(LARGEST)}"
        )
        return Verdict("LibreOffice", "not expected", reason)
    memory, seconds = _OFFICE[0] + _OFFICE[1] * found.cells, 2 + _OFFICE[2] * found.cells
    return Verdict("LibreOffice", "expected", f"about {_gb(memory)} of memory, {seconds:.0f} s to open")


def _ironcalc(found: Estimate) -> Verdict:
    memory = 60e6 + found.cells * _IRONCALC_CELL
    if found.compact:
        return Verdict("IronCalc", "not expected", "it refuses cells that do not say where they stand (--compact)")
    if memory > MEMORY:
        return Verdict(
            "IronCalc", "not expected", f"about {_gb(memory)} of memory, and sheetgpt lets it have {_gb(MEMORY)}"
        )
    return Verdict("IronCalc", "expected", f"about {_gb(memory)} of memory, {found.check_seconds:.0f} s to recalculate")


def _mb(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.1f} MB"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"
