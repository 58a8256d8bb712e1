"""onnxruntime-web, which runs a graph in a browser: fetched once with npm and checked, or taken from where it lies."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inpaint.errors import InpaintError, InputError
from inpaint.system.environment import cache_folder
from inpaint.system.files import atomic_write, is_folder

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the package's tarball, as `npm view onnxruntime-web@VERSION dist.integrity` says."""

SCRIPT = "ort.wasm.bundle.min.mjs"
WASM = "ort-wasm-simd-threaded.wasm"
FILES = (SCRIPT, WASM)
"""What a page needs of the package: the build for WebAssembly alone, its loader bundled, and the WebAssembly itself."""

_PACKAGE = "onnxruntime-web"
_TARBALL = f"{_PACKAGE}-{VERSION}.tgz"
_PATIENCE_S = 600


@dataclass(frozen=True)
class BrowserRuntime:
    """The runtime's files by name; version is "" where nothing says it."""

    version: str
    files: Mapping[str, bytes]


def find_runtime(place: str | Path | None = None) -> BrowserRuntime:
    """Return the files of onnxruntime-web.

    Args:
        place: An unpacked package, a folder that holds the two files, or the package's tarball, which has to be the
            pinned one; None = the tarball of the cache folder, fetched with npm when it is not there.

    Raises:
        InputError: Something is missing in `place`, or it is another tarball than the pinned one.
        InpaintError: npm is absent or fails; the message says what to place where.
    """
    if place is None:
        return _from_tarball(_fetched(), _TARBALL)
    path = Path(place)
    if is_folder(path):
        return _from_folder(path)
    try:
        return _from_tarball(path.read_bytes(), str(place))
    except OSError as error:
        raise InputError(f"cannot read '{place}': {error.strerror or error}") from None


def _from_folder(folder: Path) -> BrowserRuntime:
    for inner in (folder / "dist", folder / "package" / "dist", folder / "node_modules" / _PACKAGE / "dist", folder):
        if all((inner / name).is_file() for name in FILES):
            break
    else:
        raise InputError(
            f"'{folder}' holds no {_PACKAGE}: {' and '.join(FILES)} are needed, there or in its folder dist"
        )
    try:
        return BrowserRuntime(_version_beside(inner), {name: (inner / name).read_bytes() for name in FILES})
    except OSError as error:
        raise InputError(f"cannot read '{error.filename}': {error.strerror}") from None


def _version_beside(inner: Path) -> str:
    try:
        return str(json.loads((inner.parent / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _from_tarball(content: bytes, name: str) -> BrowserRuntime:
    """Read the needed files of the pinned tarball; nothing is unpacked to a path that the archive says."""
    found = integrity_of(content)
    if found != INTEGRITY:
        raise InputError(f"'{name}' is not {_PACKAGE} {VERSION}: its integrity is {found}, not {INTEGRITY}")
    wanted, files = {f"package/dist/{each}": each for each in FILES}, dict[str, bytes]()
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            if member.name in wanted and member.isreg() and (stream := archive.extractfile(member)) is not None:
                files[wanted[member.name]] = stream.read()
    if len(files) < len(FILES):
        raise InputError(f"'{name}' lacks {' or '.join(each for each in FILES if each not in files)}")
    return BrowserRuntime(VERSION, files)


def integrity_of(content: bytes) -> str:
    """Return the integrity of a package's bytes, as npm writes it: "sha512-" and the digest in base64."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode('ascii')}"


def _fetched() -> bytes:
    """Return the tarball of the cache folder; npm fetches it when there is none that is whole."""
    folder = cache_folder()
    kept = None if folder is None else folder / _TARBALL
    if kept is not None and kept.is_file():
        content = kept.read_bytes()
        if integrity_of(content) == INTEGRITY:
            return content
    content = _packed()
    if kept is not None and integrity_of(content) == INTEGRITY:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(kept) as temporary:
            temporary.write_bytes(content)
    return content


def _packed() -> bytes:
    """Let npm fetch the tarball; its ordinary configuration says from where."""
    npm = shutil.which("npm")
    instead = (
        f"place {' and '.join(FILES)} of {_PACKAGE} {VERSION} (its folder dist) in a folder, or keep its tarball"
        f" {_TARBALL}, and name that with --runtime"
    )
    if npm is None:
        raise InpaintError(f"npm, which fetches {_PACKAGE}, is not installed; without it {instead}")
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        command = [npm, "pack", f"{_PACKAGE}@{VERSION}", "--ignore-scripts", "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InpaintError(f"npm did not fetch {_PACKAGE} ({error}); without it {instead}") from None
        path = Path(folder) / _TARBALL
        if done.returncode or not path.is_file():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = said[0].removeprefix("npm error ") if said else f"exit status {done.returncode}"
            raise InpaintError(f"npm did not fetch {_PACKAGE} ({why}); without it {instead}")
        return path.read_bytes()
