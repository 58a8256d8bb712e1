"""The step that is timed is the one that trains."""

import pytest
import torch

from inpaint.benchmark.step import build, peak_bytes, random_batch
from inpaint.cli.benchmark_networks import step_setting
from inpaint.training.steps import with_steps

SMALL = ["model.width=8", "model.discriminator.width=4"]
OVERRIDES = [*SMALL, "data.size=32", "batch_size=2", "trainer.accelerator=cpu", "trainer.devices=1"]


def test_a_step_moves_every_network_and_counts():
    module = build(step_setting(OVERRIDES))
    before = {name: value.clone() for name, value in module.named_parameters()}
    batch = random_batch(module, size=32)

    def work(steps):
        for _ in range(2):
            steps["own"](batch)
        return module.iteration

    assert with_steps({"own": module}, work) == 2
    for role, network in module.roles().items():
        assert any(not torch.equal(value, before[name]) for name, value in module.named_parameters() if role in name)
        assert all(value.isfinite().all() for value in network.parameters())


def test_real_and_generated_images_go_apart_only_when_asked():
    seen = {}
    for separate in (False, True):
        module = build(step_setting(OVERRIDES, separate=separate))
        calls = seen.setdefault(separate, [])
        module.discriminators["discriminator"].register_forward_pre_hook(
            lambda _, planes, calls=calls: calls.append(len(planes[0]))
        )
        batch = random_batch(module, size=32)
        with_steps({"own": module}, lambda steps, batch=batch: steps["own"](batch))
    assert seen == {False: [4, 2], True: [2, 2, 2]}


@pytest.mark.slow
def test_the_memory_of_a_step_grows_with_the_batch():
    small, large = (peak_bytes(step_setting([*OVERRIDES, "data.size=128", f"batch_size={batch}"])) for batch in (1, 8))
    assert 50e6 < small < large


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # the compiler's own look
def test_compiled_networks_train_like_plain_ones():
    """Whole networks through the compiler proper, with both updates of an iteration: takes minutes on a CPU."""
    # Adam would turn the sign of a gradient that is all rounding into a whole step.
    sgd = ("kind=sgd", "lr=0.01")
    plain_steps = [f"optimizers.{name}.{option}" for name in ("generator", "discriminator") for option in sgd]
    settings = {name: step_setting([*OVERRIDES, *plain_steps, f"trainer.compile={name}"]) for name in ("false", "true")}
    modules = {name: build(setting) for name, setting in settings.items()}
    batch = random_batch(modules["false"], size=32)

    def work(steps):
        for _ in range(2):
            for step in steps.values():
                step(batch)

    with_steps(modules, work)
    plain, compiled = (dict(module.named_parameters()) for module in modules.values())
    for name, value in plain.items():
        found = next(other for key, other in compiled.items() if key.replace("_orig_mod.", "") == name)
        assert torch.allclose(found, value, rtol=0, atol=2e-5), name
