"""Composites by which harmonizers are measured, and the rows that stand beside them."""

import csv
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from inpaint.cli.evaluate import command
from inpaint.errors import UsageError
from inpaint.evaluation.protocols import unnamed
from inpaint.evaluation.recolored import RecoloredPhotos, Transferring, beside
from inpaint.metrics import OF_RECOLORED, USUAL
from inpaint.models.pctnet.config import Config
from inpaint.models.pctnet.network import Network
from inpaint.registry.loading import load
from inpaint.weights.files import WeightsMetadata, save_weights


def seen(folder, index, **options):
    subjects = RecoloredPhotos(str(folder), unnamed(["blobs"], size=32, **options))
    subject, mask = subjects.read(index), subjects.mask("blobs", index, 32, 32)
    return subjects.seen("blobs", index, subject, mask), mask


def test_only_the_object_changes_its_colors_and_the_truth_is_the_photo(photo_folder):
    for index in range(4):
        found, mask = seen(photo_folder, index)
        assert not found.contaminated
        assert np.array_equal(found.image[mask == 0], found.truth[mask == 0])
        assert not np.array_equal(found.image[mask == 1], found.truth[mask == 1])


def test_composites_depend_on_the_seed_and_the_manifest_tells_them_apart(photo_folder):
    first, again, other = (seen(photo_folder, 1, **options)[0].image for options in ({}, {}, {"seed": 1}))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert "recoloring" in RecoloredPhotos(str(photo_folder), unnamed(["blobs"], size=32)).described()


def test_the_row_of_the_composite_is_what_was_given_and_a_transfer_changes_the_object_alone():
    image = torch.rand(1, 3, 24, 30, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 24, 30)
    mask[..., 6:14, 8:20] = 1
    image = torch.where(mask > 0, image / 3, image)
    (same,) = Transferring(None).fill(image, mask)
    assert torch.equal(same.completed, image)
    (done,) = Transferring("reinhard").fill(image, mask)
    inside = mask.expand_as(image) > 0
    assert torch.equal(done.completed[~inside], image[~inside])
    assert done.completed[inside].mean() == pytest.approx(image[~inside].mean().item(), abs=0.1)


def test_models_that_paint_anew_and_names_of_rows_are_refused():
    with pytest.raises(UsageError, match="'mean' does not harmonize"):
        beside({"mean": load("mean")})
    with pytest.raises(UsageError, match="cannot be called 'reinhard'"):
        beside({"reinhard": Transferring("reinhard")})


def test_the_command_measures_composite_transfers_and_models_as_iharmony_does(photo_folder, tmp_path):
    network = Network(Config(**Config.SMALL))
    metadata = WeightsMetadata(model="pctnet", config=network.config.model_dump(mode="json"), roles=("generator",))
    (tmp_path / "tiny").mkdir()
    save_weights(tmp_path / "tiny/model.safetensors", dict(network.state_dict()), metadata)
    words = ["--model", str(tmp_path / "tiny"), "--data", str(photo_folder), "--recolor", "blobs", "--size", "32"]
    words += ["--device", "cpu", "--count", "2", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert done.exception is None, done.output
    rows = list(csv.DictReader((tmp_path / "out/results.csv").read_text().splitlines()))
    assert {row["model"] for row in rows} == {"composite", "reinhard", "covariance", "histogram", "tiny"}
    assert set(USUAL) | set(OF_RECOLORED) <= set(rows[0])
    for row in rows:
        ratio = float(row["hole_ratio"])
        assert float(row["mse"]) == pytest.approx(ratio * float(row["mse_hole"]), rel=1e-4, abs=1e-3)
        assert float(row["psnr"]) == pytest.approx(10 * np.log10(255**2 / float(row["mse"])), abs=1e-2)
    assert "recoloring" in json.loads((tmp_path / "out/manifest.json").read_text())["protocol"]


def test_masks_are_said_once(photo_folder, tmp_path):
    words = ["--model", "mean", "--data", str(photo_folder), "--output", str(tmp_path / "out")]
    for more in (["--masks", "center", "--recolor", "blobs"], ["--contaminate", "text", "--recolor", "blobs"]):
        done = CliRunner().invoke(command, [*words, *more], standalone_mode=False)
        assert isinstance(done.exception, UsageError)
        assert "leave out" in str(done.exception)
