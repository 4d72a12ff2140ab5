"""Files that mean harm, or are simply not workbooks: each one line, each before any library sees it."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.package import Limits, open_package, xml_parser
from sheetgpt.sheet.readback import read
from sheetgpt.sheet.strip import strip_caches

SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


def book_bytes() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("one")
        sheet.write_number(0, 0, 1.5)
        sheet.write_string(0, 1, "text")
        sheet.write_formula(0, 2, "=A1*2", None, 3)
    return out.getvalue()


def rebuilt(path: Path, parts: dict[str, bytes | None]) -> Path:
    """The plain book with some parts replaced, added, or (None) left out."""
    with zipfile.ZipFile(io.BytesIO(book_bytes())) as old, zipfile.ZipFile(path, "w", 8) as new:
        kept = {name: old.read(name) for name in old.namelist()}
        for name, data in {**kept, **parts}.items():
            if data is not None:
                new.writestr(name, data)
    return path


def part_of_book(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(book_bytes())) as old:
        return old.read(name)


def refused(path: Path, why: str, limits: Limits | None = None) -> None:
    """Both who read and who strip refuse, in one line that names the file."""
    limits = limits or Limits()
    with pytest.raises(WorkbookError, match=why) as caught:
        read(path, limits=limits)
    assert str(caught.value).startswith(path.name)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_plain_book(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    with open_package(path) as package:
        assert SHEET in package
        assert SHEET.upper() in package
        assert b"".join(package.stream(SHEET)) == part_of_book(SHEET)
        assert package.related("", "officeDocument") == "xl/workbook.xml"
        assert {r.kind for r in package.relations("xl/workbook.xml").values()} >= {"worksheet", "styles"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "an empty file"),
        (b"a,b\n1,2\n", "CSV"),
        (b"%PDF-1.7", "PDF"),
        (b"<html></html>", "HTML"),
        (b"\x89PNG\0\0", "another kind"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, r"old \.xls"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"),
            "remove its password",
        ),
        (b"PK\x03\x04" + b"\0" * 100, "damaged or truncated"),
        (book_bytes()[:-40], "damaged or truncated"),
        (book_bytes()[: len(book_bytes()) // 2], "damaged or truncated"),
    ],
)
def test_not_a_workbook(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "book.xlsx"
    path.write_bytes(data)
    refused(path, why)


def test_missing_and_folder(tmp_path: Path) -> None:
    refused(tmp_path / "book.xlsx", "no such file")
    refused(tmp_path, "not a file")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a.txt"], r"\[Content_Types\].xml is missing"),
        (["mimetype", "content.xml"], "OpenDocument"),
        (["[Content_Types].xml", "xl/workbook.bin"], "xlsb"),
        (["[Content_Types].xml"], "no relationship"),
    ],
)
def test_zip_of_another_kind(tmp_path: Path, names: list[str], why: str) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w") as out:
        for name in names:
            out.writestr(name, "<a/>")
    refused(path, why)


@pytest.mark.parametrize("name", ["../evil.xml", "/etc/passwd", "xl/../../evil", "c:/evil", "xl\\evil.xml"])
def test_path_escape(tmp_path: Path, name: str) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {name: b"evil"})
    refused(path, "leads out of the file")
    assert not (tmp_path.parent / "evil.xml").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [SHEET, SHEET.upper()])
def test_duplicate_entries(tmp_path: Path, name: str) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(name, b"<other/>")
    refused(path, "there twice")


def test_many_entries(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {f"junk/{i}": b"" for i in range(50)})
    refused(path, "entries in the zip", Limits(entries=40))


def test_bomb(tmp_path: Path) -> None:
    bomb = b"<worksheet>" + b" " * (40 << 20)
    path = rebuilt(tmp_path / "book.xlsx", {SHEET: bomb})
    assert path.stat().st_size < 100_000
    refused(path, "inflates to more", Limits(part=10 << 20))
    refused(path, "inflates to more", Limits(total=10 << 20))


def test_what_is_read_is_in_proportion_to_the_file(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {SHEET: b"<worksheet>" + b" " * (20 << 20)})
    refused(path, "inflates to more than")
    refused(path, "not a worksheet", Limits(free=21 << 20))
    assert Limits().of(10_000_000).cells == 10_500_000
    assert Limits().of(2 << 30) == Limits()


@pytest.mark.parametrize("unit", [b"<c/>", b"<c><f>1</f></c>"])
def test_more_cells_than_bytes(tmp_path: Path, unit: bytes) -> None:
    head, _, tail = part_of_book(SHEET).partition(b"<sheetData>")
    rows = (b"<row>" + unit * 10_000 + b"</row>") * 3
    path = rebuilt(tmp_path / "book.xlsx", {SHEET: head + b"<sheetData>" + rows + tail.replace(b' r="', b' x="')})
    refused(path, "cells are left to read", Limits(free_cells=0))
    assert len(read(path).sheets) == 1


def test_more_strings_than_bytes(tmp_path: Path) -> None:
    strings = part_of_book("xl/sharedStrings.xml").replace(b"</sst>", b"<si/>" * 20_000 + b"</sst>")
    path = rebuilt(tmp_path / "book.xlsx", {"xl/sharedStrings.xml": strings})
    refused(path, "more text than is read", Limits(free_cells=0))


def test_bytes_before_the_zip(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    path.write_bytes(path.read_bytes() * 2)
    refused(path, "stands before the zip")


@pytest.mark.parametrize(("offset", "value"), [(6, 1), (6, 8), (8, 0)])
def test_an_entry_that_says_otherwise_than_the_directory(tmp_path: Path, offset: int, value: int) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, offset, value)
    path.write_bytes(data)
    refused(path, "one thing to itself")


def test_a_workbook_that_is_said_to_be_a_document(tmp_path: Path) -> None:
    types = part_of_book("[Content_Types].xml").replace(b"spreadsheetml.sheet.main", b"wordprocessingml.document.main")
    refused(rebuilt(tmp_path / "book.xlsx", {"[Content_Types].xml": types}), "is no workbook but")


def test_bomb_in_workbook_part(tmp_path: Path) -> None:
    refused(rebuilt(tmp_path / "book.xlsx", {"xl/workbook.xml": b" " * (40 << 20)}), "inflates to more")


def test_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    """Declared sizes are small; what comes out is more, and stops there."""
    path = rebuilt(tmp_path / "book.xlsx", {SHEET: b" " * (20 << 20)})
    data = path.read_bytes().replace(struct.pack("<I", 20 << 20), struct.pack("<I", 1000))
    path.write_bytes(data)
    refused(path, "damaged")


def test_encrypted_entry(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(bytes(data))
    refused(path, "is encrypted")


def test_wrong_checksum(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    with zipfile.ZipFile(path) as file:
        last = file.infolist()[-1]
    data[at + 16] ^= 0xFF
    path.write_bytes(bytes(data))
    with open_package(path) as package, pytest.raises(WorkbookError, match="damaged"):
        list(package.stream(last.filename))


def test_overlapping_entries(tmp_path: Path) -> None:
    path = rebuilt(tmp_path / "book.xlsx", {"junk": bytes(range(256)) * 40})
    with zipfile.ZipFile(path, "a") as out:
        for i in range(200):
            copy = zipfile.ZipInfo(f"copy{i}")
            first = next(e for e in out.infolist() if e.filename == "junk")
            copy.header_offset, copy.CRC = first.header_offset, first.CRC
            copy.compress_size, copy.file_size, copy.compress_type = first.compress_size, first.file_size, 8
            out.filelist.append(copy)
        out._didModify = True
    refused(path, "overlap")


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "_rels/.rels"])
def test_billion_laughs(tmp_path: Path, part: str) -> None:
    head, _, body = part_of_book(part).partition(b"?>")
    path = rebuilt(tmp_path / "book.xlsx", {part: head + b"?>" + LAUGHS.encode() + body})
    refused(path, "document type or entities")
    if part != "xl/sharedStrings.xml":
        with pytest.raises(WorkbookError, match="document type or entities"):
            strip_caches(path, tmp_path / "out.xlsx")


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_not_well_formed(tmp_path: Path, part: str) -> None:
    refused(rebuilt(tmp_path / "book.xlsx", {part: part_of_book(part)[:-9]}), "not well-formed")


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml"])
def test_part_missing(tmp_path: Path, part: str) -> None:
    refused(rebuilt(tmp_path / "book.xlsx", {part: None}), "is missing")


def test_encodings_other_than_utf8(tmp_path: Path) -> None:
    text = part_of_book(SHEET).replace(b"UTF-8", b"latin-1", 1)
    refused(rebuilt(tmp_path / "book.xlsx", {SHEET: text}), "not UTF-8")
    text = part_of_book(SHEET).decode().replace("UTF-8", "UTF-16", 1).encode("utf-16")
    refused(rebuilt(tmp_path / "book.xlsx", {SHEET: text}), "not UTF-8")


def test_one_endless_tag(tmp_path: Path) -> None:
    sheet = part_of_book(SHEET).replace(b"<sheetData>", b'<x y="' + b"z" * (3 << 20) + b'"/><sheetData>')
    refused(rebuilt(tmp_path / "book.xlsx", {SHEET: sheet}), "of a kind", Limits(whole=1 << 20))


def test_parser_names_carry_their_space() -> None:
    seen: list[str] = []
    parser = xml_parser()
    parser.StartElementHandler = lambda name, attrs: seen.append(name)
    parser.Parse(b'<a xmlns="urn:x"><b/></a>', True)
    assert seen == ["urn:x a", "urn:x b"]
