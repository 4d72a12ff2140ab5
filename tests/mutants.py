"""Faulty copies of a workbook: each changes one thing in the file, as a slip of the hand or of the mind would."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple

from sheetgpt.check.faults import FaultKind
from sheetgpt.sheet.a1 import cell as a1
from sheetgpt.sheet.blueprint import Blueprint
from sheetgpt.sheet.lower import lower
from sheetgpt.sheet.rewrite import unshared

Edit = Callable[[str], str]


class Mutant(NamedTuple):
    """What to change, and where the verifier must say it is."""

    name: str
    part: Callable[[Blueprint], str]  # tab name, or a part of the package
    edit: Callable[[Blueprint], Edit]
    kind: FaultKind
    place: str
    cell: str = ""  # A1 of the fault where it is not the place's first cell


def make(mutant: Mutant, book: Blueprint, source: Path, target: Path) -> None:
    """Write the mutant of `source`; fails if the edit changes nothing."""
    where = mutant.part(book)
    tabs = [tab.name for tab in book.layout.tabs]
    part = f"xl/worksheets/sheet{tabs.index(where) + 1}.xml" if where in tabs else where
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == part:
                text = unshared(data.decode()) if where in tabs else data.decode()
                changed = mutant.edit(book)(text)
                assert changed != text, f"{mutant.name} changes nothing"
                data = changed.encode()
            new.writestr(name, data)


def formula(place: str, old: str, new: str, kind: FaultKind = FaultKind.FORMULA, nth: int = 0) -> Mutant:
    """The formula of a place, the `nth` one from 0 where there are several, with `old` replaced by `new`."""

    def edit(book: Blueprint) -> Edit:
        text = lower(book.plan, place, book.layout.ranges)[nth].text
        assert old in text, f"{text} has no {old}"
        before, after = (f">{escape(t, quote=False)}</f>" for t in (text, text.replace(old, new)))
        return lambda xml: _replace_once(xml, before, after)

    return Mutant(f"{place}: {old} -> {new}", lambda b: b.layout.ranges[place].tab, edit, kind, place)


def cell(place: str, r: int, c: int, content: str, kind: FaultKind, name: str) -> Mutant:
    """One cell of a place with other content; `{v}` in it is the old value's text."""

    def edit(book: Blueprint) -> Edit:
        box = book.layout.ranges[place]
        return lambda xml: replace_cell(xml, a1(box.row + r, box.col + c), content)

    return Mutant(name, lambda b: b.layout.ranges[place].tab, edit, kind, place, f"{r},{c}")


def replace_cell(xml: str, at: str, content: str) -> str:
    """The sheet with another `<c>` element at `at`; its style is kept."""
    pattern = re.compile(rf'<c r="{at}"( s="\d+")?[^>]*>(?:<f.*?</f>)?<v>([^<]*)</v></c>')
    match = pattern.search(xml)
    assert match is not None, f"no cell {at}"
    opening = f'<c r="{at}"{match[1] or ""}'
    return xml.replace(match[0], opening + content.replace("{v}", match[2]))


def renamed(place: str, ref: str) -> Mutant:
    """A defined name that leads elsewhere."""

    def edit(book: Blueprint) -> Edit:
        old = f'<definedName name="{place}">{escape(book.layout.ranges[place].ref, quote=False)}<'
        last = book.layout.ranges["prompt.ids"].row + book.card.n_rows  # bands begin in the same row on every tab
        box = book.layout.ranges[place]
        new = ref.format(last=last, first=box.row + 1, final=box.row + box.rows)
        return lambda xml: _replace_once(xml, old, f'<definedName name="{place}">{new}<')

    return Mutant(f"{place} -> {ref}", lambda _: "xl/workbook.xml", edit, FaultKind.NAME, place)


def _replace_once(xml: str, old: str, new: str) -> str:
    assert old in xml, f"no {old}"
    return xml.replace(old, new, 1)


def _number(value: str) -> str:
    return f"><v>{value}</v></c>"


MUTANTS = [
    # the weights
    cell("h1.mlp.c_fc.w", 3, 2, _number("{v}1"), FaultKind.WEIGHT, "a digit more on a weight"),
    cell("wte", 255, 7, _number("0.5"), FaultKind.WEIGHT, "another weight"),
    cell("h0.ln_1.g", 0, 3, ' t="inlineStr"><is><t>0.5</t></is></c>', FaultKind.WEIGHT, "text 0.5 for a weight"),
    cell("h0.attn.c_proj.w", 1, 1, ' t="e"><v>#N/A</v></c>', FaultKind.WEIGHT, "an error for a weight"),
    cell("wpe", 2, 2, ' t="b"><v>1</v></c>', FaultKind.WEIGHT, "TRUE for a weight"),
    # attention
    formula("h0.attn.head1.scores", "/SQRT(4)", ""),
    formula("h1.attn.head0.scores", "TRANSPOSE(prompt.pos)<=prompt.pos", "prompt.pos<=TRANSPOSE(prompt.pos)"),
    formula("h1.attn.head0.scores", "<=", "<"),
    formula("h1.attn.head0.scores", "h1.attn.head0.k", "h1.attn.head1.k"),
    formula("h0.attn.head0.z", "h0.attn.head0.v", "h0.attn.head1.v"),
    formula("h0.attn.head0.exp", "-h0.attn.head0.max", ""),
    formula("h1.attn.out", "+h1.attn.c_proj.b", ""),
    formula("h0.attn.qkv", "+h0.attn.c_attn.b", "-h0.attn.c_attn.b"),
    # layer norm, residuals, MLP
    formula("h1.ln_2.var", "VARP(", "VAR("),
    formula("h0.ln_1.normalized", "1E-05", "0.001"),
    formula("h1.ln_1.mean", "AVERAGE(", "MAX("),
    formula("h1.resid_mid", "h0.resid_post", "embed.out"),
    formula("h0.mlp.post", "0.044715", "0.04471"),
    formula("h0.mlp.post", "^3", "^2"),
    # look-ups and the end
    formula("embed.token", "+1,", "+2,"),
    formula("prompt.next", "next.text", '"cat"'),
    formula("next.id", "-1", ""),
    formula("probs", "probs.sum", "SUM(logits)"),
    # what stands where something else belongs
    cell("h1.ln_1.mean", 1, 0, _number("{v}"), FaultKind.CONSTANT, "the right constant over a formula"),
    cell("h1.ln_1.mean", 1, 0, _number("0.125"), FaultKind.CONSTANT, "a wrong constant over a formula"),
    cell("prompt.ids", 1, 0, _number("7"), FaultKind.INPUT, "another token"),
    cell("prompt.n", 0, 0, _number("1"), FaultKind.INPUT, "another length"),
    cell("vocab.text", 3, 0, ' t="inlineStr"><is><t>dog</t></is></c>', FaultKind.TEXT, "another word"),
    cell("top.rank", 2, 0, _number("7"), FaultKind.INPUT, "another rank"),
    formula("top.id", "SMALL(", "LARGE("),
    formula("prompt.tokens", "prompt.n<=", "prompt.n<"),
    renamed("h0.attn.head0.k", "'h0 attention'!$B$11:$E$12"),
    renamed("embed.out", "Embedding!B${first}:I${final}"),
    renamed("logits", "Logits!$B{first}:$B{final}"),
    renamed("h1.mlp.out", "'h1 mlp'!$B$11:$I${last}"),
]


# Of a workbook that cuts its prompt itself.
LIVE_MUTANTS = [
    cell("unicode.class", 3, 0, ' t="inlineStr"><is><t>letter</t></is></c>', FaultKind.TEXT, "a class of characters"),
    cell("unicode.first", 7, 0, _number("59"), FaultKind.INPUT, "where a range begins"),
    cell("bpe.rank", 2, 0, _number("3"), FaultKind.INPUT, "the rank of a merge"),
    cell("bpe.pair", 3, 0, _number("{v}1"), FaultKind.INPUT, "the pair of a merge"),
    cell("bpe.token", 0, 0, _number("7"), FaultKind.INPUT, "what a merge makes"),
    cell("bpe.byte", 97, 0, _number("5"), FaultKind.INPUT, "the token of a byte"),
    *(
        cell(
            place, row, 0, "><f>7</f><v>{v}</v></c>", FaultKind.FORMULA, f"a formula over {place}, with the right cache"
        )
        for place, row in (("wte", 3), ("bpe.rank", 2), ("bpe.byte", 200), ("unicode.first", 9), ("vocab.id", 4))
    ),
    cell("unicode.class", 9, 0, ' t="str"><f>"other"</f><v>{v}</v></c>', FaultKind.FORMULA, "a formula over a class"),
    cell("chars.pos", 4, 0, _number("5"), FaultKind.INPUT, "a character's number"),
    formula("chars.left", "+1", "+2", nth=3),
    formula("chars.code", "UNICODE(", 'UNICODE("x"&', nth=2),
    formula("chars.class", "1),1)", "1)-1,1)", nth=1),
    formula("chars.size", "128<=", "128<"),
    formula("chars.byte", "64^", "32^", nth=1),
    formula("chars.short", "'s", "'S", nth=7),
    formula("chars.run", "+1,1)", "+1,2)", nth=2),
    formula("chars.reach", "=32", "=33", nth=1),
    formula("chars.togo", ">1", ">2", nth=4),
    formula("chars.start", "<=1", "<=2", nth=5),
    formula("words.at", ",0)-1", ",0)", nth=1),
    formula("words.text", "LEFT(", "MID(", nth=1),
    formula("words.byte", "+1)", "+2)", nth=1),
    formula("words.symbol", "+1", "+2", nth=2),
    formula("merges.ladder", "<0", "<1", nth=8),
    formula("merges.ladder", "MIN(", "MAX(", nth=12),
    formula("merges.text", "+1,1)", "+2,1)", nth=1),
    formula("words.token", "Merges!", "Merges!$", nth=0),
    formula("words.count", ">=0", ">=1"),
    formula("prompt.problem", "16<chars.n", "17<chars.n"),
    formula("prompt.n", "words.total", "words.n"),
    formula("prompt.word", ",1)-1", ",1)", nth=1),
    formula("prompt.ids", "+1)", ")", nth=2),
    cell("prompt.ids", 2, 0, _number("7"), FaultKind.CONSTANT, "an id typed over its formula"),
    formula("next.id", "<=0,-1", "<=0,0"),
    formula("ln_f.last", "<=0", "<=1"),
]


def stale(xml: str, at: str) -> str:
    """The sheet with another cached value in a formula cell."""
    changed, n = re.subn(rf'(<c r="{at}"[^>]*><f>[^<]*</f><v>)[^<]*', r"\g<1>0.875", xml)
    assert n == 1
    return changed
