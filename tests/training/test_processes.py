import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import order
from inpaint.metrics import MEASURES
from tiny_run import TinyRun

HERE = Path(__file__).resolve().parents[1] / "helpers"

DRIVER = """
import json, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from pytorch_lightning import Callback
import order
from tiny_run import TinyRun

order.register()

class Numbers(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        seen = Path(sys.argv[1]) / f"seen-{{trainer.global_rank}}.jsonl"
        with seen.open("a") as file:
            print(json.dumps(batch["number"].tolist()), file=file)

TinyRun(Path(sys.argv[1]) / "run", Path(sys.argv[2]), max_iterations=3, callbacks=[Numbers()],
        trainer={{"devices": 2}}, optimizers={optimizers!r}, val=sys.argv[3], validation={validation!r}).fit()
"""
VALIDATION = {"every": 3, "panel": 0, "batch_size": 2, "measures": ["l1", "ssim_hole", "order"], "best": "order"}
# Plain gradient descent: Adam divides by gradients, so that a last-bit difference of one near zero becomes a step.
OPTIMIZERS = {name: {"kind": "sgd", "lr": 0.05, "momentum": 0.9} for name in ("generator", "discriminator")}


def figures(run):
    """Return what validation has found after the last iteration."""
    with run.folder.metrics.open(newline="") as file:
        *_, last = csv.DictReader(file)
    return {name: float(value) for name, value in last.items() if name.startswith("val/")}


@pytest.mark.slow
def test_two_processes_see_disjoint_samples_and_reach_the_weights_and_figures_of_one(
    tmp_path, photos, make_photo, tiny_run, monkeypatch
):
    driver, val = tmp_path / "driver.py", tmp_path / "val"
    driver.write_text(DRIVER.format(here=str(HERE), optimizers=OPTIMIZERS, validation=VALIDATION))
    val.mkdir()
    for seed in range(10, 15):  # of which the first process has three and the second two
        Image.fromarray(make_photo(40, 52, seed)).save(val / f"{seed}.png")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, str(driver), str(tmp_path), str(photos), str(val)]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    seen = [
        [json.loads(line) for line in (tmp_path / f"seen-{rank}.jsonl").read_text().splitlines()] for rank in (0, 1)
    ]
    assert [sorted(first + second) for first, second in zip(*seen, strict=True)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    monkeypatch.setitem(MEASURES, "order", order.Order)
    alone = tiny_run("alone", max_iterations=3, optimizers=OPTIMIZERS, val=val, validation=VALIDATION)
    alone.fit()
    together = TinyRun(tmp_path / "run", photos)
    first, second = figures(alone), figures(together)
    assert first.keys() == second.keys() == {"val/l1", "val/ssim_hole", "val/order"}
    assert second == pytest.approx(first, rel=1e-4)
    theirs = together.state()
    for name, value in alone.state().items():
        if value.is_floating_point():
            torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6, msg=name)
