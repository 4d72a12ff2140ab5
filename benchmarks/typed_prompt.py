"""How long LibreOffice takes to follow a typed prompt in an open workbook: each case against its budget, in one run.

    python benchmarks/typed_prompt.py

The default workbook, and the tokenizer's tabs over GPT-2's vocabulary (50,000 merges, no model). Wall seconds of
recalculation, by a macro inside LibreOffice; loading is not counted.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests' driver of LibreOffice

from sheetgpt.build import build
from sheetgpt.models.weights import find_model
from tests.conftest import front_book
from tests.corpus import held_prompts
from tests.office import typed
from tests.oracles import GPT2
from tests.test_live import with_vocabulary

LIMITS = {"default workbook": 5.0, "GPT-2's vocabulary": 15.0}


def main() -> None:
    prompts = held_prompts()
    over = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        books = {case: folder / f"{i}.xlsx" for i, case in enumerate(LIMITS)}
        build(find_model("fable"), "Mike is quick. He moves", books["default workbook"], check=False)
        front_book(with_vocabulary(folder / "gpt2", GPT2), books["GPT-2's vocabulary"])
        print(f"{len(prompts)} prompts{'':<22}{'median':>9}{'worst':>9}{'budget':>9}")
        for case, book in books.items():
            seconds = [reading.seconds for reading in typed(book, "prompt.text", prompts, ["prompt.n"])]
            over += max(seconds) > LIMITS[case]
            print(f"{case:<32}{median(seconds):>9.2f}{max(seconds):>9.2f}{LIMITS[case]:>9}")
    sys.exit(over > 0)


if __name__ == "__main__":
    main()
