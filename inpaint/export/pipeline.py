"""A network as an ONNX graph that fills photos of any size: bytes in, bytes out, everything around it in the graph.

A window is cut out around the hole, twice as large as the hole and no smaller than the side that the network was
trained at; what exceeds that side is reduced by the mean of the known area; the network paints; what it painted is
enlarged, the jump of its colors at the rim of the hole is spread over all of it, and it takes the place of the hole
alone. All is one graph without branches: where there is no hole, the whole image is the window, and nothing of it is
used.

`pipeline_reference` does the same in NumPy and OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inpaint.errors import UsageError
from inpaint.export.networks import GraphNetwork, example
from inpaint.export.onnx_building import GraphBuilder, network_nodes
from inpaint.export.onnx_network import OPSET
from inpaint.system.extras import import_optional
from inpaint.weights.graphs import Interface

WINDOW = 2  # sides of a window over the longer side of the hole
KERNEL_PX, SIGMA_PX = 7, 2.0  # of the Gaussian that compares colors on both sides of the border
RIM_PX = 2  # reduced pixels beside the hole at which the jump of colors is known
CUBIC = -0.75  # Keys' parameter, as OpenCV and torch have it
SOME = 1e-6  # least share of a reduced pixel that says something about its color
WHOLE = 1 - 1e-4  # share of a reduced pixel from which on it is known


@dataclass(frozen=True)
class PipelineSizes:
    """What the graph must know of its network: side that it was trained at, multiple and least of its sides."""

    trained_px: int
    multiple_px: int
    minimum_px: int


def sizes_of(network: GraphNetwork) -> PipelineSizes:
    """Return the sizes of a network; where it was trained at none, 512 pixels stand for it."""
    multiple, least = network.multiple_px, network.minimum_px
    trained = network.network.capabilities.trained_px or 512
    return PipelineSizes(max(trained // multiple * multiple, least), multiple, least)


def check_closed(network: GraphNetwork, name: str) -> None:
    """Raise UsageError for a network that a pipeline cannot hold.

    One that reads what is made of the image by no arithmetic of graphs; and one that reads what lies in the hole,
    where a pipeline hides that from the network.
    """
    if network.network.capabilities.reads_hole:
        raise UsageError(
            f"--pipeline: {name} reads what lies in the hole, which a pipeline hides; export the network alone"
        )
    image, mask, *_ = example(network, 1, network.minimum_px, network.minimum_px)
    outside = sorted(network.network.derive(image, mask).keys() & set(network.names))
    if outside:
        raise UsageError(
            f"--pipeline: {name} reads {' and '.join(outside)}, which no graph can make of the image; "
            "export the network alone, and give it these as inputs"
        )


def pipeline_of(network: GraphNetwork, model: Any, interface: Interface) -> Any:
    """Return the ONNX model of a pipeline, without metadata.

    Inputs `image` (1, 3, H, W) and `mask` (1, 1, H, W), output `result` (1, 3, H, W), all uint8, of any size. Planes
    that a caller may give and the noise of networks that draw are 0: nothing is asked for, and the mean is painted.

    Args:
        network: What `model` was made of.
        model: Its graph, in any precision.
        interface: What the mask means.
    """
    onnx = import_optional("export", "onnx", purpose="exporting to ONNX")
    nodes, constants, inputs, raw = network_nodes(model, "network/")
    before, after = GraphBuilder("before/"), GraphBuilder("after/")
    sizes = sizes_of(network)
    level = before.constant(127 if interface == "inpaint" else 255, np.uint8)
    hole = before("Greater" if interface == "inpaint" else "Less", "mask", level)
    window = _window(before, hole, sizes)
    scale = before.constant(1 / 255, np.float32)
    image = before("Mul", before.cast(window.of(before, "image"), np.float32), scale)
    unknown = window.of(before, hole)
    known = before.cast(before("Not", unknown), np.float32)
    seen = before("Mul", image, known)
    small, small_hole = _reduced(before, seen, known, window)
    padded, padded_hole = (
        _mirrored(before, each, window, sizes) for each in (small, before.cast(small_hole, np.float32))
    )
    before("Identity", padded, name=inputs[0])
    before("Identity", padded_hole, name=inputs[1])
    for wanted, name in zip(network.inputs, inputs[2:], strict=True):
        share = before.integers(wanted.scale)
        height, width = (before("Div", before.side(padded, axis), share) for axis in (2, 3))
        shape = before.joined(before.integers(1, wanted.channels), height, width)
        zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32))
        before("ConstantOfShape", shape, name=name, value=zero)
    painted = _evened(after, raw, small, small_hole, window, sizes)
    result = _pasted(after, painted, seen, known, hole, window)
    graph = onnx.helper.make_graph(
        [*before.nodes, *nodes, *after.nodes],
        "pipeline",
        [_photo(onnx, "image", 3), _photo(onnx, "mask", 1)],
        [_photo(onnx, result, 3)],
        [*before.constants, *constants, *after.constants],
    )
    domains = {each.domain: each.version for each in model.opset_import}
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in {**domains, "": OPSET}.items()]
    made = onnx.helper.make_model(graph, opset_imports=opsets)
    made.ir_version = model.ir_version
    onnx.checker.check_model(made)
    return made


def _photo(onnx: Any, name: str, channels: int) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [1, channels, "height", "width"])


@dataclass(frozen=True)
class _Window:
    """Where the graph works, vectors of one integer each: (start, end, size there, reduced size) by side."""

    rows: tuple[str, str, str, str]
    columns: tuple[str, str, str, str]

    def of(self, g: GraphBuilder, value: str) -> str:
        """Cut the window out of a value (1, C, H, W)."""
        return g.cut(g.cut(value, self.rows[0], self.rows[1], 2), self.columns[0], self.columns[1], 3)


def _window(g: GraphBuilder, hole: str, sizes: PipelineSizes) -> _Window:
    """Choose the window around the hole, and the size to which it is reduced."""
    boxes = []
    bits = g.cast(hole, np.uint8)
    for axis, other in ((2, 3), (3, 2)):
        side = g.side(hole, axis)
        line = g("ReduceMax", bits, g.integers(0, 1, other), keepdims=0)  # (H,) or (W,)
        holds = g("Cast", line, to=9)  # bool
        place = g.places(side, np.int64)
        first = g("ReduceMin", g("Where", holds, place, side), g.integers(0))
        last = g("ReduceMax", g("Where", holds, place, g.integers(-1)), g.integers(0))
        empty = g("Less", last, first)  # no hole
        start = g("Where", empty, g.integers(0), first)
        end = g("Where", empty, side, g("Add", last, g.integers(1)))
        boxes.append((side, start, end))
    lengths = [g("Sub", end, start) for _, start, end in boxes]
    wanted = g("Max", g("Mul", g("Max", *lengths), g.integers(WINDOW)), g.integers(sizes.trained_px))
    spans = []
    for side, start, end in boxes:
        size = g("Min", wanted, side)
        # Around the middle of the box, and within the image.
        middle = g("Div", g("Sub", g("Add", start, end), size), g.integers(2))
        first = g("Min", g("Max", middle, g.integers(0)), g("Sub", side, size))
        spans.append((first, g("Add", first, size), size))
    longest = g("Max", spans[0][2], spans[1][2])
    rows, columns = ((*span, _reduced_side(g, span[2], longest, sizes)) for span in spans)
    return _Window(rows, columns)


def _reduced_side(g: GraphBuilder, size: str, longest: str, sizes: PipelineSizes) -> str:
    """Return size * trained / longest, rounded down, where longest exceeds what the network was trained at."""
    trained = g.integers(sizes.trained_px)
    return g("Max", g("Div", g("Mul", size, trained), g("Max", longest, trained)), g.integers(1))


def _areas(g: GraphBuilder, size: str, reduced: str) -> str:
    """Return the share (reduced, size) of every pixel in the area that a reduced pixel covers."""
    ratio = g("Div", g.cast(size, np.float64), g.cast(reduced, np.float64))
    one = g.constant(1, np.float64)
    start = g("Mul", g("Unsqueeze", g.places(reduced, np.float64), g.integers(1)), ratio)
    place = g("Unsqueeze", g.places(size, np.float64), g.integers(0))
    last = g("Min", g("Add", start, ratio), g("Add", place, one))
    overlap = g("Max", g("Sub", last, g("Max", start, place)), g.constant(0, np.float64))
    return g.cast(g("Div", overlap, ratio), np.float32)


def _reduced(g: GraphBuilder, seen: str, known: str, window: _Window) -> tuple[str, str]:
    """Return the mean color of the known area, 0 where nothing is known, and the hole, at the reduced size.

    A pixel belongs to the hole where any of its area does; where nothing would be left known, only where all of it is.
    """
    down = _areas(g, *window.rows[2:])
    across = g("Transpose", _areas(g, *window.columns[2:]), perm=[1, 0])
    weight, color = (g("MatMul", down, g("MatMul", each, across)) for each in (known, seen))
    some = g("Greater", weight, g.constant(SOME, np.float32))
    mean = g("Div", color, g("Max", weight, g.constant(SOME, np.float32)))
    mean = g(
        "Where", some, g("Clip", mean, g.constant(0, np.float32), g.constant(1, np.float32)), g.constant(0, np.float32)
    )
    any_hole = g("Less", weight, g.constant(WHOLE, np.float32))
    nothing = g("Less", g("ReduceMax", weight, keepdims=0), g.constant(WHOLE, np.float32))
    return mean, g("And", any_hole, g("Or", g("Not", nothing), g("Not", some)))


def _mirrored(g: GraphBuilder, value: str, window: _Window, sizes: PipelineSizes) -> str:
    """Grow a value (1, C, h, w) at the bottom and the right to sides that the network takes, by mirroring."""
    for axis, (*_, size) in ((2, window.rows), (3, window.columns)):
        multiple = g.integers(sizes.multiple_px)
        wanted = g("Max", size, g.integers(sizes.minimum_px))
        wanted = g("Mul", g("Div", g("Add", wanted, g.integers(sizes.multiple_px - 1)), multiple), multiple)
        twice = g("Mul", size, g.integers(2))
        place = g("Mod", g.places(wanted, np.int64), twice)
        back = g("Sub", g("Sub", twice, g.integers(1)), place)
        value = g("Gather", value, g("Where", g("Less", place, size), place, back), axis=axis)
    return value


def _evened(g: GraphBuilder, raw: str, small: str, small_hole: str, window: _Window, sizes: PipelineSizes) -> str:
    """Return the reduced image with its hole as painted, less the jump at its rim, which is spread over the hole.

    The jump is known on the known places beside the hole. It is spread by pull and push (Gortler et al., "The
    Lumigraph", SIGGRAPH 1996): each place takes it from the smallest square around it that knows any. That comes close
    to the harmonic sheet of Poisson blending, in steps whose number does not depend on the image.
    """
    zero, one, some = (g.constant(value, np.float32) for value in (0, 1, SOME))
    sides = window.rows[3], window.columns[3]
    painted = g.cut(g.cut(raw, g.integers(0), sides[0], 2), g.integers(0), sides[1], 3)
    painted = g("Clip", painted, zero, one)
    inside = g.cast(small_hole, np.float32)
    near = g("MaxPool", inside, kernel_shape=[2 * RIM_PX + 1] * 2, pads=[RIM_PX] * 4, strides=[1, 1])
    mean, weight = g("Sub", small, painted), g("Sub", near, inside)
    levels = []
    for _ in range((sizes.trained_px - 1).bit_length()):
        levels.append((mean, weight, sides))
        rows, columns = (g("Div", g("Add", side, g.integers(1)), g.integers(2)) for side in sides)
        down, right = _areas(g, sides[0], rows), _areas(g, sides[1], columns)
        across = g("Transpose", right, perm=[1, 0])
        color, share = (g("MatMul", down, g("MatMul", each, across)) for each in (g("Mul", mean, weight), weight))
        mean = g("Div", color, g("Max", share, some))
        weight = g("Min", g("Mul", share, g.constant(4, np.float32)), one)
        sides = rows, columns
    jump = mean
    for mean, weight, (rows, columns) in reversed(levels):
        size = g.joined(g.integers(1, 3), rows, columns)
        wide = g("Resize", jump, "", "", size, mode="linear", coordinate_transformation_mode="half_pixel")
        jump = g("Add", wide, g("Mul", weight, g("Sub", mean, wide)))
    return g("Where", small_hole, g("Clip", g("Add", painted, jump), zero, one), small)


def _pasted(g: GraphBuilder, painted: str, seen: str, known: str, hole: str, window: _Window) -> str:
    """Enlarge the reduced image, mend the border of the hole, and put it into the hole of the whole image."""
    zero, one = g.constant(0, np.float32), g.constant(1, np.float32)
    size = g.joined(g.integers(1, 3), window.rows[2], window.columns[2])
    painted = g(
        "Resize",
        painted,
        "",
        "",
        size,
        mode="cubic",
        coordinate_transformation_mode="half_pixel",
        cubic_coeff_a=CUBIC,
    )
    inside = g("Sub", one, known)
    near = _blurred(g, known, 1)
    beside = g("Div", _blurred(g, seen, 3), g("Max", near, g.constant(SOME, np.float32)))
    own = g(
        "Div", _blurred(g, g("Mul", painted, inside), 3), g("Max", _blurred(g, inside, 1), g.constant(SOME, np.float32))
    )
    weight = g("Min", g("Mul", near, g.constant(2, np.float32)), one)
    mended = g("Add", painted, g("Mul", weight, g("Sub", beside, own)))
    levels = g("Round", g("Mul", g("Clip", mended, zero, one), g.constant(255, np.float32)))
    levels = g.cast(levels, np.uint8)
    right, below = (g("Sub", g.side(hole, axis), end) for axis, end in ((3, window.columns[1]), (2, window.rows[1])))
    around = g.joined(g.integers(0, 0), window.rows[0], window.columns[0], g.integers(0, 0), below, right)
    whole = g("Pad", levels, around, g.constant(0, np.uint8))
    return g("Where", hole, whole, "image", name="result")


def _blurred(g: GraphBuilder, value: str, channels: int) -> str:
    """Blur a value (1, channels, h, w) by the Gaussian, with 0 beyond the border."""
    place = np.arange(KERNEL_PX) - KERNEL_PX // 2
    kernel = np.exp(-(place**2) / (2 * SIGMA_PX**2))
    kernel = np.tile(kernel / kernel.sum(), (channels, 1, 1, 1))
    half = KERNEL_PX // 2
    across = g("Conv", value, g.constant(kernel, np.float32), group=channels, pads=[0, half, 0, half])
    down = g.constant(kernel.transpose(0, 1, 3, 2), np.float32)
    return g("Conv", across, down, group=channels, pads=[half, 0, half, 0])
