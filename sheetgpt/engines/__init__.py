"""Who recalculates: three engines by other hands, behind one protocol."""

from __future__ import annotations

from sheetgpt.engines.base import Engine, Values, require
from sheetgpt.engines.formulas_ import Formulas
from sheetgpt.engines.ironcalc_ import IronCalc
from sheetgpt.engines.libreoffice import LibreOffice
from sheetgpt.errors import SheetGPTError

# All engines by name, the default one first; installed or not.
ENGINES: dict[str, Engine] = {engine.name: engine for engine in (IronCalc(), LibreOffice(), Formulas())}

__all__ = ["ENGINES", "Engine", "Values", "get"]


def get(name: str) -> Engine:
    """The engine called `name`; raises `EngineMissingError` with the way to install it, `SheetGPTError` if unknown."""
    if name not in ENGINES:
        raise SheetGPTError(f"no engine is called {name[:40]!r}; choose one of {', '.join(ENGINES)}")
    require(ENGINES[name])
    return ENGINES[name]
