"""From a place (folder, file, address) to a weights file: one function for loading a model and for initial weights."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from inpaint.errors import UsageError, WeightsError
from inpaint.system.extras import import_optional
from inpaint.weights.runs import WEIGHTS_NAME, RunFolder

HUB_PREFIX = "hf://"


def weights_at(place: str | os.PathLike[str]) -> Path | None:
    """Return the weights file of a run folder, a file or a repository "hf://owner/name"; None for what is not there.

    Raises:
        UsageError: An address that is written wrongly.
        WeightsError: A folder without weights, or a repository that cannot be reached.
        MissingDependencyError: An address, and the package for it is not installed.
    """
    text = os.fspath(place)
    if text.startswith(HUB_PREFIX):
        return _from_hub(text.removeprefix(HUB_PREFIX))
    path = Path(text)
    if not text or not path.exists():
        return None
    if not path.is_dir():
        return path
    run = RunFolder(path)
    if run.weights.exists():
        return run.weights
    if run.last.exists():
        raise WeightsError(
            f"{run.path} holds a run without {WEIGHTS_NAME}; resume it with "
            f"`inpaint train run.folder={run.path} resume=auto` until it saves again"
        )
    raise WeightsError(f"no {WEIGHTS_NAME} in {run.path}: not the folder of a run or of an import")


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file; raises WeightsError when there is none."""
    path = Path(path)
    if not path.exists():
        raise WeightsError(f"no weights at {path}")
    if not path.is_file():
        raise WeightsError(f"{path} is not a file")
    return path


def _from_hub(repository: str) -> Path:
    """Fetch the weights of a repository on the Hugging Face hub, or find them in its cache."""
    hub = import_optional("hub", purpose=f"{HUB_PREFIX}{repository}")
    errors = import_module("huggingface_hub.errors")
    if repository.count("/") != 1:
        raise UsageError(f"a repository is written {HUB_PREFIX}owner/name, got {HUB_PREFIX}{repository}")
    try:
        return Path(hub.hf_hub_download(repository, WEIGHTS_NAME))
    except errors.HFValidationError as error:
        raise UsageError(f"{HUB_PREFIX}{repository}: {error}") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise WeightsError(
            f"cannot fetch {WEIGHTS_NAME} of {HUB_PREFIX}{repository}: {reason}; if this machine is offline, download "
            f"the file elsewhere and give its path"
        ) from None
