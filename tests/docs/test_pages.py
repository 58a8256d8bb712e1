"""What the pages say holds: links lead somewhere, commands can be called, keys exist."""

import pytest

from pages import DOCS, PAGES, ROOT, anchors, links, name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading(page):
    for target in links(page):
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{target}: no such file"
        assert file.is_relative_to(ROOT), f"{target}: leads out of the repository"
        if anchor:
            assert anchor in anchors(file), f"{target}: no such heading; {sorted(anchors(file))}"


def test_the_readme_stays_short_enough_to_be_read():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_page_is_in_the_sites_navigation_and_linked_from_the_start():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    start = {target.partition("#")[0] for target in links(DOCS / "index.md")}
    for page in DOCS.glob("*.md"):
        assert page.name in navigation
        assert page.name == "index.md" or page.name in start


def test_images_of_the_pages_are_small():
    for image in [*(DOCS / "images").iterdir(), *(DOCS / "examples").iterdir()]:
        assert image.stat().st_size < 100_000, image
    assert (DOCS / "readme.png").stat().st_size < 500_000
