"""A .xlsx file -> `Book`: the workbook part, names, properties and shared strings; sheets by `sheetxml`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from sheetgpt.sheet.book import AUTOMATIC, Book, Sheet
from sheetgpt.sheet.grid import Area
from sheetgpt.sheet.package import LIMITS, Limits, Package, local, open_package, parser_for
from sheetgpt.sheet.sheetxml import MAIN, PIECES, read_sheet, unescape

_LOOKED_AT = 64 << 20  # bytes
_FORMULAS = (b"<f>", b"<f ", b":f>", b":f ")  # how the XML of a formula begins

Matrices = Mapping[str, Sequence[Area]]  # by tab: areas that should hold plain numbers


def read(
    path: str | Path, tabs: Collection[str] | None = None, limits: Limits = LIMITS, matrices: Matrices | None = None
) -> Book:
    """Read a workbook; with `tabs` only those are read, and names that are not there are ignored.

    `matrices` are read as arrays, other cells one by one. Raises `WorkbookError` with one line that names the file and,
    where it is about a cell, the cell.
    """
    with open_book(path, limits) as file:
        return file.book([tab for tab in file.outline.parts if tabs is None or tab in tabs], matrices or {})


@contextmanager
def open_book(path: str | Path, limits: Limits = LIMITS) -> Iterator[BookFile]:
    """A workbook file whose tabs can be read one by one; raises `WorkbookError`."""
    with open_package(path, limits) as package:
        outline = Outline.of(package)
        yield BookFile(package, outline, _shared_strings(package, outline))


class BookFile:
    """An open workbook."""

    def __init__(self, package: Package, outline: Outline, strings: list[str]) -> None:
        self.package, self.outline = package, outline
        self._strings, self._room = strings, package.limits.cells
        self._formulas = LIMITS.cells

    def expect(self, formulas: int) -> None:
        """Refuse a file as soon as it has more formulas than this, before all are read."""
        self._formulas = min(self._formulas, formulas)

    def look_over(self, tab: str) -> None:
        """Refuse a tab whose bytes say that it has too many formulas: a look takes far less time than reading it.

        A large tab is not looked at, for it must be inflated for that.
        """
        part = self.outline.parts[tab]
        if self.package.entry(part).file_size > _LOOKED_AT:
            return
        found = sum(piece.count(mark) for piece in self.package.stream(part) for mark in _FORMULAS)
        if found > self._formulas:
            self.package.fail(f"{part} has some {found:,} formulas, {self._formulas:,} are left to read")

    def sheet(self, tab: str, matrices: Sequence[Area] = ()) -> Sheet:
        """One tab."""
        part = self.outline.parts[tab]
        sheet = read_sheet(self.package, tab, part, self._strings, self._room, matrices, self._formulas)
        self._room -= len(sheet.values.single)
        self._formulas -= len(sheet.formulas)
        return sheet

    def book(self, tabs: Sequence[str], matrices: Matrices) -> Book:
        """Some tabs together."""
        sheets = {tab: self.sheet(tab, matrices.get(tab, ())) for tab in tabs}
        return Book(self.package.path, tuple(self.outline.parts), sheets, **self.outline.facts(self.package))


# ---- the workbook part -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Outline:
    """What the workbook part says: where each tab's sheet is, names, hidden tabs."""

    workbook: str
    parts: dict[str, str]  # tab -> part
    names: dict[str, str] = field(default_factory=dict)
    local_names: dict[tuple[str, str], str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    charts: tuple[str, ...] = ()
    settings: frozenset[str] = frozenset()
    calculates: str = AUTOMATIC

    @classmethod
    def of(cls, package: Package) -> Outline:
        """Read the workbook part; chart sheets are no tabs."""
        workbook = package.related("", "officeDocument")
        if workbook is None:
            package.fail("a zip file, but no workbook: no relationship says where it is")
        _check_type(package, workbook)
        root = package.tree(workbook)
        if local(root.tag) != "workbook":
            package.fail(f"{workbook} is not a workbook but <{local(root.tag)[:40]}>")
        try:
            listed, named = _children(root, "sheets"), _children(root, "definedNames")
        except ValueError as error:
            package.fail(f"{workbook} {error}")
        parts = _sheet_parts(package, workbook, listed)
        everywhere, here = _names(package, named, [node.get("name", "") for node in listed])
        hidden = frozenset(n.get("name", "") for n in listed if n.get("state", "visible") != "visible")
        charts = tuple(name for n in listed if (name := n.get("name", "")) not in parts)
        return cls(workbook, parts, everywhere, here, hidden, charts, _settings(root), _calculates(root))

    def facts(self, package: Package) -> dict[str, Any]:
        """The fields of `Book` that are not cells."""
        app, core = _properties(package, "extended-properties"), _properties(package, "core-properties")
        wrote = " ".join(app[k] for k in ("Application", "AppVersion") if k in app)
        relations = [r for part in ("", self.workbook, *self.parts.values()) for r in package.relations(part).values()]
        lower = [part.lower() for part in package.parts] + [r.kind.lower() for r in relations]
        return {
            "settings": self.settings,
            "calculates": self.calculates,
            "names": self.names,
            "local_names": self.local_names,
            "hidden": self.hidden,
            "charts": self.charts,
            "application": wrote or None,
            "creator": core.get("creator"),
            "modified": core.get("modified"),
            "has_macros": any("vbaproject" in p or "macrosheet" in p for p in lower),
            "has_external_links": any(r.external for r in relations)
            or any("externallink" in p or p.endswith(("connections.xml", "connections")) for p in lower),
        }


def _check_type(package: Package, workbook: str) -> None:
    """Refuse a workbook part that the list of content types says to be something else."""
    for node in package.tree("[Content_Types].xml"):
        if node.get("PartName", "").lstrip("/").casefold() == workbook.casefold():
            kind = node.get("ContentType", "")
            if not kind.endswith(".main+xml") or not ("spreadsheetml" in kind or "ms-excel" in kind):
                package.fail(f"{workbook} is no workbook but {kind[:80]}")


def _sheet_parts(package: Package, workbook: str, listed: list[Element]) -> dict[str, str]:
    relations, parts, seen = package.relations(workbook), {}, set()
    for node in listed:
        name = node.get("name", "")
        link = next((v for k, v in node.attrib.items() if k != "id" and local(k) == "id"), "")
        if link not in relations:
            package.fail(f"the tab {name[:40]!r} has no sheet")
        if name.casefold() in seen:
            package.fail(f"two tabs are called {name[:40]!r}")
        seen.add(name.casefold())
        if relations[link].kind == "worksheet":
            parts[name] = relations[link].target
            package.entry(parts[name])
    if len(set(parts.values())) < len(parts):
        package.fail("two tabs share a sheet")
    return parts


def _children(root: Element, group: str) -> list[Element]:
    """Elements of a group that stands directly in the workbook part, as spreadsheets look for them."""
    space = root.tag.rpartition("}")[0]
    found = [node for child in root if local(child.tag) == group for node in (child, *child)]
    if any(node.tag.rpartition("}")[0] != space for node in found):
        raise ValueError(f"keeps {group} in a language of its own")
    return [node for node in found if local(node.tag) != group]


# Under any other value the formulas mean something else: rounding to what is shown, circles, another calendar.
_USUAL = {"fullPrecision": ("1", "true"), "iterate": ("0", "false"), "date1904": ("0", "false")}


_AT_ONCE = (AUTOMATIC, "autoNoTable", "")  # a data table is no formula


def _settings(root: Element) -> frozenset[str]:
    """Unusual settings of the workbook, wherever in the workbook part they stand."""
    nodes = [node for node in root.iter() if local(node.tag) in ("calcPr", "workbookPr")]
    given = {(name, node.get(name, "").strip()) for node in nodes for name in _USUAL if name in node.attrib}
    return frozenset(f"{name}={value}" for name, value in given if value not in _USUAL[name])


def _calculates(root: Element) -> str:
    """When a spreadsheet is to compute: `auto`, or else what the file says."""
    modes = [node.get("calcMode", "").strip() for node in root.iter() if local(node.tag) == "calcPr"]
    return next((mode for mode in modes if mode not in _AT_ONCE), AUTOMATIC)


def _names(
    package: Package, named: list[Element], tabs: list[str]
) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    everywhere: dict[str, str] = {}
    here: dict[tuple[str, str], str] = {}
    seen = set()
    for node in named:
        name, scope = node.get("name", ""), node.get("localSheetId")
        if (name.casefold(), scope) in seen:
            package.fail(f"the name {name[:60]!r} is defined twice")
        seen.add((name.casefold(), scope))
        text = (node.text or "").strip().removeprefix("=")
        if name.startswith("_xlnm."):
            continue
        if scope is None:
            everywhere[name] = text
        elif scope.isdecimal() and len(scope) < 6 and int(scope) < len(tabs):
            here[tabs[int(scope)], name] = text
        else:
            package.fail(f"the name {name[:60]!r} belongs to a tab that is not there")
    return everywhere, here


def _properties(package: Package, kind: str) -> dict[str, str]:
    part = package.related("", kind)
    if part is None or part not in package:
        return {}
    return {local(node.tag): node.text.strip() for node in package.tree(part) if node.text}


# ---- shared strings ----------------------------------------------------------------------------------


def _shared_strings(package: Package, outline: Outline) -> list[str]:
    part = package.related(outline.workbook, "sharedStrings")
    if part is None:
        return []
    reader = _Strings(package.limits)
    for _ in package.parse(part, parser_for(reader)):
        if len(reader.text) > PIECES:
            package.fail(f"{part} holds too much text")
    return reader.strings


class _Strings:
    """Collects <si> texts: the runs of rich text joined, phonetic guides left out."""

    def __init__(self, limits: Limits) -> None:
        self.strings: list[str] = []
        self.text: list[str] = []
        self.runs: list[str] = []
        self.phonetic = self.inside = False  # in <rPh>, in <t>
        self.limits, self.size = limits, 0

    def start(self, name: str, _: object) -> None:
        space, _, tag = name.rpartition(" ")
        if tag in ("sst", "si", "t") and space not in MAIN:
            raise ValueError("keeps text in a language of its own")
        if self.inside:
            raise ValueError("has elements in a text, which not every program reads")
        if tag == "t":
            self.inside = True
            self.text.clear()
        elif tag == "si":
            self.runs = []
        elif tag == "rPh":
            self.phonetic = True

    def end(self, name: str) -> None:
        tag = name.rpartition(" ")[2]
        if tag == "t":
            self.inside = False
            if not self.phonetic:
                self.runs.append(unescape("".join(self.text)))
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "si":
            self._keep("".join(self.runs))
        self.text.clear()

    def _keep(self, text: str) -> None:
        self.size += len(text)
        most = self.limits.cells  # a string that no cell can have is none too many
        if self.size > self.limits.texts or len(text) > self.limits.text or len(self.strings) >= most:
            raise ValueError("more text than is read")
        self.strings.append(text)
