"""From a place (folder, file, address) to a weights file: one function for loading a model and for initial weights."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

from inpaint.errors import UsageError, WeightsError
from inpaint.system.extras import import_optional
from inpaint.system.files import arrives, irregular, missing, open_file
from inpaint.weights.runs import BEST_NAME, WEIGHTS_NAME, RunFolder, Which

HUB_PREFIX = "hf://"
INDEX = ".index"  # of a checkpoint of TensorFlow
_PARTS = re.compile(r"\.(?:meta|data-\d{5}-of-\d{5})\Z")


def weights_at(place: str | os.PathLike[str], weights: Which = "last") -> Path | None:
    """Return the weights file of a run folder, a file or a repository "hf://owner/name"; None for what is not there.

    Args:
        place: A file is itself, safetensors or the checkpoint of a run.
        weights: Which of those that a folder or repository holds.

    Raises:
        UsageError: An address that is written wrongly.
        WeightsError: A folder without these weights, or a repository that cannot be reached.
        MissingDependencyError: An address, and the package for it is not installed.
    """
    text = os.fspath(place)
    if text.startswith(HUB_PREFIX):
        return _from_hub(text, BEST_NAME if weights == "best" else WEIGHTS_NAME)
    path = Path(text)
    if missing(text):
        return None
    if not path.is_dir():
        return path
    run = RunFolder(path)
    # A checkpoint holds the same networks: of runs that were killed between two files, or are older than one of them.
    files = {"last": (run.weights, run.last), "best": (run.best_weights, run.best)}
    for file in files[weights]:
        reason = missing(file)
        if not reason:
            return file
        if reason != "no such file":
            raise WeightsError(f"cannot read '{file}': {reason}")
    if weights == "best" and (run.weights.exists() or run.last.exists()):
        raise WeightsError(f"{run.path} holds no {BEST_NAME}: no validation has chosen any; use the last weights")
    others = [file.name for file in files["best"] if file.exists()]
    hint = f"; it holds {others[0]}: {run.path / others[0]}" if others else ": not the folder of a run or of an import"
    raise WeightsError(f"no {files[weights][0].name} in {run.path}{hint}")


def to_fetch(place: str | os.PathLike[str]) -> str | None:
    """Return the file that `weights_at` would fetch over the network, "hf://owner/name/FILE"; None where it is here.

    Raises:
        UsageError: An address that is written wrongly.
        MissingDependencyError: An address, and the package for it is not installed.
    """
    text = os.fspath(place)
    if not text.startswith(HUB_PREFIX):
        return None
    hub, repository = _hub(text)
    try:
        there = hub.try_to_load_from_cache(repository, WEIGHTS_NAME)
    except import_module("huggingface_hub.errors").HFValidationError as error:
        raise UsageError(f"{text}: {error}") from None
    return None if isinstance(there, str) else f"{text}/{WEIGHTS_NAME}"


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file, or of a pipe that was opened for us; raises WeightsError when there is none."""
    path = Path(path)
    if reason := missing(path):
        raise WeightsError(f"no weights at {path}" + ("" if reason == "no such file" else f": {reason}"))
    if not path.is_file() and not arrives(path):
        raise WeightsError(f"{path} is {irregular(path) or 'a folder'}, not a file")
    return path


def index_file(path: Path) -> Path:
    """Return the index of the checkpoint of TensorFlow that a path names, or is a part of; any other path as it is."""
    index = Path(_PARTS.sub("", str(path)) + INDEX)
    return index if (_PARTS.search(path.name) or not path.exists()) and index.is_file() else path


def pretended(path: Path) -> str:
    """Return what a file, that is no weights file, is instead and what to do; "" where its beginning does not tell."""
    try:
        with open_file(path) as file:
            start = file.read(200).lstrip().lower()
    except OSError:
        return ""
    if not start:
        return "it is empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, as a server sends in place of a download: fetch the file itself"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS: `git lfs pull` fetches the file"
    return ""


def _hub(place: str) -> tuple[ModuleType, str]:
    """Return the package for the Hugging Face hub and the repository that an address names, owner/name."""
    repository = place.removeprefix(HUB_PREFIX)
    hub = import_optional("hub", purpose=place)
    if repository.count("/") != 1:
        raise UsageError(f"a repository is written {HUB_PREFIX}owner/name, got {place}")
    return hub, repository


def _from_hub(place: str, name: str) -> Path:
    """Fetch the weights of a repository on the Hugging Face hub, or find them in its cache."""
    hub, repository = _hub(place)
    errors = import_module("huggingface_hub.errors")
    try:
        return Path(hub.hf_hub_download(repository, name))
    except errors.HFValidationError as error:
        raise UsageError(f"{place}: {error}") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise WeightsError(
            f"cannot fetch {name} of {place}: {reason}; if this machine is offline, download "
            f"the file elsewhere and give its path"
        ) from None
