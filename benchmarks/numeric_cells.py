"""A matrix of float32 numbers as a tab: our writer, two well-known ones, and what deflating alone must cost.

    python benchmarks/numeric_cells.py [MILLIONS ...]        (2 and 5 unless told)

CPU seconds (user and system, all threads) of each writer in a process of its own, without its imports and without
making the numbers; the best of three runs. The floor: orjson prints the same numbers, and isal deflates (level 1)
the same XML that our writer deflates. Small tabs (`blocks.LARGE_TAB`) are deflated harder, and are not measured here.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import orjson
from isal import isal_zlib
from numpy.typing import NDArray

from sheetgpt.models.decimals import decimals
from sheetgpt.sheet.cells import Cell, Kind, Mass, Sheet, Style
from sheetgpt.sheet.layout import Range, Tab
from sheetgpt.sheet.xlsx import write

COLS = 768
PART = "xl/worksheets/sheet1.xml"
LEAST_GAIN, MOST_OF_FLOOR = 20.0, 1.5  # budgets: times faster than both libraries, times as slow as the floor
REPEATS = 3
CHUNK = 1 << 18  # bytes deflated at a time
Pieces = list[NDArray[np.float64]]


def numbers(millions: float) -> Pieces:
    """About so many million weights, in pieces of whole rows as a model's weights come."""
    rng, rows = np.random.default_rng(0), round(millions * 1e6 / COLS)
    step = (1 << 19) // COLS
    sizes = [min(step, rows - start) for start in range(0, rows, step)]
    return [decimals(rng.normal(0, 0.02, (size, COLS)).astype(np.float32)) for size in sizes]


def sheetgpt(pieces: Pieces, path: Path, *, compact: bool = False) -> None:
    """Ours: one sheet that holds one mass."""
    box = Range("w", "w", 1, 0, sum(map(len, pieces)), COLS)
    title = Cell(0, 0, Kind.TEXT, "w", Style.TITLE)
    sheet = Sheet(Tab("w", "matrix", group="parameters"), [title], [Mass(box, lambda: pieces)])
    write(path, [sheet], {}, compact=compact)


def xlsxwriter(pieces: Pieces, path: Path) -> None:
    """XlsxWriter, a row at a time."""
    import xlsxwriter as library

    with library.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("w")
        for r, row in enumerate(_rows(pieces), 1):
            for c, number in enumerate(row):
                sheet.write_number(r, c, number)


def openpyxl(pieces: Pieces, path: Path) -> None:
    """openpyxl, a row at a time."""
    import openpyxl as library

    book = library.Workbook(write_only=True)
    sheet = book.create_sheet("w")
    sheet.append(["w"])
    for row in _rows(pieces):
        sheet.append(row)
    book.save(path)


def floor(pieces: Pieces, path: Path, xml: bytes) -> None:
    """What no writer of these bytes does without."""
    with path.open("wb") as out:
        for piece in pieces:
            orjson.dumps(piece, option=orjson.OPT_SERIALIZE_NUMPY)
        deflater = isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15)
        for start in range(0, len(xml), CHUNK):
            out.write(deflater.compress(xml[start : start + CHUNK]))
        out.write(deflater.flush())


def _rows(pieces: Pieces) -> Iterator[list[float]]:
    for piece in pieces:
        yield from piece.tolist()


WRITERS: dict[str, Callable[..., None]] = {
    "sheetgpt": sheetgpt,
    "its floor: orjson and isal": floor,
    "sheetgpt --compact": partial(sheetgpt, compact=True),
    "the floor of that": floor,
    "XlsxWriter, constant_memory": xlsxwriter,
    "openpyxl, write_only": openpyxl,
}
FLOORS = {"its floor: orjson and isal": "sheetgpt", "the floor of that": "sheetgpt --compact"}
LIBRARIES = ("XlsxWriter, constant_memory", "openpyxl, write_only")


def child(writer: str, millions: float, path: Path, ours: Path) -> None:
    """Run one writer and print its CPU seconds."""
    pieces = numbers(millions)
    more = [zipfile.ZipFile(ours).read(PART)] if writer in FLOORS else []
    WRITERS[writer]([pieces[0][:2]], path, *more)  # what is imported or made once
    before = cpu_seconds()
    WRITERS[writer](pieces, path, *more)
    print(cpu_seconds() - before)


def cpu_seconds() -> float:
    """Of this process, all its threads, and those that it has ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(writer: str, millions: float, folder: Path) -> tuple[float, float]:
    """CPU seconds, the best of some runs, and MB of the file."""
    path, ours = (folder / f"{list(WRITERS).index(name)}.xlsx" for name in (writer, FLOORS.get(writer, writer)))
    repeats = 1 if writer in LIBRARIES else REPEATS  # the others take minutes
    command = [sys.executable, __file__, "--child", writer, str(millions), str(path), str(ours)]
    runs = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeats)]
    return min(runs), path.stat().st_size / 1e6


def table(millions: float) -> bool:
    """Print the table of one size; whether the budgets are kept."""
    cells = sum(piece.size for piece in numbers(millions))
    print(f"\n{cells:,} numbers, {COLS} a row")
    print(f"{'writer':<30}{'CPU s':>8}{'MB':>8}{'cells/s':>13}{'ours is':>22}")
    with tempfile.TemporaryDirectory() as folder:
        found = {writer: measure(writer, millions, Path(folder)) for writer in WRITERS}
    ours = found["sheetgpt"][0]
    for writer, (seconds, size) in found.items():
        said = f"{seconds / ours:.1f} times faster" if writer in LIBRARIES else ""
        if writer in FLOORS:
            said = f"{found[FLOORS[writer]][0] / seconds:.2f} times slower"
        print(f"{writer:<30}{seconds:>8.2f}{size:>8.1f}{cells / seconds:>13,.0f}{said:>22}", flush=True)
    gain = min(found[writer][0] for writer in LIBRARIES) / ours
    price = max(found[writer][0] / found[floor][0] for floor, writer in FLOORS.items())
    print(f"budgets: {LEAST_GAIN:g} times faster than both libraries ({gain:.1f}), ", end="")
    print(f"at most {MOST_OF_FLOOR:g} times as slow as the floor ({price:.2f})")
    return gain >= LEAST_GAIN and price <= MOST_OF_FLOOR


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    kept = [table(millions) for millions in map(float, sys.argv[1:] or ["2", "5"])]
    sys.exit(not all(kept))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
    else:
        main()
