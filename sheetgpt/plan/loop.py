"""The loop: prompt, next token, longer prompt. What it gave for the prompt of the build, and its next turn by hand.

One pass through the model gives one token; the workbook is one pass. The records are those of as many passes as were
asked for, each time the most likely token.
"""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.models.tokenizer import END_OF_TEXT
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.live import NO_ANSWER
from sheetgpt.plan.ops import Expr, apply, lit
from sheetgpt.plan.plan import Plan, Role

AT = "generate"
AGREES, DIFFERS, OTHER = "agrees", "differs", "another prompt"
PASTE = "Copy the cell above, and paste its value (not its formula) into prompt.text on the tab Prompt. Then come back."
NO_GO = "There is no answer to go on from: see the tab Prompt."
ENDED = "The model says that the text ends here."
PIECE = "This token is a part of a character and cannot be typed: only sheetgpt generate can go on."
FULL = "There is no room for one more token: build a workbook with more --tokens."


def add_loop(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """A row for each step of the build, and the prompt with the next token behind it."""
    n_steps = asked.steps
    if n_steps == 0:
        return
    for name, text in (("prompt", True), ("text", True), ("id", False), ("prob", False), ("after", True)):
        p.data(f"{AT}.{name}", (n_steps, 1), Role.RECORD, text=text)
    p.data(f"{AT}.end", (1, 1), Role.RECORD, text=True)
    token, n = p["next.text"], p["prompt.n"]
    none, ended = n <= 0, apply("exact", token, END_OF_TEXT)
    piece = apply("length", p["next.bytes"]) + 1 < 3 * apply("length", token)  # shown as <0xE2>: more signs than bytes
    stuck = _either(none, ended, piece)
    longer = apply("join", p["prompt.text"], apply("typed", token))
    p(f"{AT}.now", apply("where", stuck, "", longer))
    full = p["prompt.pos"].shape[0] <= n
    p(f"{AT}.how", _first([(none, NO_GO), (ended, ENDED), (piece, PIECE), (full, FULL)], PASTE))
    built = apply("exact", p["prompt.text"], p["prompt.built"])
    ids = p[f"{AT}.id"]
    first = ids if n_steps == 1 else apply("item", ids, 0, 0)  # IronCalc looks nothing up in a single cell
    alike = apply("where", apply("eq", p["next.id"], first), AGREES, DIFFERS)
    p(f"{AT}.agrees", _first([(none, NO_ANSWER)], apply("where", built, alike, OTHER)))


def _either(*conditions: Expr) -> Expr:
    """Whether one of them holds."""
    out: Expr = lit(0)
    for condition in reversed(conditions):
        out = apply("where", condition, 1, out)
    return out


def _first(answers: list[tuple[Expr, str]], last: Expr | str) -> Expr:
    """The text beside the first condition that holds, else the last."""
    out = last if isinstance(last, Expr) else lit(last)
    for condition, text in reversed(answers):
        out = apply("where", condition, text, out)
    return out
