"""What the pages point to is there: files, headings, images, and the code that the API pages are made from."""

import re

import pytest

from pages import DOCS, PAGES, ROOT, anchors, links, name_of

API = sorted((DOCS / "reference").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading(page):
    for target in links(page):
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        assert file.exists(), f"{target}: no such file"
        assert file.is_relative_to(ROOT), f"{target}: leads out of the repository"
        if anchor:
            assert anchor in anchors(file), f"{target}: no such heading; {sorted(anchors(file))}"


def test_every_page_is_in_the_navigation_of_the_site_and_linked_from_its_start():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for folder in (DOCS, DOCS / "reference"):
        start = {target.partition("#")[0] for target in links(folder / "index.md")}
        for page in folder.glob("*.md"):
            assert page.relative_to(DOCS).as_posix() in navigation
            assert page.name == "index.md" or page.name in start


@pytest.mark.parametrize("page", API, ids=name_of)
def test_the_api_pages_name_modules_and_functions_that_exist(page):
    for name in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        path = ROOT / name.replace(".", "/")
        if not path.with_suffix(".py").is_file() and not (path / "__init__.py").is_file():
            source = path.parent.with_suffix(".py").read_text(encoding="utf-8")
            assert re.search(rf"^(?:def|class) {path.name}\b", source, re.MULTILINE), name


def test_images_of_the_pages_are_small():
    for image in [*(DOCS / "images").iterdir(), *(DOCS / "examples").iterdir()]:
        assert image.stat().st_size < 100_000, image
    assert (DOCS / "readme.png").stat().st_size < 500_000
