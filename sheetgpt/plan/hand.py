"""Two things done by hand: a matrix product, every product of two numbers spelled out, and one logit of the model."""

from __future__ import annotations

from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.ops import apply, columns
from sheetgpt.plan.plan import Plan

LEFT, RIGHT = ((1, 2, 3), (4, 5, 6)), ((7, 8), (9, 10), (11, 12))
SHOWN = 8  # of an embedding's numbers, where tokens stand in columns


def add_hand(p: Plan, config: ModelConfig, asked: Asked, live: bool) -> None:
    """A product of matrices to play with; the answer's logit; the prompt's embeddings turned on their side.

    And words beside the tokenizer's tables: what kind of text each token is, and which two a merge joins.
    """
    matrix_product(p)
    one_logit(p, config)
    first = p("hand.first", columns(p["embed.token"], 0, min(SHOWN, config.n_embd)))  # [T, 8]
    p("hand.columns", first.T)  # [8, T]
    p.data("vocab.kind", (config.n_vocab, 1), text=True)
    if live:
        p.data("bpe.parts", p["bpe.token"].shape, text=True)


def matrix_product(p: Plan) -> None:
    """left [2, 3] times right [3, 2]; below, a row for each number of the product: what is multiplied, and added."""
    left, right = p.knob("matmul.left", LEFT, (2, 3)), p.knob("matmul.right", RIGHT, (3, 2))
    product = p("matmul.product", left @ right)  # [2, 2]
    n, m = product.shape
    row = p.counted("matmul.row", (i for i in range(n) for _ in range(m)))
    column = p.counted("matmul.column", (j for _ in range(n) for j in range(m)))
    turned = p("matmul.turned", right.T)  # [2, 3]
    lefts, rights = p("matmul.lefts", apply("gather", left, row)), p("matmul.rights", apply("gather", turned, column))
    p("matmul.sums", apply("rowsum", p("matmul.products", lefts * rights)))  # [4, 1]


def one_logit(p: Plan, config: ModelConfig) -> None:
    """The last vector times the row of the answer's token, number by number, and added up: the largest logit."""
    best = p["next.id"]
    token = p("hand.id", apply("where", best <= 0, 0, best))
    row = p("hand.w", apply("gather", p[config.head_name], token))  # [1, d]
    p("hand.logit", apply("sum", p("hand.product", p["ln_f.last"] * row)))
