"""Pages in a headless Chromium, and what went wrong in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")


@dataclass
class Opened:
    """A page in a window of its own user: what it asked for, and what its console and its errors said."""

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def all(self, selector: str) -> Any:
        return self.page.locator(selector)

    def drawn(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


OpenedT = TypeVar("OpenedT", bound=Opened)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips where playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def windows_of(browser: Any, kind: type[OpenedT], *, timeout_s: float) -> Iterator[Callable[..., OpenedT]]:
    """What opens an address in a window of its own; all are closed at the end."""
    contexts = []

    def window(address: str, *, width: int, height: int, scheme: str) -> OpenedT:
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(1000 * timeout_s)
        found = kind(context.new_page())
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.goto(address)
        return found

    yield window
    for context in contexts:
        context.close()
