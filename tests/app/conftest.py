"""A workspace with a photo, and what the page stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app_server import served
from inpaint.app.models import LoadedModels, offers
from inpaint.app.settings import Settings
from inpaint.app.work import open_photo
from inpaint.app.workspaces import Workspaces


@dataclass(frozen=True)
class Page:
    """The page that is served for all tests of a process. folder: its photos."""

    address: str
    folder: Path
    max_bytes: int = 200_000
    max_pixels: int = 100_000


@pytest.fixture(scope="session")
def page_served(tmp_path_factory):
    pytest.importorskip("gradio", reason="gradio is not installed")
    place = tmp_path_factory.mktemp("page")
    (place / "photos").mkdir()
    rows, columns = np.mgrid[0:120, 0:160]
    values = np.stack([rows * 2, columns, 255 - rows], axis=2).astype(np.uint8)
    Image.fromarray(values).save(place / "photos" / "street.png")
    limits = ["--max-megabytes", "0.2", "--max-pixels", "100000"]
    options = [
        "--model",
        "telea",
        "--models",
        str(place / "none"),
        "--photos",
        str(place / "photos"),
        "--device",
        "cpu",
    ]
    with served(*options, *limits) as address:
        yield Page(address, place / "photos")


@pytest.fixture
def settings(tmp_path):
    return Settings(runs=tmp_path / "none", device="cpu")


@pytest.fixture
def models(settings):
    return LoadedModels(offers((), settings.runs), "cpu")


@pytest.fixture
def workspaces(tmp_path):
    return Workspaces(tmp_path / "users", expiry_s=60, most=10)


@pytest.fixture
def workspace(workspaces):
    return workspaces.of("user")


@pytest.fixture
def photo_file(tmp_path, make_photo):
    path = tmp_path / "a photo.png"
    Image.fromarray(make_photo(40, 56)).save(path)
    return path


@pytest.fixture
def opened(workspace, photo_file, settings):
    """The workspace, with the photo open."""
    open_photo(workspace, photo_file, photo_file.name, settings)
    return workspace
