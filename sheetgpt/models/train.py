"""Makes the two bundled models: `fable`, which tells short English stories, and `sorter`, which sorts six letters."""

from __future__ import annotations

import hashlib
import itertools
import math
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sheetgpt.errors import SheetGPTError, WeightError
from sheetgpt.models import bpe
from sheetgpt.models.config import ModelConfig
from sheetgpt.models.export import replace_file, write_model
from sheetgpt.models.gpt2_torch import Params, Recipe, import_torch, logits, to_arrays, train
from sheetgpt.models.tokenizer import END_OF_TEXT, Tokenizer

Ids = NDArray[np.int64]

FABLE = ModelConfig(n_vocab=1024, n_ctx=64, n_embd=64, n_head=4, n_layer=4)
SORTER = ModelConfig(n_vocab=3, n_ctx=11, n_embd=48, n_head=3, n_layer=3, tied=False)
FABLE_RECIPE = Recipe(minutes=60, seed=1, batch=64, muon_lr=0.02, adam_lr=0.01, decay=0.1, log_every=500)
SORTER_RECIPE = Recipe(
    steps=1500, seed=1, batch=81, muon_lr=0.01, adam_lr=0.004, decay=0.1, warmup=0.05, threads=1, log_every=100
)
HELD_OUT_EVERY = 20  # one story in twenty, spread over the file: its parts differ in difficulty by 15 %
N_LETTERS = 6

_FABLE_TEXT = {
    "description": "Short simple English stories; 4 blocks, width 64, 1,024 tokens, context 64.",
    "licence": "MIT. Trained on TinyStories (Eldan and Li 2023, arXiv 2305.07759; data CDLA-Sharing-1.0, under "
    "which a trained model is a 'result' and carries no condition). Holds no text of the data.",
}
_SORTER_TEXT = {
    "description": "Sorts six letters of A, B and C: six letters in, the same six in order out.",
    "licence": "MIT. Trained on all 729 inputs, made by rule; no data of others.",
}
_HOW = (
    "every 20th story, near copies of training stories left out; nats of all tokens, end-of-text too, over ln 2 and "
    "the UTF-8 bytes of the stories; blocks: windows of 64 side by side; sliding: stride 32, context of at least 32"
)
_STARTS = ["Once upon a time", "Mike is quick. He moves", "One day, a little girl named Lily", "Tom and his dog"]


class _Log:
    """Lines for the screen and for `training.log`."""

    def __init__(self, path: Path, title: str) -> None:
        self._path, self._lines = path, [f"# {title}", f"# python {platform.python_version()}, numpy {np.__version__}"]
        path.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, line: str) -> None:
        print(line, flush=True)
        self._lines.append(line)
        replace_file(self._path, ("\n".join(self._lines) + "\n").encode())


def train_fable(corpus: Path, out: Path, recipe: Recipe = FABLE_RECIPE) -> None:
    """Learns the vocabulary and the weights from stories divided by `<|endoftext|>`; one in twenty is held out.

    Writes the two vocabulary files, the CSVs, `manifest.json`, `training.log` and `samples.txt` into
    `out`, and the weights so far, marked interim, every ten lines of the log. Raises `WeightError`
    for a corpus that is too small, `SheetGPTError` without PyTorch.
    """
    import_torch()
    learn_from, held_out, sha256 = _read_corpus(corpus)
    bpe.save(out, bpe.learn(learn_from, FABLE.n_vocab))
    tokenizer = Tokenizer.load(out)
    if tokenizer.n_vocab < FABLE.n_vocab:
        raise WeightError(f"{corpus}: gives {tokenizer.n_vocab} tokens of the {FABLE.n_vocab}; take a larger one")
    stream, held = _stream(tokenizer, learn_from), _stream(tokenizer, held_out)
    n_bytes = sum(len(text.encode()) for text in held_out)
    log = _Log(out / "training.log", "fable")
    log(f"# {len(learn_from)} stories, {len(stream)} tokens; held out {len(held_out)} stories, {len(held)} tokens")
    log(f"# {recipe}")
    data = {
        "corpus_sha256": sha256,
        "train_stories": len(learn_from),
        "train_tokens": len(stream),
        "held_out_stories": len(held_out),
        "held_out_tokens": len(held),
        "held_out_bytes": n_bytes,
        "held_out_how": _HOW,
    }

    def measure(p: Params) -> dict[str, object]:
        return data | {"held_out": held_out_bits(p, FABLE, held, n_bytes)}

    def watch(step: int, p: Params) -> None:
        if step % (2 * recipe.log_every) == 0:
            bits = held_out_bits(p, FABLE, held, n_bytes, schemes=("blocks",))["blocks"]
            nats, bits_per_byte = bits["nats_per_token"], bits["bits_per_byte"]
            log(f"step {step:6}  held out {nats:.4f} nats/token, {bits_per_byte:.4f} bits/byte")
        if step % (10 * recipe.log_every) == 0:
            _write(out, "fable", FABLE, p, _FABLE_TEXT, measure(p) | {"interim": True, "steps": step})

    p, facts = train(FABLE, story_batches(stream, tokenizer.eot or 0, recipe), recipe, log=log, every=watch)
    facts |= measure(p)
    log(f"# {facts}")
    _write(out, "fable", FABLE, p, _FABLE_TEXT, facts)
    replace_file(out / "samples.txt", _samples(p, FABLE, tokenizer).encode())


def train_sorter(out: Path, recipe: Recipe = SORTER_RECIPE) -> None:
    """Trains on all 729 words of six letters and writes the model and its `training.log` into `out`.

    Raises `SheetGPTError` when the result does not sort each of them.
    """
    _save_letters(out)
    log = _Log(out / "training.log", "sorter")
    log(f"# {recipe}")
    words = sorting_task()
    p, facts = train(SORTER, _sorter_batches(words, recipe), recipe, first=N_LETTERS - 1, log=log)
    right, margin = sorting_margin(p, words)
    facts |= {"sorted_right": right, "of": len(words), "smallest_logit_margin": round(margin, 4)}
    log(f"# {facts}")
    if right < len(words):
        raise SheetGPTError(f"sorts {right} of {len(words)} only: train for more steps")
    _write(out, "sorter", SORTER, p, _SORTER_TEXT, facts)


def story_batches(stream: Ids, eot: int, recipe: Recipe) -> Iterator[Ids]:
    """Windows `[batch, n_ctx + 1]`, in a new order and from a new offset in each pass over the stream.

    One window in seventeen begins at the first word of a story, as a prompt does.
    """
    rng = np.random.default_rng(recipe.seed)
    n = FABLE.n_ctx
    starts = np.flatnonzero(stream[: -n - 1] == eot) + 1
    while True:
        at = rng.integers(n) + n * np.arange((len(stream) - 2 * n) // n)
        at = np.concatenate([at, rng.choice(starts, len(at) // 16)])
        rng.shuffle(at)
        for i in range(0, len(at) - recipe.batch + 1, recipe.batch):
            yield stream[at[i : i + recipe.batch, None] + np.arange(n + 1)]


def sorting_task() -> Ids:
    """All words of six letters, each followed by its letters in order: `[729, 12]`."""
    words = np.array(list(itertools.product(range(3), repeat=N_LETTERS)), np.int64)
    return np.concatenate([words, np.sort(words, axis=1)], axis=1)


def sorting_margin(p: Params, words: Ids) -> tuple[int, float]:
    """How many words are sorted right, and the least lead of the right letter's logit over the others."""
    torch = import_torch()
    with torch.no_grad():
        out = logits(p, SORTER, torch.from_numpy(words[:, :-1])).numpy()[:, N_LETTERS - 1 :]  # [729, 6, 3]
    answer = words[:, N_LETTERS:, None]
    right = np.take_along_axis(out, answer, axis=2)[..., 0]
    others = np.where(np.arange(3) == answer, -np.inf, out).max(axis=2)
    lead = right - others
    return int((lead > 0).all(axis=1).sum()), float(lead.min())


def held_out_bits(
    p: Params, config: ModelConfig, held: Ids, n_bytes: int, schemes: Sequence[str] = ("blocks", "sliding")
) -> dict[str, dict[str, float]]:
    """Nats a token and bits a byte of `held`, every token but the first predicted exactly once.

    `blocks`: windows of `n_ctx` side by side, so a token has 0 to `n_ctx - 1` tokens before its
    predecessor. `sliding`: windows move by half, and each token (after the first window) has at
    least `n_ctx / 2` tokens of context. The end-of-text tokens cost nats and count no bytes.
    """
    strides = {"blocks": config.n_ctx, "sliding": config.n_ctx // 2}
    out = {}
    for scheme in schemes:
        nats = _total_nats(p, config, held, strides[scheme])
        out[scheme] = {
            "nats_per_token": round(nats / (len(held) - 1), 5),
            "bits_per_byte": round(nats / math.log(2) / n_bytes, 5),
        }
    return out


def _total_nats(p: Params, config: ModelConfig, held: Ids, stride: int) -> float:
    """Sums windows of `n_ctx`, each counting only the tokens that no window before it has counted."""
    torch = import_torch()
    n = config.n_ctx
    padded = np.concatenate([held, np.zeros(2 * n, np.int64)])
    starts = np.arange(0, max(1, len(held) - 1 - n + stride), stride)
    target = starts[:, None] + np.arange(1, n + 1)  # [windows, n_ctx]
    counted = (target < len(held)) & ((np.arange(n) >= n - stride) | (starts[:, None] == 0))
    total = 0.0
    with torch.no_grad():
        for k in range(0, len(starts), 256):
            rows = starts[k : k + 256]
            out = logits(p, config, torch.from_numpy(padded[rows[:, None] + np.arange(n)]))
            goal = torch.from_numpy(padded[target[k : k + 256]])
            nats = torch.nn.functional.cross_entropy(out.transpose(1, 2), goal, reduction="none").numpy()
            total += float(nats[counted[k : k + 256]].sum(dtype=np.float64))
    if int(counted.sum()) != len(held) - 1:
        raise AssertionError("a held-out token is counted twice or not at all")
    return total


def _read_corpus(corpus: Path) -> tuple[list[str], list[str], str]:
    try:
        data = corpus.read_bytes()
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise WeightError(f"{corpus}: cannot be read as UTF-8 text; name a file of stories") from error
    stories = [story for part in text.split(END_OF_TEXT) if (story := part.strip())]
    if len(stories) < 5 * HELD_OUT_EVERY:
        raise WeightError(f"{corpus}: {len(stories)} stories between {END_OF_TEXT}; {5 * HELD_OUT_EVERY} are needed")
    learn_from, held_out = split(stories)
    return learn_from, held_out, hashlib.sha256(data).hexdigest()


def split(stories: Sequence[str]) -> tuple[list[str], list[str]]:
    """Stories to learn from and stories held out; a held-out story that is nearly a copy of another is left out.

    Nearly a copy: of its runs of twelve words more than 30 % stand in the stories to learn from.
    """
    middle = HELD_OUT_EVERY // 2
    learn_from = [story for i, story in enumerate(stories) if i % HELD_OUT_EVERY != middle]
    known = set().union(*map(_runs, learn_from))
    held_out = [s for s in stories[middle::HELD_OUT_EVERY] if len(_runs(s) & known) <= 0.3 * len(_runs(s))]
    return learn_from, held_out


def _runs(story: str, n: int = 12) -> set[int]:
    words = re.findall(r"\w+", story.lower())
    return {hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1)}


def _stream(tokenizer: Tokenizer, stories: Sequence[str]) -> Ids:
    """Every story after an end-of-text token, in one line."""
    return np.array([i for story in stories for i in (tokenizer.eot, *tokenizer.encode(story))], np.int64)


def _save_letters(out: Path) -> None:
    replace_file(out / "vocab.bpe", b"#version: 0.2\n")
    replace_file(out / "encoder.json", b'{"A":0,"B":1,"C":2}\n')


def _sorter_batches(words: Ids, recipe: Recipe) -> Iterator[Ids]:
    rng = np.random.default_rng(recipe.seed)
    while True:
        yield from np.split(rng.permutation(words), len(words) // recipe.batch)


def _write(
    out: Path, name: str, config: ModelConfig, p: Params, text: dict[str, str], facts: dict[str, object]
) -> None:
    write_model(
        out, name, config, to_arrays(p), description=text["description"], licence=text["licence"], training=facts
    )


def _samples(p: Params, config: ModelConfig, tokenizer: Tokenizer) -> str:
    lines = [f"Prompt and continuation, up to {config.n_ctx} tokens or {END_OF_TEXT}.\n"]
    for start in _STARTS:
        lines.append(f"greedy\n{_continue(p, config, tokenizer, start, _greedy)}\n")
        for seed in (1, 2):
            pick = _sampler(0.8, seed)
            lines.append(f"temperature 0.8, seed {seed}\n{_continue(p, config, tokenizer, start, pick)}\n")
    return "\n".join(lines)


def _continue(
    p: Params, config: ModelConfig, tokenizer: Tokenizer, start: str, pick: Callable[[NDArray[np.float32]], int]
) -> str:
    torch = import_torch()
    ids = tokenizer.encode(start)
    while len(ids) < config.n_ctx and ids[-1] != tokenizer.eot:
        with torch.no_grad():
            ids.append(pick(logits(p, config, torch.tensor([ids]))[0, -1].numpy()))
    return tokenizer.decode(ids)


def _greedy(scores: NDArray[np.float32]) -> int:
    return int(scores.argmax())


def _sampler(temperature: float, seed: int) -> Callable[[NDArray[np.float32]], int]:
    rng = np.random.default_rng(seed)

    def pick(scores: NDArray[np.float32]) -> int:
        weights = np.exp((scores.astype(np.float64) - scores.max()) / temperature)
        return int(rng.choice(len(scores), p=weights / weights.sum()))

    return pick
