"""The measure of finders: what is drawn depends on names and seed alone, and shares are counted by hand."""

import numpy as np
import pytest

from inpaint.benchmark.finding import DAMAGES, measured, score
from inpaint.cli.main import run
from inpaint.images.photo import photo_of_array


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
def test_damage_has_colors_and_opacities_and_leaves_most_of_a_photo(what):
    for number in range(5):
        colors, opacity = DAMAGES[what](np.random.default_rng(number), 90, 130)
        assert colors.shape == (90, 130, 3)
        assert opacity.shape == (90, 130)
        assert 0 <= opacity.min() <= opacity.max() <= 1
        assert 0 < (opacity > 0.1).mean() < 0.5


def test_damage_depends_on_the_name_and_not_on_the_order(make_photo):
    photos = [(name, photo_of_array(make_photo(80, 100))) for name in ("a.jpg", "b.jpg")]
    forth = {name: shown for name, _, shown in measured("dust", photos, sensitivity=0.5, seed=0)}
    back = {name: shown for name, _, shown in measured("dust", photos[::-1], sensitivity=0.5, seed=0)}
    assert all(np.array_equal(forth[name], back[name]) for name in forth)
    assert not np.array_equal(forth["a.jpg"], forth["b.jpg"])


def test_a_table_and_a_sheet_are_made_of_a_folder(tmp_path, capsys, make_photo):
    from PIL import Image

    (tmp_path / "large").mkdir()
    Image.fromarray(make_photo(90, 120)).save(tmp_path / "large/a.png")
    sheet = tmp_path / "sheet.png"
    arguments = ["benchmark", "finding", f"--data={tmp_path / 'large'}", "--what=dust", "--count=1", f"--sheet={sheet}"]
    assert run(arguments) == 0
    assert "| dust | 0." in capsys.readouterr().out
    assert sheet.stat().st_size > 1000
    assert run(["benchmark", "finding", "--what=dirt"]) == 2
    assert "unknown damage 'dirt'" in capsys.readouterr().err
