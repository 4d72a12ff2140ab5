"""A maze: what each cell is worth, sweep by sweep, and the way that follows from it (value iteration, Bellman 1957)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheetgpt.course.demo import Demo, light
from sheetgpt.plan.ops import Expr, apply
from sheetgpt.plan.own import own
from sheetgpt.plan.plan import Plan
from sheetgpt.sheet.cells import Style
from sheetgpt.sheet.layout import Band

WALLS = [
    [0, 0, 0, 0, 0, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 0, 0, 1, 0, 0],
    [1, 1, 0, 1, 0, 1],
    [0, 0, 0, 0, 0, 0],
]
R, C = len(WALLS), len(WALLS[0])
N = R * C
SWEEPS = 24  # more than the longest way in five rows of six that has no short cut
MOVES = "↑→↓←"
WALL, GOAL, LOST = "█", "★", "·"
LEAST, DULLEST = 0.01, 0.5  # of a step's cost, and of what a later reward is worth: else ways could be equally good
Numbers = NDArray[np.float64]


def add(p: Plan) -> Sequence[Band]:
    """The worth of 30 cells in 24 sweeps, an arrow in each, and the way from start to goal."""
    walls = p.knob("maze.walls", [[float(x) for x in row] for row in WALLS], (R, C))
    _knobs(p)
    start, goal = _cell(p, "start"), _cell(p, "goal")
    cell = p.counted("maze.cell", range(N))
    closed = own(_CLOSED, _closed, walls, cell, start, goal, shape=(N, 1), said=_CLOSED_SAID)
    closed = p("maze.closed", closed)
    leads = p(
        "maze.leads", own(_lead, _leads, closed, shape=(N, 4), said="the cell to each side, or this one at a wall")
    )
    table = (leads, closed, goal, p["maze.cost"], p["maze.prize"], p["maze.keep"])
    sweeps = own(_sweep, _sweeps, *table, shape=(N + 1, SWEEPS + 1), said=_SWEEPS)
    sweeps = p("maze.sweeps", sweeps)
    last = own(f"{{0:cell {N},{SWEEPS}}}", lambda x: x[-1:, -1:], sweeps, shape=(1, 1), said="sweeps[30, 24]")
    p("maze.nowhere", last)
    ahead = own(_AHEAD, _ahead, sweeps, leads, shape=(N, 4), said="sweeps[leads, 24]")
    ahead = p("maze.ahead", ahead)
    move = own("MATCH(MAX({0:row}),{0:row},0)-1", lambda x: x.argmax(1)[:, None], ahead, shape=(N, 1), said=_MOVE)
    move = p("maze.move", move)
    worth = own(
        _flat(f",{SWEEPS + 1}"), lambda x: x[:N, -1].reshape(R, C), sweeps, shape=(R, C), said="sweeps[:30, 24]"
    )
    worth = p("maze.worth", worth)
    p(
        "maze.arrows",
        own(_arrow, _arrows, worth, move, closed, goal, p["maze.nowhere"], shape=(R, C), said=_ARROWS, text=True),
    )
    return _walked(p, start, goal, leads, move)


def _knobs(p: Plan) -> None:
    """What a reader may set, and what counts of it."""
    for name, at in (("start", (4.0, 0.0)), ("goal", (0.0, 5.0))):
        p.knob(f"maze.{name}", [list(at)], (1, 2))
    for name, value in (("step", 1.0), ("reward", 20.0), ("patience", 1.0)):
        p.knob(f"maze.{name}", value)
    least = {"cost": f"MAX({LEAST},{{0}})", "prize": "MAX(0,{0})", "keep": f"MIN(1,MAX({DULLEST},{{0}}))"}
    rules = {"cost": lambda x: np.maximum(LEAST, x), "prize": lambda x: np.maximum(0, x)}
    rules["keep"] = lambda x: np.clip(x, DULLEST, 1)
    said = {"cost": f"max({LEAST}, step)", "prize": "max(0, reward)", "keep": f"clip(patience, {DULLEST}, 1)"}
    for name, source in (("cost", "step"), ("prize", "reward"), ("keep", "patience")):
        p(f"maze.{name}", own(least[name], rules[name], p[f"maze.{source}"], shape=(1, 1), said=said[name]))


def _cell(p: Plan, name: str) -> Expr:
    """Row and column as the number of a cell, kept within the maze."""
    row, col = (f"MAX(0,MIN({most - 1},INT({{0:cell 0,{i}}})))" for i, most in enumerate((R, C)))
    said = f"6 * clip(row, 0, {R - 1}) + clip(column, 0, {C - 1})"
    return p(f"maze.{name}.cell", own(f"{C}*{row}+{col}", _number, p[f"maze.{name}"], shape=(1, 1), said=said))


def _walked(p: Plan, start: Expr, goal: Expr, leads: Expr, move: Expr) -> list[Band]:
    """The way that the arrows lead, its score, and the layout of the tab."""
    path = own(_step, _steps, start, goal, leads, move, shape=(SWEEPS + 1, 1), said=_PATH)
    path = p("maze.path", path)
    time = p.counted("maze.time", range(SWEEPS + 1))
    walk = own(_walk, _walks, path, shape=(R, C), said="the step at which the path comes here", text=True)
    p("maze.walk", walk)
    formula = f'IF({{0:cell {SWEEPS},0}}={{1}},COUNTIF({{0}},"<>"&{{1}}),-1)'
    count = own(formula, _count, path, goal, shape=(1, 1), said="number of steps to the goal, or -1")
    count = p("maze.count", count)
    seen = (count, p["maze.cost"], p["maze.prize"], p["maze.keep"], time)
    paid = own(_SCORE, _score, *seen, shape=(1, 1), said=_SCORE_SAID)
    paid = p("maze.score", paid)
    promised = p("maze.promised", apply("item", p["maze.sweeps"], start, float(SWEEPS)))
    reached = apply("where", 0 <= count, promised - paid, 0.0)
    return [
        Band(("maze.walls", "maze.arrows", "maze.walk"), room=R + 1),
        Band(
            tuple(
                f"maze.{name}" for name in ("start", "goal", "step", "reward", "patience", "count", "score", "promised")
            )
        ),
        Band(("maze.worth",)),
        Band(("maze.sweeps",)),
        Band(("maze.cell", "maze.closed", "maze.leads", "maze.ahead", "maze.move", "maze.time", "maze.path")),
        light(p, "maze", reached),
        Band(tuple(f"maze.{name}" for name in ("start.cell", "goal.cell", "cost", "prize", "keep", "nowhere"))),
    ]


def _flat(column: str) -> Any:
    """A table's column as a grid."""
    return lambda r, c: f"INDEX({{0}},{C * r + c + 1}{column})"


_CLOSED = f"IF(OR({{1:at}}={{2}},{{1:at}}={{3}}),0,IF(INDEX({{0}},INT({{1:at}}/{C})+1,MOD({{1:at}},{C})+1)=0,0,1))"
_CLOSED_SAID = "walls != 0, but not at start and goal"
_SWEEPS = "goal: prize; others at first 0, then -cost + keep * (the best of the four before); last row: nowhere to go"
_AHEAD = f"INDEX({{0}},{{1:at}}+1,{SWEEPS + 1})"
_MOVE = "ahead.argmax(axis=1)"
_ARROWS = "the move as an arrow; where there is a wall, the goal, or no way, a sign for that"
_PATH = "start, then leads[cell, move[cell]] until the goal"
_SCORE = "IF({0}<0,0,{3}^MAX(0,{0})*{2}-{1}*SUMPRODUCT(({4}<{0})*{3}^{4}))"
_SCORE_SAID = "keep**count * prize - cost * sum(keep**i for i in range(count))"


def _lead(r: int, c: int) -> str:
    """The cell to one side: above, right, below, left."""
    down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[c]
    row, col = r // C + down, r % C + right
    if not (0 <= row < R and 0 <= col < C):
        return f"{r}"
    return f"IF({{0:cell {C * row + col},0}}=1,{r},{C * row + col})"


def _sweep(r: int, c: int) -> str:
    if r == N:
        return "0" if c == 0 else "-{3}+{5}*{here:left}"
    worth = "0"
    if c:
        around = ",".join(f"INDEX({{here:col {c - 1}}},{{0:cell {r},{i}}}+1,1)" for i in range(4))
        worth = f"-{{3}}+{{5}}*MAX({around})"
    return f"IF({{2}}={r},{{4}},IF({{1:cell {r},0}}=1,0,{worth}))"


def _arrow(r: int, c: int) -> str:
    at = C * r + c
    arrow = f'IF({{0:at}}<={{4}},"{LOST}",MID("{MOVES}",{{1:cell {at},0}}+1,1))'
    return f'IF({{3}}={at},"{GOAL}",IF({{2:cell {at},0}}=1,"{WALL}",{arrow}))'


def _step(r: int, c: int) -> str:
    if r == 0:
        return "{0}"
    return "IF({here:up}={1},{here:up},INDEX({2},{here:up}+1,INDEX({3},{here:up}+1,1)+1))"


def _walk(r: int, c: int) -> str:
    at = C * r + c
    return f'IF(COUNTIF({{0}},{at})=0,"",MATCH({at},{{0}},0)-1&"")'


def _number(at: Numbers) -> Any:
    row, col = np.clip(np.floor(at[0]), 0, (R - 1, C - 1))
    return float(C * row + col)


def _closed(walls: Numbers, cell: Numbers, start: Numbers, goal: Numbers) -> Any:
    return ((walls.reshape(N, 1) != 0) & (cell != start) & (cell != goal)) * 1.0


def _leads(closed: Numbers) -> Any:
    free = np.pad(closed.reshape(R, C) == 0, 1)
    own_cell = np.arange(N).reshape(R, C)
    sides = []
    for down, right in ((-1, 0), (0, 1), (1, 0), (0, -1)):
        open_ = free[1 + down : R + 1 + down, 1 + right : C + 1 + right]
        sides.append(np.where(open_, own_cell + C * down + right, own_cell).ravel())
    return np.stack(sides, axis=1)


def _sweeps(leads: Numbers, closed: Numbers, goal: Numbers, cost: Numbers, prize: Numbers, keep: Numbers) -> Any:
    to = np.vstack([leads, np.full((1, 4), N)]).astype(int)
    shut = np.append(closed[:, 0] == 1, False)
    worth = np.where(np.arange(N + 1) == goal, prize, 0.0)[0]
    columns = [worth]
    for _ in range(SWEEPS):
        worth = -cost[0, 0] + keep[0, 0] * worth[to].max(axis=1)
        worth = np.where(shut, 0, worth)
        worth[int(goal[0, 0])] = prize[0, 0]
        columns.append(worth)
    return np.stack(columns, axis=1)


def _ahead(sweeps: Numbers, leads: Numbers) -> Any:
    return sweeps[leads.astype(int), -1]


def _arrows(worth: Numbers, move: Numbers, closed: Numbers, goal: Numbers, nowhere: Numbers) -> Any:
    signs = np.array([MOVES[int(m)] for m in move[:, 0]], object)
    signs[worth.ravel() <= nowhere[0, 0]] = LOST
    signs[closed[:, 0] == 1] = WALL
    signs[int(goal[0, 0])] = GOAL
    return signs.reshape(R, C)


def _steps(start: Numbers, goal: Numbers, leads: Numbers, move: Numbers) -> Any:
    at, path = int(start[0, 0]), []
    for _ in range(SWEEPS + 1):
        path.append([float(at)])
        at = at if at == goal[0, 0] else int(leads[at, int(move[at, 0])])
    return np.array(path)


def _walks(path: Numbers) -> Any:
    order = path[:, 0].astype(int).tolist()
    return np.array([str(order.index(i)) if i in order else "" for i in range(N)], object).reshape(R, C)


def _count(path: Numbers, goal: Numbers) -> Any:
    return float((path != goal).sum()) if path[-1, 0] == goal[0, 0] else -1.0


def _score(count: Numbers, cost: Numbers, prize: Numbers, keep: Numbers, _: Numbers) -> Any:
    n, k = int(count[0, 0]), keep[0, 0]
    return k**n * prize[0, 0] - cost[0, 0] * sum(k**i for i in range(n)) if n >= 0 else 0.0


MAZE = Demo(
    "maze",
    "Maze",
    "From predictor to assistant",
    (0, 8),
    add,
    heat=("maze.worth",),
    styles={
        "maze.walls": Style.SWITCH,
        **dict.fromkeys((f"maze.{name}" for name in ("start", "goal")), Style.INPUT),
        **dict.fromkeys((f"maze.{name}" for name in ("step", "reward", "patience")), Style.KNOB),
        **dict.fromkeys((f"maze.{name}" for name in ("closed", "leads", "move", "path", "count")), Style.WHOLE),
        **dict.fromkeys(("maze.start.cell", "maze.goal.cell"), Style.WHOLE),
        **dict.fromkeys(("maze.arrows", "maze.walk"), Style.BOX_NOTE),
    },
)
