"""The pages of the documentation as the tests read them: files, code blocks, command lines, links, anchors."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from inpaint.cli.main import VERBS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAM = r"(?:inpaint|python scripts/\w+\.py)"
_COMMAND = re.compile(rf"(?:^|(?<=\bdo )|(?<=; ))(?:[A-Z_]+=\S+ )*({_PROGRAM} [^;\n]+)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its language, its text, and the path in backticks that stands last before it."""

    language: str
    text: str
    path: str | None


def name_of(page: Path) -> str:
    """Return how a test calls the page."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return the page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks in order."""
    text, found, end = page.read_text(encoding="utf-8"), list[Block](), 0
    for match in _FENCE.finditer(text):
        paths = re.findall(r"`([\w/]+\.(?:py|yaml|toml))`", text[end : match.start()])
        found.append(Block(match[1], match[2], paths[-1] if paths else None))
        end = match.end()
    return found


def commands(page: Path) -> list[list[str]]:
    """Return the words of every command line of ours, in fenced blocks and in backticks, after `inpaint`.

    The scripts of a verb count as that verb; those that are none keep `python` and their path.
    """
    texts = [block.text for block in blocks(page) if block.language in ("", "bash", "console", "sh")]
    texts += [one for one in re.findall(r"`([^`\n]+)`", prose(page)) if re.match(_PROGRAM + " ", one)]
    found = []
    for text in texts:
        for name, value in re.findall(r"for (\w+) in ([^\s;]+)", text):
            text = text.replace(f"${name}", value)
        for match in _COMMAND.finditer(text.replace("\\\n", " ")):
            words = shlex.split(match[1], comments=True)
            if "..." not in words and "VERB" not in match[1]:
                found.append(words[1:] if words[0] == "inpaint" else _verb_of_script(words))
    return found


def _verb_of_script(words: list[str]) -> list[str]:
    verb = Path(words[1]).stem.replace("_", "-")
    return [verb, *words[2:]] if verb in VERBS else words


def links(page: Path) -> list[str]:
    """Return the targets of all links and images of a page, those to other sites left out."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
