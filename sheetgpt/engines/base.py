"""Recalculation: other programs compute every formula again, from the inputs alone.

An engine gets a copy of the workbook from which every cached result was cut, works in a process of
its own under limits, and reports the cells that formulas compute. A cell it leaves empty is None.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import orjson

from sheetgpt.errors import EngineError, EngineMissingError
from sheetgpt.sheet.grid import Area, Block, CellError, Grid, Value, cells, size
from sheetgpt.sheet.runs import LEAST
from sheetgpt.sheet.strip import strip_caches

Values = Mapping[str, Grid]
Areas = dict[str, list[Area]]

TIMEOUT = 900.0  # seconds
MEMORY = 16 << 30  # bytes of address space
_XML = 1 << 20  # bytes of XML, inflated, for which an engine is allowed more

# Run before the program itself: a limit set in a child of a threaded parent needs no fork hook this way.
_LIMITED = """
import os, resource, sys
try:
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2]) + 1))
except (ValueError, OSError):
    pass
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execv(sys.argv[3], sys.argv[3:])
"""


class Engine(Protocol):
    """Something that computes the formulas of a workbook."""

    name: str

    def version(self) -> str | None:
        """The version installed, None if it is not; cheap."""
        ...

    def hint(self) -> str:
        """How to install it, in one line."""
        ...

    def recalculate(self, path: Path, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> Values:
        """Every cell that a formula computes, by tab; `timeout` in seconds, `memory` in bytes.

        Raises `WorkbookError` for a file that is refused, `EngineMissingError`, `EngineError`.
        """
        ...


def require(engine: Engine) -> None:
    """Raise `EngineMissingError` with the way to install it, unless the engine is there."""
    if engine.version() is None:
        raise EngineMissingError(f"{engine.name} is not installed: {engine.hint()}")


class Allowance(NamedTuple):
    """What an engine may use for a workbook: so much, and so much more for each MiB of its XML.

    Several times what honest workbooks need, so that a formula that would compute for ever ends soon.
    """

    seconds: float  # of the processor: a busy machine does not make them pass
    more_seconds: float
    memory: int
    more_memory: int

    def of(self, path: Path) -> tuple[float, int]:
        """Seconds and bytes for a workbook."""
        with zipfile.ZipFile(path) as file:
            size = sum(info.file_size for info in file.infolist()) / _XML
        return self.seconds + self.more_seconds * size, int(self.memory + self.more_memory * size)


class WorkerEngine:
    """An engine that is a Python package of its name and works in `sheetgpt.engines.worker`."""

    def __init__(self, name: str, allowance: Allowance) -> None:
        self.name, self.allowance = name, allowance

    def version(self) -> str | None:
        """Version of the package."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    def hint(self) -> str:
        """How to install it."""
        return f"pip install {self.name}"

    def recalculate(self, path: Path, *, timeout: float = TIMEOUT, memory: int = MEMORY) -> Values:
        """As `Engine.recalculate`."""
        require(self)
        with tempfile.TemporaryDirectory(prefix="sheetgpt-") as folder:
            stripped, job, out = (Path(folder, name) for name in ("book.xlsx", "job.json", "out.json"))
            areas = strip_caches(path, stripped)
            job.write_bytes(orjson.dumps(areas))
            command = [sys.executable, "-m", "sheetgpt.engines.worker", self.name, stripped, job, out]
            seconds, most = self.allowance.of(stripped)
            run(self.name, [str(word) for word in command], Path(folder), timeout, min(memory, most), seconds)
            return unpack(self.name, areas, out)


def unpack(name: str, areas: Areas, out: Path) -> Values:
    """Values as the worker wrote them: a list for each tab, in the order of its areas' cells."""
    try:
        lists: dict[str, list[Any]] = orjson.loads(out.read_bytes())
    except (OSError, ValueError):
        raise EngineError(f"{name} ended without a result") from None
    return {tab: grid(found, lists[tab]) for tab, found in areas.items()}


def grid(areas: list[Area], values: list[Any]) -> Grid:
    """The values of areas' cells, in their order: large areas of numbers as blocks."""
    single: dict[tuple[int, int], Value] = {}
    blocks, start = [], 0
    for area in areas:
        part = values[start : start + size(area)]
        start += len(part)
        if len(part) >= LEAST and set(map(type, part)) <= {float, int}:
            blocks.append(Block.of(*area[:2], np.array(part, np.float64).reshape(area[2] - area[0] + 1, -1)))
        else:
            single.update(zip(cells(area), map(_loaded, part), strict=True))
    return Grid(single, blocks)


def _loaded(value: Any) -> Value:
    if isinstance(value, list):
        return CellError(value[0])
    return float(value) if type(value) is int else value


def run(
    name: str, command: Sequence[str], folder: Path, timeout: float, memory: int, processor: float = TIMEOUT
) -> None:
    """Run a program under limits, in a process group of its own that is gone when this returns.

    `timeout` is in seconds on the wall, `processor` in seconds of computing. Its messages go to a file in `folder`.
    Raises `EngineError` with one line, starting with `name`.
    """
    messages = folder / "messages.txt"
    with messages.open("wb") as log:
        process = subprocess.Popen(
            _limited(command, memory, processor),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise EngineError(f"{name} ran out of time after {timeout:g} s") from None
        finally:
            _kill(process)
    if os.name != "nt" and code == -signal.SIGXCPU:
        raise EngineError(f"{name} ran out of time: {processor:.0f} s of computing are enough for a file of this size")
    if code:
        raise EngineError(f"{name} failed: {_reason(code, messages)}")


def _limited(command: Sequence[str], memory: int, processor: float) -> list[str]:
    if os.name == "nt":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LIMITED, str(memory), str(math.ceil(processor)), *command]


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment, with a way to sheetgpt and `folder` for temporary files."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads reserve address space
    return {**os.environ, **one, "PYTHONPATH": os.pathsep.join(paths), "TMPDIR": str(folder)}


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started."""
    if sys.platform == "win32":
        if process.poll() is None:
            tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(tree, capture_output=True, check=False)
    else:
        _kill_group(process.pid)
    process.wait()


def _kill_group(group: int) -> None:
    """Kill a process group and wait, a second at most, until its last member is gone."""
    for _ in range(100):
        with contextlib.suppress(PermissionError):
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                return
        time.sleep(0.01)


def _reason(code: int, messages: Path) -> str:
    """One line about a program that failed: its last words, or the signal that ended it."""
    text = messages.read_bytes()[-4000:].decode("utf-8", "replace")
    if "MemoryError" in text or "memory allocation" in text or "bad_alloc" in text:
        return "it ran out of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if code < 0:
        return f"it was ended by signal {-code}; the file is perhaps more than it can take"
    return lines[-1][:300] if lines else f"exit status {code}"
