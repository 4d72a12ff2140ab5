"""Does verify cry wolf? Untouched workbooks of both bundled models, 50 prompts each, by two engines.

`python benchmarks/false_alarms.py [N]` prints a line for each model and engine: workbooks, how many were not EQUAL, the
largest gap. Workbooks of `fable` are made for one prompt; those of `sorter` take any.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from sheetgpt.build import Room, build
from sheetgpt.check.verify import verify
from sheetgpt.models.weights import find_model

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.corpus import held_prompts

ENGINES = ("ironcalc", "libreoffice")


def main() -> None:
    """Build, verify, count."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    letters = random.Random(1)
    prompts = {"fable": held_prompts()[:n], "sorter": ["".join(letters.choices("ABC", k=6)) for _ in range(n)]}
    print("| model | engine | workbooks | not equal | largest gap | seconds each |\n|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in prompts.items():
            model = find_model(name)
            books = [
                build(model, text, Path(folder, f"{name}{i}.xlsx"), Room(fixed=name == "fable"), check=False).path
                for i, text in enumerate(texts)
            ]
            for engine in ENGINES:
                start = time.perf_counter()
                reports = [verify(book, engine) for book in books]
                seconds = (time.perf_counter() - start) / len(books)
                alarms = sum(report.exit_code != 0 for report in reports)
                gap = max(row.total_gap for report in reports for row in report.rows)
                print(f"| {name} | {engine} | {len(books)} | {alarms} | {gap:.1e} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
