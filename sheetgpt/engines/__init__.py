"""Who recalculates: three engines by other hands, behind one protocol."""

from __future__ import annotations

from sheetgpt.engines.base import Engine, Values, get
from sheetgpt.engines.formulas_ import Formulas
from sheetgpt.engines.ironcalc_ import IronCalc
from sheetgpt.engines.libreoffice import LibreOffice

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (IronCalc(), LibreOffice(), Formulas())}

__all__ = ["ENGINES", "Engine", "Values", "get"]
