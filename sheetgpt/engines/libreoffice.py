"""LibreOffice: the engine that users have. It converts the stripped workbook, and we read what it saved."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from sheetgpt.engines.base import MEMORY, TIMEOUT, Areas, Values, require, run
from sheetgpt.errors import EngineError
from sheetgpt.sheet.book import Book, cells
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.strip import strip_caches

ENV = "SHEETGPT_SOFFICE"
_PLACES = (
    "/Applications/LibreOffice.app/Contents/MacOS/soffice",
    r"C:\Program Files\LibreOffice\program\soffice.com",
    r"C:\Program Files (x86)\LibreOffice\program\soffice.com",
    "/opt/libreoffice/program/soffice",
    "/snap/bin/libreoffice",
)
_SETTINGS = (  # always recalculate; run no macros; follow no links
    ("Calc/Formula/Load", "OOXMLRecalcMode", "0"),
    ("Calc/Formula/Load", "ODFRecalcMode", "0"),
    ("Calc/Content/Update", "Link", "2"),
    ("Common/Security/Scripting", "MacroSecurityLevel", "3"),
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Common/Misc", "FirstRun", "false"),
)


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
            run(self.name, _command(program, folder), folder, timeout, memory)
            result = folder / "out" / "book.xlsx"
            if not result.exists():
                raise EngineError(f"libreoffice could not load {Path(path).name}")
            return _collect(read(result, areas), areas)


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


def _command(program: str, folder: Path) -> list[str]:
    user = folder / "profile" / "user"
    user.mkdir(parents=True)
    (user / "registrymodifications.xcu").write_text(_profile(), encoding="utf-8")
    options = ["--headless", "--norestore", "--nolockcheck", "--nodefault", "--nofirststartwizard"]
    convert = ["--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", str(folder / "out")]
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    return [program, profile, *options, *convert, str(folder / "book.xlsx")]


def _profile() -> str:
    items = "".join(
        f'<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}" oor:op="fuse">'
        f"<value>{value}</value></prop></item>"
        for path, name, value in _SETTINGS
    )
    space = 'xmlns:oor="http://openoffice.org/2001/registry"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<oor:items {space}>{items}</oor:items>\n'


def _collect(book: Book, areas: Areas) -> Values:
    """The cells that formulas compute; a cell that was not saved is None."""
    values: Values = {}
    for tab, found in areas.items():
        got = book.sheets[tab].values if tab in book.sheets else {}
        values[tab] = {cell: got.get(cell) for area in found for cell in cells(area)}
    return values
