"""Every format against everything that a file may hold: kept, or named; and the table of it in the docs."""

import pytest

from holding import HOLE, THINGS
from inpaint.images.reading import read_photo
from inpaint.images.writing import write_photo
from inpaint.pipeline import fill_photo
from inpaint.system.extras import is_installed
from pages import DOCS

FORMATS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
    "HEIC": ".heic",
}
# Gray is written as three equal channels where there is no gray: nothing is lost, and nothing said.
SAID_BY_NOTHING = {("gray", "WebP"), ("gray", "AVIF")}


def proven(thing, suffix, folder, inpainter, messages):
    """Return "kept" or "named" after filling a file that holds the thing, or "lost" where nothing is said."""
    source, result = folder / f"a{thing.suffix}", folder / f"out{suffix}"
    thing.make(source)
    filled = fill_photo(read_photo(source, first_page=False), HOLE, inpainter)
    messages.clear()
    write_photo(filled, result)
    assert len(messages.records) <= 1, "one warning for one file"
    if thing.kept(result):
        return "kept"
    return "named" if thing.word and thing.word in messages.text else "lost"


@pytest.fixture(scope="module")
def documented():
    """The table of the page on filling: a cell by row and column."""
    page = (DOCS / "filling.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    (head,) = [row for row in rows if row[1:] == list(FORMATS)]
    body = rows[rows.index(head) + 2 :]
    return {
        (row[0], column): cell for row in body[: len(THINGS)] for column, cell in zip(FORMATS, row[1:], strict=True)
    }


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: thing.name)
def test_what_a_file_holds_is_kept_or_named_as_the_page_says(tmp_path, thing, documented, gray_inpainter, caplog):
    found = {}
    for column, suffix in FORMATS.items():
        if column == "HEIC" and not is_installed("formats"):
            found[column] = documented.get((thing.name, column))
            continue
        found[column] = proven(thing, suffix, tmp_path, gray_inpainter, caplog)
        if (thing.name, column) in SAID_BY_NOTHING:
            found[column] = "as RGB"
    line = f"| {thing.name} | {' | '.join(found.values())} |"
    assert "lost" not in found.values(), line
    assert {column: documented.get((thing.name, column)) for column in FORMATS} == found, line
