"""Where places stand: nothing overlaps, everything fits, every tab has its words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sheetgpt.errors import LayoutError, WorkbookError
from sheetgpt.models.config import ModelConfig
from sheetgpt.plan.asked import Asked
from sheetgpt.plan.extras import EXTRAS
from sheetgpt.plan.live import Live
from sheetgpt.plan.model import gpt2
from sheetgpt.plan.stages import WHOLE, Stages, pipeline
from sheetgpt.resources import templates_dir
from sheetgpt.sheet.a1 import cell, column, parse_area, parse_cell
from sheetgpt.sheet.blueprint import Blueprint, Card
from sheetgpt.sheet.layout import lay_out
from sheetgpt.sheet.slots import tab_lesson

LIVE = Live(n_chars=9, n_bytes=4, n_merges=2, n_ranges=5)
configs = st.builds(
    lambda v, c, h, w, n, tied: ModelConfig(v, c, h * max(w, 2 if h == 1 else 1), h, n, tied=tied),
    st.integers(2, 40), st.integers(1, 12), st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.booleans(),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(configs, st.data())
def test_no_two_places_share_a_cell(config: ModelConfig, data: st.DataObject) -> None:
    live = data.draw(
        st.none() | st.builds(Live, st.integers(1, 9), st.integers(2, 5), st.integers(0, 9), st.integers(2, 9))
    )
    first, last = sorted(data.draw(st.integers(0, len(pipeline(config)) - 1)) for _ in "ab")
    stages = Stages(pipeline(config)[first], pipeline(config)[last])
    live = live if first == 0 else None
    plan = gpt2(config, data.draw(st.integers(1, config.n_ctx)), live, stages)
    layout = lay_out(config, plan, live=live is not None, stages=stages)
    taken: dict[tuple[str, int, int], str] = {}
    for name, box in layout.ranges.items():
        assert (box.rows, box.cols) == plan[name].shape
        for r in range(0 if plan.is_view(name) else box.rows):
            for c in range(box.cols):
                other = taken.setdefault((box.tab, box.row + r, box.col + c), name)
                assert other == name, f"{name} stands on {other}"


@settings(max_examples=20, deadline=None)
@given(configs)
def test_views_stand_where_their_parts_are(config: ModelConfig) -> None:
    layout = lay_out(config, gpt2(config, 1))
    for i in range(config.n_layer):
        z = layout.ranges[f"h{i}.attn.z"]
        for j in range(config.n_head):
            part = layout.ranges[f"h{i}.attn.head{j}.z"]
            assert (part.tab, part.row, part.col) == (z.tab, z.row, z.col + j * config.d_head)
            k = layout.ranges[f"h{i}.attn.head{j}.k"]
            assert k.col == layout.ranges[f"h{i}.attn.qkv"].col + config.n_embd + j * config.d_head


def test_a_place_that_does_not_fit_a_sheet_is_refused() -> None:
    config = ModelConfig(n_vocab=5, n_ctx=8, n_embd=5462, n_head=2, n_layer=1)  # c_attn.w has 16,386 columns
    with pytest.raises(LayoutError, match=r"16,384 columns"):
        lay_out(config, gpt2(config, 1))


def test_a_model_larger_than_any_workbook_is_refused() -> None:
    config = ModelConfig(n_vocab=50257, n_ctx=1024, n_embd=1600, n_head=25, n_layer=96)
    with pytest.raises(LayoutError, match="too many"):
        Blueprint.of(Card("xl", config, 1))
    block = Blueprint.of(Card("xl", config, 1, stages=Stages("h7", "h7")))
    assert sum(block.plan[name].shape[0] * block.plan[name].shape[1] for name in block.plan.parameters) == 30_740_800


def test_every_tab_has_a_lesson_with_every_slot_filled() -> None:
    used = set()
    wholes = [(True, None, WHOLE), (False, None, WHOLE), (True, LIVE, WHOLE)]
    parts = [(tied, None, Stages(stage, stage)) for tied in (True, False) for stage in ("embed", "h0", "h1", "ln_f")]
    parts += [(False, None, Stages("logits", "logits")), (True, None, Stages("next", "next"))]
    for tied, live, stages in [*wholes, *parts, (True, LIVE, Stages("prompt", "h0"))]:
        config = ModelConfig(7, 8, 4, 2, 2, tied=tied)
        asked = Asked(EXTRAS, 2) if stages == WHOLE else Asked()
        book = Blueprint.of(Card("small", config, 3, live, stages=stages, asked=asked))
        for tab in book.layout.tabs:
            words = tab_lesson(book, tab)
            used.add(tab.lesson)
            assert all((words.title, words.what, words.why))
            assert "$" not in "".join((words.title, words.what, words.why, *words.places.values()))
        for name in book.plan:
            tab = book.layout.tab_of(name)
            assert tab_lesson(book, tab).meaning(name), f"{tab.lesson}.md says nothing of {name}"
    assert used == {path.stem for path in templates_dir().glob("*.md")}


def test_a_slot_that_nothing_fills_is_an_error() -> None:
    book = Blueprint.of(Card("small", ModelConfig(7, 8, 4, 2, 1), 3))
    words = tab_lesson(book, book.layout.tabs[0])
    with pytest.raises(LayoutError, match="nothing fills"):
        words._replace(what="$nonsense").fill({})


def test_tabs_are_in_the_order_of_the_pipeline() -> None:
    def names_with(live: Live | None) -> list[str]:
        book = Blueprint.of(Card("small", ModelConfig(7, 8, 4, 2, 1), 3, live))
        return [tab.name for tab in book.layout.tabs]

    assert names_with(LIVE)[:7] == ["Contents", "Prompt", "Characters", "Words", "Merges", "Tokens", "Embedding"]
    names = names_with(None)
    assert names[:11] == ["Contents", "Prompt", "Tokens", "Embedding", "h0 ln_1", "h0 attention", "h0 ln_2", "h0 mlp",
                          "ln_f", "Logits", "Next token"]  # fmt: skip
    assert names[11:] == ["Check", "Glossary", "Parameters", "Vocabulary", "wte", "wpe", "h0.attn.c_attn.w",
                          "h0.attn.c_proj.w", "h0.mlp.c_fc.w", "h0.mlp.c_proj.w", "h0 vectors",
                          "ln_f vectors"]  # fmt: skip


@given(st.integers(0, 1_048_575), st.integers(0, 16_383))
def test_addresses_read_back(r: int, c: int) -> None:
    assert parse_cell(cell(r, c)) == (r, c)
    assert parse_area(f"A1:{cell(r, c)}") == (0, 0, r, c)


def test_columns_are_those_of_xlsxwriter() -> None:
    from xlsxwriter.utility import xl_col_to_name  # another hand

    assert all(column(c) == xl_col_to_name(c) for c in range(16_384))


def test_a_card_reads_back() -> None:
    card = Card("fable", ModelConfig(7, 8, 4, 2, 1, eps=1e-3, tied=False), 3)
    live = replace(card, live=LIVE)
    assert Card.from_json(live.to_json()) == live
    assert Card.from_json(card.to_json()) == card
    assert Card.from_json(replace(card, n_rows=8).to_json()).n_rows == 8


@pytest.mark.parametrize("live", [None, LIVE])
def test_each_extra_alone_and_all_but_one_is_planned_or_refused(live: Live | None) -> None:
    """A forged card may name any of them: what is not refused has its formulas and its words."""
    refused = set()
    for extra in EXTRAS:
        for extras in ((extra,), tuple(other for other in EXTRAS if other != extra)):
            card = Card("x", ModelConfig(7, 8, 4, 2, 1), 3, live, asked=Asked(extras, 1))
            try:
                book = Blueprint.of(Card.from_json(card.to_json()))
            except WorkbookError as error:
                refused.add(str(error))
                continue
            assert all(book.formulas(name) for name, e in book.plan.items() if e.args and not book.plan.is_view(name))
            assert all(tab_lesson(book, tab).title for tab in book.layout.tabs)
    assert refused == {"the card has the extra heads, which needs points, without it"}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"extras": ["points", "surgery"]}, "not those"),
        ({"extras": ["points", "points"]}, "not those"),
        ({"extras": "points"}, "not those"),
        ({"extras": ["points"], "stages": "h0"}, "its stages are h0"),
        *(({"steps": steps}, "steps are") for steps in (-1, 9, 1001, True, 1.0, "1")),  # of a model that sees 8 tokens
        *(({"about": about}, "says of its model") for about in (5, ["x"] * 4, ["a\nb"], ["x" * 301], [1])),
        *(({"dialect": dialect}, "dialect|cannot be read") for dialect in ("", "lambda", 1, ["arrays"])),
    ],
)
def test_a_card_of_odd_extras_is_refused(entry: dict[str, object], told: str) -> None:
    card = json.loads(Card("x", ModelConfig(7, 8, 4, 2, 1), 3).to_json())
    with pytest.raises(WorkbookError, match=told):
        Card.from_json(json.dumps(card | entry))
