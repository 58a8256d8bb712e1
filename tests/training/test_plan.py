"""What a training would cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.registry import table as registry
from inpaint.training import plan


def training(*overrides: str):
    made = config.load(["model.width=8", "model.discriminator.width=8", *overrides])
    return registry.training_class("deepfill")(made.architecture(), losses=parse_losses(made.losses), loop=made.loop)


def test_parameters_are_counted_by_role():
    module = training()
    counts = plan.parameters(module)
    assert set(counts) == {"generator", "discriminator"}
    assert sum(counts.values()) == sum(
        p.numel() for network in (module.network, module.discriminators) for p in network.parameters()
    )


def test_memory_grows_with_samples_and_shrinks_with_precision():
    module = training()
    one, two, three = (plan.memory_bytes(module, size_px=32, samples=n) for n in (1, 2, 3))
    assert three - two == two - one > 0
    half = plan.memory_bytes(training("trainer.precision=bf16-mixed"), size_px=32, samples=3)
    assert one < half < three


def test_estimating_leaves_no_gradient_behind():
    module = training()
    plan.memory_bytes(module, size_px=32, samples=1)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_hardware_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    loop = config.load(["trainer.devices=2", "trainer.num_nodes=3", "batch_size=6", "trainer.threads=5"]).loop
    assert plan.device_count(loop) == ("cpu", 2)
    (line,) = plan.hardware_lines(loop)
    assert line.startswith("CPU, ")
    assert "5 threads; 6 processes, 32-true" in line


@pytest.mark.slow
def test_the_estimate_is_near_what_a_step_really_takes():
    """Peak memory of a process that takes one step, above that of one that only builds the networks."""
    script = """
import resource, sys, torch
torch.set_num_threads(1)
from inpaint import config
from inpaint.registry import table as registry
from inpaint.losses import parse_losses
from inpaint.training import plan
made = config.load(["model.width=24"])
module = registry.training_class("deepfill")(made.architecture(), losses=parse_losses(made.losses), loop=made.loop)
if sys.argv[1] == "estimate":
    weights = plan.memory_bytes(module, size_px=128, samples=0)
    print(plan.memory_bytes(module, size_px=128, samples=8) - weights)
else:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = {"image": torch.rand(8, 3, 128, 128), "mask": (torch.rand(8, 1, 128, 128) > 0.7).float()}
    record = {**module.predict(batch), "hole_share": batch["mask"].mean()}
    losses = module.generator_losses(record)[0], module.discriminator_losses(record)[0]
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
    estimate, real = (
        int(subprocess.run([sys.executable, "-c", script, what], capture_output=True, text=True, check=True).stdout)
        for what in ("estimate", "real")
    )
    assert 0.6 < estimate / real < 1.5
