"""Maps of foreign workbooks: which cells of a stranger's file hold which place or weight of the plan.

A map is a TOML file (see `templates/maps/`). Names, tabs and references may hold `{block}` and `{head}`, also
`{block+1}`, and stand once for each; `{stream}` is what a block reads. A weight may be made of pieces, side by side.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

from sheetgpt.errors import MapError, PlanError, WeightError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.everywhere import INPUTS, everywhere
from sheetgpt.plan.model import stream
from sheetgpt.plan.ops import Shape
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.resources import maps_dir
from sheetgpt.sheet.a1 import MAX_COLS, MAX_ROWS, parse_area
from sheetgpt.sheet.grid import Area, overlap

_LARGEST = 1 << 20  # bytes
_MOST_AREAS = 1 << 14
_MOST_ROWS = 4096
_LARGE = 1e300
_TOP = {"title", "rows", "transposed", "config", "tabs", "inputs", "weights", "stages", "parts", "copies", "elsewhere"}
_SPOT = {"tab", "ref", "transposed", "blank", "step"}
_HOLE = re.compile(r"\{([^{}]*)\}")
_KNOWN_HOLE = re.compile(r"(block|head|stream)([+-]\d{1,3})?")


class Spot(NamedTuple):
    """An area of a tab. `transposed`: the place's rows are its columns. `blank`: what empty cells stand for."""

    tab: str
    area: Area
    transposed: bool = False
    blank: float | None = None

    @property
    def shape(self) -> Shape:
        """Rows and columns as the place has them."""
        r0, c0, r1, c1 = self.area
        rows, cols = r1 - r0 + 1, c1 - c0 + 1
        return (cols, rows) if self.transposed else (rows, cols)


Spots = tuple[Spot, ...]  # side by side, as the place's columns are


class Mapped(NamedTuple):
    """Cells that hold a place."""

    name: str
    spots: Spots


class Elsewhere(NamedTuple):
    """Cells that belong to no place, and why."""

    tab: str
    area: Area
    why: str


@dataclass(frozen=True)
class WorkbookMap:
    """A map, expanded and checked against the plan that its config stands for."""

    title: str
    config: ModelConfig
    plan: Plan
    inputs: list[Mapped]
    weights: list[Mapped]
    constants: dict[str, float]  # weights that the workbook does not have, as one number
    stages: list[Mapped]  # in the plan's order
    parts: list[Mapped] = field(default_factory=list)  # steps inside a stage
    copies: list[Mapped] = field(default_factory=list)  # cells that repeat a stage
    elsewhere: list[Elsewhere] = field(default_factory=list)

    @property
    def tabs(self) -> set[str]:
        """Tabs that the map speaks of."""
        groups = (self.inputs, self.weights, self.stages, self.parts, self.copies)
        return {spot.tab for group in groups for m in group for spot in m.spots} | {e.tab for e in self.elsewhere}

    @property
    def size(self) -> int:
        """Cells that a workbook must have about, were it complete."""
        places = (m.name for group in (self.inputs, self.stages, self.parts, self.copies) for m in group)
        return self.config.n_weights + sum(rows * cols for rows, cols in (self.plan[name].shape for name in places))


def maps() -> list[str]:
    """Names of the maps that come with sheetgpt."""
    return sorted(path.stem for path in maps_dir().glob("*.toml"))


def read_map(name: str) -> WorkbookMap:
    """A map by the name of one that comes with sheetgpt, or by its path; raises `MapError`."""
    path = maps_dir() / f"{name}.toml" if name in maps() else Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise MapError(f"no map {name[:80]!r} ({why}): give a TOML file, or one of {', '.join(maps())}") from None
    if len(data) > _LARGEST:
        raise MapError(f"{path.name}: larger than a map can be ({_LARGEST:,} bytes)")
    try:
        return parse_map(tomllib.loads(data.decode()))
    except (MapError, PlanError, WeightError) as error:
        raise MapError(f"{path.name}: {error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise MapError(f"{path.name}: not TOML: {str(error)[:120]}") from None


def parse_map(data: Mapping[str, Any]) -> WorkbookMap:
    """The map that TOML data stands for; raises `MapError`, `PlanError` or `WeightError` for one that cannot be."""
    _only(data, _TOP, "the map")
    config = ModelConfig.from_dict(_table(data, "config"))
    rows = data.get("rows")
    if type(rows) is not int or not 1 <= rows <= min(_MOST_ROWS, config.n_ctx):
        raise MapError(f"rows must be how many positions there are, 1 to {min(_MOST_ROWS, config.n_ctx)}, not {rows!r}")
    if config.n_layer * (config.n_head + 8) > _MOST_AREAS:
        raise MapError("more blocks and heads than a map is read for")
    reader = _Reader(config, everywhere(config, rows), _table(data, "tabs"), _flag(data, "transposed"))
    weights, constants = reader.weights(_table(data, "weights"))
    found = WorkbookMap(
        title=str(data.get("title", "")),
        config=config,
        plan=reader.plan,
        inputs=reader.named(_table(data, "inputs"), "inputs", {Role.INPUT}),
        weights=weights,
        constants=constants,
        stages=reader.named(_table(data, "stages"), "stages", {Role.VALUE}),
        parts=reader.named(_table(data, "parts"), "parts", {Role.VALUE}),
        copies=reader.copies(_list(data, "copies")),
        elsewhere=reader.elsewhere(_list(data, "elsewhere")),
    )
    _check(found)
    return found


class _Reader:
    """Expands patterns and checks names and shapes."""

    def __init__(self, config: ModelConfig, plan: Plan, tabs: Mapping[str, Any], transposed: bool) -> None:
        self.config, self.plan, self.tabs, self.transposed = config, plan, tabs, transposed
        self.blocks, self.heads = range(config.n_layer), range(config.n_head)

    def named(self, table: Mapping[str, Any], where: str, roles: set[Role]) -> list[Mapped]:
        """The entries of a table whose keys are places, in the plan's order."""
        out: dict[str, Spots] = {}
        for pattern, entry in table.items():
            for holes in self.holes(pattern):
                name = self.place(_fill(pattern, holes, where), where, roles)
                if name in out:
                    raise MapError(f"{where}: {name} is there twice")
                out[name] = self.spots(entry, holes, f"{where}: {name}", name)
        order = {name: i for i, name in enumerate(self.plan)}
        return [Mapped(name, out[name]) for name in sorted(out, key=order.__getitem__)]

    def weights(self, table: Mapping[str, Any]) -> tuple[list[Mapped], dict[str, float]]:
        """Weights in cells, and those that are one number that the map gives; all of the model's."""
        numbers = {key: entry for key, entry in table.items() if _is_number(entry)}
        cells = self.named({k: v for k, v in table.items() if k not in numbers}, "weights", {Role.PARAMETER})
        constants = {}
        for pattern, number in numbers.items():
            for holes in self.holes(pattern):
                constants[self.place(_fill(pattern, holes, "weights"), "weights", {Role.PARAMETER})] = float(number)
        known = constants.keys() | {m.name for m in cells}
        if missing := [name for name in self.plan.parameters if name not in known]:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise MapError(f"weights: {missing[0]}{more} not in the map (a number stands for one that is not there)")
        return cells, constants

    def copies(self, entries: Sequence[Any]) -> list[Mapped]:
        """Cells that repeat a place."""
        out = []
        for entry in entries:
            of = entry.get("of") if isinstance(entry, dict) else None
            if not isinstance(of, str):
                raise MapError("copies: each needs `of`, the place that is repeated")
            rest = {key: value for key, value in entry.items() if key != "of"}
            for holes in self.holes(of, rest):
                name = self.place(_fill(of, holes, "copies"), "copies", {Role.VALUE})
                out.append(Mapped(name, self.spots(rest, holes, f"copies: {name}", name)))
        return out

    def elsewhere(self, entries: Sequence[Any]) -> list[Elsewhere]:
        """Cells that are in no stage, with the reason."""
        out = []
        for entry in entries:
            if not isinstance(entry, dict) or not isinstance(entry.get("why"), str):
                raise MapError("elsewhere: each needs tab, ref and `why` its cells are in no stage")
            rest = {key: value for key, value in entry.items() if key != "why"}
            for holes in self.holes(str(rest.get("tab")), rest):
                spot = self.spot(rest, holes, "elsewhere")
                out.append(Elsewhere(spot.tab, spot.area, entry["why"]))
        return out

    def holes(self, *patterns: object) -> Iterator[dict[str, Any]]:
        """What the placeholders of an entry stand for, in turn: blocks, heads, both or neither."""
        text = "".join(map(str, patterns)) + "".join(self.tab_pattern(p) for p in patterns if isinstance(p, dict))
        blocks: Sequence[int | None] = self.blocks if "{block" in text or "{stream" in text else [None]
        heads: Sequence[int | None] = self.heads if "{head" in text else [None]
        for block, head in product(blocks, heads):
            yield {"block": block, "head": head, "stream": None if block is None else stream(block)}

    def tab_pattern(self, entry: Mapping[str, Any]) -> str:
        """What a tab's alias stands for, as a pattern: a list is one tab for each block."""
        tab = self.tabs.get(str(entry.get("tab")), "")
        return "{block}" if isinstance(tab, list) else str(tab)

    def place(self, name: str, where: str, roles: set[Role]) -> str:
        """The name, if there is such a place of such a kind."""
        if name not in self.plan:
            raise MapError(f"{where}: no place {name[:80]!r} in a model of this config")
        if self.plan.roles[name] not in roles:
            raise MapError(f"{where}: {name} is a {self.plan.roles[name]}, and belongs elsewhere in the map")
        return name

    def spots(self, entry: Any, holes: Mapping[str, Any], where: str, name: str) -> Spots:
        """Where a place is: its pieces side by side, one for each head where only the tab or `step` names heads."""
        pieces = entry if isinstance(entry, list) else [entry]
        found: list[Spot] = []
        for piece in pieces:
            text = f"{piece}{self.tab_pattern(piece)}" if isinstance(piece, dict) else ""
            each = self.heads if holes["head"] is None and ("{head" in text or "'head'" in text) else [holes["head"]]
            found += [self.spot(piece, {**holes, "head": head}, where) for head in each]
        rows = {spot.shape[0] for spot in found}
        shape = (min(rows, default=0), sum(spot.shape[1] for spot in found))
        if len(rows) != 1 or shape != self.plan[name].shape:
            wanted = self.plan[name].shape
            raise MapError(f"{where}: {wanted[0]} x {wanted[1]} cells are wanted, the map has {shape[0]} x {shape[1]}")
        return tuple(found)

    def spot(self, entry: Any, holes: Mapping[str, Any], where: str) -> Spot:
        """One area."""
        if not isinstance(entry, dict):
            raise MapError(f"{where}: needs tab and ref, not {entry!r:.40}")
        _only(entry, _SPOT, where)
        tab, ref, blank = entry.get("tab"), entry.get("ref"), entry.get("blank")
        if not isinstance(tab, str) or not isinstance(ref, str):
            raise MapError(f"{where}: needs tab and ref, both as text")
        if blank is not None and not _is_number(blank):
            raise MapError(f"{where}: blank must be a number, not {blank!r:.40}")
        try:
            area = parse_area(_fill(ref, holes, where))
        except ValueError as error:
            raise MapError(f"{where}: {error}") from None
        area = _moved(area, _step(entry, holes, where), where)
        turned = _flag(entry, "transposed", self.transposed)
        return Spot(self.tab(tab, holes, where), area, turned, None if blank is None else float(blank))

    def tab(self, name: str, holes: Mapping[str, Any], where: str) -> str:
        """A tab by its alias, or by its own name."""
        tab = self.tabs.get(name, name)
        if isinstance(tab, list):
            block = holes["block"]
            if block is None or len(tab) != len(self.blocks):
                raise MapError(f"{where}: {name} is one tab for each of {len(self.blocks)} blocks, not {len(tab)}")
            tab = tab[block]
        if not isinstance(tab, str):
            raise MapError(f"tabs: {name[:40]} must be a tab's name or a list of them")
        return _fill(tab, holes, where)


def _step(entry: Mapping[str, Any], holes: Mapping[str, Any], where: str) -> tuple[int, int]:
    """How far the area lies from that of block 0, head 0: `step = { block = [rows, columns] }`."""
    rows = cols = 0
    step = entry.get("step", {})
    if not isinstance(step, dict) or step.keys() - {"block", "head"}:
        raise MapError(f"{where}: step is a table with block or head")
    for axis, move in step.items():
        if not isinstance(move, list) or [type(n) for n in move] != [int, int]:
            raise MapError(f"{where}: step of a {axis} is [rows, columns]")
        if holes[axis] is None:
            raise MapError(f"{where}: step of a {axis}, but nothing names a {axis}")
        rows, cols = rows + holes[axis] * move[0], cols + holes[axis] * move[1]
    return rows, cols


def _moved(area: Area, by: tuple[int, int], where: str) -> Area:
    r0, c0, r1, c1 = area[0] + by[0], area[1] + by[1], area[2] + by[0], area[3] + by[1]
    if r0 < 0 or c0 < 0 or r1 >= MAX_ROWS or c1 >= MAX_COLS:
        raise MapError(f"{where}: step leads outside the sheet")
    return r0, c0, r1, c1


def _fill(pattern: str, holes: Mapping[str, Any], where: str) -> str:
    """A pattern with its placeholders filled; raises `MapError` for one that is unknown, or that nothing fills."""

    def value(match: re.Match[str]) -> str:
        known = _KNOWN_HOLE.fullmatch(match[1])
        if known is None:
            raise MapError(f"{where}: unknown placeholder {match[0][:40]!r}; there are block, head and stream")
        filled = holes[known[1]]
        if filled is None or (known[2] and not isinstance(filled, int)):
            raise MapError(f"{where}: nothing here says which {match[0][:40]} is meant")
        return str(filled + int(known[2])) if known[2] else str(filled)

    return _HOLE.sub(value, pattern)


def _check(found: WorkbookMap) -> None:
    """What a map as a whole must have: token ids, a stage, and no cell that is two places."""
    if INPUTS[0] not in {m.name for m in found.inputs}:
        raise MapError(f"inputs: {INPUTS[0]} is missing: the cells with the token ids, from 0")
    if not found.stages:
        raise MapError("stages: none, so there is nothing to check")
    if double := {m.name for m in found.stages} & {m.name for m in found.parts}:
        raise MapError(f"{min(double)} is a stage and a part")
    by_tab: dict[str, list[tuple[str, Area]]] = {}
    for m in (*found.inputs, *found.weights, *found.stages, *found.parts, *found.copies):
        for spot in m.spots:
            by_tab.setdefault(spot.tab, []).append((m.name, spot.area))
    for tab, areas in by_tab.items():
        for a, b in _overlapping(sorted(areas, key=lambda entry: entry[1])):
            raise MapError(f"{a} and {b} share cells of tab {tab[:40]!r}")


def _overlapping(areas: Sequence[tuple[str, Area]]) -> Iterator[tuple[str, str]]:
    """Names of areas that share cells; they come sorted by their first row."""
    for i, (a, one) in enumerate(areas):
        for b, other in islice(areas, i + 1, None):
            if other[0] > one[2]:
                break
            if overlap(one, other):
                yield a, b


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(map(str, table.keys() - known)):
        raise MapError(f"{where}: unknown entry {unknown[0][:40]!r}; there are {', '.join(sorted(known))}")


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise MapError(f"{name} must be a table, [{name}]")
    return table


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    entries = data.get(name, [])
    if not isinstance(entries, list):
        raise MapError(f"{name} must be a list of tables, [[{name}]]")
    return entries


def _is_number(value: object) -> bool:
    """Whether it is a finite number; TOML knows others."""
    return type(value) in (int, float) and abs(float(value)) < _LARGE  # type: ignore[arg-type]


def _flag(data: Mapping[str, Any], name: str, usual: bool = False) -> bool:
    value = data.get(name, usual)
    if type(value) is not bool:
        raise MapError(f"{name} must be true or false, not {value!r:.40}")
    return value
