"""Validation of models that find their holes themselves: they are given contaminated photos and no mask."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

import tiny_blind.config
import tiny_blind.network
from inpaint.images.guidance import CONTAMINATED
from inpaint.metrics import OF_BLIND
from inpaint.models.feedforward import FeedForward
from inpaint.training.module import TrainingModule
from inpaint.training.phases import Phase
from inpaint.training.selection import Selection
from tiny_run import TinyRun

LOSSES = {"pixels": {"kind": "l1", "of": "raw", "weight": 1.0}}


class Config(tiny_blind.config.Config):
    def training_planes(self):
        return (CONTAMINATED,)


class Training(TrainingModule):
    name = "tiny_blind"
    network_class = tiny_blind.network.Network

    def phases(self):
        return [Phase(0, self.standard_updates("finder"))]

    def predict(self, batch):
        contaminated = batch[CONTAMINATED.name]
        raw = self.network(contaminated, self.network.find_mask(contaminated))["raw"]
        return {**{name: batch[name] for name in ("image", "mask")}, "raw": raw}

    def inpainter(self, network):
        return FeedForward(network, name=self.name, device=self.device)


class BlindRun(TinyRun):
    def build(self, losses):
        return Training(Config(), losses=losses, loop=self.loop)


@pytest.fixture
def run(tmp_path, make_photo):
    """A training of the tiny blind model, run."""
    photos = tmp_path / "to find"
    photos.mkdir()
    for seed in range(8):
        Image.fromarray(make_photo(40, 44, seed)).save(photos / f"{seed}.png")
    optimizers = {"generator": {"kind": "sgd", "lr": 1e-6}}
    validation = {"every": 2, "panel": 2, "batch_size": 2}
    found = BlindRun(
        tmp_path / "blind", photos, losses=LOSSES, all_optimizers=optimizers, max_iterations=2, validation=validation
    )
    found.fit()
    return found


def figures(run):
    with run.folder.metrics.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/l1")]
    return {name.removeprefix("val/"): float(value) for name, value in rows[-1].items() if name.startswith("val/")}


def test_figures_are_those_of_the_contaminated_photos_filled_without_their_masks(run):
    samples = run.data.validation
    inpainter = run.module.inpainter(run.module.averaged_network())
    scores = []
    for number in range(len(samples)):
        sample = samples[number]
        (fill,) = inpainter.fill(sample["contaminated"][None], None)
        hole, found = sample["mask"][0] > 0.5, fill.mask[0, 0] > 0.5
        both = (hole & found).sum().item()
        error = (fill.completed[0] - sample["image"]).abs()
        scores.append((2 * both / (hole.sum() + found.sum()).item(), error.mean().item(), error[:, hole].mean().item()))
    expected = np.mean(scores, axis=0)
    found = figures(run)
    assert [found[name] for name in ("mask_f1", "l1", "l1_hole")] == pytest.approx(expected.tolist(), rel=1e-5)
    assert set(OF_BLIND) <= set(found)


def test_panels_show_what_was_given_and_what_was_found(run):
    (panel,) = run.folder.panels.glob("*.png")
    assert np.asarray(Image.open(panel)).shape[1] > 4 * 32  # contaminated, found, completed, original


def test_measures_of_found_masks_may_decide_and_need_a_blind_model(run, tiny_run):
    selection = Selection.of(run.module)
    selection.check_available(size_px=32)
    seeing = tiny_run("seeing", max_iterations=1)
    assert not set(OF_BLIND) & set(Selection.of(seeing.module).names)


def test_what_is_found_learns_from_the_painted_image(run):
    batch = {name: value[None] for name, value in run.data.validation[0].items() if isinstance(value, torch.Tensor)}
    run.module.network.requires_grad_(True)
    run.module.predict(batch)["raw"].sum().backward()
    assert run.module.network.finder.weight.grad.abs().max() > 0
