"""The mutation score of a workbook, in Markdown: `python benchmarks/mutation.py FILE SEED [N] [JOBS]`.

Each outcome goes to stderr at once, so that a run that was stopped has told what it knows.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sheetgpt.check.mutate import Outcome, mutate
from sheetgpt.check.mutation_report import to_text


def _told(outcome: Outcome) -> None:
    m = outcome.mutation
    told = (outcome.number, outcome.verdict, "values" if outcome.by_values else "", outcome.stage, m.operator, m.place)
    print(
        *told, m.tab, m.cell, m.was, m.now, outcome.blamed, outcome.why, bool(m.equivalent), sep="\t", file=sys.stderr
    )


def main() -> None:
    """Run and print."""
    path, seed = Path(sys.argv[1]), int(sys.argv[2])
    n, jobs = map(int, (sys.argv[3:5] + ["500", "2"][len(sys.argv[3:5]) :]))
    start = time.perf_counter()
    score = mutate(path, n, seed, jobs=jobs, told=_told)
    print(to_text(score))
    print(f"{time.perf_counter() - start:,.0f} s, {jobs} processes")


if __name__ == "__main__":
    main()
