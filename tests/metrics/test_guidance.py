"""Measures of following: lines against the fill's edges, colors against its colors."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from inpaint.errors import InputError
from inpaint.metrics import Compared, measured, measures
from inpaint.metrics.edges import canny_edges

LINES = ("line_distance", "line_recall_1px", "line_recall_2px")


def scene(seed=0):
    """Two images with a bright box each, a hole around it, and lines: the box's outline, moved in the second."""
    image = torch.full((2, 3, 60, 80), 0.2)
    image[:, :, 20:40, 25:60] = 0.8
    mask = torch.zeros(2, 1, 60, 80)
    mask[:, :, 10:50, 15:70] = 1
    lines = canny_edges(image)
    lines[1] = torch.roll(lines[1], (6, 0), (1, 2))
    return image, mask, lines


def values(names, **compared):
    found = measured(Compared(**compared), measures(names).of_images)
    return {name: value.numpy() for name, value in found.items()}


def test_lines_along_the_fills_edges_are_met_and_moved_ones_are_not():
    image, mask, lines = scene()
    found = values(LINES, completed=image, image=image, mask=mask, lines=lines)
    assert found["line_distance"][0] == 0
    assert found["line_recall_1px"][0] == found["line_recall_2px"][0] == 1
    assert 1 < found["line_distance"][1] <= 6
    assert found["line_recall_1px"][1] <= found["line_recall_2px"][1] < 0.7


def test_distances_are_those_of_scipy_over_the_lines_in_the_hole():
    rng = np.random.default_rng(0)
    image = torch.from_numpy(ndimage.gaussian_filter(rng.random((2, 3, 40, 56)), (0, 0, 3, 3))).float()
    image = (image - image.min()) / (image.max() - image.min())
    mask = torch.from_numpy((rng.random((2, 1, 40, 56)) < 0.5).astype(np.float32))
    lines = torch.from_numpy((rng.random((2, 1, 40, 56)) < 0.1).astype(np.float32))
    found = values(LINES, completed=image, image=image, mask=mask, lines=lines)
    for number, edges in enumerate(canny_edges(image)[:, 0].numpy()):
        assert edges.any()
        away = ndimage.distance_transform_edt(edges == 0)[(lines * mask)[number, 0].numpy() == 1]
        assert found["line_distance"][number] == pytest.approx(away.mean(), abs=1e-4)
        for near in (1, 2):
            assert found[f"line_recall_{near}px"][number] == pytest.approx((away <= near).mean(), abs=1e-9)


def test_a_fill_without_any_edge_is_as_far_as_the_image_is_wide():
    image, mask, lines = scene()
    found = values(LINES, completed=torch.full_like(image, 0.5), image=image, mask=mask, lines=lines)
    assert found["line_distance"] == pytest.approx(np.hypot(60, 80))
    assert not found["line_recall_2px"].any()


def test_colors_are_compared_under_the_strokes_in_the_hole_alone():
    rng = np.random.default_rng(1)
    completed, image = (torch.from_numpy(rng.random((2, 3, 20, 30))) for _ in range(2))
    mask = torch.from_numpy((rng.random((2, 1, 20, 30)) < 0.5).astype(np.float64))
    colors = torch.from_numpy(rng.random((2, 4, 20, 30)))
    colors[:, 3] = (colors[:, 3] < 0.3).double()
    found = values(["color_distance"], completed=completed, image=image, mask=mask, colors=colors)["color_distance"]
    for number in range(2):
        where = ((colors[number, 3] == 1) & (mask[number, 0] == 1)).numpy()
        away = np.abs(completed[number].numpy() - colors[number, :3].numpy())[:, where]
        assert found[number] == pytest.approx(away.mean(), rel=1e-9)


def test_an_image_where_nothing_was_drawn_in_the_hole_does_not_count():
    image, mask, lines = scene()
    lines[1] *= 1 - mask[1]
    colors = torch.zeros(2, 4, 60, 80)
    colors[0, :, 20:30, 20:30] = 1
    compared = Compared(completed=image, image=image, mask=mask, lines=lines, colors=colors)
    for measure in measures([*LINES, "color_distance"]).of_images:
        assert measure.counts(compared).tolist() == [True, False]
        assert measure.values(compared).isnan().tolist() == [False, True]


def test_without_guidance_there_is_no_number():
    image, mask, _ = scene()
    compared = Compared(completed=image, image=image, mask=mask)
    for measure in measures([*LINES, "color_distance"]).of_images:
        assert not measure.counts(compared).any()
        with pytest.raises(InputError, match="needs the"):
            measure.values(compared)
    with pytest.raises(InputError, match="colors must have shape"):
        Compared(completed=image, image=image, mask=mask, colors=mask)
