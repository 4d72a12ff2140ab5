"""What the two dialects cost, side by side, all in one run: a table with the ratio of cells to arrays.

    python benchmarks/dialects.py [sorter fable ...]

CPU seconds of each command with all that it starts, since other work on a machine changes wall seconds far more.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from sheetgpt.engines import ENGINES
from sheetgpt.sheet.blueprint import DIALECTS

PROMPTS = {"fable": "Mike is quick. He moves", "sorter": "BCABAC"}
SHEETGPT = [sys.executable, "-m", "sheetgpt"]


def measure(command: list[str]) -> float:
    """CPU seconds of a command and of all processes that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}{done.stdout[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def formulas_of(book: Path) -> tuple[int, int]:
    """Formulas of a workbook, and array formulas among them."""
    from sheetgpt.sheet.readback import read

    found = [f for sheet in read(book).sheets.values() for f in sheet.formulas.values()]
    return len(found), sum(f.area is not None for f in found)


def measured(model: str, dialect: str, folder: Path) -> dict[str, float]:
    """Everything about one workbook."""
    book = folder / f"{model}-{dialect}.xlsx"
    build = [*SHEETGPT, "build", PROMPTS[model], "--model", model, "--dialect", dialect, "-o", str(book)]
    found = {"build --no-check, s": measure([*build, "--no-check"])}
    book.unlink()
    found["build, s"] = measure(build)
    found["file, MB"] = book.stat().st_size / 1e6
    found["formulas"], found["array formulas"] = formulas_of(book)
    for engine in ENGINES:
        found[f"verify by {engine}, s"] = measure([*SHEETGPT, "verify", str(book), "--engine", engine])
    imports = "from pathlib import Path; from sheetgpt.engines import get"
    opened = f"{imports}; get('libreoffice').recalculate(Path({str(book)!r}))"
    found["LibreOffice opens, computes, saves, s"] = measure([sys.executable, "-c", opened])
    return found


@click.command()
@click.argument("models", nargs=-1, type=click.Choice(list(PROMPTS)))
def main(models: tuple[str, ...]) -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}; CPU seconds")
    for model in models or tuple(PROMPTS):
        with tempfile.TemporaryDirectory() as folder:
            arrays, cells = (measured(model, dialect, Path(folder)) for dialect in DIALECTS)
        print(f"\n{model + ', ' + repr(PROMPTS[model]):<42}{DIALECTS[0]:>10}{DIALECTS[1]:>10}{'ratio':>8}")
        for what, before in arrays.items():
            digits = 2 if isinstance(before, float) else 0
            print(f"{what:<42}{before:>10,.{digits}f}{cells[what]:>10,.{digits}f}{cells[what] / before:>8.2f}")


if __name__ == "__main__":
    main()
