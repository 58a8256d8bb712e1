"""The site holds the pages alone: links out of `docs/`, into the repository, become their text there."""

import re
from typing import Any


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page without its links out of `docs/`."""
    above = "../" * (page.file.src_uri.count("/") + 1)
    return re.sub(rf"(?<!!)\[([^]]+)\]\({re.escape(above)}[^)]*\)", r"\1", markdown)
