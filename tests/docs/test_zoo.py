"""The table of public weights on the page of models is what the rows say."""

from inpaint.registry.zoo import public_weights
from pages import DOCS

HEAD = ("`--model`", "good for", "file", "verified by", "license of the weights", "what may be done with the results")


def line(cells):
    return f"| {' | '.join(cells)} |"


def table():
    """Return the lines of the table as they are to stand on the page."""
    rows = [
        (
            f"`{row.name}`",
            row.good_for,
            f"[{row.file}]({row.url})" + ("" if row.size_bytes is None else f", {row.size_bytes / 10**6:.0f} MB"),
            "nothing, the first download is recorded" if row.digest is None else row.digest.title,
            row.publisher.weights_license,
            row.use,
        )
        for row in public_weights().values()
    ]
    return [line(HEAD), "|" + "---|" * len(HEAD), *map(line, rows)]


def test_the_page_has_the_table_of_all_rows():
    page = (DOCS / "models.md").read_text(encoding="utf-8").splitlines()
    first = page.index(line(HEAD))
    found = page[first : page.index("", first)]
    assert found == table(), "\n".join(["the table on docs/models.md should be:", *table()])
