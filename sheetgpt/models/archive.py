"""Weights as GPT-2's circulate for spreadsheets and for numpy: a folder or a zip of CSV files, or an .npz."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sheetgpt.errors import WeightError
from sheetgpt.models import foreign, huggingface
from sheetgpt.models.config import ModelConfig, Shape
from sheetgpt.models.files import Files, opened, zip_names
from sheetgpt.models.npy import read_header
from sheetgpt.models.stored import CsvFile, NpyFile, Stored

_PREFIX = "model_"
_LONGEST_LINE = 1 << 24
_MOST_ROWS = 1_048_576  # of any table
_FLAT_NAME = re.compile(r"model_(?:h(0|[1-9]\d{0,2})_)?(.+)", re.ASCII)
_FLAT = {
    name.replace(".", "_"): name
    for name in (name.removeprefix("h0.") for name in ModelConfig(2, 1, 2, 1, 1, tied=False).shapes())
}
_CONFIGS = ("config.json", "hparams.json", "manifest.json")


class Found(NamedTuple):
    """A model of another hand: what is known of it before its numbers are read."""

    config: ModelConfig
    stored: dict[str, Stored]
    notes: list[str]


@dataclass(frozen=True)
class _Table:
    """A file that holds one weight, and its shape as far as it is told without reading it whole."""

    path: Path
    member: str
    shape: tuple[int, ...] | None  # None for a CSV file, which is measured when it must be


def open_tables(files: Files, heads: int | None) -> Found:
    """`model_wte.csv` and its like (or .npy) in a folder or a zip; raises `WeightError`."""
    where = files.path.name
    tables: dict[str, _Table] = {}
    for name in files.members:
        stem, dot, kind = name.rpartition(".")
        if name.startswith(_PREFIX) and f"{dot}{kind}" in (".csv", ".npy"):
            path, member = files.place(name)
            shape = None if kind == "csv" else _npy_shape(path, member, name)
            if tables.setdefault(stem, table := _Table(path, member, shape)) is not table:
                raise WeightError(f"{where}: has {stem} twice, as .csv and as .npy")
    return _found(where, files, tables, heads)


def open_npz(path: Path, heads: int | None) -> Found:
    """The arrays of an .npz, by OpenAI's names, ours or Hugging Face's; raises `WeightError`."""
    tables = {}
    for member in zip_names(path):
        if not member.endswith(".npy"):
            raise WeightError(f"{path.name}: {member:.80} is no array; save the weights with numpy.savez")
        tables[member.removesuffix(".npy")] = _Table(path, member, _npy_shape(path, member, member))
    return _found(path.name, Files.in_folder(path.parent), tables, heads)


def _npy_shape(path: Path, member: str, name: str) -> tuple[int, ...]:
    with opened(path, member) as file:
        return read_header(file, name).shape


def _found(where: str, files: Files, tables: Mapping[str, _Table], heads: int | None) -> Found:
    spelt = foreign.by_our_names({name: name for name in tables}, where, _our_name)
    ours = {name: tables[theirs] for name, theirs in spelt.items()}
    said, says_tied = _config(files)
    config, notes = (said, []) if said else _measured(where, ours, heads)
    foreign.check_names(where, config, ours, spelt)
    shapes = config.shapes() | {"lm_head.w": (config.n_vocab, config.n_embd)}
    stored = {name: _stored(ours[name], spelt[name], shape) for name, shape in shapes.items() if name in ours}
    return Found(*foreign.settle_head(where, config, stored, says_tied), notes)


def _our_name(name: str) -> str:
    """`model_h0_attn_c_attn_w` -> `h0.attn.c_attn.w`; other spellings as `foreign` knows them."""
    flat = _FLAT_NAME.fullmatch(name)
    if flat is None or flat[2] not in _FLAT:
        return foreign.our_name(name)
    return f"h{flat[1]}.{_FLAT[flat[2]]}" if flat[1] else _FLAT[flat[2]]


def _stored(table: _Table, name: str, wanted: Shape) -> Stored:
    if table.shape is None:
        return CsvFile(table.path, wanted, member=table.member)
    return NpyFile(table.path, foreign.check_shape(name, table.shape, wanted), member=table.member)


def _config(files: Files) -> tuple[ModelConfig | None, bool]:
    """What a file beside the weights says, and whether it says that the head is tied."""
    name = next((name for name in _CONFIGS if name in files.members), None)
    if name is None:
        return None, False
    said = files.json(name)
    if name == "config.json":
        config = huggingface.config_from(said, str(files.path / name))
        return config, config.tied
    raw = said if name == "hparams.json" else said.get("config")
    if not isinstance(raw, dict):
        raise WeightError(f'{files.path / name}: has no "config"')
    config = ModelConfig.from_dict(raw)
    return config, config.tied and name != "hparams.json"  # which does not speak of the head


def _measured(where: str, tables: Mapping[str, _Table], heads: int | None) -> tuple[ModelConfig, list[str]]:
    """Sizes by the weights themselves, and what to say of that."""
    shapes = {name: _measure(table, name) for name, table in tables.items()}
    config = foreign.config_of_shapes(where, shapes, heads)
    chosen = "as --heads says" if heads else "64 wide each, as in every GPT-2 of OpenAI"
    return config, [f"no config: sizes as the weights have them, {config.n_head} heads, {chosen}"]


def _measure(table: _Table, name: str) -> tuple[int, ...]:
    """A table's shape; of a CSV file, only where the config depends on it are rows counted."""
    if table.shape is not None:
        return table.shape
    rows = cols = 0
    with opened(table.path, table.member) as file:
        for line in islice(iter(lambda: file.readline(_LONGEST_LINE), b""), 2 * _MOST_ROWS):
            if line.strip():
                rows, cols = rows + 1, cols or line.count(b",") + 1
            if rows and name not in ("wte", "wpe"):
                break
    return rows, cols
