"""Partial convolutions and small U-Nets against stored values, where the public programs' outputs are not at hand.

The values in golden.npz were computed by the code that agreed with both public programs in float64 to 8e-8 of the
output's deviation (test_parity.py), all of which one of them adds to its divisors. Only after such a comparison
may they be written anew: `python tests/models/pconv/test_golden.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from golden import numbers, some_of
from inpaint.models.pconv import weights
from inpaint.models.pconv.network import Network
from inpaint.nn.inference import prepare_for_inference
from inpaint.nn.partial import PartialConv2d

STORED = Path(__file__).with_name("golden.npz")
CONFIGS = {"naoto0804": weights.NAOTO0804, "mmagic": weights.MMAGIC}


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """Give every weight and statistic reproducible values that keep signals alive; returns the module in float64."""
    module = module.double().eval()
    state = module.state_dict()
    for number, (name, value) in enumerate(state.items()):
        drawn = numbers(*value.shape, seed=number + 1) if value.is_floating_point() else value
        if value.ndim > 1:
            drawn = 2.4 * drawn / value[0].numel() ** 0.5
        elif name.endswith(("norm.weight", "running_var")):
            drawn = 1 + 0.5 * drawn
        elif value.is_floating_point():
            drawn = 0.3 * drawn
        state[name] = drawn
    module.load_state_dict(state)
    return module


def layers() -> Iterator[tuple[str, np.ndarray]]:
    parts = [numbers(2, 3, 8, 10, seed=50), numbers(2, 2, 8, 10, seed=51)]
    known = [(numbers(2, 1, 8, 10, seed=52 + number) > 0.3).double() for number in (0, 1)]
    for name, options in {
        "plain": {},
        "wide": {"kernel": 5, "stride": 2},
        "dilated": {"dilation": 2},
        "known border": {"border": "known"},
    }.items():
        yield f"layer {name}", some_of(filled(PartialConv2d((3, 2), 4, **options))(parts, known)[0])
    small, small_known = numbers(2, 3, 4, 5, seed=60), (numbers(2, 1, 4, 5, seed=61) > 0).double()
    y = filled(PartialConv2d((3, 2), 4, upsample=True))([small, parts[1]], [small_known, known[1]])[0]
    yield "layer up", some_of(y)


def networks() -> Iterator[tuple[str, np.ndarray]]:
    image = (numbers(2, 3, 29, 41, seed=70) + 1) / 2
    mask = torch.zeros(2, 1, 29, 41, dtype=torch.float64)
    mask[0, :, :12, 9:30] = 1
    mask[1, :, 15:, 20:] = 1
    for name, config in CONFIGS.items():
        network = filled(Network(config.model_copy(update={"levels": 4, "width": 4})))
        prepare_for_inference(network)
        with torch.inference_mode():
            yield f"network {name}", some_of(network(image, mask)["raw"])


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(STORED, allow_pickle=False) as archive:
        return dict(zip(archive["names"].tolist(), archive["values"], strict=True))


@pytest.mark.parametrize("compute", [layers, networks], ids=lambda compute: compute.__name__)
def test_values_are_those_that_agreed_with_the_public_programs(compute, stored):
    computed = dict(compute())
    kind = next(iter(computed)).split()[0]
    assert computed.keys() == {name for name in stored if name.startswith(kind)}
    for name, got in computed.items():
        assert stored[name].std() > 0.01, name
        assert np.abs(got - stored[name]).max() < 1e-10 * stored[name].std(), name


if __name__ == "__main__":
    kept = dict([*layers(), *networks()])
    np.savez_compressed(STORED, names=list(kept), values=np.stack(list(kept.values())))
