"""What LibreOffice does for us, as a Basic macro in a private profile: load, compute, keep only what formulas gave."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

# Saving a whole workbook takes LibreOffice ten times the memory of computing it. So what was computed becomes plain
# values, sheets without formulas go, and what is left is saved. Two things are listed apart, each with its sheet, row
# and column: an error, which is no value, by its number; and texts that would not be saved, since they are empty or
# have a carriage return.
COMPUTE = r"""
Option Explicit

Sub Main
    Dim doing, files, job, apart, doc, sheet, range, data, i, mark
    On Error GoTo Failed
    files = createUnoService("com.sun.star.ucb.SimpleFileAccess")
    job = createUnoService("com.sun.star.io.TextInputStream")
    job.setInputStream(files.openFileRead(FOLDER & "/job"))
    job.setEncoding("UTF-8")
    apart = createUnoService("com.sun.star.io.TextOutputStream")
    apart.setOutputStream(files.openFileReadWrite(FOLDER & "/apart").getOutputStream())
    apart.setEncoding("UTF-8")

    doing = "loading"
    Dim hidden(1) As New com.sun.star.beans.PropertyValue
    hidden(0).Name = "Hidden"
    hidden(0).Value = True
    hidden(1).Name = "MacroExecutionMode"
    hidden(1).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
    doc = StarDesktop.loadComponentFromURL(FOLDER & "/book.xlsx", "_blank", 0, hidden())
    doc.getUndoManager().lock()
    doing = "computing"
    doc.calculateAll()
    doc.enableAutomaticCalculation(False)
    doc.lockControllers()

    mark = job.readLine()
    Do While Not job.isEOF()
        i = job.readLine()  ' a number for a sheet, its name, and the area that holds its formulas
        If Len(i) > 0 Then
            doing = job.readLine()
            sheet = doc.Sheets.getByName(doing)
            sheet.unprotect("")
            range = sheet.getCellRangeByPosition(job.readLine(), job.readLine(), job.readLine(), job.readLine())
            data = range.getDataArray()
            ListApart(apart, i, sheet, range, data, com.sun.star.sheet.FormulaResult.ERROR)
            ListApart(apart, i, sheet, range, data, com.sun.star.sheet.FormulaResult.STRING)
            range.setDataArray(data)
            sheet.isVisible = True
            sheet.setName(mark & i)
        End If
    Loop
    apart.closeOutput()
    doing = "saving"
    For i = doc.Sheets.getCount() - 1 To 0 Step -1
        If Left(doc.Sheets.getByIndex(i).getName(), Len(mark)) <> mark Then
            doc.Sheets.removeByName(doc.Sheets.getByIndex(i).getName())
        End If
    Next
    Dim xlsx(0) As New com.sun.star.beans.PropertyValue
    xlsx(0).Name = "FilterName"
    xlsx(0).Value = "Calc MS Excel 2007 XML"
    doc.storeToURL(FOLDER & "/out.xlsx", xlsx())
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

Sub ListApart(apart, i, sheet, range, data, results)
    Dim found, r, c, text
    For Each found In range.queryFormulaCells(results).getRangeAddresses()
        For r = found.StartRow To found.EndRow
            For c = found.StartColumn To found.EndColumn
                text = data(r - range.RangeAddress.StartRow)(c - range.RangeAddress.StartColumn)
                If results = com.sun.star.sheet.FormulaResult.ERROR Then
                    text = sheet.getCellByPosition(c, r).getError()
                    apart.writeString(i & " " & r & " " & c & " " & text & Chr(10))
                ElseIf Len(text) = 0 Or InStr(text, Chr(13)) > 0 Then
                    text = Join(Split(Join(Split(text, "\"), "\\"), Chr(13)), "\r")
                    apart.writeString(i & " " & r & " " & c & " =" & Join(Split(text, Chr(10)), "\n") & Chr(10))
                End If
            Next
        Next
    Next
End Sub
"""


def write_profile(folder: Path, macro: str, settings: str) -> None:
    """A LibreOffice profile in `folder`/profile that holds `macro` as Standard.Module1, FOLDER being `folder`."""
    user = folder / "profile" / "user"
    library = user / "basic" / "Standard"
    library.mkdir(parents=True)
    (user / "registrymodifications.xcu").write_text(settings, "utf-8")
    (user / "basic" / "script.xlc").write_text(_LIBRARIES, "utf-8")
    (library / "script.xlb").write_text(_LIBRARY, "utf-8")
    source = escape(macro.replace("FOLDER", f'"{folder.as_uri()}"'))
    (library / "Module1.xba").write_text(_MODULE.format(source), "utf-8")


_LIBRARIES = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:libraries PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "libraries.dtd">
<library:libraries xmlns:library="http://openoffice.org/2000/library">
<library:library library:name="Standard" library:link="false"/></library:libraries>
"""

_LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard">
<library:element library:name="Module1"/></library:library>
"""

_MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1"
 script:language="StarBasic">{}</script:module>
"""
