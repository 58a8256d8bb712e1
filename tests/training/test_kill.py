"""A run that is killed without warning goes on as if nothing had happened."""

import os
import random
import subprocess
import sys
import time

import pytest
import torch

from inpaint.weights.files import load_weights

ITERATIONS = 12
MOMENTS = 10


def command(folder, photos):
    return [
        *(sys.executable, "-m", "inpaint", "train", f"data.root={photos}", f"run.folder={folder}", "resume=auto"),
        *("data.size=32", "data.workers=0", "model.width=8", "model.discriminator.width=4", "batch_size=4"),
        *(f"max_iterations={ITERATIONS}", "save_every=2", "log_every=1", "validation.every=4", "validation.panel=1"),
        *("trainer.accelerator=cpu", "trainer.threads=1"),
    ]


def finish(folder, photos):
    done = subprocess.run(
        command(folder, photos), env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    assert checkpoint["iteration"] == ITERATIONS
    return checkpoint, load_weights(folder / "model.safetensors")[0]


def differences(first, second, name=""):
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        return [d for key in first for d in differences(first[key], second[key], f"{name}/{key}")]
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [name]
    return [] if first == second else [name]


@pytest.mark.slow
def test_kill_at_any_moment_leaves_a_folder_that_resumes_to_the_same_bits(tmp_path, photos):
    started = time.monotonic()
    reference = finish(tmp_path / "reference", photos)
    whole_s = time.monotonic() - started
    csv = (tmp_path / "reference" / "metrics.csv").read_text().splitlines()
    rng = random.Random(0)
    saved_before = []
    for moment in range(MOMENTS):
        folder = tmp_path / f"killed-{moment}"
        process = subprocess.Popen(
            command(folder, photos),
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # One moment in each tenth of the run's time, so that starting, training and saving are all hit.
        time.sleep((moment + rng.random()) / MOMENTS * whole_s)
        process.kill()
        process.wait()
        saved_before.append((folder / "last.ckpt").exists())
        checkpoint, weights = finish(folder, photos)
        assert not differences(reference[0], checkpoint), f"killed at moment {moment}"
        assert not differences(reference[1], weights)
        kept = (folder / "metrics.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in kept] == [line.split(",")[0] for line in csv]
        assert not list(folder.glob("*.tmp"))
    assert not all(saved_before)
