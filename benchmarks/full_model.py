"""GPT-2's sizes with random weights: seconds, memory and bytes of each step, against its budget, in one run.

    python benchmarks/full_model.py build      all of GPT-2 small: 10 tokens, compact, 64 tokens
    python benchmarks/full_model.py verify     all of GPT-2 small: cached, libreoffice, ironcalc   (some 15 minutes)
    python benchmarks/full_model.py slice      block 3 of GPT-2 small: build, and open and recalculate in LibreOffice
    python benchmarks/full_model.py blocks     cells a second for 1, 3, 6, 12 blocks
    python benchmarks/full_model.py medium     all of GPT-2 medium, compact: build, libreoffice   (some 20 minutes)

Wall seconds; megabytes are the largest resident size that all processes of a step have had together.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from sheetgpt.models.weights import Weights
from tests.random_models import make

SHEETGPT = [sys.executable, "-m", "sheetgpt"]
PROMPT = "The quick brown fox"


class Budget(NamedTuple):
    seconds: float | None = None
    memory: float | None = None  # MB
    size: float | None = None  # MB


def resident(root: int) -> float:
    """MB of a process and all that it started, as they are now."""
    total, family = 0.0, {root}
    for entry in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            lines = Path(f"/proc/{entry}/status").read_text().splitlines()
        except OSError:
            continue
        said = dict(line.split(":", 1) for line in lines if ":" in line)
        if entry in family or int(said["PPid"]) in family:
            family.add(entry)
            total += int(said.get("VmRSS", "0 kB").split()[0]) / 1000
    return total


def measure(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory (MB); ends the benchmark where the command says that something is wrong."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0.0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - begin
    watcher.join()
    if status not in (0, 4):  # 4: right, but nothing independent was asked for
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return seconds, peak


class Table:
    """Lines of steps against their budgets."""

    def __init__(self) -> None:
        self.over = 0
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
        print(f"{'step':<40}{'seconds':>9}{'budget':>8}{'MB':>8}{'budget':>8}{'file, MB':>10}{'budget':>8}", flush=True)

    def step(self, name: str, command: list[str], budget: Budget, book: Path | None = None) -> float:
        seconds, memory = measure(command)
        size = book.stat().st_size / 1e6 if book else None
        for found, most in ((seconds, budget.seconds), (memory, budget.memory), (size, budget.size)):
            self.over += bool(found and most and found > most)
        shown = f"{size:>10.0f}{budget.size or '':>8}" if size else ""
        print(
            f"{name:<40}{seconds:>9.1f}{budget.seconds or '':>8}{memory:>8.0f}{budget.memory or '':>8}{shown}",
            flush=True,
        )
        return seconds


def building(model: Weights, book: Path, *options: str) -> list[str]:
    return [*SHEETGPT, "build", PROMPT, "--model", str(model.folder), "-o", str(book), *options]


def verifying(model: Weights, book: Path, engine: str) -> list[str]:
    return [*SHEETGPT, "verify", str(book), "--model", str(model.folder), "--engine", engine]


def build(folder: Path, table: Table) -> None:
    model, book = make(folder / "gpt2-small"), folder / "book.xlsx"
    table.step("build, 10 tokens", building(model, book, "--tokens", "10"), Budget(60, 2000, 1160), book)
    table.step(
        "build, 10 tokens, --compact", building(model, book, "--tokens", "10", "--compact"), Budget(60, 2000, 800), book
    )
    table.step("build, 64 tokens", building(model, book, "--tokens", "64"), Budget(120), book)


def verify(folder: Path, table: Table) -> None:
    model, book = make(folder / "gpt2-small"), folder / "book.xlsx"
    table.step("build, 10 tokens", building(model, book, "--tokens", "10"), Budget(60, 2000, 1160), book)
    table.step("verify --engine cached", verifying(model, book, "cached"), Budget(150, 3000))
    table.step("verify --engine libreoffice", verifying(model, book, "libreoffice"), Budget(600, 8000))
    table.step("verify --engine ironcalc", verifying(model, book, "ironcalc"), Budget())


def slice_(folder: Path, table: Table) -> None:
    model, book = make(folder / "gpt2-small"), folder / "book.xlsx"
    build_it = building(model, book, "--tokens", "10", "--stages", "h3")
    table.step("build --stages h3", build_it, Budget(8), book)
    code = f"from sheetgpt.engines import get; get('libreoffice').recalculate({str(book)!r})"
    table.step("LibreOffice: open, recalculate, read", [sys.executable, "-c", code], Budget(25))
    table.step("verify --engine libreoffice", verifying(model, book, "libreoffice"), Budget())


def blocks(folder: Path, table: Table) -> None:
    for n in (1, 3, 6, 12):
        model, book = make(folder / f"blocks-{n}", blocks=n), folder / "book.xlsx"
        seconds = table.step(f"build, {n} blocks", building(model, book, "--tokens", "10"), Budget(), book)
        print(
            f"{'':<8}{model.config.n_weights:,} weights, {model.config.n_weights / seconds / 1e6:.2f} million a second"
        )


def medium(folder: Path, table: Table) -> None:
    model, book = make(folder / "gpt2-medium", "medium"), folder / "book.xlsx"
    build_it = building(model, book, "--tokens", "10", "--compact")
    table.step("build, 10 tokens, --compact", build_it, Budget(180, 3000, 2147), book)
    table.step("verify --engine libreoffice", verifying(model, book, "libreoffice"), Budget())


STEPS = {"build": build, "verify": verify, "slice": slice_, "blocks": blocks, "medium": medium}


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in STEPS:
        raise SystemExit(__doc__)
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        STEPS[sys.argv[1]](Path(name), table)
    sys.exit(table.over > 0)


if __name__ == "__main__":
    main()
