"""The public SC-FEGAN program's own outputs, from its variables through our importer."""

from __future__ import annotations

import pytest
import torch

from inpaint.registry.loading import load

LARGEST = {torch.float64: 1e-9, torch.float32: 2e-3}  # largest difference, in standard deviations of the output


@pytest.fixture(scope="module")
def folder(import_public):
    """The import of the archive."""
    return import_public("scfegan")


@pytest.fixture(scope="module")
def arrays(parity):
    return {name: torch.from_numpy(array) for name, array in parity.cases("scfegan").items()}


def inputs(arrays, dtype):
    image, color = (arrays[name].permute(0, 3, 1, 2).to(dtype) / 255 for name in ("image", "color"))
    mask, sketch = ((arrays[name][:, None] > 127).to(dtype) for name in ("mask", "sketch"))
    return image, mask, {"sketch": sketch, "color": color, "noise": arrays["noise"][:, None].to(dtype)}


def apart(got, expected):
    """The largest difference, in standard deviations of what is expected."""
    return float((got.double() - expected.double()).abs().max() / expected.double().std())


def ours(output):
    """The program's colors on our scale."""
    return (output + 1) / 2


@pytest.mark.slow
@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_both_images_come_out_as_from_the_program_itself(folder, arrays, dtype):
    fill = load(folder, device="cpu", dtype=dtype)
    image, mask, planes = inputs(arrays, dtype)
    noise = planes.pop("noise")
    found = fill.decode(image, mask, z=noise, guidance=planes)
    assert apart(found.raw, ours(arrays["output"])) <= LARGEST[dtype]
    assert (found.completed - ours(arrays["completed"])).abs().max() < 1e-3
    with torch.inference_mode():
        encoding = fill.network.encode(image, mask, **planes)
        read = torch.cat((encoding.context["planes"], noise * mask), dim=1)
        first, *_, deepest = fill.network.generator.front(read)
    for got, name in ((first[:, :2], "x1"), (deepest, "bottleneck")):
        assert apart(got, arrays[name]) <= LARGEST[dtype], name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", LARGEST, ids=str)
def test_at_512_px_dilated_layers_see_more_than_their_own_place(folder, arrays, dtype):
    fill = load(folder, device="cpu", dtype=dtype)
    image, mask, planes = inputs(arrays, dtype)
    planes |= {"image": image, "mask": mask}
    large = {name: p[:1].repeat_interleave(4, -1).repeat_interleave(4, -2) for name, p in planes.items()}
    noise = large.pop("noise")
    with torch.inference_mode():
        encoding = fill.network.encode(**large)
        read = torch.cat((encoding.context["planes"], noise * large["mask"]), dim=1)
        *_, deepest = fill.network.generator.front(read)
        raw = fill.network.decode(encoding, noise)["raw"]
    assert apart(deepest, arrays["c_bottleneck"]) <= LARGEST[dtype]
    assert apart(raw[..., ::5, ::5], ours(arrays["c_output_sub"])) <= LARGEST[dtype]
