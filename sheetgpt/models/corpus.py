"""A text file of any kind as pieces that can be cut into words one by one: read once, never whole in memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from sheetgpt.errors import WeightError

LARGEST = 1 << 30  # bytes of a corpus
LONGEST = 1 << 20  # characters without white space
_PIECE = 1 << 20  # bytes at once
# All up to the last sign that white space follows: GPT-2's pattern ends a word there, whatever comes later.
_SURE = re.compile(r".*\S(?=[ \n])", re.DOTALL)


def pieces(path: Path) -> Iterator[str]:
    """The text of a file in pieces whose words are those of the whole text; raises `WeightError`.

    Refused is what is no file, holds no text or more than `LARGEST` bytes, is not UTF-8, or holds a zero byte.
    """
    rest = ""
    for text in _decoded(path):
        rest += text
        if sure := _SURE.match(rest):
            yield sure[0]
            rest = rest[sure.end() :]
        if len(rest) > LONGEST:
            raise WeightError(f"{path}: {LONGEST:,} characters without a space or a new line; name a text of words")
    if rest:
        yield rest


def _decoded(path: Path) -> Iterator[str]:
    """The text as it is read, a byte order mark apart."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    read = 0
    for data in _bytes(path):
        if 0 in data:
            raise WeightError(f"{path}: byte {read + data.index(0)} is 0; this is no text")
        try:
            yield decoder.decode(data)
        except UnicodeDecodeError:
            raise WeightError(f"{path}: is not UTF-8 text near byte {read}; save it as UTF-8") from None
        read += len(data)
        if read > LARGEST:
            raise WeightError(f"{path}: larger than {LARGEST >> 20} MiB; take a part of it")
    if read == 0:
        raise WeightError(f"{path}: is empty; name a text to learn from")
    try:
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise WeightError(f"{path}: ends within a character; copy the file again") from None


def _bytes(path: Path) -> Iterator[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise WeightError(f"{path}: is not a file")
        with path.open("rb") as file:
            while data := file.read(_PIECE):
                yield data
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WeightError(f"{path}: cannot be read ({reason})") from None
