"""What validation measures, and which of its figures decides what is best."""

from __future__ import annotations

import pytest

from inpaint.errors import ConfigError
from inpaint.training.config import LoopConfig
from inpaint.training.selection import Selection
from toy import LOSSES, Toy


def selection(sets=("",), **validation):
    loop = LoopConfig(optimizers={"generator": {}}, validation=validation)
    module = Toy(losses={"pixel": LOSSES["pixel"]}, loop=loop)
    module.metric_modes = {"share": "max"}
    return Selection.of(module, sets)


def names(found):
    return [measure.name for measure in found.every]


def test_without_a_word_the_model_decides_on_the_first_set():
    found = selection()
    assert (found.best, found.mode) == ("l1_hole", "min")
    assert names(found) == ["l1_hole", "psnr_hole", "ssim_hole", "l1", "psnr", "ssim", "hole_ratio"]
    assert selection(("scenes", "bsds")).best == "scenes/l1_hole"


def test_what_decides_is_measured_and_has_the_direction_of_its_measure():
    found = selection(measures=["ssim"], best="psnr_hole")
    assert names(found) == ["ssim", "psnr_hole"]
    assert (found.best, found.mode, found.key(3.0)) == ("psnr_hole", "max", -3.0)
    assert (selection(best="l1").mode, selection(best="l1").key(3.0)) == ("min", 3.0)


def test_a_figure_of_one_of_several_sets_decides():
    found = selection(("scenes", "bsds"), measures=["ssim"], best="bsds/psnr")
    assert (found.best, found.best_set, found.best_name, found.mode) == ("bsds/psnr", "bsds", "psnr", "max")
    assert found.directions() == {
        "val/scenes/ssim": "max",
        "val/scenes/psnr": "max",
        "val/scenes/share": "max",
        "val/bsds/ssim": "max",
        "val/bsds/psnr": "max",
        "val/bsds/share": "max",
    }


def test_what_a_model_itself_measures_decides_if_it_says_what_is_better():
    assert (selection(best="share").best, selection(best="share").mode) == ("share", "max")
    with pytest.raises(ConfigError, match=r"validation\.best: unknown measure 'error'"):
        selection(best="error")


@pytest.mark.parametrize(
    ("sets", "validation", "message"),
    [
        (("",), {"measures": ["psnrr"]}, r"validation\.measures: unknown measure 'psnrr' \(did you mean 'psnr'\?\)"),
        (("",), {"measures": ["psnr", "psnr"]}, r"validation\.measures: measure 'psnr' is given twice"),
        (("",), {"best": "psnr_whole"}, r"validation\.best: unknown measure 'psnr_whole' \(did you mean"),
        (("",), {"best": "hole_ratio"}, r"validation\.best=hole_ratio: no value of it is better than another"),
        (("a", "b"), {"best": "c/psnr"}, r"validation\.best: unknown figure 'c/psnr' .*; valid: a/psnr, b/psnr"),
        (("",), {"best": "a/psnr"}, r"validation\.best: unknown figure 'a/psnr'.*; valid: psnr"),
    ],
)
def test_what_cannot_decide_is_refused(sets, validation, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        selection(sets, **validation)


def test_a_measure_that_cannot_be_had_is_refused_with_its_reason(monkeypatch):
    found = selection(measures=["ssim"], best="psnr")
    monkeypatch.setattr(type(found.every[1]), "missing", lambda measure: "weights.pth is not there: place it in hub/")
    with pytest.raises(ConfigError, match=r"^validation\.best: psnr cannot be had here: weights\.pth is not there"):
        found.check_available(size_px=64)


def test_a_measure_that_says_nothing_of_such_images_is_refused(monkeypatch):
    found = selection(measures=["ssim"])
    monkeypatch.setattr(type(found.every[0]), "smallest_px", 100)
    with pytest.raises(
        ConfigError,
        match=r"^validation\.measures: ssim cannot be had here: it needs images of at least 100 pixels a side",
    ):
        found.check_available(size_px=64)
    found.check_available(size_px=100)


def test_fills_decide_only_where_there_are_any():
    loop = LoopConfig(optimizers={"generator": {}}, validation={"best": "psnr"})
    module = Toy(losses={"pixel": LOSSES["pixel"]}, loop=loop)
    found = Selection.of(module)
    with pytest.raises(ConfigError, match=r"^validation\.best=psnr: toy does not fill as .*; valid: error, share"):
        found.check_fills(module, fills=False)
    found.check_fills(module, fills=True)
