"""What the page's painting in styles does: pictures of styles, where they go, models, results."""

import numpy as np
import pytest
from PIL import Image

import inpaint
from inpaint.app.models import offers
from inpaint.app.styling import MOST_STYLES, StyleAsked, add_style, remove_style, style_offers, stylize
from inpaint.app.work import Working
from inpaint.app.workspaces import Result
from inpaint.errors import UsageError
from inpaint.images.strokes import parse_shapes
from inpaint.models.johnson.config import Config
from inpaint.models.johnson.network import Network
from inpaint.nn import vgg
from inpaint.weights.files import WeightsMetadata, save_weights


@pytest.fixture
def painting(tmp_path):
    """A reddish picture as a file."""
    values = np.random.default_rng(0).normal((180, 60, 40), 25, (30, 40, 3)).clip(0, 255)
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "painting.png")
    return tmp_path / "painting.png"


@pytest.fixture
def styled(opened, painting, settings):
    add_style(opened, painting, painting.name, settings)
    return opened


@pytest.fixture
def offered(settings):
    return style_offers((), settings.runs)


@pytest.fixture
def run(tmp_path):
    network = Network(Config(**Config.SMALL))
    metadata = WeightsMetadata(model="johnson", config=network.config.model_dump(mode="json"), roles=("generator",))
    (tmp_path / "tiny").mkdir()
    save_weights(tmp_path / "tiny/model.safetensors", dict(network.state_dict()), metadata)
    return tmp_path / "tiny"


def results(space, asked, offered, settings):
    return [step for step in stylize(space, asked, offered, settings) if isinstance(step, Result)]


def test_a_photo_is_painted_as_notebooks_paint_it(styled, photo_file, painting, offered, settings):
    steps = list(stylize(styled, StyleAsked(models=("colors",), strength=0.5), offered, settings))
    assert isinstance(steps[0], Working)
    (result,) = styled.results
    expected = inpaint.stylize(photo_file, painting, model="colors", strength=0.5)
    assert np.array_equal(np.asarray(Image.open(result.file)), np.asarray(expected))
    assert result.name == "a-photo-colors.png"


def test_styles_go_where_something_is_drawn_and_the_rest_stays(styled, photo_file, offered, settings):
    shapes = parse_shapes([{"kind": "box", "points": [[10, 10], [30, 30]]}])
    (result,) = results(styled, StyleAsked(models=("colors",), shapes=shapes), offered, settings)
    before, after = (np.asarray(Image.open(file)) for file in (photo_file, result.file))
    inside = np.asarray(Image.open(result.mask)) > 0
    assert 0 < inside.mean() < 0.5
    assert np.array_equal(after[~inside], before[~inside])
    assert not np.array_equal(after[inside], before[inside])


def test_several_models_give_a_result_each_of_one_run(styled, offered, settings):
    found = results(styled, StyleAsked(models=("colors", "photo_fast")), offered, settings)
    assert [each.model for each in found] == ["colors", "photo_fast"]
    assert found[0].mask == found[1].mask


def test_styles_come_and_go(styled, painting, offered, settings):
    for _ in range(MOST_STYLES - 1):
        add_style(styled, painting, "another.png", settings)
    with pytest.raises(UsageError, match="at most 6 styles"):
        add_style(styled, painting, "one more.png", settings)
    file = styled.styles[0].file
    for shown in list(styled.styles):
        remove_style(styled, shown.id)
    assert not file.exists()
    with pytest.raises(UsageError, match="no style is there"):
        results(styled, StyleAsked(models=("colors",)), offered, settings)


def test_trained_networks_are_offered_for_painting_and_not_for_filling(opened, run, settings):
    offered = style_offers((str(run),), settings.runs)
    assert offered["tiny"].learned is not None
    assert "tiny" not in offers((str(run),), settings.runs)
    (result,) = results(opened, StyleAsked(models=("tiny",)), offered, settings)  # no picture is needed
    with Image.open(result.file) as image:
        assert image.size == (56, 40)


def test_what_cannot_be_asked_for_is_said_before_any_work(styled, offered, settings):
    cases = {
        "unknown style model 'oil'": {"models": ("oil",)},
        "choose 1 to 4 models": {"models": ()},
        "unknown option of colors 'strokes'": {"models": ("colors",), "options": ("strokes=3",)},
        "strength": {"models": ("colors",), "strength": 2.0},
        "unknown format": {"models": ("colors",), "format": "GIF 1"},
    }
    for message, asked in cases.items():
        with pytest.raises(UsageError, match=message):
            results(styled, StyleAsked(**asked), offered, settings)
    assert styled.results == []


def test_nothing_is_painted_after_stop(styled, offered, settings):
    styled.stopping.set()
    assert results(styled, StyleAsked(models=("colors",)), offered, settings) == []


def test_a_method_that_comes_nearer_step_by_step_shows_previews_and_stops_with_what_it_has(
    styled, offered, settings, monkeypatch
):
    monkeypatch.setattr(vgg, "CHANNELS", (3, 4, 4, 5, 5))
    options = ("weights=random", "network=vgg16", "iterations=100000")
    asked, seen, found = StyleAsked(models=("gatys", "colors"), options=options), [], []
    for step in stylize(styled, asked, offered, settings):
        if isinstance(step, Result):
            found.append(step)
        else:
            seen.append(step)
            if step.preview:
                styled.stopping.set()
    assert [result.model for result in found] == ["gatys"]  # the next one was not begun
    assert "stopped early: this is what there was" in found[0].notes
    assert np.asarray(Image.open(found[0].file)).shape == (40, 56, 3)
    assert any(step.preview and step.preview.startswith("data:image/jpeg;base64,") for step in seen)
    assert seen[-1].stoppable
