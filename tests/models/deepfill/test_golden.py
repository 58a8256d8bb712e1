"""Layers, attention and whole small networks against stored values, where the public programs' outputs are not at hand.

The values in golden.npz were computed by the code that agreed with all four public programs in float64 to
1.4e-12 of the output's deviation (test_parity.py). Only after such a comparison may they be written anew:
`python tests/models/deepfill/test_golden.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from golden import numbers, some_of
from inpaint.models.deepfill import weights
from inpaint.models.deepfill.network import Network
from inpaint.nn.attention import ContextualAttention
from inpaint.nn.gated import GatedConv2d

STORED = Path(__file__).with_name("golden.npz")
CONFIGS = {
    "nipponjo": weights.NIPPONJO,
    "nipponjo_tf": weights.NIPPONJO_TF,
    "csqiangwen": weights.CSQIANGWEN,
    "mmagic": weights.MMAGIC,
}


def filled(module: torch.nn.Module, gain: float) -> torch.nn.Module:
    """Give every parameter reproducible values that keep signals alive; returns the module in float64."""
    module = module.double().eval()
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            scale = gain / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.2
            parameter.copy_(numbers(*parameter.shape, seed=number + 1) * scale)
    return module


def holes(height: int, width: int) -> Tensor:
    """Return two masks that differ and touch borders."""
    mask = torch.zeros(2, 1, height, width, dtype=torch.float64)
    mask[0, :, : height // 3, width // 4 : width // 2] = 1
    mask[1, :, height // 2 :, 2 * width // 3 :] = 1
    return mask


def layers() -> Iterator[tuple[str, np.ndarray]]:
    x = numbers(2, 3, 6, 10, seed=50)
    for padding in ("zero", "same_tf", "reflect"):
        for name, options in {
            "plain": {},
            "wide": {"kernel": 5},
            "strided": {"stride": 2},
            "dilated": {"dilation": 4},
            "up": {"upsample": True},
            "relu": {"activation": "relu"},
            "linear": {"activation": "none"},
        }.items():
            layer = filled(GatedConv2d(3, 4, padding=padding, **options), gain=3.0)
            yield f"layer {padding} {name}", some_of(layer(x))


def attentions() -> Iterator[tuple[str, np.ndarray]]:
    features, mask = numbers(2, 3, 8, 12, seed=60), holes(32, 48)
    for name, config in CONFIGS.items():
        yield f"attention {name}", some_of(ContextualAttention(**config.attention.model_dump())(features, mask))


def networks() -> Iterator[tuple[str, np.ndarray]]:
    image, mask = (numbers(2, 3, 72, 80, seed=70) + 1) / 2, holes(72, 80)
    for name, config in CONFIGS.items():
        decoder = (16, 12, 8, 4) if config.decoder_widths else None
        small = config.model_copy(update={"width": 8, "decoder_widths": decoder})
        with torch.inference_mode():
            out = filled(Network(small), gain=4.0)(image, mask)
        for key in ("coarse", "raw"):
            yield f"network {name} {key}", some_of(out[key])


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(STORED, allow_pickle=False) as archive:
        return dict(zip(archive["names"].tolist(), archive["values"], strict=True))


@pytest.mark.parametrize("compute", [layers, attentions, networks], ids=lambda compute: compute.__name__)
def test_values_are_those_that_agreed_with_the_public_programs(compute, stored):
    computed = dict(compute())
    kind = next(iter(computed)).split()[0]
    assert computed.keys() == {name for name in stored if name.startswith(kind)}
    for name, got in computed.items():
        assert stored[name].std() > 0.01, name
        assert np.abs(got - stored[name]).max() < 1e-10 * stored[name].std(), name


def test_the_four_programs_compute_different_things(stored):
    kept = [stored[f"network {name} raw"] for name in CONFIGS]
    assert all(np.abs(a - b).max() > 0.01 for number, a in enumerate(kept) for b in kept[:number])


if __name__ == "__main__":
    kept = dict([*layers(), *attentions(), *networks()])
    np.savez_compressed(STORED, names=list(kept), values=np.stack(list(kept.values())))
