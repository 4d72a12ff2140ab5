"""Files as someone else made them, in a folder or in a zip: nothing is extracted, and no read is larger than it says.

A zip may lie about everything. So its directory is bounded, a name in it is only ever compared, and a member is read
from its beginning in pieces, never to more bytes than it declares and its reader has room for.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sheetgpt.errors import WeightError

_LARGEST_READ = 1 << 23  # bytes at once; a zip's directory is one read
_LARGEST_JSON = 16 << 20
_BUFFER = 1 << 20
_MOST_FILES = 7_000
_ODD = (NotImplementedError, RuntimeError, OverflowError, struct.error)  # what `zipfile` says of odd archives
_LEADS_OUT = re.compile(r"^$|^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)")


@dataclass(frozen=True)
class Files:
    """Files by plain name: those of a folder, or of one folder in a zip."""

    path: Path
    members: Mapping[str, str]  # name -> member of the zip; empty for a file that lies in a folder

    @classmethod
    def in_folder(cls, folder: Path) -> Files:
        """Raises `WeightError` where the folder cannot be read."""
        try:
            return cls(folder, {p.name: "" for p in sorted(folder.iterdir()) if not p.is_dir()})
        except OSError as error:
            raise WeightError(f"{folder}: cannot be read ({error.strerror})") from None

    @classmethod
    def in_zip(cls, path: Path, marks: Collection[str]) -> Files:
        """Those of the one folder in the zip that holds a file of the names `marks`; raises `WeightError`."""
        names = zip_names(path)
        folders = {name[: -len(plain)] for name in names if (plain := name.rpartition("/")[2]) in marks}
        if len(folders) != 1:
            found = "no" if not folders else len(folders)
            raise WeightError(f"{path.name}: {found} folders with {' or '.join(marks)} in it, where a model has one")
        folder = folders.pop()
        inside = [name for name in names if name.startswith(folder) and "/" not in name[len(folder) :]]
        return cls(path, {name[len(folder) :]: name for name in inside})

    def place(self, name: str) -> tuple[Path, str]:
        """Path and member of a file, as `opened` takes them."""
        member = self.members.get(name, "")
        return (self.path, member) if member else (self.path / name, "")

    def read(self, name: str, most: int) -> bytes:
        """A whole file of at most so many bytes; raises `WeightError`."""
        with opened(*self.place(name)) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise WeightError(f"{self.path / name}: larger than {most >> 20} MB, so no {name}")
        return data

    def json(self, name: str) -> dict[str, object]:
        """A file that holds one JSON object; raises `WeightError`."""
        return json_object(self.read(name, _LARGEST_JSON), str(self.path / name))


def json_object(data: bytes, name: str) -> dict[str, object]:
    """The JSON object that `data` is, with no key twice; raises `WeightError` that begins with `name`."""
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise WeightError(f"{name}: cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise WeightError(f"{name}: must hold a JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return found


@contextmanager
def opened(path: Path, member: str = "") -> Iterator[BinaryIO]:
    """A file, or a member of a zip, to be read from its beginning; `WeightError` for whatever fails meanwhile."""
    try:
        if path.exists() and not path.is_file():
            raise WeightError(f"{path}: not a file")
        if member:
            with _archive(path) as archive, archive.open(_checked(archive.getinfo(member))) as inside:
                yield io.BufferedReader(cast(io.RawIOBase, inside), _BUFFER)
        else:
            with path.open("rb") as file:
                yield file
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, *_ODD) as error:
        raise WeightError(
            f"{path.name}: {member or 'the zip'} is damaged ({str(error)[:200]}); copy it again"
        ) from None


def zip_names(path: Path) -> list[str]:
    """The names of a zip's files; raises `WeightError` for one that leads out of it, stands twice or is encrypted."""
    try:
        with _archive(path) as archive:
            infos = [_checked(info) for info in archive.infolist() if not info.filename.endswith("/")]
    except OSError as error:
        raise WeightError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, ValueError, *_ODD) as error:
        raise WeightError(f"{path}: not a zip that can be read ({str(error)[:200]})") from None
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise WeightError(f"{path.name}: two files of one name in it")
    if len(names) > _MOST_FILES:
        raise WeightError(f"{path.name}: {len(names):,} files in it, a model has at most {_MOST_FILES:,}")
    return names


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    with _Bounded(path) as file, zipfile.ZipFile(cast(BinaryIO, file)) as archive:
        yield archive


class _Bounded(io.FileIO):
    """A file of which no read takes more than `_LARGEST_READ` bytes, however large a zip says that its directory is."""

    def read(self, size: int | None = -1) -> bytes:
        at = self.tell()
        left = self.seek(0, io.SEEK_END) - at
        self.seek(at)
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > _LARGEST_READ:
            raise zipfile.BadZipFile(f"its directory takes {wanted:,} bytes")
        return super().read(wanted) or b""


def _checked(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    name = info.orig_filename
    if name != info.filename or _LEADS_OUT.search(name):
        raise WeightError(f"a file in the zip is named {name!r:.80}, which leads out of it: nothing is read")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 0x1:
        raise WeightError(f"{name:.80}: encrypted, or not packed by deflate; pack it again as an ordinary zip")
    return info
