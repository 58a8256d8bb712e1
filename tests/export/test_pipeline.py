"""Pipelines: photos of any size in and out, known pixels as they came, the rest as NumPy and OpenCV compute it."""

import numpy as np
import pytest
import torch

from inpaint.errors import UsageError
from inpaint.export.networks import GraphNetwork
from inpaint.export.onnx_network import graph_of
from inpaint.export.pipeline import PipelineSizes, check_closed, pipeline_of, sizes_of
from inpaint.export.pipeline_reference import filled
from inpaint.export.verification import session_of

pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")


class Pipeline:
    """A pipeline around a small network, and what it must compute."""

    def __init__(self, network, interface):
        self.network, self.interface = network, interface
        self.graph = GraphNetwork(network)
        self.session = session_of(pipeline_of(self.graph, graph_of(self.graph), interface).SerializeToString())

    def fill(self, photo, hole):
        mask = np.where(hole, 255, 0) if self.interface == "inpaint" else np.where(hole, 0, 255)
        inputs = {"image": photo.transpose(2, 0, 1)[None], "mask": mask.astype(np.uint8)[None, None]}
        return self.session.run(["result"], inputs)[0][0].transpose(1, 2, 0)

    def expected(self, photo, hole):
        def paint(image, mask):
            with torch.no_grad():
                return self.network.paint_graph(torch.from_numpy(image), torch.from_numpy(mask)).numpy()

        return filled(photo, hole, paint, sizes_of(self.graph))


@pytest.fixture(params=["inpaint", "migan"])
def pipeline(small_network, request):
    """Of a network that was trained at 64 pixels, so that reductions are small."""
    return Pipeline(small_network("pconv", levels=5), request.param)


def holes(height, width):
    """Rectangles (top, bottom, left, right) of a photo: in the middle, thin, at borders, nearly everything."""
    return [
        (height // 3, height // 2, width // 4, width // 2),
        (height // 2, height // 2 + 1, 1, width - 1),
        (0, height // 3, 0, 1),
        (height - 2, height, width // 2, width),
        (0, height, 0, width - 1),
    ]


@pytest.mark.parametrize("size", [(9, 14), (40, 130), (64, 64), (150, 201)])
def test_a_photo_of_any_size_is_filled_as_the_reference_does_and_known_pixels_stay(pipeline, make_photo, size):
    assert sizes_of(pipeline.graph).trained_px == 64
    photo = make_photo(*size)
    for top, bottom, left, right in holes(*size):
        hole = np.zeros(size, bool)
        hole[top:bottom, left:right] = True
        result = pipeline.fill(photo, hole)
        assert result.dtype == np.uint8
        assert np.array_equal(result[~hole], photo[~hole])
        difference = np.abs(result.astype(int) - pipeline.expected(photo, hole))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.02
        other = photo.copy()
        other[hole] = 255 - other[hole]
        assert np.array_equal(pipeline.fill(other, hole), result), "the hole's own colors were read"


def test_without_a_hole_a_photo_comes_back_and_all_hole_gives_some_image(pipeline, make_photo):
    photo = make_photo(50, 70)
    assert np.array_equal(pipeline.fill(photo, np.zeros((50, 70), bool)), photo)
    assert pipeline.fill(photo, np.ones((50, 70), bool)).shape == photo.shape


def test_gray_levels_of_a_mask_are_read_as_the_interface_says(small_network, make_photo):
    network, photo = small_network("pconv", levels=5), make_photo(40, 40)
    changed = {}
    for interface in ("inpaint", "migan"):
        pipeline = Pipeline(network, interface)
        for level in (0, 127, 128, 254, 255):
            mask = np.full((40, 40), 0 if interface == "inpaint" else 255, np.uint8)
            mask[10:20, 10:20] = level
            inputs = {"image": photo.transpose(2, 0, 1)[None], "mask": mask[None, None]}
            result = pipeline.session.run(None, inputs)[0]
            changed[interface, level] = not np.array_equal(result, inputs["image"])
    assert [level for level in (0, 127, 128, 254, 255) if changed["inpaint", level]] == [128, 254, 255]
    assert [level for level in (0, 127, 128, 254, 255) if changed["migan", level]] == [0, 127, 128, 254]


def test_a_network_that_reads_cannys_edges_has_no_pipeline(small_network):
    with pytest.raises(UsageError, match="edgeconnect reads canny and gray, which no graph can make of the image"):
        check_closed(GraphNetwork(small_network("edgeconnect")), "edgeconnect")


def test_a_tint_of_the_network_is_taken_from_the_whole_hole():
    shades = np.linspace(40, 200, 150)[None, :, None] + np.linspace(0, 30, 120)[:, None, None] + np.zeros(3)
    photo = np.rint(shades).astype(np.uint8)
    hole = np.zeros((120, 150), bool)
    hole[30:90, 45:105] = True
    tint = np.array([0.1, -0.05, 0.02], np.float32)[None, :, None, None]

    def paint(image, mask):
        """Paint the shades of the whole photo, as a network that reads them perfectly, but tinted."""
        columns = np.linspace(40, 200, 150) / 255
        seen = np.interp(np.linspace(0, 149, image.shape[3]), np.arange(150), columns)
        rows = np.interp(np.linspace(0, 119, image.shape[2]), np.arange(120), np.linspace(0, 30, 120) / 255)
        return (seen[None, None, None, :] + rows[None, None, :, None] + tint).astype(np.float32)

    result = filled(photo, hole, paint, PipelineSizes(trained_px=64, multiple_px=1, minimum_px=1))
    apart = np.abs(result.astype(int) - photo)[hole]
    assert apart.max() <= 4  # of 255, where the tint is 25
    assert (result[~hole] == photo[~hole]).all()
