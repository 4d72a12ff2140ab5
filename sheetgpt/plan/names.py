"""The grammar of names. A name is a place: one string is hook name, defined name and key of every table.

Weights keep OpenAI's GPT-2 names (`h0.attn.c_attn.w`); activations follow TransformerLens' habit of
naming each step (`h0.attn.head1.pattern`). Spreadsheets ignore case and refuse names that look like
cells (`h0`, `ln1`, `R1C1`), so a name that is one to three letters and digits is refused.
"""

from __future__ import annotations

import re

from sheetgpt.errors import PlanError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_CELL_LIKE = re.compile(
    r"[A-Za-z]{1,3}[0-9]+|[Rr]([0-9]*)([Cc][0-9]*)?|[Cc][0-9]*|[Tt][Rr][Uu][Ee]_?|[Ff][Aa][Ll][Ss][Ee]_?"
)
MAX_LENGTH = 100

# Names of TransformerLens' hooks and ours; # is the block's number.
HOOKS: tuple[tuple[str, str], ...] = (
    ("hook_embed", "embed.token"),
    ("hook_pos_embed", "embed.pos"),
    ("blocks.#.hook_resid_pre", "h#.resid_pre"),
    ("blocks.#.ln1.hook_normalized", "h#.ln_1.normalized"),
    ("blocks.#.attn.hook_q", "h#.attn.head0.q"),
    ("blocks.#.attn.hook_k", "h#.attn.head0.k"),
    ("blocks.#.attn.hook_v", "h#.attn.head0.v"),
    ("blocks.#.attn.hook_attn_scores", "h#.attn.head0.scores"),
    ("blocks.#.attn.hook_pattern", "h#.attn.head0.pattern"),
    ("blocks.#.attn.hook_z", "h#.attn.head0.z"),
    ("blocks.#.hook_attn_out", "h#.attn.out"),
    ("blocks.#.hook_resid_mid", "h#.resid_mid"),
    ("blocks.#.ln2.hook_normalized", "h#.ln_2.normalized"),
    ("blocks.#.mlp.hook_pre", "h#.mlp.pre"),
    ("blocks.#.mlp.hook_post", "h#.mlp.post"),
    ("blocks.#.hook_mlp_out", "h#.mlp.out"),
    ("blocks.#.hook_resid_post", "h#.resid_post"),
    ("ln_final.hook_normalized", "ln_f.normalized"),
)
_HOOKS = [(re.compile(re.escape(theirs).replace(r"\#", r"(\d+)")), ours) for theirs, ours in HOOKS]


# The sixteen steps of a block, as the source material counts them; it names 7, 12, 13, 14 and 15, the rest is ours.
STEPS: dict[int, tuple[str, ...]] = {
    1: ("ln_1.mean", "ln_1.var"),
    2: ("ln_1.normalized",),
    3: ("ln_1.out",),
    4: ("attn.qkv",),
    5: ("attn.head0.q", "attn.head0.k", "attn.head0.v"),
    6: ("attn.head0.scores",),
    7: ("attn.head0.pattern",),
    8: ("attn.head0.z", "attn.z"),
    9: ("attn.out",),
    10: ("resid_mid",),
    11: ("ln_2.mean", "ln_2.var", "ln_2.normalized"),
    12: ("ln_2.out",),
    13: ("mlp.pre",),
    14: ("mlp.post",),
    15: ("mlp.out",),
    16: ("resid_post",),
}

_HEAD, _AT_BLOCK = re.compile(r"\.head\d+\."), re.compile(r"h\d+\.")
_STEP_OF = {part: step for step, parts in STEPS.items() for part in parts}
_STEP_OF |= dict.fromkeys(("attn.head0.max", "attn.head0.exp", "attn.head0.sum"), 7)  # on the way to the pattern


def step_of(name: str) -> int | None:
    """Which of the sixteen steps of a block computes a place, of any block and head. Example: `h1.mlp.pre` -> 13."""
    block = _AT_BLOCK.match(name)
    return _STEP_OF.get(_HEAD.sub(".head0.", name[block.end() :])) if block else None


def check_name(name: str) -> str:
    """`name` itself if every spreadsheet program takes it as a defined name; raises `PlanError`."""
    if len(name) > MAX_LENGTH or not _NAME.fullmatch(name) or _CELL_LIKE.fullmatch(name):
        raise PlanError(f"not a name that every spreadsheet program accepts: {name!r}")
    return name


def from_transformer_lens(name: str) -> str:
    """Our name for a TransformerLens hook name; any other name comes back as it is.

    Example: `blocks.0.mlp.hook_pre` -> `h0.mlp.pre`. TransformerLens keeps all heads in one tensor;
    here each head is a place, and head 0 answers for it. `resid_pre` is the block's input.
    """
    for pattern, ours in _HOOKS:
        if match := pattern.fullmatch(name):
            return _resid_pre(ours.replace("#", "".join(match.groups())))
    return name


def _resid_pre(name: str) -> str:
    match = re.fullmatch(r"h(\d+)\.resid_pre", name)
    if match is None:
        return name
    return "embed.out" if match[1] == "0" else f"h{int(match[1]) - 1}.resid_post"
