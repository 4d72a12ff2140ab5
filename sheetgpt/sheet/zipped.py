"""A zip written in one pass, its entries deflated here or by other processes beforehand."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from isal import isal_zlib

from sheetgpt.errors import OutputError

LARGEST = (1 << 31) - 1  # bytes of a part, or of a file, that LibreOffice opens; beyond it a zip entry needs ZIP64
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes every time
_CHUNK = 1 << 14
_QUICK = 2  # of isal
_SMALL = 5  # of zlib: 9 % smaller than isal's, in six times the time


class Deflated(NamedTuple):
    """What was deflated: its check sum and how long it was before and after."""

    crc: int
    size: int
    compressed: int


def deflate(pieces: Iterable[bytes], out: BinaryIO, *, small: bool = False) -> Deflated:
    """Write pieces to `out` as one raw deflate stream (RFC 1951); `small` takes its time."""
    deflater: Any = (
        zlib.compressobj(_SMALL, zlib.DEFLATED, -15, 9)
        if small
        else isal_zlib.compressobj(_QUICK, zlib.DEFLATED, -15, 9)
    )
    crc = size = 0
    start = out.tell()
    for chunk in _chunks(pieces):
        crc = isal_zlib.crc32(chunk, crc)
        size += len(chunk)
        out.write(deflater.compress(chunk))
    out.write(deflater.flush())
    return Deflated(crc, size, out.tell() - start)


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    buffer: list[bytes] = []
    size = 0
    for piece in pieces:
        if not buffer and len(piece) > _CHUNK:
            yield piece
            continue
        buffer.append(piece)
        size += len(piece)
        if size > _CHUNK:
            yield b"".join(buffer)
            buffer, size = [], 0
    if buffer:
        yield b"".join(buffer)


class Zipper:
    """Writes the entries of a new zip one after the other; use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w")

    def __enter__(self) -> Zipper:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._zip.close()

    def add(self, name: str, pieces: Iterable[bytes], *, huge: bool = False, small: bool = True) -> None:
        """One entry; `huge` if it may be larger than `LARGEST`, `small` as for `deflate`.

        Raises `OutputError` for an entry that is too large and was not said to be.
        """
        info, out = self._begin(name, huge)
        self._end(info, deflate(pieces, out, small=small), huge)

    def add_deflated(self, name: str, path: Path, deflated: Deflated) -> None:
        """One entry that `deflate` has written to the file `path`."""
        huge = deflated.size > LARGEST
        info, out = self._begin(name, huge)
        with path.open("rb") as source:
            shutil.copyfileobj(source, out, 1 << 22)
        self._end(info, deflated, huge)

    def _begin(self, name: str, huge: bool) -> tuple[zipfile.ZipInfo, Any]:
        out = self._zip.fp
        info = zipfile.ZipInfo(name, _EPOCH)
        info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
        assert out is not None
        info.header_offset = out.tell()
        info.CRC = info.file_size = info.compress_size = 0
        out.write(info.FileHeader(zip64=huge))
        return info, out

    def _end(self, info: zipfile.ZipInfo, deflated: Deflated, huge: bool) -> None:
        """Write the entry's header anew, now that its sizes are known."""
        info.CRC, info.file_size, info.compress_size = deflated
        if info.file_size > LARGEST and not huge:
            raise OutputError(f"a tab is too large for the file format ({info.file_size:,} bytes)")
        out = self._zip.fp
        assert out is not None
        end = out.tell()
        out.seek(info.header_offset)
        out.write(info.FileHeader(zip64=huge))
        out.seek(end)
        self._zip.filelist.append(info)
        self._zip.NameToInfo[info.filename] = info
        self._zip.start_dir = end
        self._zip._didModify = True  # type: ignore[attr-defined]
