"""What a formula says otherwise than it should, in a few words: by its text alone."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from openpyxl.formula.tokenizer import Token

from sheetgpt.check.formula import plain_tab, reads, spelling, tokens
from sheetgpt.sheet.a1 import column, parse_cell

_MOST = 3  # differences that still are one slip
_ALIKE = 0.5  # of 1: less in common is another formula
_LONGEST = 400  # tokens that are compared
_SIGNS = frozenset("+-")


def difference(found: str, wanted: str) -> str:
    """How `found` differs from `wanted` (without `=`); empty if too much differs to be one slip.

    >>> difference("VAR(B6:E6)", "VARP(B6:E6)"), difference("AVERAGE(B5:E5)", "AVERAGE(B6:E6)")
    ('VAR for VARP', 'reads row 5 where the plan reads row 6')
    """
    old, new = tokens(wanted), tokens(found)
    if not old or not new or len(old) + len(new) > _LONGEST:
        return ""
    was, now = ([spelling(t) for t in side] for side in (old, new))
    if sorted(was) == sorted(now):
        return "the same parts in another order" if was != now else ""
    matcher = SequenceMatcher(None, was, now, autojunk=False)
    changes = [op for op in matcher.get_opcodes() if op[0] != "equal"]
    said = list(dict.fromkeys(text for _, i, j, k, m in changes for text in _change(old[i:j], new[k:m])))
    one_slip = len(said) == 1 or (len(said) <= _MOST and matcher.ratio() > _ALIKE)
    return "; ".join(said) if one_slip else ""


def _change(old: Sequence[Token], new: Sequence[Token]) -> list[str]:
    if len(old) == len(new):
        return [_one(a, b) for a, b in zip(old, new, strict=True) if spelling(a) != spelling(b)]
    if not new:
        return [f"leaves out {_text(old)}"]
    if not old:
        return [f"adds {_text(new)}"]
    return [f"{_text(new)} where the plan has {_text(old)}"]


def _text(side: Sequence[Token]) -> str:
    return "".join(str(t.value) for t in side)


def _one(old: Token, new: Token) -> str:
    if old.type == new.type == Token.FUNC:
        return f"{new.value.rstrip('(')} for {old.value.rstrip('(')}"
    if reads(old) and reads(new):
        return _reference(old.value, new.value)
    if reads(old) and new.type == Token.OPERAND:
        return f"the constant {new.value} where the plan reads {old.value}"
    if {old.value, new.value} <= _SIGNS:
        return f"the sign {new.value} where the plan has {old.value}"
    return f"{new.value} where the plan has {old.value}"


def _reference(old: str, new: str) -> str:
    """Of two references or names."""
    (old_tab, _, was), (new_tab, _, now) = old.rpartition("!"), new.rpartition("!")
    if was == now:
        tabs = (plain_tab(tab) or "this tab" for tab in (new_tab, old_tab))
        return "reads the tab {} where the plan reads {}".format(*tabs)
    if plain_tab(old_tab).casefold() != plain_tab(new_tab).casefold():
        return f"reads {new} where the plan reads {old}"
    if was.replace("$", "") == now.replace("$", ""):
        return f"writes {now} for {was}: a $ decides what moves when it is copied"
    return _moved(was, now) or f"reads {new} where the plan reads {old}"


def _moved(was: str, now: str) -> str:
    """Of two addresses that differ by a row or a column alone; empty for any others."""
    try:
        (r0, c0), (r1, c1) = (parse_cell(text.partition(":")[0]) for text in (was, now))
        ends = [parse_cell(text.rpartition(":")[2]) for text in (was, now)]
    except ValueError:
        return ""
    if (ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]) != (r1 - r0, c1 - c0):
        return ""
    if c0 == c1:
        return f"reads row {r1 + 1} where the plan reads row {r0 + 1}"
    return f"reads column {column(c1)} where the plan reads column {column(c0)}" if r0 == r1 else ""
