"""Nothing that fills by an ONNX file needs torch or what else is heavy: where it is absent, everything still works."""

import numpy as np
import pytest
from PIL import Image

from blocking import HEAVY, run_without
from inpaint.weights.graphs import GraphInput
from made_graphs import with_inputs, write_network, write_pipeline

# Beside these: what only reading options, tracking, training and other fills need.
BLOCKED = (*HEAVY, "onnx", "safetensors", "omegaconf", "torchmetrics", "lpips", "skimage", "yaml")
COMMAND = "from inpaint.cli.main import main\nmain()"


@pytest.fixture
def photo(tmp_path):
    """A photo and a mask beside it, and a folder of two of each."""
    rng = np.random.default_rng(0)
    colors, hole = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8), np.zeros((60, 90), np.uint8)
    hole[20:40, 30:60] = 255
    for folder, image in (("photos", colors), ("masks", hole)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray(image).save(tmp_path / folder / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize("kind", ["network", "pipeline", "derived"])
@pytest.mark.parametrize("folder", [False, True])
def test_infer_fills_photos_without_what_is_heavy(photo, kind, folder):
    blocked = BLOCKED
    if kind == "pipeline":
        path = write_pipeline(photo / "model.onnx")
    elif kind == "network":
        path = write_network(photo / "model.onnx")
    else:
        inputs = (GraphInput(name="gray", channels=1), GraphInput(name="canny", channels=1))
        path = write_network(photo / "model.onnx", with_inputs(*inputs, model="edgeconnect"))
        blocked = tuple(name for name in BLOCKED if name != "skimage")
    name = "" if folder else "/a.png"
    arguments = [f"--image={photo}/photos{name}", f"--mask={photo}/masks{name}", f"--output={photo}/out{name}"]
    done = run_without(blocked, COMMAND, "infer", f"--model={path}", *arguments)
    assert done.returncode == 0, done.stderr
    filled, before = (np.asarray(Image.open(photo / where / "a.png")) for where in ("out", "photos"))
    hole = np.asarray(Image.open(photo / "masks" / "a.png")) > 0
    assert (filled[~hole] == before[~hole]).all()
    assert not (filled[hole] == before[hole]).all()


def test_the_python_interface_fills_without_what_is_heavy(photo):
    code = """
import inpaint
model = sys.argv[3]
filled = inpaint.fill(sys.argv[1], sys.argv[2], model=model, strategy="crop", threads=1)
again = inpaint.fill(sys.argv[1], sys.argv[2], model=inpaint.load(model))
print(filled.size, again.size)
"""
    path = write_network(photo / "model.onnx")
    done = run_without(BLOCKED, code, f"{photo}/photos/a.png", f"{photo}/masks/a.png", str(path))
    assert done.stdout == "(90, 60) (90, 60)\n", done.stderr


def test_the_page_loads_and_fills_without_what_is_heavy(photo):
    code = """
from pathlib import Path
import numpy as np
from inpaint.app import page, serving, work
from inpaint.app.models import LoadedModels, offers

offered = offers(sys.argv[1:], Path("nowhere"))
model = LoadedModels(offered, "auto").get("model", {"threads": 1})
hole = np.zeros((60, 90), bool)
hole[20:40, 30:60] = True
(painting,) = model.fill_photo(lambda region: np.full((*region.size, 3), 0.5, np.float32), hole)
print(offered["model"].summary, painting.colors[hole].min(), painting.colors[hole].max())
"""
    needed_by_gradio = {"yaml"}
    blocked = tuple(name for name in BLOCKED if name not in needed_by_gradio)
    done = run_without(blocked, code, str(write_network(photo / "model.onnx")))
    assert done.stdout == "deepfill, trained 0.5 0.5\n", done.stderr


def test_edges_without_what_finds_them_are_refused_in_one_line(photo):
    inputs = (GraphInput(name="gray", channels=1), GraphInput(name="canny", channels=1))
    path = write_network(photo / "model.onnx", with_inputs(*inputs, model="edgeconnect"))
    arguments = [f"--image={photo}/photos/a.png", f"--mask={photo}/masks/a.png", f"--output={photo}/out.png"]
    done = run_without(BLOCKED, COMMAND, "infer", f"--model={path}", *arguments)
    assert done.returncode == 1
    complaint = "finding edges needs the package scikit-image: pip install scikit-image"
    assert done.stderr == f"error: {photo}/photos/a.png: {complaint}\n"


def test_what_needs_torch_says_so_in_one_line(photo):
    arguments = [f"--image={photo}/photos/a.png", f"--mask={photo}/masks/a.png", f"--output={photo}/out.png"]
    done = run_without(BLOCKED, COMMAND, "infer", "--model=dip", *arguments)
    assert done.returncode == 1
    assert done.stderr == "error: this needs the package torch, which is not installed: pip install pytorch-inpaint\n"
