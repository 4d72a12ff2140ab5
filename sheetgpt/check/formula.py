"""A formula's text as tokens, and in one spelling."""

from __future__ import annotations

from functools import cache

from openpyxl.formula import Tokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError

from sheetgpt.sheet.a1 import tab_ref


@cache
def tokens(formula: str) -> tuple[Token, ...]:
    """The tokens of a formula without its `=`, blanks left out; empty where it is none."""
    try:
        return tuple(t for t in Tokenizer("=" + formula).items if t.type != Token.WSPACE)
    except (TokenizerError, IndexError):
        return ()


def canonical(formula: str) -> tuple[str, ...]:
    """A formula's tokens in one spelling: programs differ in spaces, capitals, quotes, and how they write numbers."""
    return tuple(map(spelling, tokens(formula))) or (formula,)  # what is no formula is like nothing but itself


def spelling(token: Token) -> str:
    """A token as every program would write it."""
    if token.subtype == Token.NUMBER:
        return f"{float(token.value):.15g}"  # LibreOffice saves 15 digits; the values are compared apart
    if token.subtype == Token.TEXT:
        return str(token.value)
    tab, sign, rest = token.value.rpartition("!")
    return (tab_ref(plain_tab(tab)) + sign + rest).casefold() if sign else str(token.value).casefold()


def plain_tab(quoted: str) -> str:
    """A tab's name without the quotes that a formula writes around it."""
    return quoted.strip("'").replace("''", "'")


def reads(token: Token) -> bool:
    """Whether a token is a reference or a name."""
    return bool(token.type == Token.OPERAND and token.subtype == Token.RANGE)
