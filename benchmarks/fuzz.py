"""Mangled workbooks through the real command line: no traceback, no file over 10 s or 1 GB, always a reason.

    python benchmarks/fuzz.py [--each 4] [--dice 60] [--seed 0] [--only TEXT] [--command verify] [--engine ironcalc]

`--each` files of every kind in tests/mangle.py that means harm, `--dice` of every kind that is left to chance. What
verify finds equal is compared with the original by openpyxl. Exit code 1 if anything is wrong. Files that are to blame
stay in `--keep`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.hostile import Outcome, Server
from tests.mangle import Mangled, mangled, parts_of
from tests.test_fuzz import MODEL, make_bases


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as name, Server() as server:
        folder = Path(name)
        bases = make_bases(folder, options.bases.split(","))
        outcomes, faults, start = [], [], time.monotonic()
        for file in mangled(
            {base: parts_of(path) for base, path in bases.items()}, options.each, options.dice, options.seed
        ):
            if options.only not in file.kind:
                continue
            path = folder / "mangled.xlsx"
            path.write_bytes(file.data)
            outcome = _run(server, options, path, folder)
            fault = outcome.fault(outcome.cpu if options.cpu else None)
            if not fault and outcome.code == 0 and options.command == "verify":
                fault = server.differs(bases[file.base], path)
                fault = fault and f"taken for equal: {fault}"
            outcomes.append((file, outcome))
            if fault:
                faults.append(f"{file.kind} ({file.base}): {fault}")
                print("FAULT", faults[-1], flush=True)
                _keep(options.keep, file)
            if options.verbose:
                line = f"{outcome.code} {outcome.seconds:5.2f} s {outcome.cpu:5.2f} s {outcome.memory >> 20:5} MB"
                print(f"{line} {file.kind} ({file.base}): {outcome.reason[:150]}", flush=True)
        _table(outcomes)
        print(f"{len(outcomes)} files in {time.monotonic() - start:.0f} s, {len(faults)} faults")
        for fault in faults:
            print(" ", fault)
    sys.exit(bool(faults))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--dice", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--command", choices=["verify", "recalc", "crosscheck"], default="verify")
    parser.add_argument("--engine", default="ironcalc")
    parser.add_argument("--bases", default="fixed,live,slice")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--cpu", action="store_true", help="judge seconds of the processor: for a busy machine")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def _run(server: Server, options: argparse.Namespace, path: Path, folder: Path) -> Outcome:
    if options.command == "recalc":
        out = folder / "out.xlsx"
        out.unlink(missing_ok=True)
        done = server.run("recalc", path, "--engine", options.engine, "-o", out)
        assert out.exists() == (done.code == 0)
        return done
    if options.command == "crosscheck":
        return server.run("crosscheck", path, "--reference", folder / "logits.npz", "--model", folder / MODEL)
    patience = 60.0 if options.engine in ("ironcalc", "cached") else 200.0
    return server.run("verify", path, "--engine", options.engine, "--model", folder / MODEL, timeout=patience)


def _keep(folder: Path | None, file: Mangled) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "_" for c in f"{file.kind} {file.base}")
        (folder / f"{name}.xlsx").write_bytes(file.data)


def _table(outcomes: list[tuple[Mangled, Outcome]]) -> None:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for file, outcome in outcomes:
        groups[file.kind.partition(":")[0].partition(" of ")[0]].append(outcome)
    print(f"{'kind':<16}{'files':>6}  {'exit codes':<36}{'slowest':>9}{'largest':>9}")
    for kind, found in {**groups, "all": [outcome for _, outcome in outcomes]}.items():
        codes = ", ".join(f"{code}: {n}" for code, n in sorted(Counter(o.code for o in found).items()))
        slow, large = max(o.seconds for o in found), max(o.memory for o in found)
        print(f"{kind:<16}{len(found):>6}  {codes:<36}{slow:>7.1f} s{large / 1e6:>6.0f} MB")


if __name__ == "__main__":
    main()
