"""The command line over hostile files, a process of its own for each: exit code, words, seconds, memory.

Starting Python and importing numpy takes longer than most files do. So one process imports everything, and forks for
each file: `python -m tests.hostile` reads a job a line and answers with a line, both JSON.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
SECONDS, MEMORY = 10.0, 1 << 30  # what no file may cost more than
_CODES = {0, 1, 2, 3, 4}


class Outcome(NamedTuple):
    """What came of one command."""

    code: int  # negative: the signal that ended it
    out: str
    err: str
    seconds: float  # on the wall
    cpu: float  # of it and all that it started
    memory: int  # bytes, of the largest process

    @property
    def reason(self) -> str:
        """Its one line."""
        return self.err.strip()

    def fault(self, seconds: float | None = None) -> str:
        """What is not as it must be; empty if nothing is. `seconds` in place of those on the wall."""
        took = self.seconds if seconds is None else seconds
        if "Traceback" in self.err + self.out:
            return f"traceback: {self.err.strip().splitlines()[-1][:200]}"
        if took > SECONDS:
            return f"took {took:.1f} s"
        if self.memory > MEMORY:
            return f"took {self.memory / 1e6:,.0f} MB"
        if self.code not in _CODES:
            return f"exit code {self.code}: {self.reason[-200:]}"
        if self.code in (2, 3) and not re.fullmatch(r"sheetgpt: [^\n]+\n", self.err):
            return f"exit code {self.code} without one line of reason: {self.err[:200]!r}"
        if self.code in (0, 1, 4) and (self.err or not self.out):
            return f"exit code {self.code} without a report alone: {self.err[:200]!r}"
        return ""


class Server:
    """Runs commands, each in a fork of a process that has imported all there is; used in a `with` block."""

    def __enter__(self) -> Server:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-m", "tests.hostile"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout
        self._process.stdout.close()

    def run(self, *args: str | Path, timeout: float = 60.0) -> Outcome:
        """`sheetgpt ARGS`; what takes longer than `timeout` is ended."""
        return self._ask({"args": [str(arg) for arg in args], "timeout": timeout})

    def differs(self, one: Path, other: Path) -> str:
        """How two workbooks differ to openpyxl: in tabs, names, formulas, values (to nine digits).

        Empty if they do not, or if it cannot read them.
        """
        done = self._ask({"same": [str(one), str(other)], "timeout": 120.0})
        return done.out.strip() if done.code == 0 else ""

    def _ask(self, job: dict[str, Any]) -> Outcome:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))


# ---- the server's side -----------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer jobs until there are no more."""
    import openpyxl  # noqa: F401

    import sheetgpt.check.reports
    import sheetgpt.check.verify
    import sheetgpt.cli.recalc
    import sheetgpt.cli.verify
    import sheetgpt.crosscheck
    import sheetgpt.engines.libreoffice
    import sheetgpt.recalc  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))._asdict()), flush=True)


def _forked(job: dict[str, Any]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        out, err, start = Path(name, "out"), Path(name, "err"), time.monotonic()
        pid = os.fork()
        if not pid:
            _work(job, out, err)
        _wait(pid, job["timeout"])
        _, status, used = os.wait4(pid, 0)
        seconds = time.monotonic() - start
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        words = [path.read_bytes().decode("utf-8", "replace") if path.exists() else "" for path in (out, err)]
        code = os.waitstatus_to_exitcode(status)
        return Outcome(code, *words, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _wait(pid: int, timeout: float) -> None:
    """Until a process ends; first asked to, then made to."""
    handle = os.pidfd_open(pid)
    try:
        for patience, sign in ((timeout, signal.SIGTERM), (5.0, signal.SIGKILL)):
            if select.select([handle], [], [], patience)[0]:
                return
            os.kill(pid, sign)
    finally:
        os.close(handle)


def _work(job: dict[str, Any], out: Path, err: Path) -> None:
    """In the fork: the command, as if called from a shell."""
    code = 70
    try:
        os.setsid()
        for number, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 16 << 30))  # for the machine's sake
        code = _compared(*job["same"]) if "same" in job else _called(job["args"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _called(args: list[str]) -> int:
    from sheetgpt.cli import main

    try:
        main(args, prog_name="sheetgpt")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1 if end.code else 0
    return 0


def _compared(one: str, other: str) -> int:
    """Print the first difference to openpyxl."""
    difference = next(_differences(Path(one), Path(other)), "")
    print(difference)
    return 0


def _differences(one: Path, other: Path) -> Iterator[str]:
    import openpyxl

    for values in (False, True):
        first, second = (openpyxl.load_workbook(path, data_only=values) for path in (one, other))
        if first.sheetnames != second.sheetnames:
            yield "tabs"
        names = [{name: d.attr_text for name, d in book.defined_names.items()} for book in (first, second)]
        if names[0] != names[1]:
            yield f"names: {set(names[0].items()) ^ set(names[1].items())}"
        for tab in first.sheetnames:
            one_cells, other_cells = (dict(_cells(book[tab])) for book in (first, second))
            for at in one_cells.keys() | other_cells.keys():
                was, now = one_cells.get(at), other_cells.get(at)
                if was != now and not _close(was, now):  # bodies of arrays look like constants to it
                    yield f"{tab}!{at}: {was!r:.60} and {now!r:.60}"


def _close(one: object, other: object) -> bool:
    return isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def _cells(sheet: Any) -> Iterator[tuple[str, object]]:
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value is not None:
                value = cell.value
                text = getattr(value, "text", None)
                if text is not None:
                    value = value.ref, text
                elif isinstance(value, int) and not isinstance(value, bool):
                    value = float(value)
                yield cell.coordinate, value


if __name__ == "__main__":
    serve()
