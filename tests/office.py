"""A workbook as its user meets it: open in LibreOffice, prompt after prompt typed in, places read back.

One headless LibreOffice does it all, driven by a macro in a private profile. Text and numbers cross in
the binary form of com.sun.star.io.Data*Stream, so that every character and every bit arrives.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sheetgpt.engines import ENGINES
from sheetgpt.engines.base import MEMORY, require
from sheetgpt.engines.libreoffice import find, run_macro
from sheetgpt.errors import EngineError
from sheetgpt.sheet.grid import CellError
from sheetgpt.sheet.strip import strip_caches

Rows = list[list[float | str | None]]  # an error is a CellError, TRUE is 1.0, None is a cell with nothing in it


class Reading(dict[str, Rows]):
    """What stood in each place after one prompt, and the seconds that recalculation took."""

    seconds: float


def typed(
    workbook: Path,
    cell: str,
    prompts: Sequence[str],
    read: Sequence[str],
    *,
    timeout: float = 1200,
    everything: bool = False,
) -> list[Reading]:
    """For each prompt, typed as text into `cell`: every place of `read`, recalculated.

    A place is a defined name (prompt.ids) or a reference (Prompt.B11, 'h0 ln_1'!B2:C9). Only what depends on
    the cell is recalculated, and nothing in a workbook set to manual; `everything` is Ctrl+Shift+F9 each time.
    Raises `EngineError`, which names the prompt.
    """
    with _copied(workbook) as (folder, work):
        texts = [cell, *read, *prompts]
        job = struct.pack(">3i", len(read), len(prompts), everything) + b"".join(map(_utf, texts))
        trouble = "it ended too early"
        try:
            work(job, _TYPING, timeout)
        except EngineError as error:
            trouble = str(error)
        readings = list(_readings(folder / "out", read))
        if len(readings) < len(prompts):
            n = len(readings)
            raise EngineError(f"after {n} of {len(prompts)} prompts, at {prompts[n][:60]!r}: {trouble}")
        return readings


class Spot(NamedTuple):
    """A place, or one cell of it, counted from 0."""

    place: str
    row: int = -1
    col: int = -1


class Change(NamedTuple):
    """What stood in some spots before and after values were typed elsewhere, and which cells then show an error."""

    before: dict[Spot, Rows]
    after: dict[Spot, Rows]
    errors: list[str]


def changed(workbook: Path, rounds: Sequence[tuple[Mapping[Spot, float | str], Sequence[Spot]]]) -> list[Change]:
    """For each round: the values typed, what is watched recalculated and read; then the old values are put back.

    One LibreOffice does them all. Raises `EngineError`.
    """
    with _copied(workbook) as (folder, work):
        job = [struct.pack(">i", len(rounds))]
        for typed, watched in rounds:
            job += [struct.pack(">i", len(watched)), *map(_spot, watched), struct.pack(">i", len(typed))]
            for spot, value in typed.items():
                what = b"\2" + _utf(value) if isinstance(value, str) else b"\1" + struct.pack(">d", value)
                job += [_spot(spot), what]
        work(b"".join(job), _CHANGING, 600)
        stream = io.BytesIO((folder / "out").read_bytes())
        return [_change(stream, watched) for _, watched in rounds]


@contextmanager
def _copied(workbook: Path) -> Iterator[tuple[Path, Callable[[bytes, str, float], None]]]:
    """A folder with a copy of the workbook without caches, and what runs a macro's body on it with a job to read."""
    require(ENGINES["libreoffice"])
    program = find()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="sheetgpt-") as name:
        folder = Path(name)
        strip_caches(workbook, folder / "book.xlsx")

        def work(job: bytes, body: str, timeout: float) -> None:
            (folder / "job").write_bytes(job)
            run_macro(program, folder, _SHARED.replace("' BODY", body), timeout, MEMORY)

        yield folder, work


def _spot(spot: Spot) -> bytes:
    return _utf(spot.place) + struct.pack(">2i", spot.row, spot.col)


def _change(stream: io.BytesIO, watched: Sequence[Spot]) -> Change:
    before, after = ({spot: _rows(stream) for spot in watched} for _ in range(2))
    return Change(before, after, [str(where) for where in iter(lambda: _value(stream), None)])


def _rows(stream: io.BytesIO) -> Rows:
    rows, cols = _unpack(stream, ">2i")
    return [[_value(stream) for _ in range(cols)] for _ in range(rows)]


def _readings(path: Path, read: Sequence[str]) -> Iterator[Reading]:
    """Those that were written in full."""
    if not path.exists():
        return
    stream = io.BytesIO(path.read_bytes())
    try:
        while True:
            reading = Reading()
            (reading.seconds,) = _unpack(stream, ">d")
            for place in read:
                reading[place] = _rows(stream)
            yield reading
    except EOFError:
        return


def _value(stream: io.BytesIO) -> float | str | None:
    (kind,) = _unpack(stream, "b")
    if kind == 0:
        return None
    if kind == 1:
        return float(_unpack(stream, ">d")[0])
    (size,) = _unpack(stream, ">H")
    if size == 0xFFFF:
        (size,) = _unpack(stream, ">i")
    text = _take(stream, size).decode("utf-8", "surrogatepass")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # joins the pairs
    return text if kind == 2 else CellError(text)


def _unpack(stream: io.BytesIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, _take(stream, struct.calcsize(form)))


def _take(stream: io.BytesIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _utf(text: str) -> bytes:
    """As readUTF wants it: UTF-8 of each 16-bit unit, after the length in its long form."""
    units = text.encode("utf-16-be", "surrogatepass")
    data = b"".join(chr(unit).encode("utf-8", "surrogatepass") for (unit,) in struct.iter_unpack(">H", units))
    return struct.pack(">Hi", 0xFFFF, len(data)) + data


_TYPING = """
    Dim cell, started, i, n, prompts, everything
    n = job.readLong()
    prompts = job.readLong()
    everything = job.readLong()
    doing = job.readUTF()
    cell = Place(doc, doing).getCellByPosition(0, 0)
    Dim places(n) As Object
    For i = 1 To n
        doing = job.readUTF()
        places(i) = Place(doc, doing)
    Next
    doing = "typing"
    Do While prompts > 0
        prompts = prompts - 1
        started = GetSystemTicks()
        cell.setString(job.readUTF())
        If everything Then
            doc.calculateAll()
        ElseIf doc.isAutomaticCalculationEnabled() Then
            doc.calculate()  ' what is dirty; LibreOffice would leave it until somebody looks
        End If
        out.writeDouble((GetSystemTicks() - started) / 1000)
        For i = 1 To n
            WritePlace(out, places(i))
        Next
        out.flush()
    Loop
"""

_CHANGING = """
    Dim rounds, i, n, k
    Dim watched(), cells(), old()
    rounds = job.readLong()
    Do While rounds > 0
        rounds = rounds - 1
        n = job.readLong()
        doing = "watching"
        ReDim watched(n)
        For i = 1 To n
            watched(i) = Spot(doc, job)
            WritePlace(out, watched(i))
        Next
        k = job.readLong()
        ReDim cells(k)
        ReDim old(k)
        For i = 1 To k
            doing = "typing"
            cells(i) = Spot(doc, job)
            old(i) = cells(i).getDataArray()
            If job.readByte() = 1 Then
                cells(i).setDataArray(Filled(cells(i), job.readDouble()))
            Else
                cells(i).setDataArray(Filled(cells(i), job.readUTF()))
            End If
        Next
        doc.calculate()
        doing = "reading"
        For i = 1 To n
            WritePlace(out, watched(i))
        Next
        WriteErrors(out, doc)
        For i = k To 1 Step -1
            cells(i).setDataArray(old(i))
        Next
        doc.calculate()
    Loop
"""

_SHARED = """
Option Explicit

Sub Main
    Dim doing, files, job, file, out, doc
    On Error GoTo Failed
    files = createUnoService("com.sun.star.ucb.SimpleFileAccess")
    job = createUnoService("com.sun.star.io.DataInputStream")
    job.setInputStream(files.openFileRead(FOLDER & "/job"))
    file = files.openFileReadWrite(FOLDER & "/out")
    out = createUnoService("com.sun.star.io.DataOutputStream")
    out.setOutputStream(file.getOutputStream())

    doing = "loading"
    Dim options(1) As New com.sun.star.beans.PropertyValue
    options(0).Name = "Hidden"
    options(0).Value = True
    options(1).Name = "MacroExecutionMode"
    options(1).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
    doc = StarDesktop.loadComponentFromURL(FOLDER & "/book.xlsx", "_blank", 0, options())
    doc.getUndoManager().lock()

' BODY
    GoTo Finish
Failed:
    Open FOLDER & "/failed" For Output As #1
    Print #1, doing & ": " & Error$
    Close #1
Finish:
    On Error Resume Next
    doc.close(True)
    StarDesktop.terminate()
End Sub

Function Place(doc, name As String) As Object
    If doc.NamedRanges.hasByName(name) Then
        Place = doc.NamedRanges.getByName(name).getReferredCells()
    Else
        Place = doc.Sheets.getCellRangesByName(Join(Split(name, "!"), "."))(0)
    End If
End Function

Sub WritePlace(out, range)
    Dim rows, r, c
    rows = range.getDataArray()
    out.writeLong(UBound(rows) + 1)
    out.writeLong(UBound(rows(0)) + 1)
    For r = 0 To UBound(rows)
        For c = 0 To UBound(rows(r))
            If IsEmpty(rows(r)(c)) Then
                out.writeByte(3)
                out.writeUTF(range.getCellByPosition(c, r).getString())
            ElseIf VarType(rows(r)(c)) = 5 Then
                out.writeByte(1)
                out.writeDouble(rows(r)(c))
            ElseIf range.getCellByPosition(c, r).getType() = com.sun.star.table.CellContentType.EMPTY Then
                out.writeByte(0)
            Else
                out.writeByte(2)
                out.writeUTF(rows(r)(c))
            End If
        Next
    Next
End Sub

Function Spot(doc, job) As Object
    Dim range, row, col
    range = Place(doc, job.readUTF())
    row = job.readLong()
    col = job.readLong()
    If row >= 0 Then range = range.getCellRangeByPosition(col, row, col, row)
    Spot = range
End Function

Function Filled(range, value)
    Dim rows, one, r, c
    rows = range.getDataArray()
    For r = 0 To UBound(rows)
        one = rows(r)
        For c = 0 To UBound(one)
            one(c) = value
        Next
        rows(r) = one
    Next
    Filled = rows
End Function

Sub WriteErrors(out, doc)
    Dim i, found, sheet
    For i = 0 To doc.Sheets.getCount() - 1
        sheet = doc.Sheets.getByIndex(i)
        For Each found In sheet.queryFormulaCells(com.sun.star.sheet.FormulaResult.ERROR).getRangeAddresses()
            out.writeByte(2)
            out.writeUTF(sheet.getName() & " row " & (found.StartRow + 1) & " column " & (found.StartColumn + 1))
        Next
    Next
    out.writeByte(0)
End Sub
"""
