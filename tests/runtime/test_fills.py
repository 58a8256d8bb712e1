"""The graphs are stand-ins (`made_graphs`), so that what they must answer is a closed form."""

import numpy as np
import pytest

from inpaint.errors import InpaintError, InputError
from inpaint.registry.loading import load
from inpaint.runtime.noise import TorchNormal
from inpaint.seeds import DRAW, integer
from inpaint.types import Capabilities, Plane, StopFill
from inpaint.weights.graphs import GraphInput
from made_graphs import NETWORK, SHARE, network_metadata, with_inputs, write_network, write_pipeline

NOISE = GraphInput(name="noise", channels=4, scale=16)


def scene(batch=2, height=32, width=48):
    """Return images (B, H, W, 3), their holes NaN, and masks (B, H, W, 1)."""
    image = np.random.default_rng(0).random((batch, height, width, 3), np.float32)
    mask = np.zeros((batch, height, width, 1), np.float32)
    for number in range(batch):
        mask[number, 3 : 9 + number, 5 : 21 + number] = 1
    return np.where(mask == 1, np.nan, image), mask


def mean_of(image, mask):
    """Return the mean color of what is known, (B, 3)."""
    return np.stack([one[hole[..., 0] == 0].mean(axis=0, dtype=float) for one, hole in zip(image, mask, strict=True)])


def color_of(fill, mask):
    """Return the one color that each image's hole was painted in, (B, 3)."""
    found = [one[hole[..., 0] == 1] for one, hole in zip(fill.completed, mask, strict=True)]
    assert all(np.ptp(colors, axis=0).max() == 0 for colors in found)
    return np.stack([colors[0] for colors in found])


def test_a_network_graph_fills_a_batch_and_known_pixels_are_unchanged(tmp_path):
    image, mask = scene()
    model = load(write_network(tmp_path / "model.onnx"))
    (fill,) = model.fill_arrays(image, mask)
    np.testing.assert_allclose(color_of(fill, mask), mean_of(image, mask), atol=1e-6)
    known = (mask == 0)[..., 0]
    assert (fill.completed[known] == image[known]).all()
    assert fill.raw.shape == image.shape
    assert repr(model) == "NetworkFill(name='deepfill', file='model.onnx', provider='CPUExecutionProvider')"


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_the_answer_does_not_depend_on_the_chunk(tmp_path, chunk):
    image, mask = scene(batch=3)
    metadata = with_inputs(NOISE, capabilities=Capabilities(trained=True, stochastic=True, multiple_px=8))
    path = write_network(tmp_path / "model.onnx", metadata)
    whole, parted = (load(path, chunk=each).fill_arrays(image, mask, samples=2, seed=5) for each in (None, chunk))
    for one, other in zip(whole, parted, strict=True):
        np.testing.assert_array_equal(one.completed, other.completed)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 31), (17, 40), (64, 8)])
def test_any_size_is_mirrored_to_one_that_the_graph_accepts(tmp_path, height, width):
    image, mask = scene(1, height, width)
    mask[0, 0, 0] = 1
    image[0, 0, 0] = np.nan
    (fill,) = load(write_network(tmp_path / "model.onnx")).fill_arrays(image, mask)
    tall, wide = (max(-(-side // 8) * 8, 16) for side in (height, width))
    rows, columns = ([*range(side), *reversed(range(side))] * 2 for side in (height, width))
    grown = [plane[0][rows[:tall]][:, columns[:wide]] for plane in (image, mask)]
    np.testing.assert_allclose(color_of(fill, mask), mean_of(*(plane[None] for plane in grown)), atol=1e-6)


def test_samples_are_those_of_torch_s_noise_from_the_image_s_seed(tmp_path):
    image, mask = scene()
    metadata = with_inputs(NOISE, capabilities=Capabilities(trained=True, stochastic=True, multiple_px=8))
    fills = load(write_network(tmp_path / "model.onnx", metadata)).fill_arrays(image, mask, samples=3, seed=7)
    for number in range(2):
        noise = TorchNormal(integer((7, number), DRAW))
        for fill in fills:
            # 32 x 48 is a multiple of 16 already
            expected = mean_of(image, mask)[number] + SHARE * noise.draw(4, 2, 3).mean()
            np.testing.assert_allclose(color_of(fill, mask)[number], expected, atol=1e-6)


def test_the_mean_of_the_latents_is_one_fill_without_noise(tmp_path):
    image, mask = scene()
    metadata = with_inputs(NOISE, capabilities=Capabilities(trained=True, stochastic=True, multiple_px=8))
    model = load(write_network(tmp_path / "model.onnx", metadata), latent="mean")
    assert not model.capabilities.stochastic
    for fill in model.fill_arrays(image, mask, samples=2, seed=7):
        np.testing.assert_allclose(color_of(fill, mask), mean_of(image, mask), atol=1e-6)


def test_a_plane_of_the_caller_reaches_the_graph_and_nothing_is_asked_for_without_it(tmp_path):
    image, mask = scene()
    plane = Plane(name="sketch")
    metadata = with_inputs(
        GraphInput(name="sketch", channels=1), capabilities=Capabilities(trained=True, planes=(plane,), multiple_px=8)
    )
    model = load(write_network(tmp_path / "model.onnx", metadata))
    sketch = np.zeros_like(mask)
    sketch[:, :, ::2] = 1
    (given,) = model.fill_arrays(image, mask, guidance={"sketch": sketch})
    (blank,) = model.fill_arrays(image, mask)
    np.testing.assert_allclose(color_of(given, mask) - color_of(blank, mask), SHARE / 2, atol=1e-6)
    with pytest.raises(InputError, match=r"does not accept guidance\.lines; accepted: sketch"):
        model.fill_arrays(image, mask, guidance={"lines": sketch})


def test_planes_that_a_model_derives_from_the_image_are_made_by_its_own_declaration(tmp_path):
    skimage = pytest.importorskip("skimage.feature")
    image, mask = scene(batch=1)
    image[0, :, 24:] = 0.1  # an edge that Canny finds
    metadata = with_inputs(
        GraphInput(name="gray", channels=1), GraphInput(name="canny", channels=1), model="edgeconnect"
    )
    (fill,) = load(write_network(tmp_path / "model.onnx", metadata)).fill_arrays(image, mask)
    hole = mask[0, ..., 0] == 1
    gray = np.where(hole, 0, np.nan_to_num(image[0]).astype(float) @ [0.2125, 0.7154, 0.0721])
    edges = skimage.canny(gray, sigma=2.0, low_threshold=0.1, high_threshold=0.2, mask=~hole)
    assert edges.any()
    expected = mean_of(image, mask)[0] + SHARE * (gray.mean() + edges.mean())
    np.testing.assert_allclose(color_of(fill, mask)[0], expected, atol=1e-6)


def test_who_asks_to_stop_gets_the_images_that_were_reached(tmp_path):
    image, mask = scene()

    def stop(step):
        raise StopFill

    metadata = network_metadata(capabilities=NETWORK)
    (fill,) = load(write_network(tmp_path / "model.onnx", metadata), chunk=1).fill_arrays(image, mask, progress=stop)
    np.testing.assert_allclose(color_of(fill, mask), mean_of(image, mask), atol=1e-5)


@pytest.mark.parametrize(("interface", "says"), [("inpaint", True), ("migan", True), ("migan", False)])
def test_a_pipeline_graph_is_told_the_hole_in_its_own_polarity(tmp_path, interface, says):
    image, mask = scene(batch=3)
    mask[2] = 0
    image[2] = 0.5
    path = write_pipeline(tmp_path / "published.onnx", interface=interface, says=says, color=200)
    model = load(path)
    (fill,) = model.fill_arrays(image, mask)
    np.testing.assert_allclose(fill.completed[mask[..., 0] == 1], 200 / 255, atol=1e-7)
    known = (mask == 0)[..., 0]
    assert (fill.completed[known] == image[known]).all()
    assert model.name == ("deepfill" if says else "published")


def test_a_pipeline_graph_that_answers_in_another_size_is_refused(tmp_path, monkeypatch):
    image, mask = scene(batch=1)
    model = load(write_pipeline(tmp_path / "model.onnx"))
    monkeypatch.setattr(model.session, "run", lambda inputs: np.zeros((1, 3, 8, 8), np.uint8))
    with pytest.raises(InpaintError, match=r"painted \(1, 3, 8, 8\) for an image of \(1, 3, 32, 48\)"):
        model.fill_arrays(image, mask)


def test_with_one_thread_several_photos_may_be_filled_at_the_same_time(tmp_path):
    path = write_network(tmp_path / "model.onnx")
    assert load(path, threads=1).capabilities.thread_safe
    assert not load(path).capabilities.thread_safe
