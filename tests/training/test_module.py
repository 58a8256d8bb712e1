import copy
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.plugins.precision import MixedPrecision
from torch.nn import functional as F

from inpaint.errors import ConfigError
from inpaint.training import fit as fitting
from inpaint.training.checkpoints import read_checkpoint
from inpaint.training.phases import Phase
from inpaint.weights.files import load_weights
from toy import ADVERSARY, LOSSES, PLAIN, ToyRun


@pytest.fixture
def toy_run(tmp_path, photos):
    def make(name="run", **options):
        return ToyRun(tmp_path / name, photos, **options)

    return make


class Batches(Callback):
    """Keeps the batches of a training."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append({name: value.clone() for name, value in batch.items() if isinstance(value, torch.Tensor)})


def step_by_hand(run, batch, *, simultaneous, lr=0.05):
    """One iteration with plain torch: returns the painter and the critic after it."""
    painter, critic = copy.deepcopy(run.module.network), copy.deepcopy(run.module.discriminators["discriminator"])
    before = copy.deepcopy(critic)
    image, raw = batch["image"], painter(batch["image"], batch["mask"])
    entropy = F.binary_cross_entropy_with_logits
    real, fake = critic(image).logits, critic(raw.detach()).logits
    loss = (entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))) / 2
    learning = list(critic.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(learning, torch.autograd.grad(loss, learning), strict=True):
            parameter -= lr * gradient
    against = before if simultaneous else critic
    logits, (feature,) = against(raw)
    loss = F.l1_loss(raw, image) + entropy(logits, torch.ones_like(logits))
    loss = loss + 10 * F.l1_loss(feature, against(image).features[0].detach())
    painted = list(painter.parameters())
    with torch.no_grad():
        for parameter, gradient in zip(painted, torch.autograd.grad(loss, painted), strict=True):
            parameter -= lr * gradient
    return painter, critic


def assert_near(module, expected, atol):
    for (name, value), wanted in zip(module.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(value, wanted, rtol=0, atol=atol, msg=name)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_generator_trains_against_the_discriminator_before_or_after_its_step(toy_run, simultaneous):
    batches = Batches()
    run = toy_run(max_iterations=1, simultaneous=simultaneous, callbacks=[batches])
    start = copy.copy(run)
    start.module = copy.deepcopy(run.module)
    run.fit()
    results = [step_by_hand(start, batches.seen[0], simultaneous=order) for order in (simultaneous, not simultaneous)]
    (painter, critic), (otherwise, _) = results
    assert_near(run.module.network, painter, atol=1e-6)
    assert_near(run.module.discriminators["discriminator"], critic, atol=1e-6)
    with pytest.raises(AssertionError):
        assert_near(run.module.network, otherwise, atol=1e-6)


def test_simultaneous_steps_in_parts_equal_those_of_the_whole_batch(toy_run):
    whole, parts = toy_run("whole", simultaneous=True), toy_run("parts", simultaneous=True, accumulate=2)
    for run in (whole, parts):
        run.fit()
    assert_near(parts.module, whole.module, atol=1e-5)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_one_loss_scale_holds_for_all_gradients_of_an_iteration(toy_run, monkeypatch, simultaneous):
    """fp16 with a scale that doubles after every step, on the CPU."""

    def trainer(**options):
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=1)
        plugin = MixedPrecision("16-mixed", "cpu", scaler=scaler)
        return Trainer(**{**options, "precision": None, "plugins": [plugin]})

    exact, scaled = (toy_run(name, max_iterations=1, simultaneous=simultaneous) for name in ("exact", "scaled"))
    exact.fit()
    start = [p.detach().clone() for p in scaled.module.parameters()]
    monkeypatch.setattr(fitting, "Trainer", trainer)
    scaled.fit()
    assert scaled.module.trainer.precision_plugin.scaler.get_scale() == (128.0 if simultaneous else 256.0)
    moved = 0.0
    for found, wanted, before in zip(scaled.module.parameters(), exact.module.parameters(), start, strict=True):
        step = (wanted - before).abs().max().item()
        moved = max(moved, step)
        assert (found - wanted).abs().max().item() <= 0.02 * step + 1e-5
    assert moved > 1e-3


def test_an_adversarial_loss_without_weight_trains_the_discriminator_alone(toy_run):
    losses = {**LOSSES, "adversary": {**ADVERSARY, "weight": 0.0}, "matching": None}
    run = toy_run(max_iterations=2, log_every=1, losses={k: v for k, v in losses.items() if v})
    critic = run.module.discriminators["discriminator"]
    start = critic.first.weight.detach().clone()
    run.fit()
    assert not torch.equal(critic.first.weight, start)
    assert critic.calls == [8, 8]  # real and painted images of the discriminator's own step, and no more
    head = run.folder.metrics.read_text().splitlines()[0].split(",")
    assert "train/adversary_d" in head
    assert "train/adversary" not in head


def test_penalties_train_and_are_logged(toy_run):
    losses = {"pixel": LOSSES["pixel"], "adversary": {"kind": "wgan_gp", "of": "raw", "weight": 0.1, "r1": 1.0}}
    run = toy_run(max_iterations=2, log_every=1, losses=losses, simultaneous=True, accumulate=2)
    run.fit()
    head, *rows = (line.split(",") for line in run.folder.metrics.read_text().splitlines())
    values = dict(zip(head, rows[0], strict=True))
    assert float(values["train/adversary_gp"]) > 0
    assert float(values["train/adversary_r1"]) > 0


def test_matching_without_an_adversarial_loss_is_refused(toy_run):
    with pytest.raises(ConfigError, match=r"losses.matching: no adversarial loss trains discriminator 'discriminator'"):
        toy_run(losses={name: LOSSES[name] for name in ("pixel", "matching")})


def test_losses_that_weigh_nothing_are_refused(toy_run):
    with pytest.raises(ConfigError, match="no loss with a weight above 0 is left for toy"):
        toy_run(losses={"pixel": {**LOSSES["pixel"], "weight": 0.0}})


# A stage that cannot fill yet -----------------------------------------------------------------------------------------


def metrics(run):
    head, *rows = (line.split(",") for line in run.folder.metrics.read_text().splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def measured(run, name):
    return {int(row["iteration"]): float(row[name]) for row in metrics(run) if row.get(name)}


def test_a_stage_that_cannot_fill_is_measured_by_its_own_means(toy_run):
    run = toy_run(max_iterations=6, validation={"every": 4, "panel": 1, "batch_size": 2}, save_every=2)
    run.module.best_metric = "error"
    result = run.fit()
    found = measured(run, "val/error")
    assert found.keys() == {4, 6}
    assert result.validation.keys() == {"val/error", "val/share"}
    assert not any(name.startswith("val/l1") for name in metrics(run)[0])
    samples = [run.data.validation[i] for i in range(len(run.data.validation))]
    network = run.module.averaged_network()
    with torch.no_grad():
        errors = [(network(s["image"][None], s["mask"][None]) - s["image"]).abs().mean().item() for s in samples]
    assert found[6] == pytest.approx(sum(errors) / len(errors), rel=1e-4)
    assert sorted(path.name for path in run.folder.panels.iterdir()) == ["00000004.png", "00000006.png"]


@pytest.mark.parametrize(("mode", "kept"), [("min", min), ("max", max)])
def test_the_best_checkpoint_follows_the_metric_that_the_model_names(toy_run, mode, kept):
    run = toy_run(max_iterations=3, validation={"every": 1, "panel": 0}, measures=True)
    run.module.best_metric, run.module.best_mode = "error", mode
    run.fit()
    found = measured(run, "val/error")
    assert read_checkpoint(run.folder.best)["iteration"] == kept(found, key=found.get)


def test_a_stage_that_measures_nothing_trains_and_saves_all_the_same(toy_run):
    run = toy_run(max_iterations=2, measures=False, validation={"every": 1, "panel": 0})
    assert run.fit().validation == {}
    assert not run.folder.best.exists()
    assert read_checkpoint(run.folder.last)["iteration"] == 2
    assert {name.split(".")[0] for name in load_weights(run.folder.weights)[0]} == {"generator"}


def test_measuring_changes_nothing_that_the_training_depends_on(toy_run):
    states = []
    for name, measures in (("with", True), ("without", False)):
        run = toy_run(name, max_iterations=3, measures=measures, validation={"every": 1, "panel": 1})
        run.fit()
        states.append(run.state())
        assert run.module.discriminators.training
        assert run.module.network.training
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_stage_that_cannot_fill_resumes_with_the_bits_of_an_uninterrupted_run(toy_run):
    whole = toy_run("whole", max_iterations=5, simultaneous=True)
    whole.module.best_metric = "error"
    whole.fit()
    for iterations in (3, 5):
        part = toy_run(
            "parts",
            max_iterations=iterations,
            simultaneous=True,
            resume=whole.folder.path.parent / "parts" / "last.ckpt" if iterations == 5 else None,
        )
        part.module.best_metric = "error"
        part.fit()
    first, second = whole.state(), part.state()
    assert first.keys() == second.keys()
    assert not [name for name in first if not torch.equal(first[name], second[name])]
    assert measured(whole, "val/error")[5] == measured(part, "val/error")[5]


def test_the_vgg_is_no_part_of_the_model(toy_run):
    features = {"kind": "perceptual", "of": "completed", "weight": 0.1, "weights": "random", "layers": ["pool1"]}
    run = toy_run(max_iterations=1, losses={"features": features}, measures=False)
    run.fit()
    trained = sum(p.numel() for p in run.module.network.parameters())
    assert sum(p.numel() for p in run.module.parameters()) == 2 * trained  # the network and its average
    assert not any("conv1_1" in name for name in run.state())


DRIVER = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {tests!r}]
import torch
torch.set_num_threads(1)
from toy import ToyRun
from test_module import freezing_first

run = ToyRun(Path(sys.argv[1]) / "run", Path(sys.argv[2]), max_iterations=3, phases=freezing_first,
             trainer={{"devices": 2}}, validation={{"every": 3, "panel": 1, "batch_size": 2}})
run.fit()
"""


def freezing_first(toy):
    """Let the critic's first layer learn from the second iteration on, all steps simultaneous."""
    frozen = Phase(0, toy.standard_updates("generator"), frozen=("discriminator.first",), simultaneous=True)
    return [frozen, replace(frozen, start=1, frozen=())]


@pytest.mark.slow
def test_two_processes_reach_the_weights_and_metrics_of_one_through_phases(tmp_path, photos, toy_run):
    here = Path(__file__).resolve().parents[1] / "helpers"
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.format(here=str(here), tests=str(Path(__file__).parent)))
    run = [sys.executable, str(driver), str(tmp_path), str(photos)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    validation = {"every": 3, "panel": 1, "batch_size": 2}
    alone = toy_run("alone", max_iterations=3, phases=freezing_first, validation=validation)
    before = alone.module.discriminators["discriminator"].first.weight.detach().clone()
    alone.fit()
    assert not torch.equal(alone.module.discriminators["discriminator"].first.weight, before)
    together = ToyRun(tmp_path / "run", photos, optimizers=PLAIN)
    theirs = together.state()
    for name, value in alone.state().items():
        if value.is_floating_point():
            torch.testing.assert_close(theirs[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert measured(together, "val/error")[3] == pytest.approx(measured(alone, "val/error")[3], rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default:The .grad attribute:UserWarning")  # the compiler reads it, and hides it
def test_compiled_networks_train_as_plain_ones_with_penalties(toy_run):
    losses = {**LOSSES, "adversary": {**ADVERSARY, "kind": "wgan_gp", "penalty": 0.1, "r1": 0.1}}
    runs = [
        toy_run(name, max_iterations=2, losses=losses, simultaneous=True, trainer={"compile": name == "compiled"})
        for name in ("plain", "compiled")
    ]
    for run in runs:
        run.fit()
    assert_near(runs[1].module, runs[0].module, atol=1e-5)
