"""What is filled with an exported file is what its run fills: photos of any size, planes and samples included."""

import numpy as np
import pytest

from inpaint.export.formats import Request, export
from inpaint.registry import table
from inpaint.registry.loading import described, load

CAN_FILL = sorted(table.inpainters())


@pytest.fixture
def exported(run_of, tmp_path):
    """`exported(name)` returns the folder of a small run and its network graph."""

    def write(name, **fields):
        run, file = run_of(name, **fields), tmp_path / f"{name}.onnx"
        export("onnx", Request(model=str(run), output=file))
        return run, file

    return write


def scene(height, width):
    rng = np.random.default_rng(height)
    image = np.repeat(np.repeat(rng.random((2, 5, 7, 3), np.float32), -(-height // 5), 1), -(-width // 7), 2)
    mask = np.zeros((2, height, width, 1), np.float32)
    mask[0, height // 4 : height // 2, width // 3 : width // 2 + 1] = 1
    mask[1, : height // 3, width // 2 :] = 1
    return np.where(mask == 1, np.nan, image[:, :height, :width]), mask


@pytest.mark.parametrize("name", CAN_FILL)
def test_a_file_fills_as_its_run_does(exported, name):
    run, file = exported(name)
    network, graph = load(run), load(file, threads=1)
    samples = 2 if network.capabilities.stochastic else 1
    assert described(file).capabilities == load(file).capabilities
    for height, width in ((37, 61), (9, 40)):
        image, mask = scene(height, width)
        if network.capabilities.reads_hole:
            image = np.nan_to_num(image, nan=0.5)
        ours = network.fill_arrays(image, mask, samples=samples, seed=3)
        theirs = graph.fill_arrays(image, mask, samples=samples, seed=3)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(other.completed, one.completed, atol=1e-4)
            known = (mask == 0)[..., 0]
            assert (other.completed[known] == image[known]).all()


def test_a_sketch_reaches_the_file_as_it_reaches_the_run(exported):
    guided = [name for name in CAN_FILL if "sketch" in {plane.name for plane in table.config_class(name).PLANES}]
    for name in guided:
        optional = "sketch" in table.config_class(name).model_fields
        run, file = exported(name, **({"sketch": True} if optional else {}))
        image, mask = scene(40, 56)
        sketch = np.zeros_like(mask)
        sketch[:, ::3] = 1
        planes = {"sketch": sketch}
        (one,), (other,) = (load(each).fill_arrays(image, mask, guidance=planes) for each in (run, file))
        (without,) = load(file).fill_arrays(image, mask)
        np.testing.assert_allclose(other.completed, one.completed, atol=1e-4)
        assert np.abs(other.completed - without.completed).max() > 1e-3
    assert guided


def test_colors_and_noise_reach_the_file_as_they_reach_the_run(exported):
    run, file = exported("scfegan")
    image, mask = scene(40, 56)
    color = np.concatenate([np.full((*mask.shape[:3], 3), 0.8), mask * (np.arange(56)[:, None] % 2)], axis=-1)
    planes = {"color": color.astype(np.float32)}
    ours, theirs = (load(each).fill_arrays(image, mask, guidance=planes, samples=2, seed=3) for each in (run, file))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other.completed, one.completed, atol=1e-4)
    assert np.abs(theirs[0].completed - theirs[1].completed).max() > 1e-3
    (without,) = load(file).fill_arrays(image, mask, seed=3)
    assert np.abs(theirs[0].completed - without.completed).max() > 1e-3


@pytest.mark.parametrize("interface", ["inpaint", "migan"])
def test_a_pipeline_fills_whole_photos(run_of, tmp_path, interface):
    name = CAN_FILL[0]
    file = tmp_path / "pipeline.onnx"
    export("onnx", Request(model=str(run_of(name)), output=file, pipeline=True, interface=interface))
    image, mask = scene(70, 90)
    image = (np.nan_to_num(image) * 255).round().astype(np.float32) / 255
    (fill,) = load(file).fill_arrays(image, mask)
    known = (mask == 0)[..., 0]
    assert (fill.completed[known] == image[known]).all()
    assert np.ptp(fill.completed[mask[..., 0] == 1]) > 0.01
