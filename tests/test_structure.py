"""The architecture as a test: what may import what, and what `--help` may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sheetgpt

ROOT = Path(sheetgpt.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if "_data" not in p.parts)
# A room may import from itself and from those before it. `build` and `generate` stand on all but the command line.
RANK = {"errors": 0, "resources": 0, "models": 1, "plan": 2, "sheet": 3, "engines": 4, "check": 5, "build": 6,
        "course": 6, "generate": 6, "recalc": 6, "thin": 6, "estimate": 6, "crosscheck": 6, "cli": 7}  # fmt: skip


def module(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")


def imports(path: Path) -> set[str]:
    """Modules of ours that a file names in an import, late ones included, without the leading `sheetgpt.`."""
    out = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            parts = [f"sheetgpt.{alias.name}" for alias in node.names] if node.module == "sheetgpt" else [node.module]
            out |= set(map(str, parts))
    ours = {name.removeprefix("sheetgpt.") for name in out if name.partition(".")[0] == "sheetgpt"}
    return ours - {"__version__"}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_data_flows_one_way(path: Path) -> None:
    room = module(path).partition(".")[0]
    if room in {"__init__", "__main__"}:
        return
    for other in imports(path):
        assert RANK[other.partition(".")[0]] <= RANK[room], f"{module(path)} imports {other}"


def test_no_import_circles() -> None:
    graph = {module(path).removesuffix(".__init__"): imports(path) for path in FILES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in graph.get(name, set()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_reference_imports_nothing_of_ours() -> None:
    assert imports(ROOT / "models/reference.py") == set()


def test_evaluate_and_lower_know_nothing_of_each_other() -> None:
    assert not any(name.startswith(("sheet", "engines")) for name in imports(ROOT / "check/evaluate.py"))
    assert not any(name.startswith("check") for name in imports(ROOT / "sheet/lower.py"))


def test_the_program_does_not_use_its_own_oracle() -> None:
    users = [module(p) for p in FILES if "models.reference" in imports(p)]
    assert users == []


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, sheetgpt.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "openpyxl", "xlsxwriter", "formulas", "ironcalc", "torch"} & set(loaded)
