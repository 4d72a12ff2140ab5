"""A workbook as its user meets it: open in LibreOffice, prompt after prompt typed in, places read back.

One headless LibreOffice does it all, driven by a macro in a private profile. Text and numbers cross in
the binary form of com.sun.star.io.Data*Stream, so that every character and every bit arrives.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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
    require(ENGINES["libreoffice"])
    program = find()
    assert program is not None
    with tempfile.TemporaryDirectory(prefix="sheetgpt-") as name:
        folder = Path(name)
        strip_caches(workbook, folder / "book.xlsx")
        texts = [cell, *read, *prompts]
        job = struct.pack(">3i", len(read), len(prompts), everything) + b"".join(map(_utf, texts))
        (folder / "job").write_bytes(job)
        trouble = "it ended too early"
        try:
            run_macro(program, folder, _MACRO, timeout, MEMORY)
        except EngineError as error:
            trouble = str(error)
        readings = list(_readings(folder / "out", read))
        if len(readings) < len(prompts):
            n = len(readings)
            raise EngineError(f"after {n} of {len(prompts)} prompts, at {prompts[n][:60]!r}: {trouble}")
        return readings


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
                rows, cols = _unpack(stream, ">2i")
                reading[place] = [[_value(stream) for _ in range(cols)] for _ in range(rows)]
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


_MACRO = """
Option Explicit

Sub Main
    Dim doing, files, job, file, out, doc, cell, started, i, n, prompts, everything
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
"""
