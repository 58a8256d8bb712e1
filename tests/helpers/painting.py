"""A page with the canvas and the results of `inpaint app`, whoever fills behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from browsing import Opened


class PaintingWindow(Opened):
    """The page in a window of its own user."""

    def open(self, file: Path | dict[str, Any]) -> None:
        """Choose a file, and wait until it is shown."""
        before = self.all(".ed").get_attribute("data-photo")
        self.page.set_input_files(".ed .file", file)
        self.page.wait_for_function(
            "before => (document.querySelector('.ed').dataset.photo || null) !== before", arg=before
        )

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a share of the photo's width and height is on the screen."""
        box = self.all(".stage").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def draw(self, tool: str, *points: tuple[float, float]) -> None:
        self.all(f"button[data-tool={tool}]").click()
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def inked(self) -> int:
        """Return how many pixels of the canvas are marked."""
        self.drawn()
        return self.page.evaluate(
            """() => { const ink = document.querySelector('.ink'); const data = ink.getContext('2d').getImageData(0, 0,
            ink.width, ink.height).data; let count = 0;
            for (let at = 3; at < data.length; at += 4) count += data[at] > 127; return count; }"""
        )

    def fill(self) -> None:
        """Press Fill and wait for a new result."""
        before = self.all(".rs").get_attribute("data-newest")
        self.all("#fill").click()
        self.page.wait_for_function(
            "before => (document.querySelector('.rs').dataset.newest || null) !== before", arg=before, timeout=60_000
        )

    def download(self, act: str) -> tuple[str, np.ndarray]:
        """Press a download of the shown result, "photo" or "mask"; return the file's name and its pixels."""
        with self.page.expect_download() as waiting:
            self.all(f"[data-act={act}]").click()
        found = waiting.value
        with Image.open(found.path()) as image:
            return found.suggested_filename, np.asarray(image)
