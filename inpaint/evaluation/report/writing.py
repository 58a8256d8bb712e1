"""From a Report to one file: its data as JSON inside, style and script inside, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np

from inpaint import __version__
from inpaint.evaluation.curves import counts_in_powers, is_exact, shown_keys
from inpaint.evaluation.differences import Difference
from inpaint.evaluation.report.content import ALL, MASKED, ORIGINAL, Entry, Example, Report
from inpaint.evaluation.report.thumbnails import BUDGET_BYTES, thumbnails
from inpaint.system.files import write_text
from inpaint.types import ProgressCallback
from inpaint.weights.curves import Curve, Run

SCRIPTS = ("common.js", "table.js", "charts.js", "gallery.js", "viewer.js", "main.js")
POINTS = 500
"""Most points of a curve on the page; longer ones are averaged in groups."""
DIGITS = 6  # of the numbers in the page


def write_report(
    path: str | Path, report: Report, *, budget_bytes: int = BUDGET_BYTES, progress: ProgressCallback | None = None
) -> None:
    """Write the page, one HTML file that needs neither network nor server.

    Small pictures are inside the file. The full ones stay where they are and are opened by their place relative to the
    page, so folder and page move together; where a full one is missing the page shows the small one.

    Args:
        path: The page; its folder exists.
        report: What it shows.
        budget_bytes: Of the small pictures together (`thumbnails`).
        progress: Counts small pictures.

    Raises:
        WriteError: The page cannot be written.
    """
    path = Path(path)
    sources = files("inpaint.evaluation.report") / "page"
    style = (sources / "page.css").read_text(encoding="utf-8")
    parts = [(sources / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    page = Template((sources / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(_readable(report.title)),
        policy=_policy(style, script),
        style=style,
        data=_json(_data(report, path.parent, budget_bytes, progress)),
        script=script,
    )
    write_text(path, page)


def _policy(style: str, script: str) -> str:
    """Allow what is inside this file, and pictures of this folder; nothing else runs or is asked for."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"

    rules = {
        "default-src": "'none'",
        "img-src": "data: 'self' file:",
        "style-src": hashed(style),
        "script-src": hashed(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON in ASCII that ends no element, whatever the texts are; bytes that are no text stay apart."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _data(report: Report, folder: Path, budget_bytes: int, progress: ProgressCallback | None) -> dict[str, Any]:
    """Return what the script reads; models, masks, measures and buckets are told by their place in their list."""
    names = [column.name for column in report.measures]
    directed = [column.name for column in report.measures if column.better != "neither"]
    main = report.main or (directed or names or [""])[0]
    models = _places(report.models)
    first, second, *_ = [*(models[name] for name in _ranked(report, main)), 0, 0]
    return {
        "title": report.title,
        "facts": [[fact.term, fact.text, fact.code] for fact in report.facts],
        "command": report.command,
        "notes": list(report.notes),
        "foot": f"Made by inpaint {__version__}. Full pictures are read from the folder they lie in; all else is here.",
        "start": {"measure": _places(names).get(main, 0), "a": first, "b": second},
        "measures": [asdict(column) for column in report.measures],
        "words": asdict(report.words),
        "masks": list(report.masks),
        "models": list(report.models),
        "buckets": list(report.buckets),
        **_numbers_of(report),
        "runs": [run.label for run in report.runs],
        "panels": _panels(report.runs),
        **_gallery(report, folder, budget_bytes, progress),
    }


def _numbers_of(report: Report) -> dict[str, Any]:
    """Return entries and differences as lists, short since they are many."""
    masks, models = _places(report.masks), _places(report.models)
    columns = _places([column.name for column in report.measures])
    buckets = {**_places(report.buckets), ALL: -1}

    def entry(e: Entry) -> list[Any]:
        place = [masks[e.mask], buckets[e.bucket], models[e.model], columns[e.measure]]
        return [*place, *_numbers(e.mean, e.low, e.high), e.n, e.mark]

    def difference(d: Difference) -> list[Any]:
        place = [masks[d.mask], buckets[d.bucket], columns[d.measure], models[d.model], models[d.against]]
        return [*place, *_numbers(d.mean, d.low, d.high, d.p_holm, d.wins, d.losses), d.n, d.verdict]

    return {
        "entries": [entry(e) for e in report.entries if e.bucket in buckets],
        "differences": [difference(d) for d in report.differences if d.bucket in buckets],
    }


def _gallery(report: Report, folder: Path, budget_bytes: int, progress: ProgressCallback | None) -> dict[str, Any]:
    """Return photos, originals [thumbnail, file] by photo, and examples; each file is read once."""
    shown = (MASKED, *report.models)
    photos = _places(dict.fromkeys(example.image for example in report.examples))
    originals = {e.image: e.pictures[ORIGINAL] for e in report.examples if ORIGINAL in e.pictures}
    places = [e.pictures[name] for e in report.examples for name in shown if name in e.pictures]
    wanted = list(dict.fromkeys([*places, *originals.values()]))
    small = dict(zip(wanted, thumbnails(wanted, budget_bytes=budget_bytes, progress=progress), strict=True))
    masks, buckets = _places(report.masks), _places(report.buckets)

    def pictures(paths: Sequence[Path | None]) -> tuple[list[str | None], list[str | None]]:
        thumbs = [None if path is None else small[path] for path in paths]
        return thumbs, [None if path is None else _address(path, folder) for path in paths]

    def example(each: Example) -> list[Any]:
        values = [_numbers(*(each.values.get(m, {}).get(c.name) for c in report.measures)) for m in report.models]
        bucket = -1 if each.bucket is None else buckets.get(each.bucket, -1)
        thumbs, places = pictures([each.pictures.get(name) for name in shown])
        return [photos[each.image], masks[each.mask], *_numbers(each.ratio), bucket, values, thumbs, places]

    return {
        "photos": list(photos),
        "originals": [[one[0] for one in pictures([originals.get(image)])] for image in photos],
        "examples": [example(each) for each in report.examples],
    }


def _address(path: Path, folder: Path) -> str:
    """Return the address of a file relative to the page, whatever bytes its name has."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:  # another drive
        return path.resolve().as_uri()
    return quote(os.fsencode(relative.replace(os.sep, "/")))


def _panels(runs: Sequence[Run]) -> list[dict[str, Any]]:
    panels = []
    for name in shown_keys(runs) if runs else ():
        there = [(index, run.curves[name]) for index, run in enumerate(runs) if name in run.curves]
        lines = [[index, *_thinned(curve)] for index, curve in there]
        log = counts_in_powers(np.concatenate([curve.values for _, curve in there]))
        panels.append({"name": name, "log": log, "exact": is_exact(name), "lines": lines})
    return panels


def _thinned(curve: Curve) -> tuple[list[int], list[float | None]]:
    """Return at most POINTS points: means of groups of neighbors, each at the group's last iteration."""
    size = math.ceil(len(curve.values) / POINTS)
    xs, ys = [], []
    for start in range(0, len(curve.values), size):
        group = curve.values[start : start + size]
        xs.append(int(curve.iterations[start : start + size][-1]))
        ys.append(float(group.mean()) if np.isfinite(group).all() else None)
    return xs, _numbers(*ys)


def _numbers(*values: float | None) -> list[float | None]:
    """Return numbers short enough to be many; None for what is none or not finite."""
    return [None if v is None or not math.isfinite(v) else float(f"{v:.{DIGITS}g}") for v in values]


def _places(names: Sequence[str] | Mapping[str, Any]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def _ranked(report: Report, main: str) -> list[str]:
    """Return the models from the best to the worst by the main measure on the first kind of mask, then all others."""
    lower = any(column.name == main and column.better == "lower" for column in report.measures)
    means = [
        (e.mean, e.model)
        for e in report.entries
        if (e.measure, e.bucket) == (main, ALL) and e.mask in report.masks[:1] and e.mean is not None
    ]
    ranked = [model for _, model in sorted(means, reverse=not lower)]
    return [*ranked, *(model for model in report.models if model not in ranked)]
