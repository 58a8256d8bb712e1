"""The measure of finders: what is drawn depends on names and seed alone, and shares are counted by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from inpaint.benchmark.damages import DAMAGES
from inpaint.benchmark.finding import CHANGED, measured, score
from inpaint.cli.main import run
from inpaint.errors import InputError
from inpaint.images.photo import photo_of_array
from inpaint.registry.loading import load


def test_shares_are_those_counted_by_hand():
    damaged, found = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    damaged[5:10, 5:15] = True
    found[5:10, 10:20] = found[25:27, 30:35] = True
    scored = score(found, damaged, np.zeros((30, 40), bool))
    assert scored.precision == pytest.approx(25 / 60)
    assert scored.near == pytest.approx((25 + 15) / 60)
    assert scored.recall == pytest.approx(25 / 50)
    assert scored.false_alarm == 0


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_has_colors_and_opacities_and_leaves_most_of_a_photo(what, make_photo):
    for number in range(5):
        colors, opacity = DAMAGES[what].draw(np.random.default_rng(number), make_photo(90, 130))
        assert colors.shape == (90, 130, 3)
        assert opacity.shape == (90, 130)
        assert 0 <= opacity.min() <= opacity.max() <= 1
        assert 0 < (opacity > 0.1).mean() < 0.5


def photos_of(make_photo, count, size=(80, 100)):
    return [(f"{number}.jpg", photo_of_array(make_photo(*size))) for number in range(count)]


def test_damage_depends_on_the_name_and_not_on_the_order(make_photo):
    photos = photos_of(make_photo, 2)
    forth, back = (
        {each.name: each.shown["found"] for each in measured("dust", order, sensitivity=0.5, seed=0)}
        for order in (photos, photos[::-1])
    )
    assert all(np.array_equal(forth[name], back[name]) for name in forth)
    assert not np.array_equal(forth["0.jpg"], forth["1.jpg"])


def test_a_watermark_is_drawn_alike_into_all_photos_of_a_size_and_small_batches_are_left_out(make_photo, caplog):
    photos = [*photos_of(make_photo, 6), ("other.jpg", photo_of_array(make_photo(90, 90)))]
    found = list(measured("watermark", photos, sensitivity=0.5, seed=0))
    assert [each.name for each in found] == [name for name, _ in photos[:6]]
    assert all(np.array_equal(each.shown["damaged"], found[0].shown["damaged"]) for each in found)
    assert caplog.messages == ["90 x 90 pixels: photos are left out, only 1 there"]
    with pytest.raises(InputError, match="6 or more photos of one size share; 1 given"):
        list(measured("watermark", photos[-1:], sensitivity=0.5, seed=0))


def test_an_object_is_looked_for_in_its_box_and_nowhere_without(make_photo):
    image = np.full((120, 160, 3), (60, 90, 120), np.uint8)
    image[:40] = (200, 60, 40)  # what the object shows, upside down
    (found,) = measured("object", [("a.jpg", photo_of_array(image))], sensitivity=0.5, seed=3)
    assert found.score.false_alarm is None
    assert found.score.recall > 0.9
    assert found.score.precision > 0.6


def test_fills_are_compared_over_the_damage_and_over_the_whole_photo(make_photo):
    image = np.asarray(make_photo(80, 100))
    (found,) = measured(
        "dust", [("a.jpg", photo_of_array(image))], sensitivity=0.5, seed=0, inpainter=load("biharmonic")
    )
    fill, damaged = found.fill, np.abs(found.shown["damaged"].astype(int) - image).max(axis=2) > CHANGED

    def by_hand(shown, where):
        return -10 * np.log10(((shown[where].astype(float) - image[where]) ** 2).mean() / 255**2)

    everywhere = np.ones(image.shape[:2], bool)
    for part, where in (("hole", damaged), ("whole", everywhere)):
        for level, heading in (("damaged", "damaged"), ("true", "filled, true"), ("found", "filled, found")):
            expected = by_hand(found.shown[heading], where)
            assert getattr(fill, f"{part}_{level}") == pytest.approx(expected, abs=1e-3)
    assert np.array_equal(found.shown["filled, true"][~damaged], found.shown["damaged"][~damaged])


def test_a_table_and_a_sheet_are_made_of_a_folder(tmp_path, capsys, make_photo):
    (tmp_path / "large").mkdir()
    Image.fromarray(make_photo(90, 120)).save(tmp_path / "large/a.png")
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    arguments = ["benchmark", "finding", f"--data={tmp_path / 'large'}", "--count=1", "--sensitivity=0,1"]
    assert run([*arguments, "--what=dust,object", "--fill=telea", f"--sheet={sheet}", f"--json={figures}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:16].split(" | ")[0] for line in lines[4:]] == ["| dust, 0", "| dust, 1", "| object, 0", "| object, 1"]
    assert {line.count("|") for line in lines[2:]} == {12}
    rows = json.loads(figures.read_text())["rows"]
    assert rows[0]["mean"]["hole_found"] == rows[0]["photos"]["a.png"]["hole_found"] > 0
    assert rows[2]["mean"]["false_alarm"] is None
    with Image.open(sheet) as image:
        assert image.width > 8 * 240 > 4 * 240 > image.height / 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--what=dirt", "unknown damage 'dirt'"),
        ("--sensitivity=0,2", "--sensitivity takes numbers from 0 to 1, got '0,2'"),
        ("--sensitivity=much", "--sensitivity takes numbers from 0 to 1, got 'much'"),
        ("--fill=oil", "'oil'"),
    ],
)
def test_a_mistake_is_one_line(capsys, option, message):
    assert run(["benchmark", "finding", option]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
