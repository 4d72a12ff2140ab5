"""Laws that hold whatever the weights are, tried on a workbook by an engine: no other definition of the model is read.

Five recalculations: of the workbook as it is, and of copies in which places hold other values. In a copy the inputs
of softmaxes and of layer norms can stand as numbers in place of their formulas, so that one copy tries every softmax
and every layer norm at once and none disturbs another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.bench import Bench, Changes, Numbers
from sheetgpt.check.found import Found, find
from sheetgpt.check.result import CACHED, Law
from sheetgpt.errors import SheetGPTError
from sheetgpt.plan.model import MASKED, stream
from sheetgpt.plan.plan import Role
from sheetgpt.plan.surgery import POSITIONS
from sheetgpt.sheet.a1 import cell as a1

SUMS = "rows sum to 1"
SIGNS = "nothing is negative"
MASK = "later tokens get exactly 0"
CONVEX = "a head gives no more and no less than it reads"
RESIDUAL = "a residual is the sum of two"
CONCAT = "heads stand side by side"
MEAN = "normalized rows have mean 0"
VARIANCE = "normalized rows have variance v/(v+eps)"
SOFTMAX_SHIFT = "softmax: a constant added to the scores changes nothing"
NORM_SHIFT = "layer norm: a constant added to a row changes nothing"
NORM_SCALE = "layer norm: a row scaled by s changes by sqrt((v+eps)/(v+eps/s^2))"
CAUSAL = "causality: no row sees a later token"
SEEN = "causality: a token's own row sees it"
ORDER = "attention: the last row does not see the order of the rows before it"

_DIGIT = 2.0**-52
_TIGHT = 1e-12  # a few roundings, relative to the largest number at hand
_SUMMED = 1e-10  # the same sums in another order, through a layer or two


class _Trial(NamedTuple):
    """Found and wanted of a place, cell by cell; `row` is where in the place they begin."""

    law: str
    place: str
    found: NDArray[Any]
    wanted: NDArray[Any]
    tolerance: NDArray[Any] | float
    did: str = ""  # what was changed
    row: int = 0

    @property
    def gap(self) -> Numbers:
        """How far apart; infinite where something is no number."""
        with np.errstate(all="ignore"):
            gap = np.abs(self.found - self.wanted)
        return np.where(np.isnan(gap), np.inf, gap)

    @property
    def excess(self) -> Numbers:
        """Where above 0, the law is broken."""
        return self.gap - self.tolerance


def laws(path: Path, engine: str = "ironcalc", model: str | None = None) -> list[Law]:
    """Try every law on a workbook that sheetgpt made: one entry each, its first broken place or else its worst.

    The user's file is only read. Raises `SheetGPTError` for the engine `cached`, which computes nothing, and what
    `verify` raises.
    """
    if engine == CACHED:
        raise SheetGPTError("laws are tried by recalculating: choose an engine, not cached values")
    return laws_of(find(path, engine, model), engine)


def laws_of(found: Found, engine: str) -> list[Law]:
    """The same for a workbook that has been read and computed by `engine`."""
    run = _Laws(Bench(found, engine))
    trials: dict[str, list[_Trial]] = {}
    reasons: dict[str, str] = {}
    for law, attempt in _ATTEMPTS.items():
        if isinstance(outcome := attempt(run), str):
            reasons |= dict.fromkeys(law, outcome)
        else:
            for trial in outcome:
                trials.setdefault(trial.law, []).append(trial)
    absent = f"not tried: no such places in the stages {found.blueprint.card.stages}"
    return [
        _told(run.bench, trials[law]) if law in trials else Law(law, "", "", "", 0.0, reasons.get(law, absent))
        for group in _ATTEMPTS
        for law in group
    ]


def _told(bench: Bench, trials: list[_Trial]) -> Law:
    """One law's entry: the first place in the pipeline that breaks it, or the worst one."""
    order = {name: i for i, name in enumerate(bench.plan)}
    broken = sorted((t for t in trials if t.excess.max() > 0), key=lambda t: order[t.place])
    trial = broken[0] if broken else max(trials, key=lambda t: float(t.gap.max()))
    worst = trial.excess if broken else trial.gap
    at = np.unravel_index(int(worst.argmax()), worst.shape)
    r, c = int(at[0]) + trial.row, int(at[1])
    box = bench.ranges[trial.place]
    detail = [trial.did] if trial.did else []
    if broken:
        detail.append(f"found {trial.found[at]!r:.60}, wanted {trial.wanted[at]!r:.60}".replace("np.float64", ""))
        detail += [f"and {len(broken) - 1} more places"] if len(broken) > 1 else []
    else:
        detail.append(f"{len(trials)} places")
    status = "broken" if broken else "ok"
    where = a1(box.row + r, box.col + c)
    return Law(trial.law, trial.place, box.tab, where, float(trial.gap[at]), status, "; ".join(detail))


class _Laws:
    """The places that laws speak of, and a method for each copy that is tried."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.plan, self.card = bench, bench.plan, bench.card
        self.blocks = [i for i in range(self.card.config.n_layer) if f"h{i}.resid_mid" in self.plan]
        self.rows = self.card.n_rows

    @cached_property
    def heads(self) -> list[str]:
        """`h0.attn.head0` and so on."""
        return [f"h{i}.attn.head{j}" for i in self.blocks for j in range(self.card.config.n_head)]

    @cached_property
    def norms(self) -> dict[str, str]:
        """Layer norm -> the place that it normalizes."""
        out: dict[str, str] = {}
        for i in self.blocks:
            out |= {f"h{i}.ln_1": stream(i), f"h{i}.ln_2": f"h{i}.resid_mid"}
        return out | ({"ln_f": stream(self.card.config.n_layer)} if "ln_f.normalized" in self.plan else {})

    def __getitem__(self, name: str) -> Numbers:
        return self.bench.values[name]

    def _numbers(self, names: Iterable[str]) -> dict[str, Numbers]:
        """Those of the places that hold numbers throughout."""
        found = {name: self.bench.numbers(name) for name in names}
        return {name: numbers for name, numbers in found.items() if numbers is not None}

    # ---- the workbook as it is

    def distributions(self) -> Iterator[_Trial]:
        """Attention patterns, and the probabilities of the next token."""
        for head in self.heads:
            pattern = self[f"{head}.pattern"]
            place = f"{head}.pattern"
            yield from _distribution(place, pattern, pattern.sum(axis=1, keepdims=True))
            above = np.triu(pattern, 1)
            yield _Trial(MASK, place, above, np.zeros_like(above), 0.0)
        if "probs" in self.plan:
            yield from _distribution("probs", self["probs"], self["probs"].sum(axis=0, keepdims=True))

    def sums(self) -> Iterator[_Trial]:
        """What heads and residuals add up to."""
        for head in self.heads:
            z, v = self[f"{head}.z"], self[f"{head}.v"] * self._switch(f"{head}.on")
            low, high = np.minimum.accumulate(v), np.maximum.accumulate(v)
            yield _Trial(CONVEX, f"{head}.z", z, np.clip(z, low, high), _near(v))
        for i in self.blocks:
            at = f"h{i}"
            yield self._residual(f"{at}.resid_mid", stream(i), f"{at}.attn.out")
            yield self._residual(f"{at}.resid_post", f"{at}.resid_mid", f"{at}.mlp.out", f"{at}.mlp.on")
            parts = [self[f"{at}.attn.head{j}.z"] for j in range(self.card.config.n_head)]
            yield _Trial(CONCAT, f"{at}.attn.z", self[f"{at}.attn.z"], np.hstack(parts), 0.0)
        if "embed.out" in self.plan and "embed.token" in self.plan:
            yield self._residual("embed.out", "embed.token", "embed.pos", *POSITIONS)

    def _switch(self, *names: str) -> Numbers | float:
        """What stands in switches, multiplied; 1 in a workbook without surgery."""
        on: Numbers | float = 1.0
        for name in names:
            on = on * self[name] if name in self.plan else on
        return on

    def _residual(self, name: str, x: str, y: str, *on: str) -> _Trial:
        wanted = self[x] + self[y] * self._switch(*on)
        return _Trial(RESIDUAL, name, self[name], wanted, _near(wanted))

    def moments(self) -> Iterator[_Trial]:
        """Mean and variance of normalized rows."""
        eps = self.card.config.eps
        for norm, source in self.norms.items():
            x, found, place = self[source], self[f"{norm}.normalized"], f"{norm}.normalized"
            var, rounding = x.var(axis=1, keepdims=True), _rounding(x, eps)
            mean = found.mean(axis=1, keepdims=True)
            yield _Trial(MEAN, place, mean, np.zeros_like(mean), rounding)
            yield _Trial(VARIANCE, place, found.var(axis=1, keepdims=True), var / (var + eps), rounding)

    # ---- copies

    def shifted(self) -> Iterator[_Trial]:
        """One copy: a constant of its own added to every row of scores, and of what is normalized."""
        last = ["logits"] if self.plan.roles.get("probs") is Role.VALUE else []
        scores = self._numbers([*(f"{head}.scores" for head in self.heads), *last])
        rows = self._numbers(dict.fromkeys(self.norms.values()))
        by = {name: 1.0 + np.arange(len(x))[:, None] % 3 if name != "logits" else 1.5 for name, x in scores.items()}
        by |= {name: _scale(x) * _alternating(x, 1.0, -1.0) for name, x in rows.items()}
        moved = {name: x + by[name] for name, x in (scores | rows).items()}
        if not moved:
            return
        after = self.bench.changed(moved)
        for name, x in scores.items():
            place = "probs" if name == "logits" else name.removesuffix("scores") + "pattern"
            largest = np.abs(x[x > MASKED / 2]).max(initial=0.0) + 3.0
            tolerance = _TIGHT + 32 * _DIGIT * largest
            yield _Trial(SOFTMAX_SHIFT, place, after[place], self[place], tolerance, f"constants added to {name}")
        for norm, source in self.norms.items():
            if source in rows:
                place, eps = f"{norm}.normalized", self.card.config.eps
                tolerance = _rounding(moved[source], eps)
                yield _Trial(NORM_SHIFT, place, after[place], self[place], tolerance, f"constants added to {source}")

    def scaled(self) -> Iterator[_Trial]:
        """One copy: rows of what is normalized doubled or halved."""
        rows, eps = self._numbers(dict.fromkeys(self.norms.values())), self.card.config.eps
        if not rows:
            return
        after = self.bench.changed({name: x * _alternating(x, 2.0, 0.5) for name, x in rows.items()})
        for norm, source in self.norms.items():
            if source in rows:
                x = rows[source]
                s, var, place = _alternating(x, 2.0, 0.5), x.var(axis=1, keepdims=True), f"{norm}.normalized"
                wanted = self[place] * np.sqrt((var + eps) / (var + eps / s**2))
                did = f"rows of {source} doubled or halved"
                yield _Trial(NORM_SCALE, place, after[place], wanted, _rounding(s * x, eps), did)

    def another_token(self) -> Iterator[_Trial] | str:
        """One copy: another token, or where tokens do not count any more, another row of what is given."""
        if (given := self._given()) is None:
            return "not tried: the stages have neither tokens nor rows that are computed"
        if self.rows < 2:
            return "not tried: with one token row there is nothing before or after"
        n = self.bench.numbers("prompt.n")
        length = int(n[0, 0]) if n is not None and n.shape == (1, 1) and 2 <= n[0, 0] <= self.rows else self.rows
        if (numbers := self.bench.numbers(given)) is None:
            return f"not tried: {given} does not hold numbers"
        return self._replaced(given, numbers, length - 1)

    def _given(self) -> str | None:
        """What decides the rows: token ids, or the stream that is given to a later part of the pipeline."""
        if "embed.token" in self.plan:
            return "prompt.ids"
        streams = (stream(i) for i in range(self.card.config.n_layer + 1))
        return next((name for name in streams if self.plan.roles.get(name) is Role.UPSTREAM), None)

    def _replaced(self, given: str, numbers: Numbers, j: int) -> Iterator[_Trial]:
        other = numbers.copy()
        other[j] = (other[j] + 1) % self.card.config.n_vocab if given == "prompt.ids" else 1.0 - 2.0 * other[j]
        after = self.bench.changed({given: other})
        did = f"{given} changed in row {j} from 0"
        for name in self._rowwise():
            yield _Trial(CAUSAL, name, after[name][:j], self[name][:j], 0.0, did)
        if given == "prompt.ids" and self._alike(int(numbers[j, 0]), int(other[j, 0])):
            return
        for name in self._streams():
            moved = np.array([[float(not np.array_equal(after[name][j], self[name][j]))]])
            yield _Trial(SEEN, name, moved, np.ones((1, 1)), 0.0, did, j)

    def _rowwise(self) -> Iterator[str]:
        """Computed places with a row for each token."""
        for name, expr in self.plan.items():
            stage = name.partition(".")[0]
            ours = stage in {"embed", "ln_f", *(f"h{i}" for i in self.blocks)} and expr.shape[0] == self.rows
            whole = name.endswith(".last")  # one token's row on its side: a row for each token that it looks at
            if ours and not whole and self.plan.roles[name] is Role.VALUE and not self.plan.is_view(name):
                yield name

    def _streams(self) -> Iterator[str]:
        """Computed places that hold a token's row itself, whatever was added to it."""
        names = [stream(0), *(f"h{i}.{at}" for i in self.blocks for at in ("resid_mid", "resid_post"))]
        yield from (name for name in names if self.plan.roles.get(name) is Role.VALUE)

    def _alike(self, one: int, other: int) -> bool:
        """Whether two tokens have the same embedding, so that none can be told from the other."""
        return np.array_equal(*self["wte"][[one, other]])

    def reordered(self) -> Iterator[_Trial] | str:
        """One copy: what each block reads, with its rows but the last in another order."""
        if self.blocks and self.rows < 3:
            return "not tried: with fewer than three token rows there is one order only"
        return self._reordered(self._numbers(stream(i) for i in self.blocks))

    def _reordered(self, streams: Changes) -> Iterator[_Trial]:
        if not streams:
            return
        after = self.bench.changed({name: np.vstack([np.roll(x[:-1], 1, 0), x[-1:]]) for name, x in streams.items()})
        for i in self.blocks:
            if stream(i) in streams:
                for place in (f"h{i}.attn.out", f"h{i}.resid_mid", f"h{i}.mlp.out"):
                    wanted, did = self[place][-1:], f"rows of {stream(i)} before the last moved by one"
                    tolerance = _near(self[place], _SUMMED)
                    yield _Trial(ORDER, place, after[place][-1:], wanted, tolerance, did, self.rows - 1)


_ATTEMPTS: dict[tuple[str, ...], Callable[[_Laws], Iterator[_Trial] | str]] = {
    (SUMS, SIGNS, MASK): _Laws.distributions,
    (CONVEX, RESIDUAL, CONCAT): _Laws.sums,
    (MEAN, VARIANCE): _Laws.moments,
    (SOFTMAX_SHIFT, NORM_SHIFT): _Laws.shifted,
    (NORM_SCALE,): _Laws.scaled,
    (CAUSAL, SEEN): _Laws.another_token,
    (ORDER,): _Laws.reordered,
}


def _distribution(place: str, shares: Numbers, sums: Numbers) -> Iterator[_Trial]:
    yield _Trial(SUMS, place, sums, np.ones_like(sums), 4 * _DIGIT * max(shares.shape))
    yield _Trial(SIGNS, place, shares, np.abs(shares), 0.0)


def _near(wanted: Numbers, digits: float = _TIGHT) -> float:
    """A tolerance relative to the largest number, and never to less than 1."""
    return digits * max(1.0, float(np.nan_to_num(np.abs(wanted)).max(initial=0.0)))


def _rounding(x: Numbers, eps: float) -> Numbers:
    """How far a normalized row may be off by rounding alone [T, 1].

    Mean and variance are sums of numbers as large as `x` and its square; a program that takes the variance as mean
    of squares less square of mean loses as many digits as x^2 / (v + eps) has.
    """
    largest = np.abs(x).max(axis=1, keepdims=True)
    ratio: Numbers = largest**2 / (x.var(axis=1, keepdims=True) + eps)
    tolerance: Numbers = _TIGHT + 64 * _DIGIT * (1 + ratio) * np.sqrt(x.shape[1])
    return tolerance


def _scale(x: Numbers) -> Numbers:
    """About the largest number of each row, as a power of 2 [T, 1]."""
    largest = np.abs(x).max(axis=1, keepdims=True)
    return np.asarray(np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1.0)))))


def _alternating(x: Numbers, even: float, odd: float) -> Numbers:
    """One number for even rows, one for odd ones [T, 1]."""
    return np.asarray(np.where(np.arange(len(x))[:, None] % 2 == 0, even, odd))
