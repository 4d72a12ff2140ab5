"""How good is verify? Faulty copies of a workbook, one fault each: how many it finds, and how many in the right place.

The copies are files, and each is checked by `verify` itself. What all of them have in common is computed once: see
`Kept`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sheetgpt.check.faults import FaultKind
from sheetgpt.check.found import find
from sheetgpt.check.gaps import TOTAL_TOLERANCE
from sheetgpt.check.kept import Kept
from sheetgpt.check.operators import OPERATORS, Mutation, Operator, Original
from sheetgpt.check.result import CACHED, Report
from sheetgpt.check.verify import verify
from sheetgpt.errors import OutputError, SheetGPTError, WorkbookError
from sheetgpt.sheet.layout import Tab
from sheetgpt.sheet.rewrite import rewrite

_IN_VAIN = 40  # times an operator may give nothing new before it is done


class Outcome(NamedTuple):
    """What verify said of a mutant."""

    number: int
    mutation: Mutation
    stage: str
    verdict: str  # located, killed (but another place blamed first), survived, refused
    blamed: str  # the first fault: its kind, and where
    by_values: bool  # whether the recalculated values alone tell
    twice: bool  # whether its values were computed from the file as well as by changing a loaded workbook
    why: str = ""  # why verify refused the file

    @property
    def caught(self) -> bool:
        """Whether verify says that something is wrong."""
        return self.verdict in ("located", "killed")


class Line(NamedTuple):
    """Counts of an operator, or of a stage."""

    mutants: int
    killed: int  # verify exits with 1
    located: int  # and names the true place first
    by_values: int  # the recalculated values alone would tell
    equivalent: int  # proven equal to the original for every input: no values could tell
    survived: int  # verify says equal, or not proven
    refused: int  # verify does not read the file


@dataclass
class Score:
    """All outcomes of a run."""

    workbook: str
    model: str
    engine: str
    seed: int
    outcomes: list[Outcome] = field(default_factory=list)

    def by_operator(self) -> dict[str, Line]:
        """Counts by operator, in the order of `OPERATORS`."""
        return self._by([operator.name for operator in OPERATORS], lambda o: o.mutation.operator)

    def by_stage(self) -> dict[str, Line]:
        """Counts by stage, in pipeline order."""
        return self._by(list(dict.fromkeys(sorted((o.stage for o in self.outcomes), key=_rank))), lambda o: o.stage)

    @property
    def compared(self) -> int:
        """Mutants whose values were computed from the file as well as by changing a loaded workbook."""
        return sum(o.twice for o in self.outcomes)

    @property
    def total(self) -> Line:
        """Counts of all."""
        return line(self.outcomes)

    def survivors(self, oracle: str = "all") -> list[Outcome]:
        """Mutants that are not caught, and not proven to be no faults."""
        return [o for o in self.outcomes if not (o.caught if oracle == "all" else o.by_values or o.mutation.equivalent)]

    def _by(self, names: list[str], key: Callable[[Outcome], str]) -> dict[str, Line]:
        groups: dict[str, list[Outcome]] = {name: [] for name in names}
        for outcome in self.outcomes:
            groups[key(outcome)].append(outcome)
        return {name: line(found) for name, found in groups.items() if found}


def line(outcomes: Iterable[Outcome]) -> Line:
    """Counts of some outcomes."""
    found = list(outcomes)
    verdicts = Counter(o.verdict for o in found)
    return Line(
        len(found),
        sum(o.caught for o in found),
        verdicts["located"],
        sum(o.by_values for o in found),
        sum(bool(o.mutation.equivalent) for o in found),
        verdicts["survived"],
        verdicts["refused"],
    )


def mutate(
    path: Path,
    n: int,
    seed: int,
    engine: str = "ironcalc",
    model: str | None = None,
    keep: Path | None = None,
    jobs: int = 2,
    told: Callable[[Outcome], None] = lambda _: None,
) -> Score:
    """Make `n` mutants of a workbook and have each checked, by `jobs` processes.

    `keep` is a folder for the mutants, `told` hears of each outcome at once. Raises `WorkbookError` where the workbook
    itself is not right, and what `verify` raises.
    """
    found = find(path, CACHED, model)
    mutations = list(enumerate(draw(Original(found.book, found.blueprint), n, seed)))
    score = Score(str(path), found.blueprint.card.model, engine, seed)
    if keep:
        _make_folder(keep)
    with _one_thread(), get_context("spawn").Pool(jobs, _begin, (path, engine, model, keep)) as pool:
        for outcome in pool.imap_unordered(_judge, mutations):
            told(outcome)
            score.outcomes.append(outcome)
    score.outcomes.sort(key=lambda o: o.number)
    return score


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror})") from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that begin now multiply with one thread each: they share the cores."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def draw(original: Original, n: int, seed: int, operators: list[Operator] = OPERATORS) -> Iterator[Mutation]:
    """`n` different mutations, as many of each operator as there are, or fewer where there are not so many."""
    rng = np.random.default_rng(seed)
    left = list(operators)
    seen: set[tuple[object, ...]] = set()
    for operator in cycle(operators):
        if len(seen) >= n or not left:
            return
        if operator in left:
            mutation = _new(operator, original, rng, seen)
            if mutation is None:
                left.remove(operator)
            else:
                seen.add(mutation.key)
                yield mutation


def _new(
    operator: Operator, original: Original, rng: np.random.Generator, seen: set[tuple[object, ...]]
) -> Mutation | None:
    """One that is not there yet; None where the operator seems to have no more."""
    for _ in range(_IN_VAIN):
        mutation = operator.pick(original, rng)
        if mutation and mutation.key not in seen:
            return mutation
    return None


# ---- one process -----------------------------------------------------------------------------------


def _begin(path: Path, engine: str, model: str | None, keep: Path | None) -> None:
    """Before the first mutant of this process."""
    _be_silent()
    _making.append(partial(Judge, path, engine, model, keep))


def _judge(numbered: tuple[int, Mutation]) -> Outcome:
    """The outcome of one mutant, in a process that `_begin` began."""
    return _own_judge().outcome(*numbered)


@cache
def _own_judge() -> Judge:
    """The judge of this process; it is made with the first mutant, so that what it raises reaches the caller."""
    return _making[0]()


_making: list[Callable[[], Judge]] = []


def _be_silent() -> None:
    """IronCalc writes a line to standard output for each cell of a file that it finds empty."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


class Judge:
    """Checks mutants of one workbook, after the workbook itself."""

    def __init__(self, path: Path, engine: str, model: str | None, keep: Path | None = None) -> None:
        self.path, self.engine, self.model, self.keep = path, engine, model, keep
        self.kept = Kept()
        report = verify(path, engine, model, self.kept)
        if report.faults:
            raise WorkbookError(f"{path.name} is wrong already: sheetgpt verify tells where")
        self.kept.learnt()
        self._tabs = {tab.name: tab for tab in find(path, CACHED, model, self.kept).blueprint.layout.tabs}

    def outcome(self, number: int, mutation: Mutation) -> Outcome:
        """Write a mutant and have it checked."""
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            file = (self.keep or Path(folder)) / f"mutant-{number:04}.xlsx"
            file.unlink(missing_ok=True)
            rewrite(self.path, file, mutation.tab, mutation.cells, mutation.names)
            return self._checked(file, number, mutation)

    def _checked(self, file: Path, number: int, mutation: Mutation) -> Outcome:
        stage, before = stage_of(self._tabs[mutation.tab]), self.kept.compared
        try:
            report = verify(file, self.engine, self.model, self.kept)
        except SheetGPTError as error:
            return Outcome(number, mutation, stage, "refused", "", True, self.kept.compared > before, str(error))
        verdict, blamed = judged(mutation, report)
        return Outcome(number, mutation, stage, verdict, blamed, by_values(report), self.kept.compared > before)


def judged(mutation: Mutation, report: Report) -> tuple[str, str]:
    """The verdict, and what verify blames first."""
    first = report.first_fault
    if report.exit_code != 1 or first is None:
        return "survived", ""
    where = first.place or f"{first.tab}!{first.cell}"
    right = first.place == mutation.place if mutation.place else (first.place, first.tab, first.cell) == (
        "", mutation.tab, mutation.cell)  # fmt: skip
    return ("located" if right else "killed"), f"{first.kind} at {where}"


def by_values(report: Report) -> bool:
    """Whether a value that a formula computes is not what numpy makes of the prompt and the source weights.

    Texts of formulas, weights, names and caches are not asked.
    """
    places = any(row.op != "data" and not row.total_gap <= TOTAL_TOLERANCE for row in report.rows)
    return places or any(f.kind is FaultKind.VALUE for f in report.faults)


_ORDER = ("tables", "parameters", "Contents", "Prompt", "Characters", "Words", "Merges", "Tokens", "Input", "Embedding",
          "h", "ln_f", "Logits", "Next token")  # fmt: skip


def stage_of(tab: Tab) -> str:
    """The line of the score that a tab belongs to: parameters, tables, a block, or the tab itself."""
    if tab.group == "parameters":
        return "parameters" if tab.lesson in ("matrix", "vectors", "parameters") else "tables"
    return tab.name if tab.block is None else f"h{tab.block}"


def _rank(stage: str) -> tuple[int, int]:
    block = re.fullmatch(r"h(\d+)", stage)
    name = "h" if block else stage
    return _ORDER.index(name) if name in _ORDER else len(_ORDER), int(block[1]) if block else 0
