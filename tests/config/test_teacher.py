"""A training that learns from a teacher: who may be one, what the run's record says of it, and what is refused."""

from __future__ import annotations

import csv
import hashlib

import pytest
import torch
import yaml

from inpaint import config
from inpaint.config.launch import prepare
from inpaint.errors import ConfigError
from inpaint.models.deepfill.config import Config
from inpaint.models.deepfill.network import Network
from inpaint.training.progress import RunConsole
from inpaint.weights.files import WeightsMetadata, save_weights

TINY = [
    *("model=deepfill", "model.width=8", "model.discriminator.width=4"),
    *("data.root=samples", "data.size=32", "data.workers=0", "batch_size=2", "max_iterations=2", "log_every=1"),
    *("validation.panel=0", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.threads=1"),
]
LEARN = "losses.distillation={kind: distillation, of: [raw, coarse], weight: 1.0}"


def written(folder, seed=0):
    """Return the folder of a small network that can be a teacher."""
    network = Network(Config(width=8), seed=seed)
    folder.mkdir(exist_ok=True)
    metadata = WeightsMetadata(model="deepfill", config=network.config.model_dump(mode="json"), roles=("generator",))
    save_weights(folder / "model.safetensors", network.state_dict(), metadata)
    return folder


def prepared(tmp_path, *options):
    return prepare(config.load([*TINY, f"run.folder={tmp_path / 'run'}", *options]))


def test_any_model_learns_from_a_network_which_the_record_names_by_the_hash_of_its_weights(tmp_path):
    teacher = written(tmp_path / "teacher", seed=5)
    launch = prepared(tmp_path, LEARN, f"teacher={teacher}")
    launch.open()
    launch.fit(RunConsole(quiet=True))
    run = tmp_path / "run"
    expected = hashlib.sha256((teacher / "model.safetensors").read_bytes()).hexdigest()
    stored = yaml.safe_load((run / "config.yaml").read_text())
    assert (stored["teacher"], stored["teacher_sha256"]) == (str(teacher), expected)
    rows = (run / "metrics.csv").read_text().splitlines()
    assert "train/distillation" in rows[0].split(",")
    checkpoint = torch.load(run / "last.ckpt", weights_only=True)
    assert not any("teacher" in name for part in ("network", "discriminators") for name in checkpoint[part])
    assert any(line == f"teacher      {teacher}, SHA-256 {expected}" for line in launch.summary())

    written(teacher, seed=6)
    with pytest.raises(ConfigError, match=r"its weights are not those of teacher_sha256=.*teacher_sha256=null"):
        prepared(tmp_path, LEARN, f"teacher={teacher}", f"teacher_sha256={expected}", "resume=auto")


@pytest.mark.slow
def test_a_lama_by_its_recipe_comes_nearer_to_its_teacher(tmp_path):
    teacher = written(tmp_path / "teacher", seed=5)
    small = ("model=lama", "model.width=4", "model.blocks=1", "model.discriminator.width=4", "losses.perceptual=null")
    alone = ("losses.adversary=null", "losses.matching=null")  # what they ask for is another image than the teacher's
    distillation = "losses.distillation={kind: distillation, of: [raw], weight: 40.0}"
    launch = prepared(
        tmp_path,
        *(*small, *alone, distillation, f"teacher={teacher}", "batch_size=8", "max_iterations=60"),
    )
    launch.open()
    launch.fit(RunConsole(quiet=True))
    rows = csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines())
    values = [float(row["train/distillation"]) for row in rows if row["train/distillation"]]
    assert len(values) == 60
    assert sum(values[-10:]) < 0.6 * sum(values[:10])


@pytest.mark.parametrize("name", ["telea", "mean"])
def test_a_method_without_weights_may_be_the_teacher(tmp_path, name):
    launch = prepared(tmp_path, "losses.taught={kind: l1, of: raw, target: teacher, weight: 1.0}", f"teacher={name}")
    assert (launch.config.resolved()["teacher"], launch.config.teacher_sha256) == (name, None)
    assert launch.module.losses.taught == ["taught"]
    assert launch.module.teacher is not None


def test_without_a_teacher_what_compares_with_one_is_left_out_with_a_warning(tmp_path, caplog):
    launch = prepared(tmp_path, LEARN)
    assert "without a teacher there is no losses.distillation: teacher=PLACE" in caplog.text
    assert "distillation" not in launch.module.losses.terms


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["teacher=telea"], "teacher=telea: no loss compares with it; add one"),
        ([LEARN, "teacher=nobody"], "teacher=nobody: unknown model 'nobody'"),
        ([LEARN, "teacher=deepfill"], "teacher=deepfill: 'deepfill' needs weights"),
        ([LEARN, "teacher_sha256=abc"], "teacher_sha256=abc without a teacher"),
        (
            [LEARN, "losses.coarse=null", "losses.refined=null", "losses.adversary=null"],
            "losses.distillation compare with a teacher and there is no other loss",
        ),
        (
            ["losses.distillation={kind: distillation, of: [raw_32], weight: 1.0}", "teacher=mean"],
            "losses.distillation.of=.*: unknown entry of the record 'raw_32'|losses.distillation.of: .*raw_32",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused_in_one_line(tmp_path, options, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        prepared(tmp_path, *options)
    assert "\n" not in str(caught.value)
