"""A .xlsx file as a zip of parts, hostile until parsed.

Nothing is extracted to disk, nothing is believed: sizes are counted while inflating, XML with a
document type is refused, and whatever is wrong becomes one `WorkbookError` line that names the file.
"""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Protocol
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sheetgpt.errors import WorkbookError

Sift = Callable[[Iterator[bytes]], Iterator[bytes]]
CHUNK = 1 << 18
_OFFICE = ("http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/")
_NAMES = 100_000  # different names of elements and attributes in one part
_HEADER = struct.Struct("<6xHH")  # of an entry: flags, method
_FLAGS = 0x1 | 0x8  # encrypted, sizes behind the data
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True)
class Limits:
    """Caps on what is read; all sizes are bytes once inflated, `cells` counts cells of one book."""

    entries: int = 10_000
    part: int = 4 << 30
    total: int = 16 << 30
    spread: int = 40  # bytes once inflated for each byte of the file, beside those that are always `free`
    free: int = 16 << 20
    whole: int = 32 << 20  # what is held in memory while a part is parsed: a tag, a cell
    tree: int = 4 << 20  # a part that becomes a tree, the workbook or relationships: it takes 30 times as much memory
    cells: int = 20_000_000  # of which a file has no more than bytes, beside those that are always `free_cells`
    free_cells: int = 500_000
    text: int = 1 << 20  # characters of one cell, formula or shared string
    texts: int = 1 << 28  # characters of all shared strings together

    def of(self, size: int) -> Limits:
        """Those of a file of so many bytes: what reading it costs is in proportion to them."""
        return replace(
            self,
            total=min(self.total, self.free + self.spread * size),
            cells=min(self.cells, self.free_cells + size),
        )


LIMITS = Limits()


class Relation(NamedTuple):
    """A relationship: `kind` is the last word of its type's address, or the whole of a stranger's."""

    kind: str
    target: str
    external: bool


class Package:
    """An open workbook file; made by `open_package`, used in a `with` block."""

    def __init__(self, path: Path, file: zipfile.ZipFile, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.file = file
        self.entries = {info.filename: info for info in file.infolist() if not info.is_dir()}
        self._folded = {name.casefold(): name for name in self.entries}

    def __enter__(self) -> Package:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.file.close()

    def __contains__(self, part: str) -> bool:
        return part.casefold() in self._folded

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, in the file's order."""
        return tuple(self.entries)

    def fail(self, why: str) -> NoReturn:
        """Raise `WorkbookError` with one line that names the file."""
        raise WorkbookError(f"{self.path.name}: {' '.join(why.split())}")

    def entry(self, part: str) -> zipfile.ZipInfo:
        """The zip entry of a part, found as OPC finds it: ignoring case."""
        name = self._folded.get(part.casefold())
        if name is None:
            self.fail(f"the part {part[:80]} is missing")
        return self.entries[name]

    def stream(self, part: str) -> Iterator[bytes]:
        """Inflated pieces of a part, each at most 256 KiB; stops at the caps and at a wrong checksum."""
        info, seen = self.entry(part), 0
        try:
            with self.file.open(info) as source:
                while piece := source.read(CHUNK):
                    seen += len(piece)
                    if seen > self.limits.part:
                        self.fail(f"{part} inflates to more than {self.limits.part} bytes")
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            self.fail(f"{part} is damaged ({error})")
        if seen != info.file_size:
            self.fail(f"{part} is damaged (shorter than it says)")

    def read(self, part: str) -> bytes:
        """A small part whole; raises `WorkbookError` over `limits.tree` bytes."""
        pieces, size = [], 0
        for piece in self.stream(part):
            pieces.append(piece)
            size += len(piece)
            if size > self.limits.tree:
                self.fail(f"{part} inflates to more than {self.limits.tree} bytes")
        return b"".join(pieces)

    def tree(self, part: str) -> Element:
        """A small XML part as a tree; document types and entities are refused."""
        try:
            root = fromstring(self.read(part), forbid_dtd=True)
        except DefusedXmlException:
            self.fail(f"{part} declares a document type or entities")
        except (ParseError, ValueError, LookupError) as error:
            self.fail(f"{part} is not well-formed XML ({error})")
        assert isinstance(root, Element)
        return root

    def parse(self, part: str, parser: expat.XMLParserType, sift: Sift | None = None) -> Iterator[bytes]:
        """Feed a part to `parser`, yielding each piece just before it is parsed.

        `parser` comes from `xml_parser`; its handlers may raise `ValueError` to say what is wrong. `sift` may keep
        back some of what is to be parsed; when it is asked for more, all that it gave before has been parsed.
        """
        fed = 0
        try:
            for piece in sift(self.stream(part)) if sift else self.stream(part):
                yield piece
                parser.Parse(piece, False)
                fed += len(piece)
                if fed - parser.CurrentByteIndex > self.limits.whole or len(parser.intern) > _NAMES:
                    self.fail(f"{part} is XML of a kind that is not read")
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            self.fail(f"{part} is not well-formed XML ({error})")
        except ValueError as error:
            self.fail(f"{part}: {error}")

    def relations(self, part: str) -> dict[str, Relation]:
        """Relationships of a part by id, targets resolved; '' asks for those of the package."""
        folder, base = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{base}.rels")
        if rels not in self:
            return {}
        found = [self._relation(folder, node) for node in self.tree(rels) if local(node.tag) == "Relationship"]
        if len({name for name, _ in found}) < len(found):
            self.fail(f"{rels} has two relationships of one name")
        return dict(found)

    def _relation(self, folder: str, node: Element) -> tuple[str, Relation]:
        external = node.get("TargetMode", "").casefold() == "external"
        target = node.get("Target", "")
        if not external:
            target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        kind = node.get("Type", "")
        if kind.startswith(_OFFICE):
            kind = kind.rpartition("/")[2]
        return node.get("Id", ""), Relation(kind, target, external)

    def related(self, part: str, kind: str) -> str | None:
        """Target of the first internal relationship of this kind."""
        found = [r.target for r in self.relations(part).values() if r.kind == kind and not r.external]
        if len(found) > 1 and kind == "officeDocument":
            self.fail("two relationships say where the workbook is")
        return found[0] if found else None


def local(tag: str) -> str:
    """A tag without its namespace: '{...}sheet' is 'sheet'."""
    return tag.rpartition("}")[2]


def xml_parser() -> expat.XMLParserType:
    """An expat parser that refuses document types and any encoding but UTF-8; names read 'NAMESPACE NAME'."""
    parser = expat.ParserCreate("UTF-8", " ")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = _refuse_encoding
    parser.ordered_attributes = False
    return parser


class Reader(Protocol):
    """Handlers of a pass over XML: text goes to the list `text`, piece by piece."""

    text: list[str]

    def start(self, name: str, attrs: dict[str, str]) -> None:
        """An element begins."""
        ...

    def end(self, name: str) -> None:
        """An element ends."""
        ...


def parser_for(reader: Reader) -> expat.XMLParserType:
    """A parser as `xml_parser` makes it, that calls the reader's handlers."""
    parser = xml_parser()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text.append
    return parser


def _refuse_doctype(*_: Any) -> None:
    raise ValueError("declares a document type or entities")


def _refuse_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if encoding is not None and encoding.casefold() not in ("utf-8", "us-ascii"):
        raise ValueError(f"is encoded as {encoding[:20]}, not UTF-8")


def open_package(path: str | Path, limits: Limits = LIMITS) -> Package:
    """Open a .xlsx file and check its outside: kind, entries, names, declared sizes.

    Raises `WorkbookError` (exit 3) with one line that names the file.
    """
    path = Path(path)
    _check_kind(path)
    try:
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        raise WorkbookError(f"{path.name}: a damaged or truncated zip file ({error})") from None
    try:
        size = path.stat().st_size
        limits = limits.of(size)
        why = _fault(file.infolist(), size, limits) or _header_fault(file)
        if why:
            raise WorkbookError(f"{path.name}: {why}")
        return Package(path, file, limits)
    except BaseException:
        file.close()
        raise


def _check_kind(path: Path) -> None:
    if not path.exists():
        raise WorkbookError(f"{path.name or path}: no such file")
    if not path.is_file():
        raise WorkbookError(f"{path.name or path}: not a file")
    try:
        with path.open("rb") as source:
            head = source.read(1 << 16)
    except OSError as error:
        raise WorkbookError(f"{path.name}: cannot be read ({error.strerror})") from None
    if not head.startswith(b"PK"):
        raise WorkbookError(f"{path.name}: not an .xlsx workbook but {_what(head)}")


def _what(head: bytes) -> str:
    """What a file that is no zip seems to be, and what to do about it."""
    if not head:
        return "an empty file"
    if head.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in head:
            return "an encrypted one: remove its password first"
        return "an old .xls file or an encrypted workbook: save it as .xlsx without a password"
    if head.startswith(b"%PDF"):
        return "a PDF file"
    if b"\0" in head:
        return "a file of another kind"
    if head.lstrip().startswith(b"<"):
        return "an XML or HTML file: save it as .xlsx"
    return "a text file, perhaps CSV: open it in a spreadsheet and save it as .xlsx"


def _fault(infos: list[zipfile.ZipInfo], size: int, limits: Limits) -> str | None:
    """What is wrong with the entries of the zip, if anything."""
    if len(infos) > limits.entries:
        return f"{len(infos)} entries in the zip; at most {limits.entries} are read"
    seen: set[str] = set()
    for info in infos:
        why = _entry_fault(info, limits)
        if why:
            return f"the entry {info.filename[:60]!r} {why}"
        if info.filename.casefold() in seen:
            return f"the entry {info.filename[:60]!r} is there twice"
        seen.add(info.filename.casefold())
    if sum(info.compress_size for info in infos) > size:
        return "entries of the zip overlap"
    if sum(info.file_size for info in infos) > limits.total:
        return f"inflates to more than {limits.total} bytes"
    return _wrong_content(seen)


def _entry_fault(info: zipfile.ZipInfo, limits: Limits) -> str | None:
    name = info.orig_filename
    if not name or name.startswith("/") or "\\" in name or "\0" in name or ":" in name.partition("/")[0]:
        return "has a name that leads out of the file"
    if ".." in name.split("/"):
        return "has a name that leads out of the file"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that workbooks do not use"
    if info.file_size > limits.part:
        return f"inflates to more than {limits.part} bytes"
    return None


def _header_fault(file: zipfile.ZipFile) -> str | None:
    """Where the entries' own headers and the directory differ: some programs read the ones, some the other."""
    assert file.fp is not None
    if min(info.header_offset for info in file.infolist()):
        return "something stands before the zip"
    for info in file.infolist():
        file.fp.seek(info.header_offset)
        head = file.fp.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return "a damaged or truncated zip file"
        flags, method = _HEADER.unpack(head)
        if (flags ^ info.flag_bits) & _FLAGS or method != info.compress_type:
            return f"the entry {info.filename[:60]!r} is one thing to itself and another to the zip's directory"
    return None


def _wrong_content(names: set[str]) -> str | None:
    """What a zip that holds no .xlsx workbook seems to be."""
    if "xl/workbook.bin" in names:
        return "a binary .xlsb workbook: save it as .xlsx"
    if "[content_types].xml" in names:
        return None
    if "mimetype" in names and "content.xml" in names:
        return "an OpenDocument file: save it as .xlsx"
    return "a zip file, but no workbook: [Content_Types].xml is missing"
