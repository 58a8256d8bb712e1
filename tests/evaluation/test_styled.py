"""Styles by which models that stylize are measured, and the rows that stand beside them."""

import csv
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from inpaint.cli.evaluate import command
from inpaint.errors import InputError, UsageError
from inpaint.evaluation import compare, evaluate
from inpaint.evaluation.record import Record
from inpaint.evaluation.styled import LoadableStylizer, StyledPhotos, Stylizing, beside
from inpaint.metrics import MEASURES, SetMeasure
from inpaint.metrics.base import Extractor
from inpaint.models.johnson.config import Config
from inpaint.models.johnson.network import Network
from inpaint.style.table import STYLIZERS
from inpaint.weights.files import WeightsMetadata, save_weights


@pytest.fixture
def styles(tmp_path):
    """A folder of two pictures, one reddish and smooth, one bluish and rough."""
    folder, draw = tmp_path / "styles", np.random.default_rng(0)
    folder.mkdir()
    for name, color, spread in (("red", (180, 60, 40), 20), ("blue", (30, 60, 160), 60)):
        noise = draw.normal(0, spread, (40, 48, 1)) + draw.normal(0, 4, (40, 48, 3))
        Image.fromarray((np.array(color) + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def run(photo_folder, styles, tmp_path, *words, output="out"):
    given = ["--data", photo_folder, "--styles", styles, "--size", "32", "--device", "cpu", "--count", "2"]
    given += ["--output", tmp_path / output, *words]
    done = CliRunner().invoke(command, [str(word) for word in given], standalone_mode=False)
    assert done.exception is None, done.output
    return list(csv.DictReader((tmp_path / output / "results.csv").read_text().splitlines()))


def pixels(record, row, name):
    return np.asarray(Image.open(record.picture(row["image"], row["mask"], name)), np.float64)


def test_every_photo_is_given_in_every_style_and_the_manifest_holds_the_pictures(photo_folder, styles):
    subjects = StyledPhotos(str(photo_folder), str(styles), size=32)
    assert list(subjects.labels) == ["blue", "red"]
    subject, mask = subjects.read(0), subjects.mask("red", 0, 32, 32)
    seen = subjects.seen("red", 0, subject, mask)
    assert mask.all()
    assert np.array_equal(seen.image, subject.image)
    assert seen.style.shape == (32, 32, 3)
    before = subjects.described()
    picture = np.asarray(Image.open(styles / "red.png")).copy()
    picture[20, 20] = 0
    Image.fromarray(picture).save(styles / "red.png")
    after = StyledPhotos(str(photo_folder), str(styles), size=32).described()
    assert after["masks"]["blue"] == before["masks"]["blue"]
    assert after["masks"]["red"] != before["masks"]["red"]


def test_one_picture_is_a_style_too(photo_folder, styles):
    assert list(StyledPhotos(str(photo_folder), str(styles / "red.png"), size=32).labels) == ["red"]


def test_the_command_measures_photos_as_they_are_color_transfer_and_models(photo_folder, styles, tmp_path):
    rows = run(photo_folder, styles, tmp_path, "--model", "photo_fast", "--measures", "ssim,matting_residual")
    assert [(row["model"], row["mask"]) for row in rows[:6]] == [
        (model, style) for style in ("blue", "red") for model in ("content", "colors", "photo_fast")
    ]
    record = Record.read(tmp_path / "out")
    for row in rows:
        picture, photo, style = (pixels(record, row, name) for name in (row["model"], "original", "masked"))
        if row["model"] == "content":
            assert float(row["ssim"]) == 1
            assert np.array_equal(picture, photo)
        else:
            assert float(row["ssim"]) < 1
        if row["model"] == "colors":
            far = np.abs(photo.mean(axis=(0, 1)) - style.mean(axis=(0, 1))).mean()
            assert np.abs(picture.mean(axis=(0, 1)) - style.mean(axis=(0, 1))).mean() < far / 2


def test_the_page_calls_pictures_by_what_they_are(photo_folder, styles, tmp_path):
    run(photo_folder, styles, tmp_path, "--model", "colors", "--measures", "ssim")
    page = (tmp_path / "out/index.html").read_text()
    assert '"words":{"masked":"style","original":"photo","label":"style","labels":"styles"}' in page
    assert (tmp_path / "out/sheet.png").exists()


def test_features_are_named_with_their_weights(photo_folder, styles, tmp_path):
    found = evaluate(
        {"content": Stylizing(None), "colors": Stylizing(STYLIZERS.load("colors"))},
        subjects=StyledPhotos(str(photo_folder), str(styles), size=32, count=1),
        output=tmp_path / "out",
        measured=["content_vgg16", "style_vgg16"],
        features={"vgg16": "random"},
        pictures=0,
    )
    values = {(row.mask, row.model): row.values for row in found.record.rows}
    for style in ("blue", "red"):
        assert values[style, "content"]["content_vgg16_random"] == 0
        assert values[style, "colors"]["style_vgg16_random"] < values[style, "content"]["style_vgg16_random"]


class MeanColor(Extractor):
    """Three features; counts the pictures that it saw."""

    name, dimensions = "mean color", 3
    seen = 0

    def features(self, images):
        MeanColor.seen += len(images)
        return images.double().mean(dim=(2, 3)).numpy()


class OverStyles(SetMeasure):
    """The distance of mean colors from the styles' times one plus the mean L1."""

    name, title, better, low, high = "over", "over", "lower", 0.0, 999.0
    least, advised, why = 2, 2, "so it is"
    needs, over_styles, made_of = frozenset({"style"}), True, ("l1",)

    def of_sets(self, sets):
        return float(np.abs(sets.painted.mean(axis=0) - sets.originals.mean(axis=0)).mean()) * (1 + sets.means["l1"])


def test_measures_over_styles_compare_all_pictures_with_all_styles_and_look_at_each_once(
    photo_folder, styles, tmp_path, monkeypatch
):
    monkeypatch.setitem(MEASURES, "over", partial(OverStyles, MeanColor()))
    MeanColor.seen = 0
    for _ in range(2):
        rows = run(photo_folder, styles, tmp_path, "--model", "colors", "--measures", "over")
    assert MeanColor.seen == 2 * 2 * 2 + 2  # two models on two photos in two styles, and the styles
    assert {"l1"} <= set(rows[0])
    record = Record.read(tmp_path / "out")
    for model in ("content", "colors"):
        mine = [row for row in rows if row["model"] == model]
        painted, wanted = (
            np.mean([pixels(record, row, which).mean(axis=(0, 1)) for row in mine], axis=0)
            for which in (model, "masked")
        )
        expected = np.abs(painted - wanted).mean() * (1 + np.mean([float(row["l1"]) for row in mine]))
        numbers = [(row.mask, row.value, row.n) for row in record.sets if row.model == model]
        assert numbers == [(style, pytest.approx(expected, rel=1e-9), 4) for style in ("blue", "red")]


def test_of_styles_that_two_evaluations_share_what_was_taken_over_others_is_left_out(
    photo_folder, styles, tmp_path, monkeypatch
):
    monkeypatch.setitem(MEASURES, "over", partial(OverStyles, MeanColor()))
    run(photo_folder, styles, tmp_path, "--model", "colors", "--measures", "ssim,over")
    run(photo_folder, styles / "red.png", tmp_path, "--model", "colors", "--measures", "ssim", output="red")
    made = {o.record.manifest.labels: o.record for o in compare([tmp_path / "out", tmp_path / "red"]).outcomes}
    assert set(made) == {("red",), ("blue",)}
    assert [measure.name for measure in made["red",].of_sets] == []


def test_masks_and_styles_exclude_each_other(photo_folder, styles, tmp_path):
    words = ["--model", "colors", "--data", photo_folder, "--styles", styles, "--output", tmp_path / "out"]
    for more in (["--masks", "center"], ["--recolor", "blobs"], ["--protocol", "deepfill_64"]):
        done = CliRunner().invoke(command, [str(word) for word in (*words, *more)], standalone_mode=False)
        assert isinstance(done.exception, UsageError)
        assert "leave out" in str(done.exception)


def test_what_fills_holes_does_not_stylize(photo_folder, styles, tmp_path):
    words = ["--model", "telea", "--data", photo_folder, "--styles", styles, "--output", tmp_path / "out"]
    done = CliRunner().invoke(command, [str(word) for word in words], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert "unknown style model 'telea'" in str(done.exception)


def test_a_network_is_measured_by_the_styles_that_it_has_learned(tmp_path):
    network = Network(Config(**Config.SMALL, styles=("red",)))
    metadata = WeightsMetadata(model="johnson", config=network.config.model_dump(mode="json"), roles=("generator",))
    (tmp_path / "tiny").mkdir()
    save_weights(tmp_path / "tiny/model.safetensors", dict(network.state_dict()), metadata)
    tiny = LoadableStylizer(spec=str(tmp_path / "tiny"))
    assert list(beside({"tiny": tiny}, ["red"])) == ["content", "colors", "tiny"]
    with pytest.raises(UsageError, match="'tiny' has learned red and takes no other style, such as 'blue'"):
        beside({"tiny": tiny}, ["blue", "red"])
    with pytest.raises(UsageError, match="cannot be called 'content'"):
        beside({"content": tiny}, ["red"])
    painted = tiny.load("cpu").in_style(np.zeros((8, 8, 3), np.uint8), "red", 0)
    assert painted.fill_arrays(np.full((1, 32, 32, 3), 0.5, np.float32), np.ones((1, 32, 32, 1)))[0].raw.shape[1] == 32


def test_a_model_without_a_style_says_so():
    image, mask = np.full((1, 16, 16, 3), 0.5, np.float32), np.ones((1, 16, 16, 1), np.float32)
    with pytest.raises(InputError, match="colors needs a style"):
        Stylizing(STYLIZERS.load("colors")).fill_arrays(image, mask)
