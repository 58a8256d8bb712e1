import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from tiny_run import TinyRun

HERE = Path(__file__).resolve().parents[1] / "helpers"

DRIVER = """
import json, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
torch.set_num_threads(1)
from pytorch_lightning import Callback
from tiny_run import TinyRun

class Numbers(Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        seen = Path(sys.argv[1]) / f"seen-{{trainer.global_rank}}.jsonl"
        with seen.open("a") as file:
            print(json.dumps(batch["number"].tolist()), file=file)

TinyRun(Path(sys.argv[1]) / "run", Path(sys.argv[2]), max_iterations=3, callbacks=[Numbers()],
        trainer={{"devices": 2}}, optimizers={optimizers!r}).fit()
"""
# Plain gradient descent: Adam divides by gradients, so that a last-bit difference of one near zero becomes a step.
OPTIMIZERS = {name: {"kind": "sgd", "lr": 0.05, "momentum": 0.9} for name in ("generator", "discriminator")}


def test_two_processes_see_disjoint_samples_and_reach_the_weights_of_one(tmp_path, photos, tiny_run):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.format(here=str(HERE), optimizers=OPTIMIZERS))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, str(driver), str(tmp_path), str(photos)]
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
    alone = tiny_run("alone", max_iterations=3, optimizers=OPTIMIZERS)
    alone.fit()
    together = TinyRun(tmp_path / "run", photos)
    theirs = together.state()
    for name, value in alone.state().items():
        if value.is_floating_point():
            torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6, msg=name)
