"""Three ways to cut a text side by side: words, characters, and pieces learned by byte pair encoding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, Line, Plot, light
from sheetgpt.course.dots import (
    DOT,
    SPACE,
    Texts,
    codes,
    dotted,
    each,
    each_letter,
    glue,
    letters,
    pasted,
    split,
    without_dots,
)
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

TEXT = "the dog likes catfish"
KNOWN = ["dog", "cat", "the", "a", "sees", "likes"]  # the word tokenizer's vocabulary: dog is 1, cat is 2
# What byte pair encoding learns from ␣the 9, ␣dog 6, ␣cat 6, ␣sees 4, ␣a 8, ␣likes 4: a test learns it again
MERGES = ["␣ t", "␣t h", "␣th e", "e s", "␣ a", "␣ d", "␣d o", "␣do g", "␣ c", "␣c a", "␣ca t", "␣ s", "␣s e",
          "␣se es", "␣ l", "␣l i", "␣li k", "␣lik es"]  # fmt: skip
LETTERS, WORDS, M = 32, 8, len(MERGES)
ROOM = LETTERS + 2  # more than the letters of any text
SPACE_ID, BYTES, NOTHING = 27, 256, -1.0
KINDS = ["words", "characters", "BPE"]
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """A text as words, as characters and as pieces: how many tokens each takes, and what it loses."""
    typed = p.knob("tokenizers.text", TEXT)
    clean = own(f'SUBSTITUTE(LEFT({{0}},{LETTERS}),"{DOT}"," ")', lambda x: each(_clean, x), typed, shape=(1, 1),
                said=f"text[:{LETTERS}]", text=True)  # fmt: skip
    clean = p("tokenizers.clean", clean)
    _characters(p, clean)
    bands = [_words(p, clean), *_pieces(p)]
    p.constant("tokenizers.name", [[kind] for kind in KINDS], (3, 1))
    ids = [p[f"tokenizers.{name}"] for name in ("word_id", "letter_id", "piece_id")]
    counts = (*(_count(i, ">=0") for i in ids[:2]), apply("sum", p["tokenizers.bytes"]))
    rows = [p(f"tokenizers.{x}_rows", count) for x, count in zip(("word", "letter", "piece"), counts, strict=True)]
    p("tokenizers.rows", apply("stack", *rows))
    lost = [p(f"tokenizers.{x}_lost", _count(i, "=0")) for x, i in zip(("word", "letter", "piece"), ids, strict=True)]
    p("tokenizers.lost", apply("stack", *lost))
    sizes = (len(KNOWN) + 1, SPACE_ID + 1, BYTES + M)
    p.constant("tokenizers.size", [[float(n)] for n in sizes], (3, 1))
    first = [
        _band("text"),
        _band("name", "rows", "lost", "size", room=13),
    ]
    tallies = _band(*(f"{x}_{y}" for y in ("rows", "lost") for x in ("word", "letter", "piece")))
    back = apply("where", apply("exact", p["tokenizers.again"], p["tokenizers.marked"]), 0, 1)
    return [*first, *bands, tallies, light(p, "tokenizers", back)]


def _band(*names: str, room: int = 0) -> Band:
    return Band(tuple(f"tokenizers.{name}" for name in names), room=room)


def _count(ids: Expr, which: str) -> Expr:
    """How many ids there are: -1 is none, 0 stands for what is lost."""
    numpy = {">=0": lambda i: [[float((i >= 0).sum())]], "=0": lambda i: [[float((i == 0).sum())]]}[which]
    said = f"({ids.name} {'==' if which == '=0' else '>='} 0).sum()"
    return own(f'COUNTIF({{0}},"{which}")', numpy, ids, shape=(1, 1), said=said)


def _clean(text: str) -> str:
    return text[:LETTERS].replace(DOT, " ")


def _words(p: Plan, clean: Expr) -> Band:
    known = p.constant("tokenizers.known", [[word] for word in KNOWN], (len(KNOWN), 1))
    formula = f'TRIM(MID(SUBSTITUTE({{0}}," ",REPT(" ",{ROOM})),{ROOM}*{{here:r}}+1,{ROOM}))'
    word = own(formula, _split_words, clean, shape=(WORDS, 1), said="text.split(' ')", text=True)
    word = p("tokenizers.word", word)
    found = p("tokenizers.found", apply("exactly", word, known))
    ids = own(f'IF({{0:at}}="",{NOTHING:.0f},{{1:at}}+1)', lambda w, f: np.where(w == "", NOTHING, f + 1), word, found,
              shape=(WORDS, 1), said="where(word == '', -1, found + 1)")  # fmt: skip
    ids = p("tokenizers.word_id", ids)
    shown = own('IF({1:at}=0,"UNK",{0:at})', lambda w, i: np.where(i == 0, "UNK", w), word, ids, shape=(WORDS, 1),
                said="where(word_id == 0, 'UNK', word)", text=True)  # fmt: skip
    p("tokenizers.kept", shown)
    return _band("word", "word_id", "kept", "found", "known")


def _split_words(clean: Texts) -> Texts:
    parts = clean[0, 0].split(" ")[:WORDS]
    return np.array([[part] for part in (*parts, *[""] * (WORDS - len(parts)))], object)


def _characters(p: Plan, clean: Expr) -> None:
    letter = own("MID({0},{here:r}+1,1)", lambda x: each_letter(x, LETTERS).T, clean, shape=(LETTERS, 1),
                 said="list(text)", text=True)  # fmt: skip
    code = codes(p("tokenizers.letter", letter))
    code = p("tokenizers.code", code)
    small, large = ("IF(AND({0:at}>=" + f"{a},{{0:at}}<={b}),{{0:at}}-{a - 1}," for a, b in ((97, 122), (65, 90)))
    formula = f"IF({{0:at}}<0,-1,IF({{0:at}}=32,{SPACE_ID},{small}{large}0))))"
    ids = own(formula, _letter_ids, code, shape=(LETTERS, 1), said="A or a is 1, B is 2, a space is 27")
    p("tokenizers.letter_id", ids)


def _letter_ids(codes: Numbers) -> Numbers:
    known = {float(ord(letter)): i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz ", 1)}
    known |= {code - 32: i for code, i in known.items() if i < SPACE_ID} | {NOTHING: -1}
    return np.array([[float(known.get(code, 0))] for (code,) in codes])


def _pieces(p: Plan) -> list[Band]:
    """Merges applied to the whole text, best first; what is left, with ids; and the text spelled again."""
    p.counted("tokenizers.rank", range(1, M + 1))
    halves = [p.constant(f"tokenizers.{side}", [[m.split()[i]] for m in MERGES], (M, 1))
              for i, side in enumerate(("first", "second"))]  # fmt: skip
    made = own("{0:at}&{1:at}", lambda a, b: a + b, *halves, shape=(M, 1), said="first + second", text=True)
    made = p("tokenizers.made", made)
    marked = own(f'"{SPACE}"&SUBSTITUTE({{0}}," ","{SPACE}")', lambda x: [[SPACE + x[0, 0].replace(" ", SPACE)]],
                 p["tokenizers.clean"], shape=(1, 1), said="'␣' + text.replace(' ', '␣')", text=True)  # fmt: skip
    start = p("tokenizers.start", dotted(p("tokenizers.sign", letters(p("tokenizers.marked", marked), LETTERS + 1))))
    after = own(lambda r, _: pasted("{here:up}" if r else "{0}", "{1:at}", "{2:at}"), _glued, start, *halves,
                shape=(M, 1), said="the row above, each pair glued", text=True)  # fmt: skip
    after = p("tokenizers.after", after)
    p("tokenizers.last", own(f"{{0:cell {M - 1},0}}&\"\"", lambda x: x[-1:], after, shape=(1, 1), said="after[-1]",
                             text=True))  # fmt: skip
    p("tokenizers.again", without_dots(p["tokenizers.last"]))
    return [_cut(p, made), _band("rank", "first", "second", "made", "after"), _band("clean"),
        _band("marked"), _band("sign"),
            _band("start"), _band("last"), _band("again")]  # fmt: skip


def _glued(start: Texts, first: Texts, second: Texts) -> Texts:
    texts = accumulate(zip(first[:, 0], second[:, 0], strict=True), lambda text, pair: glue(text, *pair),
                       initial=start[0, 0])  # fmt: skip
    return np.array([[text] for text in texts][1:], object)


def _cut(p: Plan, made: Expr) -> Band:
    """The pieces, one below the other, their ids, and how many tokens each is."""
    n = LETTERS + 1
    spread = f'SUBSTITUTE({{0}},"{DOT}",REPT(" ",{ROOM}))'
    piece = own(f"TRIM(MID({spread},{{here:r}}*{2 * ROOM}+1,{2 * ROOM}))", lambda x: split(x, n).T,
                p["tokenizers.last"], shape=(n, 1), said="split(last)", text=True)  # fmt: skip
    piece = p("tokenizers.piece", piece)
    merge = p("tokenizers.merge", apply("exactly", piece, made))
    code = p("tokenizers.piece_code", codes(piece))
    ids = own(f"IF({{0:at}}>=0,{BYTES}+{{0:at}},IF({{1:at}}<128,{{1:at}},-1))", _piece_ids, merge, code,
              shape=(n, 1), said="256 + merge, or the byte of a plain character")  # fmt: skip
    p("tokenizers.piece_id", ids)
    by_code = "IF({1:at}<128,1,IF({1:at}<2048,2,IF({1:at}<65536,3,4)))"
    size = own(f"IF({{1:at}}<0,0,IF({{0:at}}>=0,1,{by_code}))", _sizes, merge, code, shape=(n, 1),
               said="1, or the UTF-8 bytes of a character")  # fmt: skip
    p("tokenizers.bytes", size)
    return _band("letter", "letter_id", "piece", "piece_id", "bytes", "code", "merge", "piece_code")


def _piece_ids(merge: Numbers, code: Numbers) -> Numbers:
    return np.where(merge >= 0, BYTES + merge, np.where(code < 128, code, NOTHING))


def _sizes(merge: Numbers, code: Numbers) -> Numbers:
    def one(m: float, c: float) -> float:
        return float(c >= 0) if m >= 0 or c < 0 else len(chr(int(c)).encode("utf-8", "surrogatepass"))

    return np.array([[one(m, c)] for (m,), (c,) in zip(merge, code, strict=True)])


TOKENIZERS = Demo(
    "tokenizers",
    "Tokenizers",
    "Tokenization",
    (6, 14),
    add,
    plots=(
        Plot(
            "column",
            "Tokens of the text, and what is lost",
            "tokenizers.size",
            (
                Line("tokens", "tokenizers.rows", "tokenizers.name"),
                Line("lost", "tokenizers.lost", "tokenizers.name"),
            ),
            shares=False,
        ),
    ),
    styles={
        **dict.fromkeys((f"tokenizers.{x}_id" for x in ("word", "letter", "piece")), Style.SPARSE),
        **dict.fromkeys((f"tokenizers.{x}" for x in ("code", "piece_code", "found", "merge")), Style.SPARSE),
        **dict.fromkeys((f"tokenizers.{x}" for x in ("rows", "lost", "bytes")), Style.WHOLE),
        **dict.fromkeys(
            (f"tokenizers.{x}_{y}" for x in ("word", "letter", "piece") for y in ("rows", "lost")), Style.WHOLE
        ),
    },
    marks={"tokenizers.kept": "INDEX(tokenizers.word_id,{r}+1)=0"},
)
