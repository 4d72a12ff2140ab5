"""Make the README's pictures, `docs/attention.png` and `docs/ladder.png`, from workbooks as they are built.

python docs/picture.py          (needs soffice, pdftoppm and ImageMagick)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple


class Picture(NamedTuple):
    """Bands (top, height) of a tab's page at a resolution, one below the other."""

    name: str
    prompt: str
    tab: str
    dpi: int
    left: int
    width: int
    bands: list[tuple[int, int]]
    fixed: bool  # as many rows as the prompt has tokens


BANDS = [(150, 66), (405, 178), (1135, 178)]  # the head, the scores, the pattern
PICTURES = [
    Picture("attention.png", "Mike is quick. He moves", "h2 attention", 220, 140, 1190, BANDS, True),
    Picture("ladder.png", " quick", "Merges", 260, 175, 1120, [(182, 52), (298, 186)], False),
]


def main() -> None:
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as name:
            draw(picture, Path(name))


def draw(picture: Picture, folder: Path) -> None:
    from sheetgpt.build import Room, build
    from sheetgpt.models.weights import find_model

    built = build(find_model("fable"), picture.prompt, folder / "book.xlsx", Room(fixed=picture.fixed), check=False)
    page = 1 + [tab.name for tab in built.blueprint.layout.tabs].index(picture.tab)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    convert = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(built.path)]
    subprocess.run(convert, check=True, capture_output=True)
    pages = ["-f", str(page), "-l", str(page), "-singlefile", "-r", str(picture.dpi), "-png"]
    for i, (top, height) in enumerate(picture.bands):
        crop = ["-x", str(picture.left), "-y", str(top), "-W", str(picture.width), "-H", str(height)]
        subprocess.run(["pdftoppm", *pages, *crop, folder / "book.pdf", folder / f"band{i}"], check=True)
    out = Path(__file__).with_name(picture.name)
    bands = [folder / f"band{i}.png" for i in range(len(picture.bands))]
    subprocess.run(["convert", *bands, "-append", "-strip", "+dither", "-colors", "64", out], check=True)
    print(f"{out}: page {page}, tab {picture.tab}")


if __name__ == "__main__":
    sys.exit(main())
