"""LibreOffice: the engine that users have. It computes the stripped workbook, and we read what it saved."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from sheetgpt.engines.base import MEMORY, TIMEOUT, Allowance, Values, require, run
from sheetgpt.engines.macro import COMPUTE, write_profile
from sheetgpt.errors import EngineError
from sheetgpt.sheet.grid import Area, Block, CellError, Grid, Value, cells
from sheetgpt.sheet.package import open_package
from sheetgpt.sheet.readback import Outline, read
from sheetgpt.sheet.strip import strip_caches

ENV = "SHEETGPT_SOFFICE"
ALLOWANCE = Allowance(120, 2, 6 << 30, 8 << 20)  # seconds on the wall: its program is a child of the one started
_PLACES = (
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
    r"C:\Program Files\LibreOffice\program\soffice.com",
    r"C:\Program Files (x86)\LibreOffice\program\soffice.com",
    "/opt/libreoffice/program/soffice",
    "/snap/bin/libreoffice",
)
_SETTINGS = (  # always recalculate; run no macro of a document; follow no links
    ("org.openoffice.Office.Calc/Formula/Load", "OOXMLRecalcMode", "0"),
    ("org.openoffice.Office.Calc/Content/Update", "Link", "2"),
    ("org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("org.openoffice.Office.Common/Misc", "FirstRun", "false"),
    ("org.openoffice.Setup/Office", "ooSetupInstCompleted", "true"),  # or a first start puts a library over ours
)
_OPTIONS = ("--headless", "--norestore", "--nolockcheck", "--nodefault", "--nofirststartwizard")
_ESCAPED, _PLAIN = re.compile(r"\\([\\rn])"), {"\\": "\\", "r": "\r", "n": "\n"}
_ERRORS = {  # as LibreOffice's own export to .xlsx names them
    **dict.fromkeys((502, 504, 508, 509, 519), "#VALUE!"),
    503: "#NUM!",
    521: "#NULL!",
    524: "#REF!",
    525: "#NAME?",
    532: "#DIV/0!",
}


class LibreOffice:
    """Headless LibreOffice Calc with a private profile, thrown away afterwards."""

    name = "libreoffice"

    def version(self) -> str | None:
        """What `soffice --version` says, such as 7.4.7.2."""
        program = find()
        return program and _version(program)

    def hint(self) -> str:
        """How to install it."""
        return (
            "apt-get install libreoffice-calc, brew install --cask libreoffice, or https://www.libreoffice.org; "
            f"{ENV} may say where soffice is"
        )

    def recalculate(self, path: Path, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> Values:
        """As `Engine.recalculate`."""
        require(self)
        program = find()
        assert program is not None
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as name:
            folder = Path(name)
            areas = strip_caches(path, folder / "book.xlsx")
            if not areas:
                return {}
            mark = _mark(folder / "book.xlsx")
            job = [mark + "\n", *(_job(number, tab, areas[tab]) for number, tab in enumerate(areas))]
            (folder / "job").write_bytes("".join(job).encode())
            seconds, most = ALLOWANCE.of(folder / "book.xlsx")
            run_macro(program, folder, COMPUTE, min(timeout, seconds), min(memory, most))
            if not (folder / "out.xlsx").exists():
                raise EngineError(f"libreoffice could not load {Path(path).name}")
            new = {tab: f"{mark}{number}" for number, tab in enumerate(areas)}
            matrices = {new[tab]: [area for area in areas[tab] if area[:2] != area[2:]] for tab in areas}
            book = read(folder / "out.xlsx", matrices, matrices=matrices)
            apart = _apart(folder / "apart")
            return {
                tab: _computed(book.sheets[new[tab]].values, areas[tab], apart.get(number, {}))
                for number, tab in enumerate(areas)
            }


def _mark(path: Path) -> str:
    """What the macro puts before the names of computed sheets: no tab's name begins with it."""
    with open_package(path) as package:
        tabs = Outline.of(package).parts
    mark = "computed "
    while any(tab.startswith(mark) for tab in tabs):
        mark = "_" + mark
    return mark


def run_macro(program: str, folder: Path, macro: str, timeout: float, memory: int) -> None:
    """Run a macro in a LibreOffice of its own, with a private profile in `folder`.

    Raises `EngineError`, with what the macro left in the file `failed`, if any.
    """
    write_profile(folder, macro, _profile())
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    try:
        run("libreoffice", [program, profile, *_OPTIONS, "macro:///Standard.Module1.Main"], folder, timeout, memory)
    finally:
        failed = folder / "failed"
        why = " ".join(failed.read_text("utf-8", "replace").split()) if failed.exists() else ""
    if why:
        raise EngineError(f"libreoffice failed: {why[:300]}")


def find() -> str | None:
    """The soffice program: where SHEETGPT_SOFFICE says, on PATH, or in one of the usual places."""
    named = os.environ.get(ENV)
    if named:
        return shutil.which(named)
    places = ("soffice", "libreoffice", *_PLACES)
    return next((found for place in places if (found := shutil.which(place))), None)


@cache
def _version(program: str) -> str | None:
    """Asked of its version file, which is at once; else of the program."""
    for rc in ("versionrc", "version.ini"):
        file = Path(program).resolve().parent / rc
        if file.exists() and (found := re.search(r"AboutBoxVersion=([\d.]+)", file.read_text("utf-8", "replace"))):
            return found[1]
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+)+", said.stdout)
    return found[0] if found else None


def _job(number: int, tab: str, areas: list[Area]) -> str:
    """A number for a sheet, its name, the columns and rows that enclose its formulas: a line for each."""
    first, last = (min(a[:2][i] for a in areas) for i in (1, 0)), (max(a[2:][i] for a in areas) for i in (1, 0))
    return "".join(f"{line}\n" for line in (number, tab, *first, *last))


def _profile() -> str:
    items = "".join(
        f'<item oor:path="/{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for path, name, value in _SETTINGS
    )
    space = 'xmlns:oor="http://openoffice.org/2001/registry"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<oor:items {space}>{items}</oor:items>\n'


def _apart(path: Path) -> dict[int, dict[tuple[int, int], Value]]:
    """Cells that show an error, or whose text is empty or has a carriage return, by the number of their sheet."""
    found: dict[int, dict[tuple[int, int], Value]] = {}
    for line in path.read_bytes().decode("utf-8", "replace").split("\n")[:-1]:
        sheet, row, col, value = line.split(" ", 3)
        text = _ESCAPED.sub(lambda match: _PLAIN[match[1]], value[1:]) if value[0] == "=" else ""
        error = CellError(_ERRORS.get(int(value), "#N/A")) if value[0] != "=" else None
        found.setdefault(int(sheet), {})[int(row), int(col)] = text if error is None else error
    return found


def _computed(got: Grid, areas: list[Area], apart: Mapping[tuple[int, int], Value]) -> Grid:
    """The cells that formulas compute; a cell that was not saved is None."""
    single: dict[tuple[int, int], Value] = {}
    blocks = []
    for area in areas:
        if area[:2] != area[2:] and np.isfinite(numbers := got.numbers(area)).all():
            blocks.append(Block.of(*area[:2], numbers))
        else:
            single |= {cell: apart.get(cell, got.get(cell)) for cell in cells(area)}
    return Grid(single, blocks)


def to_pdf(path: Path, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> bytes:
    """A workbook that we made as PDF; raises `EngineMissingError`, `EngineError`."""
    require(LibreOffice())
    program = find()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="sheetgpt-") as name:
        folder = Path(name)
        shutil.copyfile(path, folder / "book.xlsx")
        write_profile(folder, "", _profile())
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        command = [program, profile, *_OPTIONS, "--convert-to", "pdf", "--outdir", name, str(folder / "book.xlsx")]
        run("libreoffice", command, folder, timeout, memory)
        try:
            return (folder / "book.pdf").read_bytes()
        except OSError:
            raise EngineError("libreoffice made no PDF") from None
