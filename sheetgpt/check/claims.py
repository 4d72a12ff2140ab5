"""What a workbook says of itself: its card, and the table of its parameters."""

from __future__ import annotations

from sheetgpt.errors import WorkbookError
from sheetgpt.sheet.a1 import parse_ref
from sheetgpt.sheet.blueprint import CARD_NAME, COURSE_NAME, Blueprint, Card
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.head import ParameterFact
from sheetgpt.sheet.parameters import FILE, FILE_SHA256, NUMBERS_SHA256, first_fact


def read_card(book: Book) -> Card:
    """The card of a workbook; raises `WorkbookError` where it has none."""
    try:
        tab, (row, col, *_) = parse_ref(book.reference(CARD_NAME))
        text = book.sheets[tab].values.get((row, col))
    except (ValueError, KeyError):
        text = None
    if not isinstance(text, str):
        if book.reference(COURSE_NAME):
            raise WorkbookError(
                f"{book.path.name}: a course of lessons, and this is done with a model's workbook; "
                "`sheetgpt verify` checks a course"
            )
        raise WorkbookError(
            f"{book.path.name}: not a workbook that sheetgpt made (it has no cell {CARD_NAME}); "
            "`sheetgpt audit FILE --map MAP.toml` checks a stranger's GPT workbook"
        )
    try:
        return Card.from_json(text)
    except WorkbookError as error:
        raise WorkbookError(f"{book.path.name}: {error}") from None


def read_facts(book: Book, blueprint: Blueprint) -> list[ParameterFact]:
    """The Parameters tab as it stands in the workbook; what is missing is an empty text."""
    sheet = book.sheets.get("Parameters")
    names = blueprint.plan.parameters

    def text(r: int, c: int) -> str:
        value = sheet.values.get((r, c)) if sheet else None
        return value if isinstance(value, str) else ""

    rows = enumerate(names, first_fact(blueprint))
    return [ParameterFact(name, text(r, FILE), text(r, FILE_SHA256), text(r, NUMBERS_SHA256)) for r, name in rows]
