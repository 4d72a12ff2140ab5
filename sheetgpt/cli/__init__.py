"""The command line. Commands are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
from typing import Any

import click

from sheetgpt import __version__
from sheetgpt.errors import SheetGPTError, one_line

# command -> the module that holds it, and its line of help
COMMANDS = {
    "build": ("sheetgpt.cli.build", "Write the workbook of a prompt."),
    "lessons": ("sheetgpt.cli.lessons", "Write the course: every demonstration as a living tab."),
    "plan": ("sheetgpt.cli.plan", "Tell what a build would give, before building."),
    "verify": ("sheetgpt.cli.verify", "Check a workbook: every cell, every formula, every weight."),
    "audit": ("sheetgpt.cli.audit", "Check a workbook that others made, by a map of its tabs."),
    "mutate": ("sheetgpt.cli.mutate", "Tell how many faulty copies of a workbook verify catches."),
    "grade": ("sheetgpt.cli.grade", "Mark workbooks whose blank places students have filled in."),
    "diff": ("sheetgpt.cli.diff", "Compare two workbooks: where they first differ."),
    "crosscheck": ("sheetgpt.cli.crosscheck", "Compare a workbook's logits with another implementation's."),
    "tour": ("sheetgpt.cli.tour", "Walk through a workbook in the terminal, stage by stage."),
    "trace": ("sheetgpt.cli.trace", "Tell what a cell is computed from, with values."),
    "export": ("sheetgpt.cli.export", "Write a handout of a workbook: a page for each tab."),
    "recalc": ("sheetgpt.cli.recalc", "Type values into a workbook and compute every formula anew."),
    "generate": ("sheetgpt.cli.text", "Continue a prompt, token by token."),
    "tokens": ("sheetgpt.cli.text", "Cut a prompt into tokens."),
    "near": ("sheetgpt.cli.near", "Tell the tokens nearest to a token, by cosine and by distance."),
    "analogy": ("sheetgpt.cli.near", "Tell which token is to C as B is to A."),
    "explain": ("sheetgpt.cli.explain", "Tell of a place: its shape, formula, meaning and inputs."),
    "engines": ("sheetgpt.cli.explain", "List the programs that can recalculate a workbook."),
    "weights": ("sheetgpt.cli.weights", "Import, fetch, export models, and look at them."),
    "bpe": ("sheetgpt.cli.bpe", "Learn a vocabulary from a text."),
    "train": ("sheetgpt.cli.train", "Train the bundled models anew (needs PyTorch)."),
}


def _end_tidily() -> None:
    """Let a closed terminal or a `kill` end like any other error, so that engines and temporary files go too."""
    with contextlib.suppress(ValueError):  # not the main thread
        for name in ("SIGTERM", "SIGHUP"):
            if number := getattr(signal, name, None):
                signal.signal(number, lambda got, _: sys.exit(128 + got))


class Commands(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[name][0]), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        _end_tidily()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(130)
        except MemoryError:
            click.echo("sheetgpt: out of memory", err=True)
            sys.exit(3)
        except SheetGPTError as error:
            click.echo(f"sheetgpt: {one_line(error)}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            click.echo(f"sheetgpt: cannot write what there is to say ({error.strerror})", err=True)
            os._exit(3)  # what is left in the buffer cannot be written either


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sheetgpt")
def main() -> None:
    """GPT-2 as a spreadsheet: every number a formula, every cell proven."""
