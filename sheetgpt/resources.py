"""Where the bundled models and lesson texts lie: beside the package in a clone, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _root() -> Path:
    packaged = _HERE / "_data"
    return packaged if packaged.is_dir() else _HERE.parent


def weights_dir() -> Path:
    """Folder of the bundled models, one sub-folder each."""
    return _root() / "weights"


def templates_dir() -> Path:
    """Folder of the lesson texts."""
    return _root() / "templates"


def maps_dir() -> Path:
    """Folder of the maps of workbooks that others made."""
    return templates_dir() / "maps"
