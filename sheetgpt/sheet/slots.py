"""What fills the slots of a lesson's words: sizes of the model, and addresses, shapes and formulas of its places."""

from __future__ import annotations

from sheetgpt.models.weights import file_name
from sheetgpt.plan.names import STEPS
from sheetgpt.plan.plan import Role
from sheetgpt.plan.stages import WHOLE, pipeline
from sheetgpt.plan.stages import told as stages_told
from sheetgpt.sheet.blueprint import Blueprint, Planned
from sheetgpt.sheet.head import SPOT, address, shape_of, steps_of
from sheetgpt.sheet.layout import Tab, head_rows
from sheetgpt.sheet.lessons import Lesson, Try, filled, lesson


def tab_lesson(book: Blueprint, tab: Tab) -> Lesson:
    """The tab's words with every slot filled from the model; of its tries those that this workbook can do."""
    slots, words = _slots(book, tab), lesson(tab.lesson)
    return words._replace(tries=tuple(one for one in words.tries if _can(book, one, slots))).fill(slots)


def _can(book: Blueprint, one: Try, slots: Slots) -> bool:
    """Whether all cells of a try are there, and those that it sets are given, not computed."""
    given = {name for name, role in book.plan.roles.items() if role is not Role.VALUE}
    given -= set() if book.card.live else {"prompt.text"}
    changed = {filled(spot, slots).partition("[")[0] for spot in one.set}
    return changed <= given and all(_there(book, filled(spot, slots)) for spot in one.spots)


def _there(book: Blueprint, spot: str) -> bool:
    """Whether this workbook has a place, and the cell of it that is meant: small ones have fewer."""
    match = SPOT.fullmatch(spot)
    if match is None or match[1] not in book.plan:
        return False
    rows, cols = book.plan[match[1]].shape
    return match[2] is None or (int(match[2]) < rows and int(match[3]) < cols)


class Slots(dict[str, object]):
    """Slots by name, and `kind:place` for the address, tab, shape or formula of a place."""

    def __init__(self, book: Planned, plain: dict[str, object]) -> None:
        super().__init__(plain)
        self._book = book

    def __missing__(self, key: str) -> str:
        kind, _, spot = key.partition(":")
        if kind not in _TOLD or not (match := SPOT.fullmatch(filled(spot, self))):
            raise KeyError(key)
        if match[1] not in self._book.plan:
            raise KeyError(key)
        return _TOLD[kind](self._book, match[0])


def _formula(book: Planned, name: str) -> str:
    return str(next(iter(book.examples(name))))


def _tab(book: Planned, name: str) -> str:
    return book.layout.ranges[name].tab


_TOLD = {"cell": address, "formula": _formula, "shape": shape_of, "tab": _tab}


def _slots(book: Blueprint, tab: Tab) -> Slots:
    config, name = book.card.config, tab.name
    slots: dict[str, object] = {**config.to_dict(), "d_head": config.d_head, "d_mlp": config.d_mlp}
    slots |= {
        "bend": "ReLU" if config.activation == "relu" else "GELU",
        "rows_of": "its row of wte again" if config.tied else f"its row of {config.head_name}",
        "model": book.card.model,
        "head": config.head_name,
        "block": tab.block,
        "steps": steps_of(tab),
        "n_steps": len(STEPS),
        "name": name,
        "n_rows": book.card.n_rows,
        "last_block": config.n_layer - 1,
        "last_head": config.n_head - 1,
        "at": name.partition(" ")[0],
        "resid_pre": f"h{tab.block - 1}.resid_post" if tab.block else "embed.out",
    }
    slots |= {"block_number": tab.block + 1} if tab.block is not None else {}
    slots |= book.card.live._asdict() if book.card.live else {}
    slots |= _part(book)
    if tab.lesson == "matrix":
        rows, cols = config.shapes()[name]
        meaning = lesson(tab.lesson).meaning(name)
        slots |= {"rows": rows, "cols": cols, "meaning": meaning, "file": file_name(name)}
        slots["first_row"] = head_rows(tab) + 2
    return Slots(book, slots)


def _part(book: Blueprint) -> dict[str, object]:
    """Which part of the pipeline this is, in words."""
    stages, config = book.card.stages, book.card.config
    return {
        "stages": stages,
        "n_stages": len(stages.among(config)),
        "pipeline": stages_told(config),
        "n_pipeline": len(pipeline(config)),
        "whose": "the model" if stages == WHOLE else f"the model that {stages} reads",
        "entrance": "Prompt" if "prompt" in stages else "Tokens" if "embed" in stages else "Input",
    }
