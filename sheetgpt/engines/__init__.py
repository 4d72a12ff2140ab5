"""Who recalculates: three engines by other hands, behind one protocol."""

from __future__ import annotations

from sheetgpt.engines.base import Allowance, Engine, Values, WorkerEngine, require
from sheetgpt.engines.libreoffice import LibreOffice
from sheetgpt.errors import SheetGPTError

_IRONCALC = WorkerEngine("ironcalc", Allowance(5, 1, 700 << 20, 8 << 20))
_FORMULAS = WorkerEngine("formulas", Allowance(60, 60, 4 << 30, 64 << 20))  # slower than the others by far
# All engines by name, the default one first; installed or not.
ENGINES: dict[str, Engine] = {engine.name: engine for engine in (_IRONCALC, LibreOffice(), _FORMULAS)}

__all__ = ["ENGINES", "Engine", "Values", "get"]


def get(name: str) -> Engine:
    """The engine called `name`; raises `EngineMissingError` with the way to install it, `SheetGPTError` if unknown."""
    if name not in ENGINES:
        raise SheetGPTError(f"no engine is called {name[:40]!r}; choose one of {', '.join(ENGINES)}")
    require(ENGINES[name])
    return ENGINES[name]
