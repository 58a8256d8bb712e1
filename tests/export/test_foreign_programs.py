"""Programs from the package index fill a photo with our files: each in a folder of its own, without this package.

They need an index that pip can reach, and are skipped without one.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from skimage import data

from inpaint.export import torchscript
from inpaint.export.formats import Request
from inpaint.export.origin import export_origin
from inpaint.models.lama.config import Config
from inpaint.models.lama.network import Network
from inpaint.registry.loading import load
from inpaint.weights.files import WeightsMetadata, save_weights
from lively import enlivened

pytestmark = pytest.mark.slow

SPANDREL = ("spandrel==0.4.2", "einops")
SIMPLE_LAMA = ("simple-lama-inpainting==0.1.2", "fire", "termcolor")
IOPAINT = (
    *("iopaint==1.6.0", "loguru", "diffusers==0.27.2", "huggingface-hub==0.25.2", "transformers==4.44.2"),
    *(
        "tokenizers==0.19.1",
        "accelerate==0.33.0",
        "piexif",
        "easydict",
        "safetensors==0.4.5",
        "yacs",
        "einops",
        "regex",
    ),
)
BY_SPANDREL = """
from spandrel import ModelLoader
model = ModelLoader().load_from_file(sys.argv[1]).eval()
planes = torch.from_numpy(image).permute(2, 0, 1)[None] / 255, torch.from_numpy(mask)[None, None] / 255
with torch.inference_mode():
    filled = (model(*planes)[0] * 255).round().clamp(0, 255).permute(1, 2, 0).numpy()
"""
BY_SIMPLE_LAMA = """
os.environ["LAMA_MODEL"] = sys.argv[1]
from PIL import Image
from simple_lama_inpainting import SimpleLama
filled = np.asarray(SimpleLama(torch.device("cpu"))(Image.fromarray(image), Image.fromarray(mask)))
"""
BY_IOPAINT = """
os.environ["LAMA_MODEL_URL"] = sys.argv[1]
from iopaint.model.lama import LaMa
from iopaint.schema import InpaintRequest
filled = LaMa("cpu")(image, mask, InpaintRequest(hd_strategy="Original"))[..., ::-1]
"""
AROUND = """
import os, sys, numpy as np, torch
torch.set_num_threads(1)
given = np.load(sys.argv[2])
image, mask = given["image"], given["mask"]
{}
assert "inpaint" not in sys.modules
np.save(sys.argv[3], np.asarray(filled).round().astype(np.uint8))
"""


@pytest.fixture
def photo():
    """A photo and a hole, (104, 136, 3) and (104, 136) uint8."""
    image = np.ascontiguousarray(data.astronaut()[60:164, 150:286])
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[30:70, 40:100] = 255
    return image, mask


def written_run(folder, config):
    """The folder of a run of a network that paints visibly."""
    network = enlivened(Network(config), scale=0.7)
    tensors = network.state_dict()
    folder.mkdir()
    metadata = WeightsMetadata(model="lama", config=config.model_dump(mode="json"), roles=("generator",), license="MIT")
    save_weights(folder / "model.safetensors", tensors, metadata)
    return folder


def ours(run, image, mask):
    """Our own fill of the photo as it comes, (H, W, 3) uint8."""
    planes = image[None].astype(np.float32) / 255, (mask[None, :, :, None] > 0).astype(np.float32)
    completed = load(run, device="cpu").fill_arrays(*planes)[0].completed[0]
    return (completed * 255).round().astype(np.uint8)


def filled_by(script, packages, file, photo, folder):
    """What a program fills, with its packages from the index before ours and nothing of this package."""
    place = folder / "packages"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place), *packages]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
    np.savez(folder / "photo.npz", image=photo[0], mask=photo[1])
    command = [
        sys.executable,
        "-c",
        AROUND.format(script),
        str(file),
        str(folder / "photo.npz"),
        str(folder / "out.npy"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(place), "HF_HUB_OFFLINE": "1", "TORCH_HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out.npy")


def apart(a, b):
    """The largest difference in levels."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("name", ["lama.pth", "lama.safetensors"])
def test_spandrel_fills_with_a_run_in_its_programs_layout(name, photo, tmp_path):
    run = written_run(tmp_path / "run", Config())
    export_origin(run, tmp_path / name)
    filled = filled_by(BY_SPANDREL, SPANDREL, tmp_path / name, photo, tmp_path)
    expected = ours(run, *photo)
    assert apart(filled, expected) <= 1
    assert apart(expected, photo[0]) > 50


@pytest.mark.parametrize(
    ("script", "packages"), [(BY_SIMPLE_LAMA, SIMPLE_LAMA), (BY_IOPAINT, IOPAINT)], ids=["simple-lama", "iopaint"]
)
def test_programs_for_big_lama_fill_with_a_run_as_torchscript(script, packages, photo, tmp_path):
    run = written_run(tmp_path / "run", Config(width=16, blocks=2))
    torchscript.export(Request(model=str(run), output=tmp_path / "lama.pt"))
    filled = filled_by(script, packages, tmp_path / "lama.pt", photo, tmp_path)
    expected = ours(run, *photo)
    assert apart(filled, expected) <= 1
    assert apart(expected, photo[0]) > 50
