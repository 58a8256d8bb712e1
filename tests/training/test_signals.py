"""A terminal's Ctrl-C and a scheduler's SIGTERM reach the whole process group, loader workers included."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from inpaint.data.module import LAST_SERVICE_S


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "devices"),
    [(signal.SIGINT, 130, 1), (signal.SIGHUP, 129, 1), (signal.SIGTERM, 143, 1), (signal.SIGINT, 130, 2)],
)
def test_a_signal_to_the_whole_group_saves_and_ends_cleanly(tmp_path, photos, number, status, devices):
    folder = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "inpaint", "train", f"data.root={photos}", f"run.folder={folder}", "data.size=32"),
        *("model.width=8", "model.discriminator.width=4", "batch_size=2", "max_iterations=100000", "log_every=1"),
        *("data.workers=2", "validation.every=2", "validation.panel=0", "trainer.accelerator=cpu", "trainer.threads=1"),
        f"trainer.devices={devices}",
    ]
    process = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240
        while not (folder / "metrics.csv").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, number)
        # Sooner than loader workers that nobody dismisses would end by themselves.
        _, errors = process.communicate(timeout=LAST_SERVICE_S - 5)
    finally:
        process.kill()
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    saved = torch.load(folder / "last.ckpt", weights_only=True)["iteration"]
    assert int((folder / "metrics.csv").read_text().splitlines()[-1].split(",")[0]) == saved
