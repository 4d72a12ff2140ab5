"""A plan: named expressions in the order in which they were named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from sheetgpt.errors import PlanError
from sheetgpt.plan.names import check_name
from sheetgpt.plan.ops import TEXTS, VIEWS, Expr, Scalar, Shape, span
from sheetgpt.plan.own import own_of

# Ops whose value is that of some of their arguments.
_HANDS_ON = {
    "gather": slice(1),
    "item": slice(1),
    "pick": slice(1),
    "same": slice(1),
    "columns": slice(1),
    "where": slice(1, 3),
    "above": slice(1, 2),
    "below": slice(1, 2),
    "usable": slice(1),
}


Choice = Callable[[Sequence[str]], Sequence[str]]  # the words of a place, chosen from the vocabulary's texts
Start = Scalar | Sequence[Sequence[Scalar]] | Choice  # one value for all cells, or one for each, or a choice of words


class Role(StrEnum):
    """What a place is to the model."""

    PARAMETER = "parameter"  # learned, read from a CSV file
    INPUT = "input"  # given: the prompt, positions, the vocabulary's text
    UPSTREAM = "upstream"  # given: computed by the stages before those of this plan
    KNOB = "knob"  # given, and meant to be changed by whoever plays with the workbook: any value of its kind is right
    RECORD = "record"  # given: what numpy computed for the prompt that the workbook was built for, `prompt.built`
    VALUE = "value"  # computed by a formula


class Plan(Mapping[str, Expr]):
    """Named expressions: single assignment, inputs before uses, names unique ignoring case.

    `plan(name, expr)` makes `expr` a place. `Mapping` gives iteration in that order.
    """

    def __init__(self) -> None:
        self._places: dict[str, Expr] = {}
        self._folded: set[str] = set()
        self.roles: dict[str, Role] = {}
        self.text: set[str] = set()  # places that hold text
        self.starts: dict[str, Start] = {}  # of knobs and constants: what their cells hold at first
        self.row_names: dict[str, list[str]] = {}  # of places whose rows are formulas of their own: what each is about

    def __call__(self, name: str, expr: Expr) -> Expr:
        """Name `expr`; raises `PlanError` for a name that is taken or illegal, or an input that is not in the plan."""
        for arg in _named_inputs(expr):
            if self._places.get(arg.name or "") is not arg:
                raise PlanError(f"{name} uses {arg.name}, which is not a place of this plan")
        if expr.name is not None:
            expr = Expr("same", (expr,), expr.shape)
        return self._add(name, replace(expr, name=name), Role.VALUE)

    def data(self, name: str, shape: Shape, role: Role = Role.INPUT, *, text: bool = False) -> Expr:
        """A place whose cells are given, not computed."""
        if text:
            self.text.add(name)
        return self._add(name, Expr("data", shape=shape, name=name), role)

    def knob(self, name: str, start: Start, shape: Shape = (1, 1)) -> Expr:
        """A place that a reader changes at will: `start`, for each cell or for all, is what it holds at first."""
        self.starts[name] = start
        return self.data(name, shape, Role.KNOB, text=_is_text(start))

    def constant(self, name: str, value: Start, shape: Shape = (1, 1)) -> Expr:
        """A place of numbers or texts that are always the same."""
        self.starts[name] = value
        return self.data(name, shape, text=_is_text(value))

    def counted(self, name: str, numbers: Iterable[int]) -> Expr:
        """A column of whole numbers that are always the same."""
        column = [[number] for number in numbers]
        return self.constant(name, column, (len(column), 1))

    def _add(self, name: str, expr: Expr, role: Role) -> Expr:
        if check_name(name).casefold() in self._folded:
            raise PlanError(f"{name} is already a place")
        self._folded.add(name.casefold())
        self._places[name], self.roles[name] = expr, role
        if self._is_text(expr):
            self.text.add(name)
        return expr

    def _is_text(self, expr: Expr) -> bool:
        """Whether an expression gives text: a text itself, made of one, or chosen from some."""
        if expr.op == "lit":
            return isinstance(expr.value, str)
        if expr.op == "own":
            return own_of(expr).text
        if expr.op not in _HANDS_ON:
            return expr.op in TEXTS
        return any(a.name in self.text or (a.name is None and self._is_text(a)) for a in expr.args[_HANDS_ON[expr.op]])

    def __getitem__(self, name: str) -> Expr:
        return self._places[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def inputs(self, name: str) -> list[str]:
        """Names that the formula of `name` reads, in the order in which it reads them."""
        return list(dict.fromkeys(str(arg.name) for arg in _named_inputs(self[name])))

    def after(self, names: Iterable[str]) -> frozenset[str]:
        """These places, and all that follows from one of them."""
        known = set(names)
        for name in self if known else ():
            if known.intersection(self.inputs(name)):
                known.add(name)
        return frozenset(known)

    @property
    def parameters(self) -> list[str]:
        """Names of the learned places, in order."""
        return [name for name, role in self.roles.items() if role is Role.PARAMETER]

    def is_view(self, name: str) -> bool:
        """Whether `name` makes no cells of its own."""
        return self[name].op in VIEWS

    def dump(self) -> str:
        """The plan as text, a line per place: the golden form that tests compare."""
        lines = []
        for name, e in self.items():
            meaning = say(e) if e.args else f"{self.roles[name]}{' text' * (name in self.text)}"
            lines.append(f"{name} [{e.shape[0]} x {e.shape[1]}] = {meaning}\n")
        return "".join(lines)


def _is_text(start: Start) -> bool:
    return callable(start) or isinstance(start[0][0] if isinstance(start, Sequence) else start, str)


def _named_inputs(expr: Expr) -> Iterator[Expr]:
    for arg in expr.args:
        if arg.name is None:
            yield from _named_inputs(arg)
        else:
            yield arg


_INFIX = {"add": (" + ", 4), "sub": (" - ", 4), "mul": (" * ", 5), "div": (" / ", 5), "matmul": (" @ ", 5),
          "pow": ("**", 7), "le": (" <= ", 2), "lt": (" < ", 2), "eq": (" == ", 2)}  # fmt: skip


def say(expr: Expr) -> str:
    """The line of numpy-like text that means the same as `expr`; inputs by name."""
    return _say(replace(expr, name=None))[0]


def _say(expr: Expr) -> tuple[str, int]:
    """Text and how tightly it binds."""
    if expr.name is not None:
        return expr.name, 9
    if expr.op == "lit":
        return repr(expr.value), 9
    if expr.op == "columns":
        start, stop = span(expr)
        return f"{expr.args[0].name}[:, {start}:{stop}]", 8
    if expr.op == "own":
        return own_of(expr).said, 0
    if expr.op == "transpose":
        return f"{_bracket(expr.args[0], 8)}.T", 8
    if expr.op in _INFIX:
        sign, binds = _INFIX[expr.op]
        left, right = expr.args
        return f"{_bracket(left, binds)}{sign}{_bracket(right, binds + 1)}", binds
    return f"{expr.op}({', '.join(_say(a)[0] for a in expr.args)})", 9


def _bracket(expr: Expr, binds: int) -> str:
    text, own = _say(expr)
    return text if own >= binds else f"({text})"
