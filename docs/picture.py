"""Make `docs/attention.png`, the picture in the README, from a workbook as it is built, through LibreOffice.

python docs/picture.py          (needs soffice, pdftoppm and ImageMagick)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

PROMPT = "Mike is quick. He moves"
TAB = "h2 attention"
DPI = 220
LEFT, WIDTH = 140, 1190
BANDS = [(150, 66), (405, 178), (1135, 178)]  # top and height of the head, the scores, the pattern


def main() -> None:
    from sheetgpt.build import build
    from sheetgpt.models.weights import find_model

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(find_model("fable"), PROMPT, folder / "book.xlsx")
        page = 1 + [tab.name for tab in built.blueprint.layout.tabs].index(TAB)
        profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
        convert = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", name, str(built.path)]
        subprocess.run(convert, check=True, capture_output=True)
        pages = ["-f", str(page), "-l", str(page), "-singlefile", "-r", str(DPI), "-png"]
        for i, (top, height) in enumerate(BANDS):
            crop = ["-x", str(LEFT), "-y", str(top), "-W", str(WIDTH), "-H", str(height)]
            subprocess.run(["pdftoppm", *pages, *crop, folder / "book.pdf", folder / f"band{i}"], check=True)
        out = Path(__file__).with_name("attention.png")
        bands = [folder / f"band{i}.png" for i in range(len(BANDS))]
        subprocess.run(["convert", *bands, "-append", "-strip", "+dither", "-colors", "64", out], check=True)
        print(f"{out}: three bands of page {page}, tab {TAB}")


if __name__ == "__main__":
    sys.exit(main())
