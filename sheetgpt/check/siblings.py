"""Head against head, block against block: places that differ in their number alone have the same formulas."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property

from sheetgpt.check.formula import plain_tab
from sheetgpt.plan.checks import AT
from sheetgpt.sheet.a1 import parse_cell, parse_ref
from sheetgpt.sheet.book import Book, Sheet
from sheetgpt.sheet.grid import Area, At, size
from sheetgpt.sheet.r1c1 import PIECE

_BLOCK, _HEAD = re.compile(r"\bh([0-9]+)(?=\.)"), re.compile(r"\bhead([0-9]+)(?=\.)")
_BEFORE = "h(before)"
Form = tuple[str, ...]  # the formulas of a place, by rows


def numbers(name: str) -> tuple[int | None, int | None]:
    """The block and the head of a place, by its name.

    >>> numbers("h3.attn.head2.z"), numbers("h0.ln_1.g"), numbers("logits")
    ((3, 2), (0, None), (None, None))
    """
    block, head = _BLOCK.match(name), _HEAD.search(name)
    return int(block[1]) if block else None, int(head[1]) if head else None


def family(name: str) -> str:
    """One name for the places of all blocks and heads: h3.attn.head2.z is h*.attn.head*.z."""
    return _HEAD.sub("head*", _BLOCK.sub("h*", name))


class Siblings:
    """The formulas of a workbook's named places, each with its own number taken out."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._forms: dict[str, Form] = {}

    def differ_from(self, name: str) -> list[str]:
        """The places of other heads and blocks that have one form, which is not that of `name`.

        Empty where most are like `name`, or where they do not agree.
        """
        if name.startswith(f"{AT}."):  # whose rows are named after blocks, and say what each block reads
            return []
        own, shared = self._form(name), family(name)
        names = [n for n in self._book.names if family(n) == shared != n and n.casefold() != name.casefold()]
        forms = {other: form for other in names if (form := self._form(other)) and _comparable(name, own, other, form)}
        if not own or not forms:
            return []
        form, n = Counter(forms.values()).most_common(1)[0]
        agree = form != own and 2 * n > len(forms)
        return [other for other in forms if forms[other] == form] if agree else []

    @cached_property
    def _boxes(self) -> dict[str, list[tuple[Area, str]]]:
        """By tab: the areas that have names, the largest first, so that a part of a place counts as the place."""
        found: dict[str, list[tuple[Area, str]]] = {}
        for name, ref in self._book.names.items():
            try:
                tab, area = parse_ref(ref)
            except ValueError:
                continue
            found.setdefault(tab.casefold(), []).append((area, name))
        return {tab: sorted(boxes, key=lambda box: -size(box[0])) for tab, boxes in found.items()}

    def _form(self, name: str) -> Form:
        """The formulas of a place, by rows; empty where it has none."""
        if name not in self._forms:
            self._forms[name] = self._read(name)
        return self._forms[name]

    def _read(self, name: str) -> Form:
        try:
            tab, (r0, c0, r1, c1) = parse_ref(self._book.reference(name))
        except ValueError:
            return ()
        sheet = self._book.sheets.get(tab)
        if sheet is None:
            return ()
        inside = sorted(at for at in sheet.formulas if r0 <= at[0] <= r1 and c0 <= at[1] <= c1)
        return tuple(self._renumbered(name, sheet, at, (at[0] - r0, at[1] - c0)) for at in inside)

    def _renumbered(self, name: str, sheet: Sheet, at: At, inner: At) -> str:
        """A formula with names for references, and stars for the numbers of its own block and head."""
        tab = sheet.name

        def said(match: re.Match[str]) -> str:
            nonlocal tab
            if match["tab"]:
                tab = plain_tab(match["tab"][:-1])
                return ""
            if match["cell"]:
                there, tab = tab, sheet.name
                return self._named(name, there, parse_cell(match["cell"]), inner)
            return _starred(name, match["word"].casefold()) if match["word"] else match[0]

        try:
            return PIECE.sub(said, sheet.formulas[at].text)
        except ValueError:  # a cell outside the grid
            return sheet.formulas[at].text

    def _named(self, name: str, tab: str, at: At, inner: At) -> str:
        """A cell as its place's name, and how far its row and column are from those of the formula."""
        for (r0, c0, r1, c1), place in self._boxes.get(tab.casefold(), ()):
            if r0 <= at[0] <= r1 and c0 <= at[1] <= c1:
                return f"{_starred(name, place)}[{at[0] - r0 - inner[0]},{at[1] - c0 - inner[1]}]"
        return "[no place]"  # a label or a ruler


def _comparable(name: str, form: Form, other: str, other_form: Form) -> bool:
    """Not the first block with one that reads the block before it: before the first there is none."""
    first, second = numbers(name)[0] == 0, numbers(other)[0] == 0
    reads, other_reads = (any(_BEFORE in line for line in lines) for lines in (form, other_form))
    return not ((first and other_reads) or (second and reads))


def _starred(name: str, other: str) -> str:
    block, head = numbers(name)

    def block_said(match: re.Match[str]) -> str:
        n = int(match[1])
        return "h*" if n == block else _BEFORE if block and n == block - 1 else match[0]

    said = _BLOCK.sub(block_said, other)
    return _HEAD.sub(lambda match: "head*" if int(match[1]) == head else match[0], said)
