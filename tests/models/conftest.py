"""What the tests of several models share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def vgg16_file(parity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of the network by whose features public programs' losses were computed."""
    files = parity.write("vgg16", tmp_path_factory.mktemp("vgg16"))
    yield next(file for file in files if "random" not in file.name)
    for file in files:
        file.unlink()
