"""How long the main job takes, how much memory, how large the file: each against its budget, all in one run.

    python benchmarks/default_build.py

Wall seconds and the largest resident size of any single process of a step (the engine works in one of its own).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "Mike is quick. He moves"
SHEETGPT = [sys.executable, "-m", "sheetgpt"]
BUDGETS = {  # step: seconds, MB of memory
    "sheetgpt --help": (0.3, None),
    "build --fixed": (3.0, 300),
    "verify, fixed": (6.0, None),
    "build": (6.0, 300),
    "build --no-check": (3.0, 300),
    "verify (ironcalc)": (10.0, None),
    "verify --engine libreoffice": (30.0, None),
    "verify --engine formulas": (90.0, None),
    "LibreOffice: strip, recalculate, read": (15.0, None),
}
REPEATS = 3


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory (MB) of a command; of `REPEATS` runs the median by time."""
    runs = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        runs.append((time.perf_counter() - begin, peak / 1e6))
    return sorted(runs)[REPEATS // 2]


def libreoffice(book: Path) -> list[str]:
    """The engine alone: a stripped copy is opened, recalculated and saved."""
    code = f"from sheetgpt.engines import get; get('libreoffice').recalculate({str(book)!r})"
    return [sys.executable, "-c", code]


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; median of {REPEATS} runs; {PROMPT!r}, fable")
    print(f"{'step':<40}{'seconds':>9}{'budget':>8}{'MB':>8}{'budget':>8}")
    with tempfile.TemporaryDirectory() as folder:
        book, fixed = Path(folder, "book.xlsx"), Path(folder, "fixed.xlsx")
        build = [*SHEETGPT, "build", PROMPT, "-o", str(book)]
        steps = {
            "sheetgpt --help": [*SHEETGPT, "--help"],
            "build --fixed": [*SHEETGPT, "build", PROMPT, "--fixed", "-o", str(fixed)],
            "verify, fixed": [*SHEETGPT, "verify", str(fixed)],
            "build --no-check": [*build, "--no-check"],
            "build": build,
            "verify (ironcalc)": [*SHEETGPT, "verify", str(book)],
            "verify --engine libreoffice": [*SHEETGPT, "verify", str(book), "--engine", "libreoffice"],
            "verify --engine formulas": [*SHEETGPT, "verify", str(book), "--engine", "formulas"],
            "LibreOffice: strip, recalculate, read": libreoffice(book),
        }
        over = 0
        for name, command in steps.items():
            seconds, memory = measure(command)
            limit, most = BUDGETS[name]
            over += seconds > (limit or seconds) or memory > (most or memory)
            print(f"{name:<40}{seconds:>9.2f}{limit or '':>8}{memory:>8.0f}{most or '':>8}")
        size = book.stat().st_size / 1e6
        print(f"{'file, MB':<40}{size:>9.2f}{6.0:>8}")
    sys.exit(over > 0 or size > 6.0)


if __name__ == "__main__":
    main()
