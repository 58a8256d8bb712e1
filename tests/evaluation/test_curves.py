"""Curves of training runs as an image: which are shown, who is who, and nothing global changes."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from inpaint.errors import InputError, UsageError
from inpaint.evaluation.curves import COLORS, counts_in_powers, plot, shown_keys
from inpaint.weights.curves import Curve, Run

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

COLUMNS = ("train/loss_g", "lr/generator", "grad_norm/generator", "speed/images_per_s", "val/psnr_hole")


def runs(*labels, names=COLUMNS):
    curve = Curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    return [Run(label, dict.fromkeys(names, curve)) for label in labels]


def written(folder, count=1):
    for index in range(count):
        (folder / f"run-{index}").mkdir(parents=True)
        lines = [f"{i},{1 + index + i / 10},{10**-i}" for i in range(1, 5)]
        (folder / f"run-{index}" / "metrics.csv").write_text("\n".join(["iteration,train/a,lr/b", *lines, ""]))
    return folder


def colors(path):
    """Return which colors a PNG holds, as (r, g, b)."""
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(color) for color in np.unique(pixels, axis=0).tolist()}


def test_validation_comes_first_and_norms_of_gradients_only_when_asked_for():
    assert shown_keys(runs("a")) == ["val/psnr_hole", "train/loss_g", "lr/generator", "speed/images_per_s"]
    assert shown_keys(runs("a"), ["grad*", "val/psnr_hole"]) == ["grad_norm/generator", "val/psnr_hole"]
    assert shown_keys(runs("a", names=("own",))) == ["own"]


def test_the_share_of_holes_is_shown_only_when_it_is_asked_for():
    names = ("train/loss_g", "val/hole_ratio")
    assert shown_keys(runs("a", names=names)) == ["train/loss_g"]
    assert shown_keys(runs("a", names=names), ["val/*"]) == ["val/hole_ratio"]


def test_a_key_that_no_run_has_is_refused_with_those_that_there_are():
    with pytest.raises(UsageError, match=r"unknown key 'val/psnr_hol'.*did you mean 'val/psnr_hole'"):
        shown_keys(runs("a"), ["val/psnr_hol"])


def test_an_axis_counts_in_powers_when_values_span_decades_and_are_all_positive():
    assert counts_in_powers(np.array([1e-4, np.nan, 1.0]))
    assert not counts_in_powers(np.array([0.5, 1.0]))
    assert not counts_in_powers(np.array([0.0, 1.0, 1e4]))


def test_each_run_is_drawn_in_its_own_color(tmp_path):
    plot([written(tmp_path / "sweep", 2)], tmp_path / "curves.png", keys=["train/*"])
    drawn = colors(tmp_path / "curves.png")
    wanted = [tuple(bytes.fromhex(color[1:])) for color in COLORS]
    assert [color in drawn for color in wanted] == [True, True] + [False] * 6


def test_the_columns_that_are_drawn_are_told(tmp_path):
    assert plot([written(tmp_path / "sweep")], tmp_path / "curves.png") == ["train/a", "lr/b"]


def test_learning_rates_are_never_smoothed(tmp_path):
    folder = written(tmp_path / "sweep")
    images = {}
    for name, key, smooth in (("a", "lr/b", 0), ("b", "lr/b", 0.9), ("c", "train/a", 0), ("d", "train/a", 0.9)):
        plot([folder], tmp_path / f"{name}.png", keys=[key], smooth=smooth)
        images[name] = np.asarray(Image.open(tmp_path / f"{name}.png"))
    assert np.array_equal(images["a"], images["b"])
    assert not np.array_equal(images["c"], images["d"])


def test_drawing_leaves_the_settings_of_matplotlib_alone_and_needs_no_pyplot(tmp_path):
    import matplotlib as mpl

    def settings():  # the backend is chosen when it is asked for
        return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}

    before, loaded = settings(), "matplotlib.pyplot" in sys.modules
    plot([written(tmp_path / "sweep")], tmp_path / "curves.png")
    assert settings() == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_a_weight_of_one_would_forget_nothing_and_is_refused(tmp_path):
    with pytest.raises(InputError, match="smooth must be a number from 0 to below 1, got 1"):
        plot([written(tmp_path / "sweep")], tmp_path / "curves.png", smooth=1)
