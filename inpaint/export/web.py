"""A page that fills photos in the browser: one folder of files that any static server serves, without a backend.

Canvas and results are those of `inpaint app`; what a server does there, a worker does here with onnxruntime-web and a
pipeline graph (uint8 in, uint8 out, any size).
"""

from __future__ import annotations

import hashlib
import html
import json
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any

from inpaint import __version__
from inpaint.errors import InputError, UsageError, WriteError
from inpaint.export.formats import Request, export
from inpaint.export.web_runtime import WASM, BrowserRuntime, find_runtime
from inpaint.system.files import check_folder, check_name, is_folder
from inpaint.weights.graphs import GraphMetadata, read_graph

MOST_BYTES = 100_000_000
MOST_PIXELS = 24_000_000
"""What the page takes. A page of 32 bits has 4 GB at most, and a pipeline holds a photo several times, in float32."""

_GENERATOR = "inpaint export --web"
_RUNTIME = "onnxruntime-web"
_OWN = ("style.css", "main.js", "engine.js", "pixels.js", "worker.js")
_PARTS = {"editor.js": ("shapes.js", "layers.js", "editor.js"), "results.js": ("results.js",)}
"""Modules, of bodies of functions (see there) in the page of `inpaint app`."""
_SAMPLES = ("china.jpg", "flower.jpg")
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "worker-src": "'self' blob:",
    "connect-src": "'self'",
    "img-src": "'self' blob: data:",
    "style-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}


@dataclass(frozen=True)
class WebPage:
    """What was written.

    bytes: of all files; loaded_bytes: what a visitor loads to fill the first photo.
    """

    folder: Path
    bytes: int
    loaded_bytes: int


def check_page(folder: str | Path) -> None:
    """Raise InpaintError unless a page can be written to `folder`: it is absent, empty, or holds such a page alone.

    Args:
        folder: Where `write_page` is to write later: said now, before the work.
    """
    path = Path(folder)
    check_name(path)
    check_folder(path.parent)
    if not is_folder(path):
        if path.exists():
            raise UsageError(f"cannot write the page '{folder}': there is a file of that name")
        return
    held = sorted(each.name for each in path.iterdir())
    if held and not _is_page(path):
        raise UsageError(f"'{folder}' is not empty and holds no page of ours: name another folder, or empty it")
    foreign = [name for name in held if name not in _names()]
    if foreign:
        raise UsageError(
            f"'{folder}' holds '{foreign[0]}', which is no part of the page and would be lost: move it away"
        )


def export_page(folder: str | Path, request: Request, *, runtime: str | Path | None = None) -> WebPage:
    """Export a model as a page, see `write_page`.

    Args:
        folder: See `check_page`.
        request: The model, and the precision; where it would be written, and whether as a pipeline, does not matter.
        runtime: See `find_runtime`.

    Raises:
        UsageError: The folder holds something else, or the model reads more than photo and hole.
        InpaintError: The model cannot be exported, or onnxruntime-web cannot be had.
    """
    check_page(folder)
    found = find_runtime(runtime)
    with tempfile.TemporaryDirectory(prefix="inpaint-") as place:
        graph = Path(place) / "model.onnx"
        export("onnx", replace(request, output=graph, pipeline=True, interface="inpaint"))
        return write_page(folder, graph, found)


def write_page(folder: str | Path, graph: str | Path, runtime: BrowserRuntime) -> WebPage:
    """Write the folder of the page, whole or not at all; a page that is there is replaced.

    Args:
        folder: See `check_page`.
        graph: The ONNX file of a pipeline graph of the interface "inpaint", see `weights.graphs`.
        runtime: The browser's runtime.

    Raises:
        UsageError: The folder holds something else, or the model reads more than photo and hole.
        InpaintError: The file holds no such graph.
        WriteError: The folder cannot be written.
    """
    metadata = GraphMetadata.of(read_graph(graph).entries, path=graph)
    _check_graph(metadata, graph)
    check_page(folder)
    path = Path(folder).absolute()
    model = Path(graph).read_bytes()
    content = _content(model, metadata, runtime)
    token = secrets.token_hex(4)
    fresh, old = path.with_name(f".{path.name[:40]}.{token}.tmp"), path.with_name(f".{path.name[:40]}.{token}.old")
    try:
        for name, data in content.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(data)
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except OSError:
            with suppress(OSError):
                old.rename(path)
            raise
    except OSError as error:
        raise WriteError(f"cannot write '{folder}': {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    return WebPage(Path(folder), sum(map(len, content.values())), _loaded_bytes(model, runtime))


def _check_graph(metadata: GraphMetadata, path: str | Path) -> None:
    read = [plane.name for plane in metadata.capabilities.planes]
    read += ["noise"] if metadata.capabilities.stochastic else []
    if read:
        raise UsageError(
            f"the page gives a model the photo and the hole alone, and '{metadata.model}' reads {', '.join(read)} too"
        )
    if (metadata.graph, metadata.interface) != ("pipeline", "inpaint"):
        raise InputError(f"the page runs pipeline graphs of the interface 'inpaint', and '{path}' is none")


def _names() -> set[str]:
    return {"index.html", "page.css", "model.onnx", "LICENSES.txt", "samples", _RUNTIME, *_OWN, *_PARTS}


def _is_page(folder: Path) -> bool:
    try:
        start = (folder / "index.html").read_text(encoding="utf-8", errors="replace")[:4000]
    except OSError:
        return False
    return f'<meta name="generator" content="{_GENERATOR}' in start


# The files ------------------------------------------------------------------------------------------------------------


def _content(model: bytes, metadata: GraphMetadata, runtime: BrowserRuntime) -> dict[str, bytes]:
    """Return the page's files by their place in the folder."""
    own, shared = files("inpaint.export") / "page", files("inpaint.app") / "page"
    texts = {name: (own / name).read_text(encoding="utf-8") for name in _OWN}
    for name, bodies in _PARTS.items():
        texts[name] = _as_module("".join((shared / body).read_text(encoding="utf-8") for body in bodies))
    texts["page.css"] = (shared / "page.css").read_text(encoding="utf-8")
    samples = {f"samples/{name}": (_samples() / name).read_bytes() for name in (*_SAMPLES, "CREDITS.md")}
    texts["LICENSES.txt"] = Template((own / "licenses.txt").read_text(encoding="utf-8")).substitute(
        model=metadata.model,
        license=metadata.license or "not stated in its file",
        source=metadata.source or "not stated in its file",
        version=runtime.version or "(version not stated)",
        ours=__version__,
    )
    texts["index.html"] = Template((own / "index.html").read_text(encoding="utf-8")).substitute(
        policy="; ".join(f"{name} {value}" for name, value in _POLICY.items()),
        generator=f"{_GENERATOR}, {__version__}",
        title=html.escape(f"inpaint: {metadata.model}"),
        about=_json(_about(model, metadata, runtime)),
        version=__version__,
        head=(shared / "head.html").read_text(encoding="utf-8").strip(),
        editor=(shared / "editor.html").read_text(encoding="utf-8").strip(),
        results=(shared / "results.html").read_text(encoding="utf-8").strip(),
    )
    runtime_files = {f"{_RUNTIME}/{name}": data for name, data in runtime.files.items()}
    return {name: text.encode() for name, text in texts.items()} | samples | runtime_files | {"model.onnx": model}


def _samples() -> Traversable:
    return files("inpaint.data") / "samples"


def _as_module(body: str) -> str:
    return f"export default function (element, trigger, props, server, upload, watch) {{\n{body}}}\n"


def _about(model: bytes, metadata: GraphMetadata, runtime: BrowserRuntime) -> dict[str, Any]:
    """Return what the page's script reads: files to load, limits, samples, and what is said of the model."""
    said = {
        "License": metadata.license,
        "Source": metadata.source,
        "Precision": metadata.precision,
        "Size": f"{len(model) / 1e6:.1f} MB, and {_loaded_bytes(b'', runtime) / 1e6:.0f} MB of the runtime",
        "Runtime": f"{_RUNTIME} {runtime.version}".strip(),
    }
    return {
        "name": metadata.model,
        "facts": [[term, text] for term, text in said.items() if text],
        "files": {
            # The address changes with the file, so that no browser keeps that of an earlier page.
            "model": f"model.onnx?{hashlib.sha256(model).hexdigest()[:16]}",
            "wasm": f"{_RUNTIME}/{WASM}",
            "total": _loaded_bytes(model, runtime),
        },
        "limits": {"bytes": MOST_BYTES, "pixels": MOST_PIXELS, "formats": "what this browser shows, at 8 bit"},
        "samples": list(_SAMPLES),
    }


def _loaded_bytes(model: bytes, runtime: BrowserRuntime) -> int:
    return len(model) + len(runtime.files[WASM])


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON in ASCII that ends no element, whatever the texts are."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
