"""A workbook's logits against those of another implementation, for the same token ids.

`verify` compares with numpy's reading of the plan; here the other side is whoever wrote a file of logits, or Hugging
Face's GPT-2. The workbook's logits are what an engine computes from a copy without cached values.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sheetgpt.check.faults import shown
from sheetgpt.check.found import planned
from sheetgpt.check.inputs import starts, turned
from sheetgpt.check.result import CACHED
from sheetgpt.engines import Values, get
from sheetgpt.errors import EngineMissingError, WeightError, WorkbookError
from sheetgpt.models.files import opened, zip_names
from sheetgpt.models.weights import Weights, find_model
from sheetgpt.plan.plan import Plan, Role
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.book import Book
from sheetgpt.sheet.grid import Grid
from sheetgpt.sheet.readback import open_book

TRANSFORMERS = "transformers"  # the reference that is computed here
TOLERANCE = 1e-6
_TOP = 10
_PLACES = ("logits", "prompt.n", "prompt.ids", "prompt.problem", "vocab.text")
_ODD = (ValueError, TypeError, KeyError, SyntaxError, TokenError, RecursionError, MemoryError)  # odd headers, by numpy

Logits = NDArray[np.float64]  # [V]


@dataclass(frozen=True)
class CrossCheck:
    """How far a workbook's logits are from a reference's."""

    workbook: str
    model: str
    engine: str
    engine_version: str
    reference: str
    ids: tuple[int, ...]
    tolerance: float
    n_vocab: int
    gap: float  # the largest difference; infinite where the workbook has no number
    relative: float  # the largest difference by the reference's logit, or by 1 where that is smaller
    token: int  # where that is
    text: str  # that token's
    found: float
    wanted: float
    divergence: float  # Kullback and Leibler's, of the reference from the workbook, in nats
    best: tuple[int, int]  # the likeliest token of the workbook, of the reference
    same_top: int  # how many of the reference's `n_top` likeliest are among the workbook's
    n_top: int

    @property
    def agrees(self) -> bool:
        """Whether no logit is off by more than the tolerance, and the likeliest token is the same."""
        return self.relative <= self.tolerance and self.best[0] == self.best[1]

    @property
    def exit_code(self) -> int:
        """0 agrees, 1 differs, 4 agrees, but nothing was recalculated."""
        return 1 if not self.agrees else 4 if self.engine == CACHED else 0


def crosscheck(
    path: Path, reference: str, engine: str = "ironcalc", model: str | None = None, tolerance: float = TOLERANCE
) -> CrossCheck:
    """Compare a workbook's logits with `reference`: a .npz file, or `TRANSFORMERS`.

    `engine` and `model` as in `verify`. Raises `WorkbookError` for a file that is no such workbook or has no logits,
    `WeightError` for a reference or a model that does not fit it, `EngineMissingError`.
    """
    workbook = _Workbook.of(path, engine)
    card, ids, found = workbook.blueprint.card, workbook.ids(), workbook.logits()
    wanted, said = _reference(reference, card, model, ids)
    with np.errstate(invalid="ignore"):
        gaps = np.nan_to_num(np.abs(found - wanted), nan=np.inf)
    relative = gaps / np.maximum(1, np.abs(wanted))
    worst = int(relative.argmax())
    tops = [_top(found), _top(wanted)]
    return CrossCheck(
        workbook=str(path),
        model=card.model,
        engine=engine,
        engine_version=(get(engine).version() or "") if engine != CACHED else "",
        reference=said,
        ids=tuple(ids),
        tolerance=tolerance,
        n_vocab=len(wanted),
        gap=float(gaps.max()),
        relative=float(relative[worst]),
        token=worst,
        text=workbook.text(worst),
        found=float(found[worst]),
        wanted=float(wanted[worst]),
        divergence=_divergence(wanted, found),
        best=(tops[0][0], tops[1][0]),
        same_top=len(set(tops[0]) & set(tops[1])),
        n_top=len(tops[1]),
    )


def _top(logits: Logits) -> list[int]:
    """The likeliest tokens, the first of equals first; one that is no number comes last."""
    ordered: list[int] = np.argsort(-np.nan_to_num(logits, nan=-np.inf), kind="stable")[:_TOP].tolist()
    return ordered


def _divergence(wanted: Logits, found: Logits) -> float:
    if not np.isfinite(found).all():
        return float("inf")
    ours, theirs = _log_softmax(found), _log_softmax(wanted)
    return max(0.0, float((np.exp(theirs) * (theirs - ours)).sum()))


def _log_softmax(logits: Logits) -> Logits:
    shifted = logits - logits.max()
    rest: Logits = shifted - np.log(np.exp(shifted).sum())
    return rest


# ---- the workbook ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Workbook:
    """Some places of a workbook as an engine computes them; `computed` is None where none does."""

    book: Book
    blueprint: Blueprint
    computed: Values | None

    @classmethod
    def of(cls, path: Path, engine: str) -> _Workbook:
        """Read and recalculate; see `crosscheck` for what is raised."""
        with open_book(path) as file:
            blueprint = planned(file)
            if "logits" not in blueprint.card.stages:
                raise WorkbookError(f"{path.name}: a workbook of {blueprint.card.stages} has no logits to compare")
            ranges = blueprint.layout.ranges
            switches = _switches(blueprint.plan)
            tabs = {ranges[name].tab for name in (*_PLACES, *switches) if name in ranges}
            book = file.book([tab for tab in file.outline.parts if tab in tabs], {})
        for name in (*_PLACES, *switches):
            _check_place(book, blueprint, name)
        for name in switches:
            _check_switch(book, blueprint, name)
        return cls(book, blueprint, get(engine).recalculate(path) if engine != CACHED else None)

    def logits(self) -> Logits:
        """The column; NaN where no formula gives a number."""
        box = self.blueprint.layout.ranges["logits"]
        grid = self.book.sheets[box.tab].values if self.computed is None else self.computed.get(box.tab, Grid({}))
        return grid.numbers(box.area)[:, 0]

    def ids(self) -> list[int]:
        """The prompt's; raises `WorkbookError` where there are none."""
        card, name = self.blueprint.card, self.book.path.name
        if problem := self._cell("prompt.problem", 0):
            raise WorkbookError(f"{name}: no answer to compare: {problem}")
        n = self._cell("prompt.n", 0)
        if not isinstance(n, float) or n not in range(1, card.n_rows + 1):
            raise WorkbookError(f"{name}: its prompt has {n!r} tokens, where 1 to {card.n_rows} can be")
        ids = [self._cell("prompt.ids", r) for r in range(int(n))]
        if odd := [i for i in ids if not isinstance(i, float) or i not in range(card.config.n_vocab)]:
            raise WorkbookError(f"{name}: {odd[0]!r:.40} is no token id of its model")
        return [int(i) for i in ids if isinstance(i, float)]

    def text(self, token: int) -> str:
        """A token's, as the vocabulary of the workbook has it."""
        return str(self._cell("vocab.text", token) or "")

    def _cell(self, name: str, r: int) -> object:
        """A cell of a column: what a formula computes, or else what stands there; None where there is no such place."""
        box = self.blueprint.layout.ranges.get(name)
        if box is None:
            return None
        at, stands = (box.row + r, box.col), self.book.sheets[box.tab].values
        computed = self.computed.get(box.tab, stands) if self.computed else stands
        return computed.get(at, stands.get(at))


def _check_place(book: Book, blueprint: Blueprint, name: str) -> None:
    box = blueprint.layout.ranges.get(name)
    if box and book.reference(name).replace("$", "") != box.ref.replace("$", ""):
        raise WorkbookError(f"{book.path.name}: {name} is not where the card says; `sheetgpt verify` tells more")


def _switches(plan: Plan) -> list[str]:
    """The knobs on which the logits depend."""
    found, left = set[str](), ["logits"]
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += plan.inputs(name)
    return [name for name in plan if name in found and plan.roles[name] is Role.KNOB]


def _check_switch(book: Book, blueprint: Blueprint, name: str) -> None:
    """Refuse a workbook in which a switch is turned: its logits are not its model's."""
    box, begun = blueprint.layout.ranges[name], starts(blueprint.plan)[name]
    stands = book.sheets[box.tab].values.values_of(box.area)
    for value, start in zip(stands.ravel(), begun.ravel().tolist(), strict=True):
        if turned(value, start):
            told = f"{name} is {shown(value).removesuffix('.0')}, so its logits are not its model's"
            raise WorkbookError(f"{book.path.name}: {told}: type {shown(start).removesuffix('.0')} there first")


# ---- the reference ---------------------------------------------------------------------------------------


def _reference(reference: str, card: Card, model: str | None, ids: Sequence[int]) -> tuple[Logits, str]:
    """The other side's logits, and whose they are."""
    if reference == TRANSFORMERS:
        return _from_transformers(_weights(card, model), ids)
    return from_file(Path(reference), ids, card.config.n_vocab), reference


def from_file(path: Path, ids: Sequence[int], n_vocab: int) -> Logits:
    """The logits after the last token, of a file that `numpy.savez(FILE, logits=..., ids=...)` wrote; `ids` may lack.

    `logits` is [V], [T, V] or [1, T, V]. Raises `WeightError` before more is read than such an array has.
    """
    names, n = zip_names(path), len(ids)
    if "logits.npy" not in names:
        raise WeightError(
            f"{path.name}: has no array called logits; write it with numpy.savez(FILE, logits=..., ids=...)"
        )
    if "ids.npy" in names:
        theirs = _array(path, "ids", [(n,), (1, n)], "iu").ravel().tolist()
        if theirs != list(ids):
            raise WeightError(f"{path.name}: its ids are {theirs}, the workbook's prompt is {list(ids)}")
    logits = _array(path, "logits", [(n_vocab,), (n, n_vocab), (1, n, n_vocab)], "f").reshape(-1, n_vocab)[-1]
    if not np.isfinite(logits).all():
        raise WeightError(f"{path.name}: logit {int((~np.isfinite(logits)).argmax())} is not a finite number")
    return np.asarray(logits, np.float64)


def _array(path: Path, name: str, shapes: list[tuple[int, ...]], kinds: str) -> NDArray[Any]:
    """An array of one of the shapes, its numbers of one of numpy's kinds; never a pickle."""
    member = f"{name}.npy"
    try:
        with opened(path, member) as file:
            shape, dtype = _header(file)
        if dtype.hasobject or dtype.kind not in kinds:
            raise WeightError(f"{path.name}: {name} holds {str(dtype)[:40]}, not {_KINDS[kinds]}")
        if shape not in shapes:
            wanted = " or ".join(str(list(one)) for one in shapes)
            raise WeightError(
                f"{path.name}: {name} has shape {list(shape)}; the workbook's prompt and model want {wanted}"
            )
        with opened(path, member) as file:
            found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return found
    except _ODD as error:
        raise WeightError(f"{path.name}: {name} cannot be read ({str(error)[:100]})") from None


_KINDS = {"f": "floats", "iu": "whole numbers"}


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of numpy's format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _weights(card: Card, model: str | None) -> Weights:
    """The model of a workbook; raises `WeightError` where it has other sizes."""
    weights = find_model(model or card.model)
    if differ := weights.config.unlike(card.config):
        raise WeightError(f"{weights.name} has another {differ} than the workbook's model {card.model!r}")
    return weights


def _from_transformers(weights: Weights, ids: Sequence[int]) -> tuple[Logits, str]:
    """Hugging Face's logits in float64, and how they came about; raises `EngineMissingError`."""
    torch, transformers = _imported("torch"), _imported("transformers")
    c = weights.config
    config = transformers.GPT2Config(
        vocab_size=c.n_vocab,
        n_positions=c.n_ctx,
        n_embd=c.n_embd,
        n_layer=c.n_layer,
        n_head=c.n_head,
        n_inner=c.n_inner,
        activation_function=c.activation,
        layer_norm_epsilon=c.eps,
        tie_word_embeddings=c.tied,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = transformers.GPT2LMHeadModel(config).double().eval()
    model.load_state_dict({name: torch.from_numpy(array) for name, array in _state(weights).items()}, strict=True)
    with torch.no_grad():
        logits: Logits = model(torch.tensor([list(ids)])).logits[0, -1].numpy()
    return (
        logits,
        f"transformers {transformers.__version__}, torch {torch.__version__}, float64, weights of {weights.name}",
    )


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise EngineMissingError(
            f"{name} is not installed: pip install torch transformers, or compare with a .npz file of logits"
        ) from None


def _state(weights: Weights) -> Mapping[str, NDArray[np.float64]]:
    """The weights by Hugging Face's names."""
    state = {their_name(name): matrix[0] if _is_vector(name) else matrix for name, matrix in weights.items()}
    return state | {"lm_head.weight": state[their_name(weights.config.head_name)]}


def _is_vector(name: str) -> bool:
    return name.endswith((".g", ".b"))


def their_name(name: str) -> str:
    """A weight's name in transformers.

    >>> their_name("h0.attn.c_attn.w"), their_name("h11.ln_1.b"), their_name("wte"), their_name("lm_head.w")
    ('transformer.h.0.attn.c_attn.weight', 'transformer.h.11.ln_1.bias', 'transformer.wte.weight', 'lm_head.weight')
    """
    if name == "lm_head.w":
        return "lm_head.weight"
    place, dot, last = name.rpartition(".")
    place = place if dot else name
    place = f"h.{place[1:]}" if place[0] == "h" else place
    return f"transformer.{place}.{'bias' if last == 'b' else 'weight'}"
