"""The score of a run of mutants, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from sheetgpt.check.mutate import Line, Outcome, Score
from sheetgpt.errors import one_line

_HEAD = ("mutants", "caught", "located", "by values alone", "equivalent", "survived", "refused")


def to_text(score: Score, oracle: str = "all") -> str:
    """Tables by operator and by stage, which are Markdown, and whatever was not caught or blamed elsewhere."""
    lines = [f"{one_line(score.workbook)}: seed {score.seed}, {score.engine}, model {one_line(score.model)}", ""]
    lines += _table("operator", score.by_operator(), score.total)
    lines += ["", *_table("stage", score.by_stage(), score.total), ""]
    survivors = score.survivors(oracle)
    elsewhere = [o for o in score.outcomes if o.verdict in ("killed", "refused")]
    for title, found in (("NOT CAUGHT", survivors), ("BLAMED ELSEWHERE", elsewhere)):
        lines += [f"{title}: {told}" for told in map(_said, found)]
    total = score.total
    lines.append(
        f"{total.killed:,} of {total.mutants:,} caught, {total.located:,} located, {len(survivors):,} not caught;"
        f" {score.compared:,} computed from the file as well, all alike"
    )
    return "\n".join(lines)


def _table(what: str, rows: Mapping[str, Line], total: Line) -> Iterator[str]:
    yield f"| {what} | {' | '.join(_HEAD)} |"
    yield f"|---|{'---:|' * len(_HEAD)}"
    for name, line in {**rows, "all": total}.items():
        yield f"| {name} | {' | '.join(f'{n:,}' for n in line)} |"


def _said(outcome: Outcome) -> str:
    m = outcome.mutation
    where = f"{m.tab}!{m.cell}" if m.cell else m.tab
    told = f"#{outcome.number} {m.operator} at {m.place or where} ({where}): {m.was} -> {m.now}"
    return one_line(f"{told}; {outcome.verdict} {outcome.blamed or outcome.why}")


def to_json(score: Score, oracle: str = "all") -> str:
    """Everything, a mutant an object."""
    data = {
        "workbook": score.workbook,
        "model": score.model,
        "engine": score.engine,
        "seed": score.seed,
        "oracle": oracle,
        "total": score.total._asdict(),
        "survived": [o.number for o in score.survivors(oracle)],
        "operators": {name: line._asdict() for name, line in score.by_operator().items()},
        "stages": {name: line._asdict() for name, line in score.by_stage().items()},
        "mutants": [_flat(outcome) for outcome in score.outcomes],
    }
    return orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()


def _flat(outcome: Outcome) -> dict[str, object]:
    m = outcome.mutation
    about = {
        key: getattr(m, key) for key in ("operator", "place", "tab", "cell", "was", "now", "stripped", "equivalent")
    }
    told = {key: getattr(outcome, key) for key in ("number", "stage", "verdict", "blamed", "by_values", "why")}
    return about | told
