"""What several rooms' tests share: small photos, a fake fill, one torch thread."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise importing albumentations asks the network

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from inpaint.fills.array_fill import ArrayFill
from inpaint.nn.vgg import VGG
from inpaint.nn.vgg_layers import Layers, Space
from inpaint.types import Capabilities
from redrawn import redraw
from tiny_run import TinyRun

PARITY = Path(__file__).resolve().parents[2] / "shared" / "parity"


@pytest.fixture(scope="session")
def parity() -> ModuleType:
    """The program that writes public programs' checkpoints of reproducible values, and what they computed from them."""
    if not (PARITY / "weights.py").is_file():
        pytest.skip("the public programs' outputs (../shared/parity) are not here")
    spec = importlib.util.spec_from_file_location("parity_weights", PARITY / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def layers(parity: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Layers:
    """The feature network of Luan's and Ruder's programs, in float64, with colors as they multiply them."""
    (file,) = parity.write("vgg19_caffe", tmp_path_factory.mktemp("vgg"))
    network = VGG("vgg19_caffe", weights=str(file), ceil_mode=True).double()
    file.unlink()
    return Layers(network, Space(256.0))


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep indexes of test photos out of the user's cache; started programs inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INPAINT_HOME", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_on_standard_input() -> None:
    """Let nobody wait for a pipe that whoever started the tests never closes; a terminal stays, for the debugger."""
    if not os.isatty(0):
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Keep sums in one order, and several test processes from fighting over few cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return a smooth colorful image with an edge and a little noise, (H, W, 3) uint8; different for every seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phase = rng.uniform(0, 2 * np.pi, 3)
    waves = np.stack([np.sin(x / 7 + phase[0]), np.cos(y / 5 + phase[1]), np.sin((x + y) / 9 + phase[2])], axis=-1)
    edge = (x > y + rng.integers(-4, 5))[..., None] * 40.0
    return np.clip(110 + 60 * waves + edge + rng.normal(0, 4, waves.shape), 0, 255).round().astype(np.uint8)


@pytest.fixture
def photo() -> np.ndarray:
    """One photo, (H, W, 3) uint8, sides that differ: 40 x 56."""
    return draw_photo(40, 56)


@pytest.fixture
def make_photo() -> Callable[..., np.ndarray]:
    """`make_photo(height, width, seed)` draws a photo."""
    return draw_photo


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    """A folder of four small PNG photos of different sizes, one of them in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for seed, (name, size) in enumerate({"a": (40, 56), "b": (48, 36), "c": (33, 33), "more/d": (36, 64)}.items()):
        Image.fromarray(draw_photo(*size, seed)).save(folder / f"{name}.png")
    return folder


class GrayInpainter(ArrayFill):
    """Fills every hole with one gray. Counts its calls; refuses an image that is all hole, as many real fills do."""

    capabilities = Capabilities(needs_known=True, smallest_px=1)

    def __init__(self, gray: float = 0.5, name: str = "gray") -> None:
        self.gray = gray
        self.name = name
        self.calls = 0

    def answer(self, *arguments, **options):
        self.calls += 1
        return super().answer(*arguments, **options)

    def paint(self, image, hole, context):
        return np.full_like(image, self.gray)


@pytest.fixture
def gray_inpainter() -> GrayInpainter:
    """A fill that needs no model: gray in the hole."""
    return GrayInpainter()


@pytest.fixture
def make_gray_inpainter() -> type[GrayInpainter]:
    """`make_gray_inpainter(gray, name)` makes further ones."""
    return GrayInpainter


@pytest.fixture
def photos(tmp_path, make_photo):
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(5):
        Image.fromarray(make_photo(40, 52, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def tiny_run(tmp_path, photos):
    def make(name="run", **options):
        return TinyRun(tmp_path / name, photos, **options)

    return make


@pytest.fixture
def lively() -> Callable[..., nn.Module]:
    """`lively(network)` redraws its weights and returns it."""
    return redraw
