"""Merge ladders: two words that share their first letters and yet are cut differently, by GPT-2's own merges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, light
from sheetgpt.course.dots import DOT, SPACE, Texts, codes, dotted, each, glued, letters, symbols, without_dots
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WORDS = [[" reinjury"], [" reindeer"]]
# Every merge of GPT-2 that can happen in reinjury, reindeer, quick, quickly and strawberry, a space before them or not:
# rank, from 0, and the two halves. The token's id is the rank and 256.
MERGES = """3 i n|4 r e|7 e r|8 ␣ s|35 i c|45 s t|46 ␣ re|50 l y|77 u r|80 ␣s t|102 n d|118 ␣ r|165 q u|174 r a|265 in d
|271 b er|307 r y|368 ic k|371 ␣ qu|438 c k|451 a w|709 ␣st r|1094 b e|1197 e e|1345 ur y|1575 ra w|1812 ␣qu ick
|1957 t r|2280 st r|2678 d e|2696 ␣quick ly|3278 ␣st ra|6609 ␣re in|6740 er ry|7800 er r|8140 ber ry|8763 u i
|9279 t ra|10406 ␣ q|11788 st ra|14140 j u|14531 ␣st raw|20039 e i|20806 r r|21615 j ury|23953 qu ick|27897 e er
|39090 w b|40980 ␣straw berry|41326 k l|45311 ␣qu i""".replace("\n", "")
TABLE = [(int(rank), left, right) for rank, left, right in (line.split(" ") for line in MERGES.split("|"))]
N, M, LETTERS = len(WORDS), len(TABLE), 11
STEPS, PAIRS = LETTERS - 1, LETTERS - 1
NO_RANK, BYTES, SPACE_ID = 9_999_999, 256, 220
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """Two words, ten steps, and the tokens that they end as."""
    table = [p.constant(f"ladders.{side}", [[row[i]] for row in TABLE], (M, 1))
             for side, i in (("first", 1), ("second", 2))]  # fmt: skip
    table.append(p.constant("ladders.rank", [[float(row[0])] for row in TABLE], (M, 1)))
    word = p.knob("ladders.word", WORDS, (N, 1))
    clean = own(f'LEFT(SUBSTITUTE(SUBSTITUTE({{0:at}},"{DOT}","")," ","{SPACE}"),{LETTERS})', _clean, word,
                shape=(N, 1), said="word.replace(' ', '␣')", text=True)  # fmt: skip
    clean = p("ladders.clean", clean)
    spelled = p("ladders.start", dotted(p("ladders.letter", letters(clean, LETTERS))))
    bands = []
    for k in range(1, STEPS + 1):
        band, spelled = _step(p, f"ladders.step{k}", spelled, table)
        bands.append(band)
    result = _result(p, spelled)
    back = apply("where", apply("exact", p("ladders.again", without_dots(spelled)), clean), 0, 1)
    strange = own('SUMPRODUCT((LEN({0:row})>1)*({1:row}<0))', _strange, p["ladders.token"], p["ladders.id"],
                  shape=(N, 1), kind="cse", said="((len(token) > 1) & (id < 0)).sum(axis=1)")  # fmt: skip
    table_band = _band("rank", "first", "second", "joined")
    given = [_band("clean", "start", "again", "letter"), _band("row"), _band("code")]
    return [_band("word"), *result, *bands, *given, table_band, light(p, "ladders", back, strange)]


def _band(*names: str) -> Band:
    return Band(tuple(f"ladders.{name}" for name in names))


def _clean(words: Texts) -> Texts:
    return each(lambda word: word.replace(DOT, "").replace(" ", SPACE)[:LETTERS], words)


def _strange(token: Texts, ids: Numbers) -> Numbers:
    return np.array([[float(sum(len(t) > 1 and i < 0 for t, i in zip(*row, strict=True)))] for row in zip(token, ids,
                                                                                          strict=True)])  # fmt: skip


def _step(p: Plan, at: str, spelled: Expr, table: Sequence[Expr]) -> tuple[Band, Expr]:
    """The ranks of all pairs of a word, the lowest of them, and the word with this pair glued."""
    row = p(f"{at}.symbols", symbols(spelled, LETTERS, LETTERS + 1))
    pair = "MATCH(1,EXACT({1},{0:at})*EXACT({2},{0:right}),0)"
    formula = f'IF({{0:right}}="",{NO_RANK},IFERROR(INDEX({{3}},{pair}),{NO_RANK}))'
    ranks = p(f"{at}.ranks", own(formula, _ranks, row, *table, shape=(N, PAIRS), kind="cse",
                                 said="rank of each pair of neighbours"))  # fmt: skip
    least = own("MIN({0:row})", lambda x: x.min(axis=1)[:, None], ranks, shape=(N, 1), said="ranks.min(axis=1)")
    least = p(f"{at}.least", least)
    ends = []
    for side, shift in (("left", 0), ("right", 1)):
        formula = f'IF({{2:at}}<{NO_RANK},INDEX({{0:row}},MATCH({{2:at}},{{1:row}},0)+{shift}),"")'
        ends.append(p(f"{at}.{side}", own(formula, _end(shift), row, ranks, least, shape=(N, 1), text=True,
                                          said=f"the {side} symbol of the pair of the lowest rank")))  # fmt: skip
    after = p(f"{at}.spelled", glued(spelled, *ends))
    return Band(tuple(f"{at}.{name}" for name in ("symbols", "least", "left", "right", "ranks", "spelled"))), after


def _ranks(row: Texts, first: Texts, second: Texts, rank: Numbers) -> Numbers:
    known = dict(zip(zip(first[:, 0], second[:, 0], strict=True), rank[:, 0], strict=True))
    return np.array([[known.get(pair, NO_RANK) for pair in pairwise(word)] for word in row])


def _end(shift: int) -> Any:
    def one(row: Texts, ranks: Numbers, least: Numbers) -> Texts:
        ends = [r[int(n.argmin()) + shift] if m < NO_RANK else "" for r, n, (m,) in zip(row, ranks, least, strict=True)]
        return np.array(ends, object)[:, None]

    return one


def _result(p: Plan, spelled: Expr) -> list[Band]:
    """What was glued at each step, the tokens, and their ids."""
    p.counted("ladders.step", range(1, STEPS + 1))
    steps = [p[f"ladders.step{k}.{name}"] for k in range(1, STEPS + 1) for name in ("left", "right", "least")]

    def text(r: int, c: int) -> str:
        return f"{{{3 * r}:cell {c},0}}&{{{3 * r + 1}:cell {c},0}}"

    made = own(text, lambda *x: np.hstack([x[i] + x[i + 1] for i in range(0, 3 * STEPS, 3)]).T, *steps,
               shape=(STEPS, N), said="left + right of each step", text=True)  # fmt: skip
    p("ladders.made", made)
    taken = own(lambda r, c: f"{{{r}:cell {c},0}}", lambda *x: np.hstack(x).T, *steps[2::3], shape=(STEPS, N),
                said="least of each step")  # fmt: skip
    p("ladders.taken", taken)
    joined = own("{0:at}&{1:at}", lambda a, b: a + b, p["ladders.first"], p["ladders.second"], shape=(M, 1),
                 said="first + second", text=True)  # fmt: skip
    joined = p("ladders.joined", joined)
    token = p("ladders.token", symbols(spelled, LETTERS, LETTERS + 1))
    row, code = p("ladders.row", apply("exactly", token, joined)), p("ladders.code", codes(token))
    plain = f"IF({{1:at}}=32,{SPACE_ID},IF(AND({{1:at}}>32,{{1:at}}<127),{{1:at}}-33,-1))"
    ids = own(f"IF({{0:at}}>=0,INDEX({{2}},{{0:at}}+1)+{BYTES},IF(LEN({{3:at}})=1,{plain},-1))", _ids, row, code,
              p["ladders.rank"], token, shape=(N, LETTERS), said="256 + rank, or the byte's own token")  # fmt: skip
    p("ladders.id", ids)
    p("ladders.count", own('COUNTIF({0:row},">=0")', lambda c: (c >= 0).sum(axis=1)[:, None], code, shape=(N, 1),
                           said="(code >= 0).sum(axis=1)"))  # fmt: skip
    return [_band("count", "token"), _band("id"), _band("step", "made", "taken")]


def _ids(row: Numbers, code: Numbers, rank: Numbers, token: Texts) -> Numbers:
    byte = np.where(code == 32, SPACE_ID, np.where((code > 32) & (code < 127), code - 33, -1))
    one = np.array([[len(text) == 1 for text in line] for line in token])
    return np.where(row >= 0, rank[row.astype(int), 0] + BYTES, np.where(one, byte, -1))


def _marks() -> dict[str, str]:
    """The lowest rank of each step, where there is any."""
    marks = {}
    for at in (f"ladders.step{k}" for k in range(1, STEPS + 1)):
        rank, least = f"INDEX({at}.ranks,{{r}}+1,{{c}}+1)", f"INDEX({at}.least,{{r}}+1)"
        marks[f"{at}.ranks"] = f"AND({rank}={least},{rank}<{NO_RANK})"
    return marks


LADDERS = Demo(
    "ladders",
    "Merge ladders",
    "Tokenization",
    (4, 12),
    add,
    styles={
        **dict.fromkeys(("ladders.id", "ladders.row", "ladders.code", "ladders.taken"), Style.SPARSE),
        **dict.fromkeys(
            (f"ladders.step{k}.{x}" for k in range(1, STEPS + 1) for x in ("ranks", "least")), Style.SPARSE
        ),
        "ladders.count": Style.WHOLE,
    },
    marks=_marks(),
)
