"""`python -m sheetgpt.engines.worker ENGINE FILE JOB OUT`: one recalculation, in a process of its own.

FILE has no cached results; JOB lists the areas that formulas compute, by tab. OUT gets for each tab
the values of their cells in that order: numbers, texts, booleans, null, or ["#N/A"] for an error.
"""

from __future__ import annotations

import importlib
import math
import sys
from pathlib import Path
from typing import Any

import orjson

from sheetgpt.errors import SheetGPTError
from sheetgpt.sheet.grid import CellError, Value

MODULES = {"ironcalc": "sheetgpt.engines.ironcalc_", "formulas": "sheetgpt.engines.formulas_"}


def main(arguments: list[str]) -> int:
    """Do what the module says; an error is one line on stderr."""
    name, file, job, out = arguments
    try:
        areas = {tab: [tuple(area) for area in found] for tab, found in orjson.loads(Path(job).read_bytes()).items()}
        results = importlib.import_module(MODULES[name]).compute(Path(file), areas)
        packed = {tab: [pack(value) for value in values] for tab, values in results.items()}
    except SheetGPTError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print("MemoryError", file=sys.stderr)
        return 1
    except Exception as error:  # a library's own: whatever it is, one line
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    Path(out).write_bytes(orjson.dumps(packed))
    return 0


def pack(value: Value) -> Any:
    """A value as JSON holds it; a number that is not finite is no value."""
    if isinstance(value, CellError):
        return [str(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
