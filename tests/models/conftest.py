"""What the tests of several models share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest

from inpaint.cli.main import run


@pytest.fixture(scope="session")
def vgg16_file(parity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of the network by whose features public programs' losses were computed."""
    files = parity.write("vgg16", tmp_path_factory.mktemp("vgg16"))
    yield next(file for file in files if "random" not in file.name)
    for file in files:
        file.unlink()


@pytest.fixture(scope="module")
def import_public(parity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """`import_public(program)` imports what a public program saves, as `inpaint import-weights` does; gives the folder.

    origin: the importer's, where it has another name. beside: texts of files that lie beside the program's, by name.
    """
    made = []

    def imported(program: str, *, origin: str | None = None, beside: Mapping[str, str] = MappingProxyType({})) -> Path:
        place = tmp_path_factory.mktemp(program)
        files = parity.write(program, place)
        for name, text in beside.items():
            (place / name).write_text(text)
        inputs = [word for file in files for word in ("--input", str(file))]
        output = place / "imported"
        assert run(["import-weights", "--origin", origin or program, *inputs, "--output", str(output)]) == 0
        for file in files:
            file.unlink()
        made.append(output / "model.safetensors")
        return output

    yield imported
    for file in made:
        file.unlink()
