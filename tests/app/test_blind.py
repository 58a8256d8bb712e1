"""Blind models on the page: they find the mask, which can be corrected, for themselves and for other models."""

import numpy as np
import pytest
from PIL import Image

from blind import soiled, write_weights
from inpaint.app.models import LoadedModels, offers
from inpaint.app.work import Asked, fill, find_mask, finders, open_photo
from inpaint.app.workspaces import Result
from inpaint.errors import UsageError
from inpaint.images.strokes import Shape


@pytest.fixture
def models(tmp_path, monkeypatch, settings):
    run = write_weights(monkeypatch, tmp_path / "cleaner")
    return LoadedModels(offers([str(run)], settings.runs), "cpu")


@pytest.fixture
def soiled_photo(make_photo):
    return soiled(make_photo(40, 56))


@pytest.fixture
def opened(workspace, tmp_path, settings, soiled_photo):
    """The workspace, with a photo open that has red strokes."""
    path = tmp_path / "soiled.png"
    Image.fromarray(soiled_photo[0]).save(path)
    open_photo(workspace, path, path.name, settings)
    return workspace


def results(workspace, asked, models, settings):
    return [each for each in fill(workspace, asked, models, settings) if isinstance(each, Result)]


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_blind_model_is_offered_as_a_finder(models):
    assert next(iter(finders(models))) == "cleaner"
    assert "tiny_blind" in finders(models)["cleaner"].summary
    assert "telea" not in finders(models)


def test_what_it_finds_can_be_corrected_and_filled_by_another_model(opened, models, settings, soiled_photo):
    photo, hole = soiled_photo
    mask, share = find_mask(opened, "cleaner", models, settings)
    assert share == hole.mean()
    assert np.array_equal(opened.kept_masks()[mask], hole)
    shapes = (Shape("mask", mask=mask), Shape("box", ((0, 0), (56, 14)), erases=True))
    (result,) = results(opened, Asked(models=("telea",), shapes=shapes), models, settings)
    changed = (pixels(result.file) != photo).any(axis=2)
    assert changed.any()
    assert not changed[~hole].any()
    assert not changed[:14].any()


def test_it_fills_where_nothing_is_drawn_and_so_do_the_models_beside_it(opened, models, settings, soiled_photo):
    photo, hole = soiled_photo
    found = results(opened, Asked(models=("telea", "cleaner"), shapes=()), models, settings)
    assert [each.model for each in found] == ["telea", "cleaner"]
    for each in found:
        assert "the hole was found by cleaner" in each.notes
        assert np.array_equal((pixels(each.file) != photo).any(axis=2), hole)
        assert np.array_equal(pixels(each.mask)[..., 0] > 127, hole)


def test_what_is_drawn_stands_above_what_would_be_found(opened, models, settings, soiled_photo):
    shapes = (Shape("box", ((1, 1), (5, 5))),)
    (result,) = results(opened, Asked(models=("cleaner",), shapes=shapes), models, settings)
    assert not (pixels(result.file) != soiled_photo[0])[8:].any()
    assert "the hole was found by cleaner" not in result.notes


def test_where_it_finds_nothing_it_says_so(workspace, models, settings, tmp_path, soiled_photo):
    Image.fromarray(soiled_photo[0] // 4).save(tmp_path / "clean.png")
    open_photo(workspace, tmp_path / "clean.png", "clean.png", settings)
    assert find_mask(workspace, "cleaner", models, settings) == (None, 0.0)
    with pytest.raises(UsageError, match="cleaner found nothing to remove"):
        results(workspace, Asked(models=("cleaner",), shapes=()), models, settings)


def test_without_a_blind_model_something_must_be_drawn(opened, models, settings):
    with pytest.raises(UsageError, match="nothing is marked"):
        results(opened, Asked(models=("telea",), shapes=()), models, settings)
