"""The command line as a user meets it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sheetgpt.build import Built
from sheetgpt.cli import COMMANDS, main
from sheetgpt.cli.options import default_path
from sheetgpt.models.weights import Weights, find_model

PROMPT = "Mike is quick. He moves"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def refused(result: Result, code: int, *says: str) -> None:
    """One clear line on stderr, the exit code, nothing else."""
    assert result.exit_code == code, result.output
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("sheetgpt: ")
    for text in says:
        assert text in lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3
    assert command in run("--help").output


def test_build_then_verify_then_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = run("build", "CAB", "--model", "sorter")  # of the default model: at the end of .ci/run
    path = Path("outputs/cab.sorter.xlsx")
    assert built.exit_code == 0
    assert f"{path}  (" in built.output
    assert "recalculated by ironcalc, equal to numpy" in built.output
    checked = run("verify", path)
    assert checked.exit_code == 0, checked.output
    assert "EQUAL: every cell is right" in checked.output
    assert run("verify", path, "--engine", "cached").exit_code == 4


def test_a_report_in_other_forms(tiny_book: Built, tiny: Weights) -> None:
    words = "verify", tiny_book.path, "--model", tiny.folder
    data = json.loads(run(*words, "--format", "json").output)
    assert data["faults"] == []
    table = run(*words, "--format", "csv").output.splitlines()
    assert table[0].split(",")[:3] == ["name", "tab", "op"]
    assert len(table) == 1 + len(data["rows"])
    assert "h1.mlp.post" in run(*words, "--places").output


def test_output_names_come_from_prompt_and_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("build", "CAB", "--model", "sorter", "--no-check")
    assert [p.name for p in Path("outputs").iterdir()] == ["cab.sorter.xlsx"]
    assert default_path("../../=A b", "x/../y").as_posix() == "outputs/a-b.x-y.xlsx"
    assert default_path("中文", "模型").as_posix() == "outputs/prompt.model.xlsx"
    assert len(default_path("word " * 99, "m" * 999).name) < 100


def test_a_prompt_that_is_refused_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run("build", ""), 2, "the prompt is empty")
    assert list(tmp_path.iterdir()) == []


def test_the_engines_that_verify_offers_are_those_there_are() -> None:
    from sheetgpt.cli.verify import OFFERED
    from sheetgpt.engines import ENGINES

    assert [*ENGINES, "cached"] == OFFERED


def test_generate_is_greedy_and_stops(sorter: Weights) -> None:
    assert run("generate", "CABBAC", "-n", 6, "--model", "sorter").output == "CABBACAABBCC\n"
    assert run("generate", "CABBAC", "-n", 99, "--model", "sorter").output == "CABBACAABBCC\n"  # context full
    story = run("generate", "Once upon a time", "-n", 12).output
    assert story.startswith("Once upon a time")
    assert len(story.split()) > 8


def test_generate_by_chance() -> None:
    def told(*knobs: str) -> str:
        return run("generate", "Once upon a time", "-n", 12, *knobs).output

    greedy, warm = told(), told("--temperature", "1", "--seed", "1")
    assert told("--temperature", "0", "--seed", "7", "--top-k", "3") == greedy
    assert told("--temperature", "2", "--top-k", "1", "--seed", "7") == greedy
    assert told("--temperature", "1", "--seed", "1") == warm != greedy
    assert len({told("--temperature", "1", "--seed", str(seed)) for seed in range(4)}) == 4


@pytest.mark.parametrize(
    "knob", [("--temperature", "-1"), ("--temperature", "nan"), ("--top-p", "0"), ("--top-p", "inf"), ("--seed", "-1")]
)
def test_generate_refuses_senseless_knobs(knob: tuple[str, str]) -> None:
    result = run("generate", "Once", *knob)
    assert result.exit_code == 2
    assert knob[0] in result.stderr


def test_generate_stops_at_the_end_of_text(tiny: Weights, tmp_path: Path) -> None:
    """A model whose head always prefers the last token, <|endoftext|>."""
    folder = Path(shutil.copytree(tiny.folder, tmp_path / "ends"))
    rows = (folder / "model_wte.csv").read_text().splitlines()
    zeros = ",".join("0" * tiny.config.n_embd)
    (folder / "model_wte.csv").write_text("\n".join([zeros] * (len(rows) - 1) + ["1" + zeros[1:]]) + "\n")
    (folder / "model_ln_f_b.csv").write_text("1000" + zeros[1:] + "\n")
    (folder / "model_ln_f_g.csv").write_text(zeros + "\n")
    assert Weights.open(folder).tokenizer().eot == len(rows) - 1
    assert run("generate", "the cat", "-n", 5, "--model", folder).output == "the cat\n"


def test_weights_that_overflow(sorter: Weights, broken: Path) -> None:
    lines = (broken / "model_wpe.csv").read_text().splitlines()
    (broken / "model_wpe.csv").write_text("\n".join(["1e200," + lines[0].partition(",")[2], *lines[1:]]) + "\n")
    refused(run("build", "CAB", "--model", broken, "--no-check", "-o", broken.parent / "x.xlsx"), 2, "overflows")


def test_generate_equals_the_reference(fable: Weights) -> None:
    from sheetgpt.generate import generate_ids
    from sheetgpt.models.reference import greedy

    c = fable.config
    ids = fable.tokenizer().encode("Once upon a time")
    want = greedy(fable, ids, 24, c.n_ctx, fable.tokenizer().eot, n_layer=c.n_layer, n_head=c.n_head, eps=c.eps)
    assert list(generate_ids(fable, "Once upon a time", 24)) == want


def test_tokens_shows_both_numberings_and_spaces() -> None:
    lines = run("tokens", "Mike is").output.splitlines()
    assert lines[0].split() == ["pos", "id", "row", "text", "bytes"]
    _, token, row, text, *_ = lines[-1].split()
    assert int(row) == int(token) + 1
    assert text == "␣is"


def test_explain_tells_shape_formula_meaning_inputs() -> None:
    out = run("explain", "h0.attn.head1.scores").output
    for text in ("[6 x 6]", "=IF(TRANSPOSE(prompt.pos)<=prompt.pos,", "Step 6", "h0.attn.head1.q", "read by"):
        assert text in out
    assert [line for line in run("explain", "5").output.splitlines() if line[0] != " "] == [
        line for name in "qkv" for line in run("explain", f"H0.attn.head0.{name}").output.splitlines() if line[0] != " "
    ]
    assert run("explain", "7").output.startswith("h0.attn.head0.pattern")
    assert run("explain", "blocks.0.mlp.hook_pre").output.startswith("h0.mlp.pre")
    refused(run("explain", "h0.mlp.pra"), 2, "did you mean h0.mlp.pre")


def test_engines_lists_three_and_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEETGPT_SOFFICE", "/nowhere/soffice")
    lines = run("engines").output.splitlines()
    assert [line.split()[0] for line in lines] == ["ironcalc", "libreoffice", "formulas"]
    assert "missing: apt-get install libreoffice-calc" in lines[1]


def test_a_missing_engine_says_how_to_install_it(tiny_book: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEETGPT_SOFFICE", "/nowhere/soffice")
    refused(run("verify", tiny_book.path, "--engine", "libreoffice"), 2, "not installed", "apt-get install")


def test_weights_info() -> None:
    assert "269,696 numbers" in run("weights", "info").output
    out = run("weights", "info", "sorter").output
    assert "85,728 numbers" in out
    assert "lm_head.w" in out
    assert "not the file" not in out


# ---- bad input ------------------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the sorter to break."""
    return Path(shutil.copytree(find_model("sorter").folder, tmp_path / "broken"))


def test_unknown_model_names_those_there_are(tmp_path: Path) -> None:
    refused(run("build", "x", "--model", "gpt5", "-o", tmp_path / "x.xlsx"), 2, "'gpt5'", "fable, sorter")
    refused(run("build", "x", "--model", tmp_path, "-o", tmp_path / "x.xlsx"), 2, "no manifest.json")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model_wpe.csv", None, "model_wpe.csv is missing"),
        ("model_wpe.csv", "1,2\n", "line 1 has 2 numbers, the config wants 48"),
        ("model_wpe.csv", "", "0 rows; the config wants 11 x 48"),
        ("model_wpe.csv", ("0," * 47 + "0\n") * 12, "more than 11 rows"),
        ("model_wpe.csv", ("0," * 47 + "NaN\n") * 11, "line 1, column 48 is 'NaN', not a finite number"),
        ("model_wpe.csv", ("0," * 47 + "inf\n") * 11, "not a finite number"),
        ("model_wpe.csv", ("0," * 47 + "=1+1\n") * 11, "column 48 is '=1+1'"),
        ("model_wpe.csv", ("0," * 47 + "\n") * 11, "column 48 is ''"),
        ("model_wpe.csv", ("0," * 47 + "true\n") * 11, "column 48 is 'true'"),
        ("model_wpe.csv", "9" * 5000, "model_wpe.csv"),
        ("model_wpe.csv", "\x00\xff", "model_wpe.csv"),
        ("manifest.json", "{", "cannot be read as JSON"),
        ("manifest.json", "[" * 100_000, "cannot be read as JSON"),
        ("manifest.json", "[]", "must hold a JSON object"),
        ("manifest.json", '{"config": {"n_vocab": 3}}', "config"),
        ("manifest.json", '{"config": {"n_vocab": "3"}}', "config"),
        ("encoder.json", '{"A": 0}', "encoder.json"),
    ],
)
def test_a_model_that_is_not_whole(broken: Path, file: str, content: str | None, says: str) -> None:
    (broken / file).unlink()
    if content is not None:
        (broken / file).write_text(content)
    out = broken.parent / "out.xlsx"
    result = run("build", "ABC", "--model", broken, "-o", out)
    if file == "encoder.json":
        assert result.exit_code == 2
    else:
        refused(result, 2, says)
    assert not out.exists()


def test_prompts_that_a_model_cannot_take(tmp_path: Path) -> None:
    out = tmp_path / "x.xlsx"
    refused(run("build", "", "-o", out), 2, "the prompt is empty")
    refused(run("build", "word " * 99, "-o", out), 2, "takes at most 64")
    refused(run("build", "abc", "--model", "sorter", "-o", out), 2, "'a'")
    refused(run("build", "A" * 40_000, "-o", out), 2, "32,767")
    refused(run("build", "Once upon a time", "--tokens", 2, "-o", out), 2, "cannot stand in 2 token rows")
    refused(run("build", "Once upon a time", "--tokens", 65, "-o", out), 2, "more than the 64")
    refused(run("generate", ""), 2, "the prompt is empty")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_are_not_there_or_not_writable(tmp_path: Path) -> None:
    refused(run("build", "CAB", "--model", "sorter", "-o", tmp_path / "no/x.xlsx"), 2, "cannot write into")
    refused(run("build", "CAB", "--model", "sorter", "-o", tmp_path), 2, "is a folder")
    if os.name == "posix" and os.geteuid() != 0:
        tmp_path.chmod(0o500)
        refused(run("build", "CAB", "--model", "sorter", "-o", tmp_path / "x.xlsx"), 2, "cannot write into")


def test_what_stood_there_stays_if_the_build_fails(tmp_path: Path) -> None:
    out = tmp_path / "x.xlsx"
    out.write_text("mine")
    refused(run("build", "abc", "--model", "sorter", "-o", out), 2)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"hello", b"a,b\n1,2\n", b"PK\x03\x04 not really", b"\xd0\xcf\x11\xe0" * 99])
def test_files_that_are_not_workbooks(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    refused(run("verify", path), 3, "x.xlsx")


def test_a_workbook_that_is_not_ours_or_not_there(tmp_path: Path) -> None:
    import openpyxl

    openpyxl.Workbook().save(tmp_path / "theirs.xlsx")
    refused(run("verify", tmp_path / "theirs.xlsx"), 3, "not a workbook that sheetgpt made")
    refused(run("verify", tmp_path / "nowhere.xlsx"), 3, "nowhere.xlsx")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_not_a_wrong_workbook() -> None:
    with Path("/dev/full").open("w") as full:
        code = [sys.executable, "-m", "sheetgpt", "tokens", "CAB", "--model", "sorter"]
        done = subprocess.run(code, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1)


def test_a_path_cannot_add_a_line(tmp_path: Path) -> None:
    refused(run("verify", tmp_path / "a\nEQUAL.xlsx"), 3, "a<0A>EQUAL.xlsx")


def test_a_truncated_workbook(tiny_book: Built, tmp_path: Path) -> None:
    data = tiny_book.path.read_bytes()
    (tmp_path / "half.xlsx").write_bytes(data[: len(data) // 2])
    refused(run("verify", tmp_path / "half.xlsx"), 3, "half.xlsx")


def test_a_workbook_without_one_of_its_tabs(tiny_book: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(tiny_book.path) as old, zipfile.ZipFile(tmp_path / "less.xlsx", "w") as new:
        for name in old.namelist():
            if name != "xl/worksheets/sheet5.xml":
                new.writestr(name, old.read(name))
    refused(run("verify", tmp_path / "less.xlsx"), 3, "less.xlsx")


def test_python_dash_m() -> None:
    code = [sys.executable, "-m", "sheetgpt", "tokens", "CAB", "--model", "sorter"]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 4
