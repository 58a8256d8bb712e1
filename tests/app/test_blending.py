"""What the page's blending does, without a browser."""

import numpy as np
import pytest
from PIL import Image

import inpaint
from harmonizer import written_harmonizer
from inpaint.app import blending
from inpaint.app.blending import BlendAsked
from inpaint.app.models import LoadedModels, offers
from inpaint.app.work import Working
from inpaint.app.workspaces import Result
from inpaint.blending.table import BLENDERS
from inpaint.errors import InpaintError, InputError, UsageError
from inpaint.images.strokes import parse_shapes


@pytest.fixture
def scene(tmp_path, make_photo):
    path = tmp_path / "scene.png"
    Image.fromarray(make_photo(40, 56)).save(path)
    return path


@pytest.fixture
def plain(tmp_path):
    """A red square on gray."""
    values = np.full((30, 40, 3), 90, np.uint8)
    values[10:20, 12:26] = [220, 30, 30]
    path = tmp_path / "plain.png"
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def cutout(tmp_path, make_photo):
    values = np.dstack([make_photo(12, 16, 3), np.zeros((12, 16), np.uint8)])
    values[2:9, 3:12, 3] = 255
    path = tmp_path / "object.png"
    Image.fromarray(values).save(path)
    return path


def box(*points):
    return parse_shapes([{"kind": "box", "points": points}])[0]


def blended(workspace, settings, models=None, **asked):
    models = LoadedModels({}, "cpu") if models is None else models
    *steps, result = blending.blend(workspace, BlendAsked(**asked), models, settings)
    assert all(isinstance(step, Working) for step in steps)
    assert isinstance(result, Result)
    return result


def test_two_photos_are_blended_as_inpaint_blend_does(workspace, settings, scene, cutout):
    blending.open_part(workspace, "target", scene, "scene.png", settings)
    shown, view, notes = blending.open_part(workspace, "source", cutout, "object.png", settings)
    assert (shown.width, shown.height, notes) == (16, 12, [])
    with Image.open(view) as picture:
        assert picture.mode == "RGBA"
        assert (np.asarray(picture)[..., 3] > 0).sum() == 7 * 9
    result = blended(workspace, settings, x=30, y=20, method="paste")
    expected = inpaint.blend(cutout, scene, method="paste", at=(22, 14))
    assert np.array_equal(np.asarray(Image.open(result.file)), np.asarray(expected))
    assert np.asarray(Image.open(result.mask)).astype(bool).sum() == 7 * 9
    assert (result.name, result.model, workspace.results) == ("scene-paste.png", "paste", [result])


def test_size_turn_method_and_options_go_with_it(workspace, settings, scene, cutout):
    blending.open_part(workspace, "target", scene, "scene.png", settings)
    blending.open_part(workspace, "source", cutout, "object.png", settings)
    how = {"scale": 1.5, "rotate": 90.0}
    result = blended(workspace, settings, x=30, y=20, method="poisson", options=("mode=mixed",), **how)
    expected = inpaint.blend(cutout, scene, method="poisson", mode="mixed", at=(21, 8), **how)
    assert np.array_equal(np.asarray(Image.open(result.file)), np.asarray(expected))
    auto = blended(workspace, settings, x=54, y=20)
    assert auto.model.startswith("auto (")
    assert "along the border" in auto.strategy
    assert any("lies outside of the target" in note for note in auto.notes)


def test_a_trained_harmonizer_is_a_method_and_no_fill(workspace, settings, scene, cutout, tmp_path):
    models = LoadedModels(offers([str(written_harmonizer(tmp_path / "paste"))], settings.runs), "cpu")
    assert list(blending.methods(models)) == [*BLENDERS, "paste (trained)"]
    assert "paste" not in models.offered
    blending.open_part(workspace, "target", scene, "scene.png", settings)
    blending.open_part(workspace, "source", cutout, "object.png", settings)
    result = blended(workspace, settings, models, x=30, y=20, method="paste (trained)", options=("colors=reinhard",))
    expected = inpaint.blend(cutout, scene, method=str(tmp_path / "paste"), at=(22, 14), colors="reinhard")
    assert np.array_equal(np.asarray(Image.open(result.file)), np.asarray(expected))
    with pytest.raises(UsageError, match=r"option of the method paste \(trained\).*mode"):
        blended(workspace, settings, models, x=30, y=20, method="paste (trained)", options=("mode=mixed",))


def test_the_object_is_found_in_a_box_or_given_by_its_outline_or_a_mask(workspace, settings, scene, plain, tmp_path):
    blending.open_part(workspace, "target", scene, "scene.png", settings)
    _, view, _ = blending.open_part(workspace, "source", plain, "plain.png", settings)
    assert view is None
    with pytest.raises(UsageError, match="nothing of the source is the object yet"):
        blended(workspace, settings, x=1, y=1)
    blending.mark_object(workspace, box((6, 5), (32, 26)), settings)
    found = np.asarray(Image.open(workspace.object_mask)) > 0
    assert found[10:20, 12:26].all()
    assert found.sum() < 250
    (outline,) = parse_shapes([{"kind": "lasso", "points": [(2, 3), (12, 3), (12, 8), (2, 8)]}])
    blending.mark_object(workspace, outline, settings)
    found = np.asarray(Image.open(workspace.object_mask)) > 0
    assert found[4:7, 3:11].all()
    assert not found[:2].any()
    assert not found[10:].any()
    mask = np.zeros((30, 40), np.uint8)
    mask[5:9, 5:9] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    blending.take_object_mask(workspace, tmp_path / "mask.png", "mask.png", settings)
    assert (np.asarray(Image.open(workspace.object_mask)) > 0).sum() == 16
    with pytest.raises(InputError, match=r"^scene.png"):
        blending.take_object_mask(workspace, scene, "scene.png", settings)
    with pytest.raises(UsageError, match="outside of the source"):
        blending.mark_object(workspace, box((90, 90), (99, 99)), settings)


def test_what_cannot_be_asked_for_is_refused(workspace, settings, scene, cutout, tmp_path):
    with pytest.raises(UsageError, match="no target is open"):
        blended(workspace, settings, x=1, y=1)
    with pytest.raises(UsageError, match="no source is open"):
        blending.mark_object(workspace, box((0, 0), (4, 4)), settings)
    with pytest.raises(UsageError, match="unknown role"):
        blending.open_part(workspace, "style", scene, "scene.png", settings)
    (tmp_path / "text.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"text.png"):
        blending.open_part(workspace, "source", tmp_path / "text.png", "text.png", settings)
    assert workspace.parts == {}
    blending.open_part(workspace, "target", scene, "scene.png", settings)
    blending.open_part(workspace, "source", cutout, "object.png", settings)
    for asked, message in (
        ({"method": "poison"}, "unknown method"),
        ({"options": ("mode=mixed",)}, "unknown option of the method auto"),
        ({"method": "poisson", "options": ("strength=3",)}, "strength"),
        ({"x": 900}, "wholly outside"),
        ({"scale": 0}, "scale must be"),
    ):
        with pytest.raises(InpaintError, match=message):
            blended(workspace, settings, **{"x": 20, "y": 20, **asked})
    assert workspace.results == []
