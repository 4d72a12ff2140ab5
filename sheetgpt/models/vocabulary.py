"""The files of a GPT-2 vocabulary, in any of its spellings: OpenAI's two, Hugging Face's two, or `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import orjson

from sheetgpt.errors import WeightError
from sheetgpt.models.files import Files
from sheetgpt.models.tokenizer import (
    MERGES_FILE,
    TOKENS_FILE,
    VERSION_LINE,
    Merge,
    Tokenizer,
    parse_merges,
    parse_tokens,
    to_letters,
)

SPELLINGS = ((TOKENS_FILE, MERGES_FILE), ("vocab.json", "merges.txt"))
ONE_FILE, ADDED_FILE = "tokenizer.json", "added_tokens.json"
WANTED = "vocab.bpe and encoder.json, or merges.txt and vocab.json, or tokenizer.json"
_LARGEST = 64 << 20
_UNUSED = "<|unused_{}|>"


def read(files: Files, n_vocab: int) -> tuple[Tokenizer, int] | None:
    """The tokenizer of files beside weights of `n_vocab` rows, and how many rows no token has; None if there is none.

    Those rows get tokens that no text is cut into. Raises `WeightError` for a vocabulary that is not GPT-2's kind,
    and for one that is larger than the weights.
    """
    for tokens_file, merges_file in SPELLINGS:
        if {tokens_file, merges_file} <= files.members.keys():
            tokens = parse_tokens(files.read(tokens_file, _LARGEST), tokens_file)
            merges = parse_merges(files.read(merges_file, _LARGEST), merges_file)
            added = files.json(ADDED_FILE) if ADDED_FILE in files.members else {}
            break
    else:
        if ONE_FILE not in files.members:
            return None
        tokens, merges, added = _of_one_file(files.read(ONE_FILE, _LARGEST))
    return _filled(_with_added(tokens, added), merges, n_vocab)


def save(folder: Path, tokenizer: Tokenizer) -> dict[str, bytes]:
    """Writes OpenAI's two files, and returns them; GPT-2's own vocabulary comes out as OpenAI's very bytes."""
    lines = [VERSION_LINE, *(f"{a} {b}" for a, b in tokenizer.merges)]
    out = {
        MERGES_FILE: ("\n".join(lines) + "\n").encode(),
        TOKENS_FILE: json.dumps(tokenizer.tokens).encode(),
    }
    for name, data in out.items():
        (folder / name).write_bytes(data)
    return out


def _filled(tokens: dict[str, int], merges: list[Merge], n_vocab: int) -> tuple[Tokenizer, int]:
    numbers = {number for number in tokens.values() if type(number) is int}
    if (most := max(len(tokens), 1 + max(numbers, default=0))) > n_vocab:
        raise WeightError(f"the vocabulary has {most:,} tokens, the weights {n_vocab:,}: they are not of one model")
    unused = {_UNUSED.format(i): i for i in range(n_vocab) if i not in numbers}
    return Tokenizer(tokens | unused, merges), len(unused)


def _with_added(tokens: dict[str, int], added: Mapping[str, object]) -> dict[str, int]:
    """Tokens that stand for their own text, such as <|endoftext|>; raises `WeightError` where they collide."""
    out = dict(tokens)
    for text, number in added.items():
        if type(number) is not int:
            raise WeightError(f"added token {text!r:.40} must have a number, not {number!r:.20}")
        if out.setdefault(token := to_letters(text.encode("utf-8", "surrogatepass")), number) != number:
            raise WeightError(f"added token {text!r:.40} is number {number} and {out[token]}")
    return out


def _of_one_file(data: bytes) -> tuple[dict[str, int], list[Merge], dict[str, object]]:
    """Tokens, merges and added tokens of a `tokenizer.json`; raises `WeightError` where it cuts text otherwise."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WeightError(f"{ONE_FILE}: not JSON ({error}); copy the file again") from None
    model = said.get("model") if isinstance(said, dict) else None
    if not isinstance(model, dict):
        raise WeightError(f"{ONE_FILE}: has no model")
    _check_kind(said, model)
    tokens, merges = model.get("vocab"), model.get("merges")
    if not isinstance(tokens, dict) or not isinstance(merges, list):
        raise WeightError(f"{ONE_FILE}: its model must have vocab and merges")
    added = said.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(a, dict) and isinstance(a.get("content"), str) for a in added):
        raise WeightError(f"{ONE_FILE}: added_tokens must be a list of tokens")
    return tokens, [_merge(merge) for merge in merges], {a["content"]: a.get("id") for a in added}


def _merge(merge: object) -> Merge:
    """`"Ġ t"`, or in newer files `["Ġ", "t"]`."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
        raise WeightError(f"{ONE_FILE}: merge {merge!r:.40} must be two symbols")
    return parts[0], parts[1]


def _check_kind(said: Mapping[str, object], model: Mapping[str, object]) -> None:
    """Raises `WeightError` that names what is not GPT-2's byte-level BPE."""
    if model.get("type", "BPE") != "BPE":
        raise WeightError(f"{ONE_FILE}: its model is {model['type']!r:.40}; sheetgpt can do BPE by bytes only")
    for entry in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"):
        if model.get(entry):
            raise WeightError(f"{ONE_FILE}: {entry} is {model[entry]!r:.40}; GPT-2 has none")
    if said.get("normalizer"):
        raise WeightError(f"{ONE_FILE}: has the normalizer {_kind(said['normalizer'])}; GPT-2 has none")
    cutter = said.get("pre_tokenizer")
    if isinstance(cutter, dict) and cutter.get("type") == "Sequence" and isinstance(cutter.get("pretokenizers"), list):
        cutter = cutter["pretokenizers"][0] if len(cutter["pretokenizers"]) == 1 else cutter
    if _kind(cutter) != "ByteLevel":
        raise WeightError(f"{ONE_FILE}: the pre_tokenizer is {_kind(cutter)}; GPT-2 has ByteLevel")
    if isinstance(cutter, dict) and (cutter.get("add_prefix_space") or cutter.get("use_regex") is False):
        raise WeightError(f"{ONE_FILE}: ByteLevel with add_prefix_space or without use_regex is not GPT-2's")
    after = said.get("post_processor")
    if isinstance(after, dict) and after.get("special_tokens"):
        raise WeightError(f"{ONE_FILE}: its post_processor puts tokens of its own beside every text; GPT-2 does not")


def _kind(part: object) -> str:
    return str(part.get("type"))[:40] if isinstance(part, dict) else "none"
