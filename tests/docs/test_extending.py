"""The guide's model and loss are what it promises: this copies them from the page and puts them to every test."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image

from inpaint.cli.main import run
from inpaint.registry import table
from pages import DOCS, ROOT, blocks

BLOCKS = blocks(DOCS / "extending.md")
MODEL = "inpaint/models/hourglass"
FILES = {block.path: block.text for block in reversed(BLOCKS) if block.path and block.language in ("python", "yaml")}
MODEL_FILES = [f"{MODEL}/{name}.py" for name in ("__init__", "config", "network", "training")]
YAML = "configs/model/hourglass.yaml"
LOSS, LOSS_TEST = "inpaint/losses/gradient.py", "tests/losses/test_gradient.py"


def entry(beginning):
    """Return the one block that begins so: lines to be added to a file of ours."""
    (text,) = [block.text for block in BLOCKS if block.text.startswith(beginning)]
    return text


def write(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name])


def insert(path, after, text):
    before = path.read_text()
    assert before.count(after) == 1
    path.write_text(before.replace(after, after + text))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the package to which everything on the page has been added, as the page says."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("inpaint", "configs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    write(folder, [*MODEL_FILES, YAML, LOSS, LOSS_TEST])
    insert(folder / "inpaint/registry/table.py", "MODELS: Mapping[str, ModelEntry] = {\n", entry('    "hourglass": '))
    compose = folder / "inpaint/losses/compose.py"
    insert(compose, "KINDS: dict[str, type[Term]] = {\n", entry('    "gradient": '))
    text, line = compose.read_text(), entry("from inpaint.losses.gradient")
    imported = re.findall(r"^from inpaint\.losses\.(\w+) ", text, flags=re.MULTILINE)
    following = f"from inpaint.losses.{next(name for name in imported if name > 'gradient')} "
    compose.write_text(text.replace(following, line + following, 1))
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with a package that registers the same model from outside, as if it were installed."""
    folder = tmp_path_factory.mktemp("outside")
    for name in MODEL_FILES:
        path = folder / name.replace("inpaint/models/", "my_models/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name].replace("inpaint.models.hourglass", "my_models.hourglass"))
    (folder / "my_models/__init__.py").touch()
    declared = re.search(r'entry-points\."([\w.]+)"\]\n(.*)', entry('[project.entry-points."'))
    metadata = folder / "my_models-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-models\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{declared[1]}]\n{declared[2].replace(chr(34), '')}\n")
    travels = folder / "my_models/hourglass/configs/model"
    travels.mkdir(parents=True)
    (travels / "hourglass.yaml").write_text(FILES[YAML])
    return folder


def python(*arguments, folder):
    """Run a program on what lies in the folder, before what is installed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_page_holds_every_file_that_it_names_as_complete():
    assert {*MODEL_FILES, YAML, LOSS, LOSS_TEST} <= {*FILES}


def test_the_code_of_the_page_has_our_style(checkout):
    files = [*MODEL_FILES, LOSS, LOSS_TEST, "inpaint/losses/compose.py", "inpaint/registry/table.py"]
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        done = python(
            "-m", "ruff", *command, "--no-cache", "--config", str(ROOT / "pyproject.toml"), *files, folder=checkout
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_code_of_the_page_has_types_that_hold(checkout):
    files = [str(checkout / name) for name in (*MODEL_FILES, LOSS)]
    cache = str(checkout / ".mypy_cache")
    done = python(
        "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", cache, *files, folder=checkout
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_model_of_the_page_passes_what_every_model_must_and_the_loss_its_test(checkout):
    tests = [str(ROOT / "tests/models/test_every_model.py"), str(checkout / LOSS_TEST)]
    options = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "-k", "hourglass or gradient"]
    done = python("-m", "pytest", *options, *tests, folder=checkout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed >= 14


def test_a_package_of_ones_own_registers_the_model_which_trains_resumes_and_fills(
    package, photo_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.syspath_prepend(str(package))
    table.outside_models.cache_clear()
    try:
        assert table.models()["hourglass"].summary == "The hourglass: a small generator with a patch discriminator."
        options = [
            *("train", "model=hourglass", "model.width=4", "resume=auto"),
            *(f"data.root={photo_folder}", "data.size=32", "data.workers=0", "batch_size=2", "trainer.accelerator=cpu"),
            f"run.folder={tmp_path / 'run'}",
        ]
        for iterations in (1, 2):
            assert run([*options, f"max_iterations={iterations}"]) == 0, capsys.readouterr().err
            assert torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["iteration"] == iterations
        mask = Image.new("L", (56, 40))
        mask.paste(255, (8, 8, 20, 20))
        mask.save(tmp_path / "mask.png")
        places = ["--image", str(photo_folder / "a.png"), "--mask", str(tmp_path / "mask.png")]
        output = ["--output", str(tmp_path / "filled.png")]
        assert run(["infer", "--model", str(tmp_path / "run"), "--device", "cpu", *places, *output]) == 0
        with Image.open(tmp_path / "filled.png") as filled:
            assert filled.size == (56, 40)
    finally:
        table.outside_models.cache_clear()
