"""Shared strings with more texts at their end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from sheetgpt.sheet.cellxml import element, escape
from sheetgpt.sheet.grid import Value
from sheetgpt.sheet.package import Package, xml_parser
from sheetgpt.sheet.readback import Outline


class Strings(NamedTuple):
    """Texts that are added to the shared strings.

    A text goes into its cell, as an inline string, unless it needs an escape: IronCalc does not understand those
    there. Among the shared strings every program does.
    """

    part: str = ""  # empty if there is nothing to add
    numbers: Mapping[str, int] = MappingProxyType({})  # text -> its number
    end: int = 0  # where in the part they are added
    xml: bytes = b""

    @classmethod
    def of(cls, package: Package, outline: Outline, typed: Iterable[Value]) -> Strings:
        """What must be added for the typed values; raises `WorkbookError` where there are no shared strings."""
        texts = dict.fromkeys(value for value in typed if isinstance(value, str) and escape(value) != value)
        if not texts:
            return cls()
        part = package.related(outline.workbook, "sharedStrings")
        counter = _Counter()
        for _ in package.parse(part, counter.parser) if part else ():
            pass
        if part is None or not counter.count:
            package.fail("has no shared strings, the only place for control characters and the like")
        si, t = f"{counter.prefix}si", f"{counter.prefix}t"
        xml = "".join(f"<{si}>{element(t, text)}</{si}>" for text in texts).encode()
        numbers = {text: number for number, text in enumerate(texts, counter.count)}
        return cls(package.entry(part).filename, numbers, counter.end, xml)

    def extended(self, package: Package) -> Iterator[bytes]:
        """The pieces of the part with the new strings in it."""
        at = self.end
        for piece in package.stream(self.part):
            if 0 <= at < len(piece):
                piece = piece[:at] + self.xml + piece[at:]
            at -= len(piece)
            yield piece


class _Counter:
    """Counts <si>, and finds where the element ends that holds them."""

    def __init__(self) -> None:
        self.parser = xml_parser()
        self.parser.namespace_prefixes = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.count, self.end, self.prefix = 0, 0, ""

    def _start(self, name: str, _: object) -> None:
        words = name.split(" ")  # namespace, tag, prefix; the tag alone where there is no namespace
        if words[:2][-1] == "si":
            self.count += 1
            self.prefix = f"{words[2]}:" if len(words) > 2 else ""

    def _end(self, _: str) -> None:
        self.end = self.parser.CurrentByteIndex
