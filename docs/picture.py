"""Make the README's pictures, `docs/attention.png` and `docs/ladder.png`, from workbooks as they are built.

python docs/picture.py          (needs soffice, pdftoppm, pdftotext and Pillow)

What is cut out is found by its words, wherever they stand on the page.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_PAGE, _WORD = (
    re.compile(r"<page .*?</page>", re.DOTALL),
    re.compile(r'<word xMin="(.*?)" yMin="(.*?)".*?>(.*?)</word>'),
)


class Band(NamedTuple):
    """What stands on a page from the line of one word on to that of another."""

    first: str
    after: str


class Picture(NamedTuple):
    """Bands of the tab whose page says `title`, one below the other."""

    name: str
    prompt: str
    title: str
    dpi: int
    width: float  # of the page
    bands: list[Band]
    fixed: bool  # as many rows as the prompt has tokens


class Word(NamedTuple):
    """A word of a page, and where it begins in points."""

    x: float
    y: float
    text: str


PICTURES = [
    Picture("attention.png", "Mike is quick. He moves", "Block 3 (h2), steps 4 to 10", 200, 0.62,
            [Band("Block", "Where"), Band("h2.attn.head0.scores", "h2.attn.head0.max"),
             Band("h2.attn.head0.pattern", "h2.attn.head0.last")], True),
    Picture("ladder.png", " quick", "Merges: each word climbs its ladder", 200, 0.62,
            [Band("Merges:", "Where"), Band("merges.text", "")], False),
]  # fmt: skip


def main() -> None:
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as name:
            draw(picture, Path(name))


def draw(picture: Picture, folder: Path) -> None:
    """Build, print, cut, and put together."""
    from sheetgpt.build import Room, build
    from sheetgpt.models.weights import find_model

    built = build(find_model("fable"), picture.prompt, folder / "book.xlsx", Room(fixed=picture.fixed), check=False)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    convert = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(built.path)]
    subprocess.run(convert, check=True, capture_output=True)
    pages = words_of(folder / "book.pdf")
    pieces = []
    for i, band in enumerate(picture.bands):
        page, top, bottom = find(pages, picture.title, band)
        pieces.append(cut(folder, f"band{i}", picture, page, top, bottom))
    out = Path(__file__).with_name(picture.name)
    together(pieces, out)
    print(f"{out}: {picture.title}")


def words_of(pdf: Path) -> list[list[Word]]:
    """The words of each page."""
    text = subprocess.run(["pdftotext", "-bbox", pdf, "-"], check=True, capture_output=True, text=True).stdout
    return [[Word(float(x), float(y), word) for x, y, word in _WORD.findall(page)] for page in _PAGE.findall(text)]


def find(pages: list[list[Word]], title: str, band: Band) -> tuple[int, float, float]:
    """Page, from 1, and top and bottom in points of a band of a tab, which may have several pages."""
    for number, words in enumerate(pages, 1):
        if " ".join(word.text for word in words).startswith(title) and (top := heading(words, band.first)) is not None:
            bottom = heading(words, band.after) if band.after else None
            return number, top, bottom if bottom is not None else top + 122
    raise SystemExit(f"no page of {title!r} shows {band.first!r}: mend PICTURES")


def heading(words: list[Word], text: str) -> float | None:
    """Where a line begins that starts with a word: a title, or a place with its shape behind it."""
    said = [word.text for word in words]
    for i, word in enumerate(words):
        shape = said[i + 1 : i + 4]  # such as [10, x, 10]
        if word.text == text and ("." not in text or (len(shape) == 3 and shape[0][0] == "[" and shape[1] == "x")):
            return word.y
    return None


def cut(folder: Path, name: str, picture: Picture, page: int, top: float, bottom: float) -> Path:
    """A band as a picture."""
    scale = picture.dpi / 72
    crop = ["-x", "40", "-y", str(round(top * scale)), "-W", str(round(picture.width * 595 * scale))]
    crop += ["-H", str(round((bottom - top) * scale))]
    pages = ["-f", str(page), "-l", str(page), "-singlefile", "-r", str(picture.dpi), "-png"]
    subprocess.run(["pdftoppm", *pages, *crop, folder / "book.pdf", folder / name], check=True)
    return folder / f"{name}.png"


def together(pieces: list[Path], out: Path) -> None:
    """One picture of several, one below the other, in few colours."""
    from PIL import Image

    images = [Image.open(piece).convert("RGB") for piece in pieces]
    whole = Image.new("RGB", (images[0].width, sum(image.height for image in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    whole.quantize(128, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
