"""The oracle against another hand: `sheetgpt.models.reference` and Hugging Face's GPT-2, stored and live."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.models import reference

FIXTURES = Path(__file__).parent / "fixtures"
TOLERANCE = 1e-12
Arrays = dict[str, np.ndarray]


def _load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_transformers", FIXTURES / "make_transformers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


maker = _load_maker()
with np.load(maker.FIXTURE, allow_pickle=False) as archive:
    STORED: Arrays = {name: archive[name] for name in archive.files}
META: dict[str, Any] = json.loads(str(STORED["meta"]))
CASES: dict[str, dict[str, Any]] = META["cases"]


def part(case: str, kind: str) -> Arrays:
    """The stored arrays under `case/kind/`, by their short names."""
    start = f"{case}/{kind}/"
    return {name.removeprefix(start): array for name, array in STORED.items() if name.startswith(start)}


def sizes(case: str) -> dict[str, Any]:
    return {name: CASES[case][name] for name in ("n_layer", "n_head", "eps")}


def run(case: str, ids: list[int] | None = None, module: Any = reference) -> Arrays:
    return dict(module.forward(part(case, "weights"), ids or CASES[case]["ids"], **sizes(case)))


def against_stored(case: str, got: Arrays, n: int) -> Iterator[tuple[str, float]]:
    """(place, gap) for each stored place, after a prompt's first `n` tokens."""
    for name, want in part(case, "acts").items():
        if name == "logits":
            yield name, gap(got[name], want[n - 1 : n].T)
        elif name.endswith(".pattern"):
            for j, pattern in enumerate(want):
                place = name.replace(".pattern", f".head{j}.pattern")
                yield place, gap(got[place], pattern[:n, :n])
        else:
            yield name, gap(got[name], want[:n])


def gap(got: np.ndarray, want: np.ndarray) -> float:
    assert got.shape == want.shape
    assert got.dtype == want.dtype == np.float64
    return float(np.abs(got - want).max())


def worst(case: str, module: Any = reference) -> float:
    ids = CASES[case]["ids"]
    return max(g for _, g in against_stored(case, run(case, ids, module), len(ids)))


# --- equal to Hugging Face's GPT-2


@pytest.mark.parametrize(
    ("case", "n"), [(case, n) for case, entry in CASES.items() for n in range(1, len(entry["ids"]) + 1)]
)
def test_every_stored_place_is_met_for_every_prefix(case: str, n: int) -> None:
    far = [(place, g) for place, g in against_stored(case, run(case, CASES[case]["ids"][:n]), n) if not g <= TOLERANCE]
    assert far == []


@pytest.mark.parametrize("case", CASES)
def test_greedy_continues_as_generate_does(case: str) -> None:
    entry = CASES[case]
    room = entry["n_ctx"] - len(entry["ids"])
    got = reference.greedy(part(case, "weights"), entry["ids"], room, entry["n_ctx"], **sizes(case))
    assert got == STORED[f"{case}/greedy"].tolist()


def test_fixture_is_the_one_that_was_made() -> None:
    assert maker.fingerprint(STORED) == META["sha256"]
    assert json.loads(json.dumps({name: maker.asdict(c) for name, c in maker.CASES.items()})) == CASES
    assert META["seed"] == maker.SEED
    assert maker.FIXTURE.stat().st_size <= 300_000
    readme = (FIXTURES / "README.md").read_text(encoding="utf-8")
    for fact in ("sha256", "python", "numpy", "torch", "transformers"):
        assert str(META[fact]) in readme, fact


def test_fingerprint_sees_one_changed_bit() -> None:
    changed = {name: array.copy() for name, array in STORED.items()}
    target = changed["untied/acts/logits"]
    target[0, 0] = np.nextafter(target[0, 0], 9.0)
    assert maker.fingerprint(changed) != META["sha256"]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch and transformers warn of their own affairs
def test_fixture_is_recomputed_by_transformers() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    fresh = maker.make()
    assert set(fresh) == set(STORED) - {"meta"}
    for name, array in fresh.items():
        if "/acts/" in name:
            assert gap(array, STORED[name]) <= TOLERANCE, name
        else:
            assert array.dtype == STORED[name].dtype, name
            assert np.array_equal(array, STORED[name]), name


# --- the comparison can fail

ERF = "np.vectorize(__import__('math').erf)(x / np.sqrt(2))"
MUTANTS = {
    "sample variance": ("x.var(axis=1,", "x.var(axis=1, ddof=1,"),
    "no eps": ("np.sqrt(var + eps)", "np.sqrt(var)"),
    "gain forgotten": ('normalized * w[f"{at}.g"]', "normalized"),
    "erf GELU": ("np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))", ERF),
    "rounded GELU constant": ("0.044715", "0.0447"),
    "unscaled scores": (" / np.sqrt(q.shape[1])", ""),
    "scores without the root": ("np.sqrt(q.shape[1])", "q.shape[1]"),
    "no mask": ("np.tri(len(q), dtype=bool)", "np.ones((len(q), len(q)), dtype=bool)"),
    "mask hides the token itself": ("np.tri(len(q),", "np.tri(len(q), k=-1,"),
    "missing bias": (' + w[f"{at}.b"]\n\n', "\n\n"),
    "q and k exchanged": ("q, k, v = (np.split", "k, q, v = (np.split"),
    "heads interleaved": ("np.split(part, n_head, axis=1)", "[part[:, j::n_head] for j in range(n_head)]"),
    "heads merged backwards": ("np.hstack(zs)", "np.hstack(zs[::-1])"),
    "no first residual": ("x = x + attention(", "x = attention("),
    "no second residual": ("x = x + mlp(", "x = mlp("),
    "positions from 1": ("range(len(ids))]", "range(1, len(ids) + 1)]"),
    "one softmax for all": ("softmax(a, at, scores, axis=1)", "np.exp(scores) / np.exp(scores).sum()"),
    "last layer norm left out of the logits": ("@ last.T", "@ x[-1:].T"),
    "logits of the first token": ("eps)[-1:]", "eps)[:1]"),
    "head always tied": ('w.get("lm_head.w", w["wte"])', 'w["wte"]'),
}


def mutant(old: str, new: str) -> ModuleType:
    """`reference` with one piece of its source exchanged."""
    source = Path(reference.__file__).read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in reference.py"
    module = ModuleType("mutant")
    exec(compile(source.replace(old, new), "mutant", "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_reference_is_seen(name: str) -> None:
    case = "untied" if name == "head always tied" else "three_blocks"
    assert worst(case, mutant(*MUTANTS[name])) > 1e6 * TOLERANCE


def test_the_unchanged_source_is_no_mutant() -> None:
    assert worst("three_blocks", mutant("GPT-2's forward", "GPT-2's forward")) <= TOLERANCE


# --- places that the fixture does not hold follow from those it holds


@pytest.mark.parametrize("case", CASES)
def test_small_places_explain_the_large_ones(case: str) -> None:
    a, w, entry = run(case), part(case, "weights"), CASES[case]
    t, d, dh = len(entry["ids"]), entry["n_embd"], entry["n_embd"] // entry["n_head"]
    hidden = np.triu(np.ones((t, t), dtype=bool), k=1)
    norms = [f"h{i}.ln_{part}" for i in range(entry["n_layer"]) for part in (1, 2)] + ["ln_f"]
    for norm in norms:
        x = a["embed.out" if norm == "h0.ln_1" else _before(norm, entry["n_layer"])]
        assert gap(a[f"{norm}.mean"], np.einsum("td->t", x)[:, None] / d) <= TOLERANCE
        assert gap(a[f"{norm}.var"], np.einsum("td,td->t", x, x)[:, None] / d - a[f"{norm}.mean"] ** 2) <= 1e-11
        out = w[f"{norm}.b"] + w[f"{norm}.g"] * a[f"{norm}.normalized"]
        assert gap(a[f"{norm}.out"], out) <= TOLERANCE
    for i in range(entry["n_layer"]):
        for j in range(entry["n_head"]):
            at = f"h{i}.attn.head{j}"
            for nth, name in enumerate("qkv"):
                start = nth * d + j * dh
                assert np.array_equal(a[f"{at}.{name}"], a[f"h{i}.attn.qkv"][:, start : start + dh])
            scores = np.einsum("ix,jx->ij", a[f"{at}.q"], a[f"{at}.k"]) * dh**-0.5
            assert gap(a[f"{at}.scores"], np.where(hidden, -1e10, scores)) <= TOLERANCE
            assert np.array_equal(a[f"{at}.max"][:, 0], [row[: k + 1].max() for k, row in enumerate(a[f"{at}.scores"])])
            assert gap(a[f"{at}.pattern"], np.exp(a[f"{at}.scores"] - a[f"{at}.max"]) / a[f"{at}.sum"]) <= TOLERANCE
            assert gap(a[f"{at}.exp"], a[f"{at}.pattern"] * a[f"{at}.sum"]) <= TOLERANCE
            assert np.all(a[f"{at}.pattern"][hidden] == 0)
            assert np.abs(a[f"{at}.pattern"].sum(axis=1) - 1).max() <= 1e-15 * t + 1e-15
            assert np.array_equal(a[f"{at}.z"], a[f"h{i}.attn.z"][:, j * dh : (j + 1) * dh])
    assert np.array_equal(a["ln_f.last"], a["ln_f.out"][-1:])
    assert a["probs.max"] == a["next.logit"] == a["logits"].max()
    assert gap(a["probs"], np.exp(a["logits"] - a["probs.max"]) / a["probs.sum"]) <= TOLERANCE
    assert gap(a["probs.exp"], a["probs"] * a["probs.sum"]) <= TOLERANCE
    assert abs(a["probs"].sum() - 1) <= 1e-14
    assert a["next.id"] == list(a["logits"][:, 0]).index(a["next.logit"])


def _before(norm: str, n_layer: int) -> str:
    """The place whose rows a layer norm reads (h0.ln_1 aside)."""
    if norm == "ln_f":
        return f"h{n_layer - 1}.resid_post"
    i = int(norm.split(".")[0][1:])
    return f"h{i}.resid_mid" if norm.endswith("2") else f"h{i - 1}.resid_post"


NAMES = """
embed.token 3,6  embed.pos 3,6  embed.out 3,6
h0.ln_1.mean 3,1  h0.ln_1.var 3,1  h0.ln_1.normalized 3,6  h0.ln_1.out 3,6
h0.attn.qkv 3,18
h0.attn.head0.q 3,3  h0.attn.head0.k 3,3  h0.attn.head0.v 3,3  h0.attn.head0.scores 3,3
h0.attn.head0.max 3,1  h0.attn.head0.exp 3,3  h0.attn.head0.sum 3,1  h0.attn.head0.pattern 3,3
h0.attn.head0.z 3,3
h0.attn.head1.q 3,3  h0.attn.head1.k 3,3  h0.attn.head1.v 3,3  h0.attn.head1.scores 3,3
h0.attn.head1.max 3,1  h0.attn.head1.exp 3,3  h0.attn.head1.sum 3,1  h0.attn.head1.pattern 3,3
h0.attn.head1.z 3,3
h0.attn.z 3,6  h0.attn.out 3,6  h0.resid_mid 3,6
h0.ln_2.mean 3,1  h0.ln_2.var 3,1  h0.ln_2.normalized 3,6  h0.ln_2.out 3,6
h0.mlp.pre 3,24  h0.mlp.post 3,24  h0.mlp.out 3,6  h0.resid_post 3,6
ln_f.mean 3,1  ln_f.var 3,1  ln_f.normalized 3,6  ln_f.out 3,6  ln_f.last 1,6
logits 7,1  probs.max 1,1  probs.exp 7,1  probs.sum 1,1  probs 7,1  next.logit 1,1  next.id 1,1
"""


def test_names_order_and_shapes() -> None:
    a = reference.forward(part("one_token", "weights"), [6, 0, 2], n_layer=1, n_head=2)
    got = [f"{name} {rows},{columns}" for name, (rows, columns) in ((n, v.shape) for n, v in a.items())]
    assert " ".join(got).split() == NAMES.split()
    assert {v.dtype for v in a.values()} == {np.dtype(np.float64)}


# --- causality and generation


@settings(deadline=None)  # a busy machine is no failure
@given(data=st.data(), case=st.sampled_from([c for c in CASES if len(CASES[c]["ids"]) > 1]))
def test_a_token_changes_no_row_before_it(data: st.DataObject, case: str) -> None:
    ids = list(CASES[case]["ids"])
    j = data.draw(st.integers(0, len(ids) - 1), label="place")
    changed = ids.copy()
    changed[j] = data.draw(st.integers(0, CASES[case]["n_vocab"] - 1).filter(lambda i: i != ids[j]), label="id")
    before, after = run(case, ids), run(case, changed)
    rows = [name for name in before if not name.startswith(("ln_f.last", "logits", "probs", "next"))]
    for name in rows:
        assert np.abs(before[name][:j] - after[name][:j]).max(initial=0) <= 1e-13, name
    assert np.abs(before["ln_f.out"][j] - after["ln_f.out"][j]).max() > 1e-3


@settings(deadline=None)  # a busy machine is no failure
@given(data=st.data(), case=st.sampled_from(list(CASES)))
def test_greedy_is_repeated_forward(data: st.DataObject, case: str) -> None:
    entry = CASES[case]
    id_ = st.integers(0, entry["n_vocab"] - 1)
    ids = data.draw(st.lists(id_, min_size=1, max_size=entry["n_ctx"]), label="ids")
    n = data.draw(st.integers(0, entry["n_ctx"] + 2), label="n")
    weights, n_ctx = part(case, "weights"), entry["n_ctx"]
    new = reference.greedy(weights, ids, n, n_ctx, **sizes(case))
    assert len(new) == min(n, n_ctx - len(ids) + 1)
    for k, chosen in enumerate(new):
        assert chosen == int(run(case, ids + new[:k])["next.id"][0, 0])
    stop = data.draw(id_, label="stop")
    cut = new.index(stop) if stop in new else len(new)
    assert reference.greedy(weights, ids, n, n_ctx, stop, **sizes(case)) == new[:cut]


def test_first_of_equal_logits_is_next() -> None:
    weights = part("one_token", "weights")
    weights["wte"] = np.tile(weights["wte"][:1], (7, 1))
    a = reference.forward(weights, [3], **sizes("one_token"))
    assert a["next.id"] == 0
    assert np.allclose(a["probs"], 1 / 7, rtol=0, atol=1e-15)


# --- what it accepts


def test_a_vector_may_be_one_row_and_weights_any_float() -> None:
    as_rows = {name: np.atleast_2d(v).astype(np.float32) for name, v in part("untied", "weights").items()}
    got = reference.forward(as_rows, CASES["untied"]["ids"], **sizes("untied"))
    for name, value in run("untied").items():
        assert np.array_equal(got[name], value), name


@pytest.mark.parametrize("ids", [[], [-1], [7], [0, 0, 0, 0, 0]], ids=["none", "negative", "too large", "too many"])
def test_an_id_or_a_position_without_a_row_is_an_error(ids: list[int]) -> None:
    with pytest.raises(IndexError):
        reference.forward(part("one_token", "weights"), ids, **sizes("one_token"))
