"""Validation: any measure on several sets, the best by one of them, and an end when it does not become better."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import order
from inpaint.metrics import MEASURES
from inpaint.training.checkpoints import read_checkpoint

STILL = {"generator": {"kind": "sgd", "lr": 1e-30}, "discriminator": {"kind": "sgd", "lr": 1e-30}}
PIXELS = {"refined": {"kind": "l1", "of": "raw", "weight": 2.0}}


@pytest.fixture
def ordered(monkeypatch):
    """A measure of sets of our own."""
    monkeypatch.setattr(order.Order, "extracted", 0)
    monkeypatch.setitem(MEASURES, "order", order.Order)
    return order.Order


def figures(run, name):
    """Return a figure by iteration."""
    with run.folder.metrics.open(newline="") as file:
        return {int(row["iteration"]): float(row[name]) for row in csv.DictReader(file) if row.get(name)}


def fills(run, samples):
    """Return the fills of a validation set by the averaged network of a run, and the samples."""
    inpainter = run.module.inpainter(run.module.averaged_network())
    every = [samples[i] for i in range(len(samples))]
    return [inpainter.fill(s["image"][None], s["mask"][None])[0].completed[0].double() for s in every], every


@pytest.fixture
def others(tmp_path, make_photo):
    """Return a folder of photos that are not trained on."""
    folder = tmp_path / "others"
    folder.mkdir()
    for seed in range(10, 15):
        Image.fromarray(make_photo(40, 52, seed)).save(folder / f"{seed}.png")
    return str(folder)


def test_figures_of_named_sets_are_means_over_their_own_photos_and_masks(tiny_run, others):
    sets = {"boxes": {"root": others, "masks": "box"}, "centers": {"root": None, "masks": "center"}}
    validation = {"every": 2, "panel": 0, "batch_size": 2, "measures": ["l1"], "best": "centers/psnr_hole"}
    run = tiny_run(max_iterations=2, losses=PIXELS, val=sets, validation=validation)
    run.fit()
    assert [len(samples) for samples in run.data.validations.values()] == [5, 1]
    for name, samples in run.data.validations.items():
        completed, every = fills(run, samples)
        errors = [(c - s["image"]).abs().mean().item() for c, s in zip(completed, every, strict=True)]
        assert figures(run, f"val/{name}/l1")[2] == pytest.approx(np.mean(errors), rel=1e-5)
        holes = [s["mask"][0] > 0.5 for s in every]
        squares = [
            ((c - s["image"]) ** 2)[:, hole].mean().item() for c, s, hole in zip(completed, every, holes, strict=True)
        ]
        wanted = np.mean([-10 * np.log10(square) for square in squares])
        assert figures(run, f"val/{name}/psnr_hole")[2] == pytest.approx(wanted, rel=1e-5)
    state = read_checkpoint(run.folder.best)
    assert state["best_by"] == "centers/psnr_hole"
    assert state["best_value"] == pytest.approx(-figures(run, "val/centers/psnr_hole")[2], rel=1e-6)


def test_the_best_is_the_largest_where_larger_is_better(tiny_run):
    validation = {"every": 1, "panel": 0, "batch_size": 2, "measures": [], "best": "psnr"}
    run = tiny_run(max_iterations=5, losses=PIXELS, validation=validation, ema={"decay": None})
    run.fit()
    found = figures(run, "val/psnr")
    assert len(set(found.values())) > 1
    assert read_checkpoint(run.folder.best)["iteration"] == max(found, key=found.get)


# Patience -------------------------------------------------------------------------------------------------------------


def patient(tiny_run, name, **options):
    """A training that does not move, so that nothing is better than its first validation."""
    patience = options.pop("patience", 2)
    validation = {"every": 1, "panel": 0, "batch_size": 4, "measures": [], "best": "psnr", "patience": patience}
    return tiny_run(name, losses=PIXELS, optimizers=STILL, log_every=1, validation=validation, **options)


def test_a_training_ends_when_the_best_has_not_become_better(tiny_run):
    run = patient(tiny_run, "run", max_iterations=9, save_every=100)
    result = run.fit()
    assert (result.iteration, result.out_of_patience, result.interrupted_by) == (3, True, None)
    assert result.best == (pytest.approx(figures(run, "val/psnr")[1], rel=1e-6), 1)
    assert read_checkpoint(run.folder.last)["iteration"] == 3
    assert read_checkpoint(run.folder.best)["iteration"] == 1


def test_it_goes_on_with_its_count_and_ends_where_an_uninterrupted_one_does(tiny_run):
    whole = patient(tiny_run, "whole", max_iterations=9)
    assert whole.fit().iteration == 3
    for iterations in (2, 9):
        resume = whole.folder.path.parent / "parts" / "last.ckpt" if iterations == 9 else None
        part = patient(tiny_run, "parts", max_iterations=iterations, resume=resume)
        ended = part.fit()
    assert (ended.iteration, ended.out_of_patience) == (3, True)
    first, second = whole.state(), part.state()
    assert first.keys() == second.keys()
    assert not [name for name in first if not torch.equal(first[name], second[name])]


def test_a_training_that_ended_so_trains_no_further_until_it_may_wait_longer(tiny_run):
    run = patient(tiny_run, "run", max_iterations=9)
    run.fit()
    before = run.folder.last.read_bytes()
    again = patient(tiny_run, "run", max_iterations=9, resume=run.folder.last)
    ended = again.fit()
    assert (ended.iteration, ended.out_of_patience, ended.validation) == (3, True, {})
    assert run.folder.last.read_bytes() == before
    longer = patient(tiny_run, "run", max_iterations=9, resume=run.folder.last, patience=4)
    assert longer.fit().iteration == 5


# Measures of sets -----------------------------------------------------------------------------------------------------


def test_a_measure_of_sets_sees_all_photos_in_their_order_and_the_originals_once(tiny_run, others, ordered):
    validation = {"every": 1, "panel": 0, "batch_size": 3, "measures": ["order"], "best": "order"}
    run = tiny_run(max_iterations=2, losses=PIXELS, val=others, validation=validation)
    run.fit()
    samples = run.data.validation
    completed, every = fills(run, samples)
    colors = [
        np.stack([(image.clamp(0, 1) * 255).round().mean(dim=(1, 2)).numpy() for image in images])
        for images in (completed, [s["image"].double() for s in every])
    ]
    assert figures(run, "val/order")[2] == pytest.approx(order.weighted(*colors), rel=1e-6)
    assert ordered.extracted == 3 * len(samples)  # painted twice, the originals once
    assert read_checkpoint(run.folder.best)["best_by"] == "order"
