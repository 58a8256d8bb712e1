"""Looking for things to remove, from the page: the mask that is found is one of the shapes."""

from __future__ import annotations

import numpy as np
import pytest

from inpaint.app import work
from inpaint.app.work import Asked, find_mask, find_object, finders, hole_of
from inpaint.errors import UsageError
from inpaint.images.strokes import Shape


def test_what_is_found_is_kept_as_a_mask_that_shapes_may_name(opened, models, settings, monkeypatch):
    asked = []

    def find(name, photo, *, sensitivity):
        asked.append((name, photo.pixels.shape, sensitivity))
        hole = np.zeros((photo.height, photo.width), bool)
        hole[4:8, 6:20] = sensitivity > 0.5
        return hole

    monkeypatch.setattr(work, "find", find)
    name, share = find_mask(opened, "text", models, settings, sensitivity=0.75)
    assert asked == [("text", (40, 56, 3), 0.75)]
    assert share == 4 * 14 / (40 * 56)
    hole = hole_of(opened, Asked(models=("telea",), shapes=(Shape("mask", mask=name),)))
    assert hole[4:8, 6:20].all()
    assert hole.sum() == 56
    assert find_mask(opened, "text", models, settings, sensitivity=0.25) == (None, 0.0)


def test_the_object_in_a_box_is_kept_and_a_box_elsewhere_refused(opened, settings):
    name = find_object(opened, Shape("box", ((10, 8), (40, 30))), settings)
    kept = opened.kept_masks()[name]
    assert kept.any()
    assert not kept[35:].any()
    with pytest.raises(UsageError, match="outside of the photo"):
        find_object(opened, Shape("box", ((500, 500), (510, 510))), settings)


def test_only_what_is_found_in_a_single_photo_is_offered(models):
    assert "scratches" in finders(models)
    assert "watermark" not in finders(models)


def test_what_cannot_be_looked_for_is_told_by_its_name(opened, models, settings):
    with pytest.raises(UsageError, match="unknown thing to find 'everything'"):
        find_mask(opened, "everything", models, settings)
