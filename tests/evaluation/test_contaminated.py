"""Contaminated photos: blind models find the hole, others are given it or what a finder finds; all see the same."""

import csv
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import ImageFont

from blind import soiled, tiny_blind, write_weights
from inpaint.cli.evaluate import command
from inpaint.errors import ConfigError, MaskError, UsageError
from inpaint.evaluation.contaminated import ByFinder, ByTrueMask, ContaminatedPhotos, as_said, contaminating, ways
from inpaint.evaluation.measure import fill_and_measure
from inpaint.evaluation.subjects import Photos, listed
from inpaint.finding.table import is_available
from inpaint.masks.text import Text
from inpaint.metrics import OF_BLIND, USUAL, measures
from inpaint.registry.loadable import Loadable
from inpaint.registry.loading import load
from inpaint.types import Fill


def evaluated(photos, output, words, *, size=64):
    """The rows of results of `inpaint evaluate`, of two photos."""
    places = ["--data", str(photos), "--output", str(output)]
    done = CliRunner().invoke(
        command, [*words, *places, "--size", str(size), "--device", "cpu", "--count", "2"], standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return list(csv.DictReader((output / "results.csv").read_text().splitlines()))


class Seeing:
    """Paints gray and keeps what it was given."""

    name = "seeing"

    def __init__(self, *, blind):
        from inpaint.types import Capabilities

        self.capabilities = Capabilities(blind=blind, smallest_px=1)
        self.given = []

    def fill(self, image, mask, *, guidance=None, samples=1, seed=0, progress=None):
        self.given.append((image.clone(), mask))
        soft = torch.full_like(image[:, :1], 0.75)
        hole = soft.round() if mask is None else mask
        completed = torch.where(hole > 0, 0.5, image)
        return [Fill(completed=completed, raw=completed, mask=hole, aux={"found": soft} if mask is None else {})]


@pytest.fixture
def subjects(photo_folder):
    def build(kinds=("text", "center"), **options):
        return ContaminatedPhotos(str(photo_folder), contaminating(kinds, size=32, **options))

    return build


def seen(subjects, label, index):
    subject = subjects.read(index)
    mask = subjects.mask(label, index, 32, 32)
    return subjects.seen(label, index, subject, mask), mask


@pytest.mark.parametrize("label", ["text", "center"])
def test_only_the_hole_is_contaminated_and_the_truth_is_the_photo(subjects, label):
    found = subjects()
    for index in range(len(found)):
        contaminated, mask = seen(found, label, index)
        assert contaminated.contaminated
        assert np.array_equal(contaminated.truth, found.read(index).image)
        assert np.array_equal(contaminated.image[mask == 0], contaminated.truth[mask == 0])
        assert not np.array_equal(contaminated.image, contaminated.truth)


def test_damage_depends_on_seed_photo_and_label_alone(subjects):
    first, again, other = (seen(subjects(**options), "center", 1)[0].image for options in ({}, {}, {"seed": 1}))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    alone = seen(subjects(("center",)), "center", 1)[0].image
    assert np.array_equal(first, alone)


def test_the_manifest_tells_other_damage_apart(subjects, photo_folder):
    found = subjects()
    assert "contamination" in found.described()
    assert listed(found, 0) == listed(subjects(), 0)
    plain = Photos(str(photo_folder), found.protocol)
    assert "contamination" not in plain.described()
    assert listed(plain, 0).masks == listed(found, 0).masks
    assert listed(plain, 0).picture != listed(found, 0).picture


def test_how_it_is_painted_is_said_by_options_and_stands_in_the_manifest(photo_folder):
    painting = as_said("{inks: {noise: 1}, contrast: 0.9}")
    protocol = contaminating(["text"], size=32)
    said, usual = (
        ContaminatedPhotos(str(photo_folder), protocol, contamination=each) for each in (painting, as_said("{}"))
    )
    assert said.described()["contamination"]["contrast"] == 0.9
    assert usual.described() == ContaminatedPhotos(str(photo_folder), protocol).described()
    assert listed(said, 0).picture != listed(usual, 0).picture


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "--contamination"), ("5", "write options"), ("{inc: 1}", "inc"), ("{contrast: 2}", "contrast")],
)
def test_what_are_no_options_is_one_line(text, said):
    with pytest.raises((UsageError, ConfigError), match=said) as refused:
        as_said(text)
    assert "\n" not in str(refused.value)


def test_a_blind_model_is_given_no_mask_and_its_soft_map_is_measured(make_photo):
    photo, mask = make_photo(24, 24), np.zeros((24, 24), np.uint8)
    mask[:12] = 1
    blind, told = Seeing(blind=True), Seeing(blind=False)
    wanted = measures(OF_BLIND).of_images
    about = {"seed": 0, "truth": 255 - photo, "contaminated": True, "wanted": wanted}
    found = fill_and_measure(blind, photo, mask, **about).values
    assert blind.given[0][1] is None
    assert found["mask_bce"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2, rel=1e-6)
    assert found["mask_iou"] == 0.5
    given = fill_and_measure(ByTrueMask(Seeing(blind=True)), photo, mask, **about).values
    assert given["mask_f1"] is None
    fill_and_measure(told, photo, mask, **about)
    assert torch.equal(told.given[0][1][0, 0], torch.from_numpy(mask).float())
    assert torch.equal(blind.given[0][0], told.given[0][0])


def test_the_truth_is_hidden_where_the_photo_is_its_own_truth(make_photo):
    photo, mask = make_photo(24, 24), np.zeros((24, 24), np.uint8)
    mask[4:12, 4:12] = 1
    blind = Seeing(blind=True)
    fill_and_measure(blind, photo, mask, seed=0, truth=photo)
    assert (blind.given[0][0][0, :, 4:12, 4:12] == 128 / 255).all()


def test_ways_are_the_true_mask_of_blind_models_and_finders_of_others():
    blind, other = tiny_blind(), load("mean")
    found = ways({"tiny": blind, "mean": other}, ["scratches"])
    assert list(found) == ["tiny", "tiny+mask", "mean", "mean+scratches"]
    assert [model.capabilities.blind for model in found.values()] == [True, False, False, True]
    assert ways({"mean": Loadable(spec="mean")}, ["dust"])["mean+dust"].load("cpu").capabilities.blind
    identities = {model.identity() for model in ways({"mean": Loadable(spec="mean")}, ["dust"]).values()}
    assert len(identities) == 2
    with pytest.raises(UsageError, match="thing to find"):
        ways({"mean": other}, ["nonsense"])


def test_a_blind_model_finds_for_other_fills(monkeypatch, tmp_path, make_photo):
    run = write_weights(monkeypatch, tmp_path / "tiny")
    finding = {"tiny": Loadable(spec=str(run))}
    found = ways({"tiny": Loadable(spec=str(run)), "mean": Loadable(spec="mean")}, ["dust"], finding)
    assert list(found) == ["tiny", "tiny+mask", "mean", "mean+dust", "mean+tiny"]
    assert found["mean+tiny"].capabilities.blind
    assert len({model.identity() for model in found.values()}) == 5
    photo, hole = soiled(make_photo(40, 50, 1))
    image = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    (fill,) = found["mean+tiny"].load("cpu").fill(image, None)
    assert torch.equal(fill.mask[0, 0] == 1, torch.from_numpy(hole))
    assert torch.allclose(fill.aux["found"], tiny_blind().find_mask(image), atol=1e-6)
    (told,) = load("mean").fill(image, fill.mask)
    assert torch.equal(fill.completed, told.completed)
    with pytest.raises(MaskError, match="--find mean: this model finds no holes"):
        ways({"mean": load("mean")}, runs={"mean": Loadable(spec="mean")})
    with pytest.raises(UsageError, match="cannot be called 'dust'"):
        ways({"mean": load("mean")}, ["dust"], {"dust": Loadable(spec=str(run))})


def test_a_finder_fills_what_it_finds_and_changes_nothing_where_it_finds_nothing():
    image = torch.full((1, 3, 64, 64), 0.4)
    (nothing,) = ByFinder(load("mean"), "scratches").fill(image, None)
    assert torch.equal(nothing.completed, image)
    assert not nothing.aux["found"].any()
    image[:, :, 5:60, 30] = 1.0
    (fill,) = ByFinder(load("mean"), "scratches").fill(image, None)
    assert fill.aux["found"][0, 0, 10:50, 30].all()
    assert fill.completed[0, 0, 30, 30] == pytest.approx(0.4, abs=0.05)


def test_fonts_are_for_text_and_tell_no_folder(tmp_path):
    with pytest.raises(UsageError, match="--fonts"):
        contaminating(["center"], fonts=str(tmp_path))


def test_fonts_reach_the_text_inside_of_other_masks(tmp_path):
    (tmp_path / "some.ttf").write_bytes(ImageFont.load_default(16).path.getvalue())
    fonts = str(tmp_path)
    union = {"kind": "union", "of": ["center", {"kind": "target", "mask": "captions", "ratio": [0.1, 0.3]}]}
    protocol = contaminating(
        [f"[{{mask: deepfill, weight: 1}}, {{mask: {json.dumps(union)}, weight: 2}}]"], fonts=fonts
    )
    (drawing,) = protocol.drawings.values()
    texts = [part for part in drawing.mask.parts() if isinstance(part, Text)]
    assert texts
    assert {text.fonts for text in texts} == {(fonts,)}
    plain = contaminating(["{kind: union, of: [center, text]}"]).drawings.values()
    assert all(part.fonts != (fonts,) for each in plain for part in each.mask.parts() if isinstance(part, Text))


def test_the_command_sets_all_ways_side_by_side(photo_folder, tmp_path, monkeypatch):
    run = write_weights(monkeypatch, tmp_path / "tiny")
    words = ["--model", str(run), "--model", "mean", "--contaminate", "text,center", "--find", "scratches"]
    rows = evaluated(photo_folder, tmp_path / "out", [*words, "--find", str(run)])
    assert len(rows) == 5 * 2 * 2
    assert {row["model"] for row in rows} == {"tiny", "tiny+mask", "mean", "mean+scratches", "mean+tiny"}
    assert set(USUAL) | set(OF_BLIND) <= set(rows[0])
    for row in rows:
        assert (row["mask_f1"] != "") == (row["model"] in ("tiny", "mean+scratches", "mean+tiny"))
    found = {name: [row["mask_f1"] for row in rows if row["model"] == name] for name in ("tiny", "mean+tiny")}
    assert found["tiny"] == found["mean+tiny"]
    assert "contamination" in json.dumps(json.loads((tmp_path / "out/manifest.json").read_text()))


@pytest.mark.slow
@pytest.mark.skipif(not is_available("text"), reason="needs the extra text")
def test_the_command_measures_what_the_detector_of_text_finds(photo_folder, tmp_path):
    words = ["--model", "mean", "--contaminate", "text", "--find", "text"]
    rows = evaluated(photo_folder, tmp_path / "out", words, size=160)
    assert {row["model"] for row in rows} == {"mean", "mean+text"}
    assert all(0 <= float(row["mask_f1"]) <= 1 for row in rows if row["model"] == "mean+text")
    assert max(float(row["mask_f1"]) for row in rows if row["model"] == "mean+text") > 0.3


def test_a_model_that_finds_no_holes_is_refused_by_the_command(photo_folder, tmp_path):
    with pytest.raises(MaskError, match="--find mean"):
        evaluated(photo_folder, tmp_path / "out", ["--model", "mean", "--contaminate", "center", "--find", "mean"])


@pytest.mark.parametrize(
    "words", [["--masks", "center", "--contaminate", "text"], ["--masks", "center", "--find", "text"]]
)
def test_what_does_not_go_together_is_refused(photo_folder, tmp_path, words):
    words = ["--model", "mean", "--data", str(photo_folder), "--output", str(tmp_path / "out"), *words]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert isinstance(done.exception, UsageError)
