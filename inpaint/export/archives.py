"""What programs of PyTorch say of themselves: a file in their archives, which is read without loading the program."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from inpaint.errors import WeightsError
from inpaint.system.files import open_file
from inpaint.weights.graphs import GraphMetadata
from inpaint.weights.places import existing_file

METADATA = "inpaint.json"
"""The file in an archive that says what ONNX files say in their metadata."""

LONGEST_BYTES = 2**20  # of that file


def read_said(path: str | Path, *, marker: str, title: str) -> GraphMetadata:
    """Return what a program says of itself, without loading it: loading one may run code that is in it.

    Args:
        path: The archive.
        marker: A file that archives of this kind hold, and no other kind does.
        title: What such an archive is called.

    Raises:
        WeightsError: It is missing, no such archive, or none that `inpaint export` wrote.
    """
    place = existing_file(path)
    try:
        with open_file(place) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            found = next((name for name in names if name.endswith(f"/extra/{METADATA}")), None)
            if found is None or found.replace(f"extra/{METADATA}", marker) not in names:
                raise ValueError("it does not say what it holds" if found is None else "it is of another format")
            if archive.getinfo(found).file_size > LONGEST_BYTES:
                raise ValueError(f"{METADATA} is too long")
            said = json.loads(archive.read(found))
    except OSError as error:
        raise WeightsError(f"cannot read {place}: {error.strerror or error}") from None
    # zipfile fails in every way there is, NotImplementedError and zlib.error among them.
    except Exception as error:
        raise WeightsError(f"{place} is damaged or no {title} of `inpaint export`: {error}") from None
    if not isinstance(said, dict) or not all(isinstance(text, str) for text in said.values()):
        raise WeightsError(f"{place} has damaged metadata")
    return GraphMetadata.of(said, path=place)


def check_weights(said: GraphMetadata, sha256: str, *, path: str | Path, model: str) -> None:
    """Raise WeightsError unless a file was made from the weights with this hash, which `model` names."""
    if said.weights_sha256 != sha256:
        raise WeightsError(f"{path} was not made from the weights of {model}: nothing to compare")
