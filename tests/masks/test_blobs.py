"""Blobs: rounded shapes of the area that was asked for."""

import cv2
import numpy as np
import pytest

from inpaint.masks import parse_mask
from inpaint.masks.blobs import Blobs


def drawn(number=60, size=(128, 160), **options):
    mask, rng = Blobs(**options), np.random.default_rng(0)
    return [mask.draw(rng, *size) for _ in range(number)]


def test_a_shape_that_lies_inside_has_the_area_that_was_asked_for():
    whole = [mask for mask in drawn(count=(1, 1), area=(0.05, 0.05)) if not (mask[0].any() or mask[-1].any())]
    inside = [mask.mean() for mask in whole if not (mask[:, 0].any() or mask[:, -1].any())]
    assert len(inside) > 20
    assert np.mean(inside) == pytest.approx(0.05, rel=0.1)


def test_without_bumps_a_shape_is_an_ellipse():
    for mask in drawn(count=(1, 1), area=(0.05, 0.05), bumps=0.0, longest=2.0):
        if mask[[0, -1]].any() or mask[:, [0, -1]].any():
            continue
        (contour,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        (_, axes, _) = cv2.fitEllipse(contour)
        assert max(axes) / min(axes) < 2.2
        assert mask.sum() == pytest.approx(np.pi * np.prod(np.add(axes, 1)) / 4, rel=0.08)


def test_shapes_look_alike_at_every_size():
    small, large = (drawn(30, size=size) for size in ((64, 80), (256, 320)))
    shares = [(one.mean(), other.mean()) for one, other in zip(small, large, strict=True)]
    assert max(abs(one - other) for one, other in shares) < 0.02


def test_the_usual_blobs_cover_from_little_to_a_third():
    shares = [mask.mean() for mask in drawn(300, size=(64, 64))]
    low, middle, high = np.quantile(shares, [0.05, 0.5, 0.95])
    assert 0.01 < low < 0.05 < middle < 0.2 < high < 0.45
    assert isinstance(parse_mask("blobs"), Blobs)
