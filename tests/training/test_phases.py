"""When which networks learn: phases, and how often each optimizer steps."""

import csv
from dataclasses import replace

import pytest
import torch
from pytorch_lightning import Callback
from torch import nn

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses
from inpaint.training.config import LoopConfig
from inpaint.training.module import TrainingModule
from inpaint.training.phases import Frozen, Phase, Update, only_trainable, phase_at, with_late_starts
from tiny_run import TinyRun
from toy import LOSSES, PLAIN, Config, Painter, Toy, ToyRun


@pytest.fixture
def toy_run(tmp_path, photos):
    def make(name="run", **options):
        return ToyRun(tmp_path / name, photos, measures=False, **options)

    return make


def update(optimizer, **options):
    return Update(optimizer, (optimizer,), lambda record: (record["loss"], {}), **options)


def plan(phases):
    return [(phase.start, [u.optimizer for u in phase.updates]) for phase in phases]


# The plan of a training -----------------------------------------------------------------------------------------------

BOTH = (update("discriminator"), update("generator"))


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        ({}, [(0, ["discriminator", "generator"])]),
        ({"discriminator": 0, "generator": 0}, [(0, ["discriminator", "generator"])]),
        ({"discriminator": 7}, [(0, ["generator"]), (7, ["discriminator", "generator"])]),
        (
            {"discriminator": 7, "generator": 3},
            [(0, []), (3, ["generator"]), (7, ["discriminator", "generator"])],
        ),
    ],
)
def test_a_late_start_cuts_a_phase(starts, expected):
    assert plan(with_late_starts([Phase(0, BOTH)], starts)) == expected


def test_a_late_start_keeps_what_the_phases_say():
    phases = [
        Phase(0, BOTH, frozen=("generator.norm",)),
        Phase(5, BOTH[1:], frozen=("a",), fresh_optimizers=True, simultaneous=True),
        Phase(9, BOTH),
    ]
    cut = with_late_starts(phases, {"generator": 7})
    assert plan(cut) == [(0, ["discriminator"]), (5, []), (7, ["generator"]), (9, ["discriminator", "generator"])]
    assert [phase.frozen for phase in cut] == [("generator.norm",), ("a",), ("a",), ()]
    assert [phase.simultaneous for phase in cut] == [False, True, True, False]
    assert [phase.fresh_optimizers for phase in cut] == [False, True, False, False]  # once, where the phase begins


@pytest.mark.parametrize("starts", [[], [1], [0, 4, 2]])
def test_phases_that_leave_an_iteration_open_are_refused(starts):
    with pytest.raises(ValueError, match="phases must begin at 0 and follow each other"):
        with_late_starts([Phase(start, BOTH) for start in starts], {})


def test_the_phase_of_an_iteration_is_the_last_that_has_begun():
    phases = [Phase(0, ()), Phase(0, BOTH[:1]), Phase(3, BOTH)]
    assert [len(phase_at(phases, iteration).updates) for iteration in (0, 2, 3, 100)] == [1, 1, 2, 2]


def test_a_critic_that_steps_five_times_as_often_comes_first():
    phase = Phase(0, (update("discriminator"), update("generator", every=5)))
    due = [[u.optimizer for u in phase.due(iteration)] for iteration in range(10)]
    assert due == 2 * (4 * [["discriminator"]] + [["discriminator", "generator"]])


# Freezing -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def roles():
    layers = {"conv": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4)}
    return {"generator": nn.Sequential(nn.ModuleDict(layers)), "discriminator": nn.Conv2d(4, 1, 1)}


def learning(network):
    return [p.requires_grad for p in network.parameters()]


def test_a_frozen_part_gets_no_gradient_and_is_in_evaluation_mode_until_it_is_released(roles):
    (layers,) = roles["generator"]
    frozen = Frozen()
    frozen.apply(roles, ("generator.0.norm", "discriminator"))
    assert (layers["norm"].training, layers["conv"].training, roles["discriminator"].training) == (False, True, False)
    assert not any(learning(layers["norm"]) + learning(roles["discriminator"]))
    assert all(learning(layers["conv"]))
    roles["generator"].train()
    frozen.apply(roles, frozen.names)
    assert not layers["norm"].training
    frozen.apply(roles, ("discriminator",))
    assert layers["norm"].training
    assert all(learning(layers["norm"]))
    assert not any(learning(roles["discriminator"]))


def test_what_a_model_keeps_from_learning_itself_is_not_released(roles):
    (layers,) = roles["generator"]
    layers["norm"].weight.requires_grad_(False)
    frozen = Frozen()
    frozen.apply(roles, ("generator",))
    frozen.apply(roles, ())
    assert learning(layers["norm"]) == [False, True]


def test_a_part_that_is_replaced_by_its_synchronized_form_stays_frozen(roles):
    frozen = Frozen()
    frozen.apply(roles, ("generator.0.norm",))
    nn.SyncBatchNorm.convert_sync_batchnorm(roles["generator"])
    roles["generator"].train()
    frozen.apply(roles, frozen.names)
    norm = roles["generator"][0]["norm"]
    assert isinstance(norm, nn.SyncBatchNorm)
    assert not norm.training
    assert not any(learning(norm))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("edges.norm", ValueError, "no network 'edges', valid: generator, discriminator"),
        ("generator.0.nrom", AttributeError, "nrom"),
    ],
)
def test_a_part_that_there_is_not_is_named(roles, name, error, message):
    with pytest.raises(error, match=message):
        Frozen().apply(roles, (name,))


def test_only_the_chosen_networks_get_gradients_and_the_rest_is_put_back(roles):
    roles["discriminator"].bias.requires_grad_(False)
    with only_trainable(roles, ("generator",)):
        assert all(learning(roles["generator"]))
        assert not any(learning(roles["discriminator"]))
    assert learning(roles["discriminator"]) == [True, False]


# Trainings ------------------------------------------------------------------------------------------------------------


class Batches(Callback):
    """Keeps the batches of a training."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.seen.append({name: value.clone() for name, value in batch.items() if isinstance(value, torch.Tensor)})


class Weights(Callback):
    """Keeps all trained parameters after every iteration, and which parts were in training mode."""

    def __init__(self):
        self.after, self.training = [], []

    def on_train_batch_end(self, trainer, module, *_):
        self.after.append({name: p.detach().clone() for name, p in module.named_parameters() if "average" not in name})
        self.training.append({name for name, part in module.named_modules() if part.training})

    def moved(self):
        """Return the names that each iteration but the first has moved."""
        pairs = zip(self.after, self.after[1:], strict=False)
        return [{name for name in new if not torch.equal(old[name], new[name])} for old, new in pairs]


CRITIC = "discriminators.discriminator"


def freezing(toy):
    """All learns; the critic's first layer rests from iteration 2 to 3; then again all."""
    start = Phase(0, toy.standard_updates("generator"))
    return [start, replace(start, start=2, frozen=("discriminator.first",)), replace(start, start=4)]


def test_a_phase_rests_a_part_of_a_network_and_the_next_lets_it_learn_again(toy_run):
    weights = Weights()
    run = toy_run(max_iterations=6, phases=freezing, callbacks=[weights])
    run.fit()
    rested = [f"{CRITIC}.first.weight" not in moved for moved in weights.moved()]  # iterations 1 to 5
    assert rested == [False, True, True, False, False]
    assert all(f"{CRITIC}.last.weight" in moved for moved in weights.moved())
    assert [f"{CRITIC}.first" in names for names in weights.training] == [True, True, False, False, True, True]
    assert all(f"{CRITIC}.last" in names for names in weights.training)


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_a_run_resumed_in_any_phase_has_the_bits_of_one_that_ran_through(toy_run, stop):
    optimizers = {name: {"lr": 0.01} for name in PLAIN}

    def phases(toy):
        return [replace(phase, fresh_optimizers=phase.start == 4) for phase in freezing(toy)]

    whole = toy_run("whole", max_iterations=6, phases=phases, optimizers=optimizers)
    whole.fit()
    toy_run("parts", max_iterations=stop, phases=phases, optimizers=optimizers).fit()
    rest = toy_run("parts", max_iterations=6, phases=phases, optimizers=optimizers)
    rest.resume = rest.folder.last
    rest.fit()
    first, second = whole.state(), rest.state()
    assert first.keys() == second.keys()
    assert not [name for name in first if not torch.equal(first[name], second[name])]
    steps = {int(value) for name, value in second.items() if name.endswith("/step")}
    assert steps == {2}  # counted anew from iteration 4


def test_frozen_parts_stay_frozen_whatever_switches_modes():
    toy = Toy(
        losses=LOSSES,
        loop=LoopConfig(optimizers=PLAIN),
        phases=lambda toy: [Phase(0, toy.standard_updates("generator"), frozen=("discriminator.first",))],
    )
    critic = toy.discriminators["discriminator"]
    toy.eval()
    toy.train()
    assert (critic.training, critic.first.training, critic.last.training) == (True, False, True)
    assert not any(learning(critic.first))


class Every(ToyRun):
    """The critic learns in every iteration, the painter in every third."""

    def __init__(self, folder, photos, **options):
        super().__init__(folder, photos, phases=self.phases, measures=False, **options)

    @staticmethod
    def phases(toy):
        critic, painter = toy.standard_updates("generator")
        return [Phase(0, (critic, replace(painter, every=3)))]


def test_a_critic_that_steps_more_often_than_the_painter_trains_and_resumes(tmp_path, photos):
    weights = Weights()
    whole = Every(tmp_path / "whole", photos, max_iterations=6, log_every=1, callbacks=[weights])
    whole.fit()
    painter, critic = "network.generator.weight", f"{CRITIC}.last.weight"
    assert [painter in moved for moved in weights.moved()] == [False, True, False, False, True]
    assert all(critic in moved for moved in weights.moved())
    head, *rows = (line.split(",") for line in whole.folder.metrics.read_text().splitlines())
    logged = [bool(row[head.index("train/loss_g")]) for row in rows]
    assert logged == [False, False, True, False, False, True]
    Every(tmp_path / "parts", photos, max_iterations=4).fit()
    rest = Every(tmp_path / "parts", photos, max_iterations=6, resume=tmp_path / "parts" / "last.ckpt")
    rest.fit()
    first, second = whole.state(), rest.state()
    assert not [name for name in first if not torch.equal(first[name], second[name])]


class TwoPainters(nn.Module):
    """The second paints over what the first has painted."""

    def __init__(self, config, *, seed):
        super().__init__()
        self.first, self.second = Painter().generator, Painter().generator

    def forward(self, image, mask):
        coarse = self.first(torch.cat((image * (1 - mask), mask), dim=1)).tanh()
        return coarse, self.second(torch.cat((coarse, mask), dim=1)).tanh()

    @classmethod
    def discriminators(cls, config, *, seed):
        return {}


class TwoStages(TrainingModule):
    """Two generators, each with an optimizer and losses of its own; no discriminator; one late, one slower."""

    name = "two"
    network_class = TwoPainters
    optimizer_names = frozenset({"first", "second"})

    def __init__(self, loop, *, simultaneous=False):
        self.simultaneous = simultaneous
        losses = parse_losses({name: {"kind": "l1", "of": name, "weight": 1.0} for name in ("coarse", "raw")})
        super().__init__(Config(), losses=losses, loop=loop)

    def phases(self):
        first = Update("first", ("first",), lambda record: self.loss("coarse", record))
        second = Update("second", ("second",), lambda record: self.loss("raw", record), rate=0.5)
        both = Phase(2, (first, second), simultaneous=self.simultaneous)
        return [Phase(0, (first,)), both, Phase(4, (second,), frozen=("first",))]

    def loss(self, name, record):
        value = self.losses.only(name).of_record(record)[name]
        return value, {name: value}

    def predict(self, batch):
        coarse, raw = self.network(batch["image"], batch["mask"])
        return {"image": batch["image"], "mask": batch["mask"], "coarse": coarse, "raw": raw}

    def predict_with(self, parameters, batch):
        """Predict with other values of the network's parameters."""
        inner = {name.removeprefix("network."): value for name, value in parameters.items()}
        coarse, raw = torch.func.functional_call(self.network, inner, (batch["image"], batch["mask"]))
        return {**self.predict(batch), "coarse": coarse, "raw": raw}

    def inpainter(self, network):
        return None


class TwoStagesRun(TinyRun):
    def __init__(self, folder, photos, *, simultaneous=False, **options):
        self.simultaneous = simultaneous
        optimizers = {name: {"kind": "sgd", "lr": 0.1} for name in ("first", "second")}
        super().__init__(folder, photos, optimizers=optimizers, log_every=1, **options)

    def build(self, losses):
        return TwoStages(self.loop, simultaneous=self.simultaneous)


def test_several_generators_have_optimizers_and_stages_of_their_own(tmp_path, photos):
    weights = Weights()
    run = TwoStagesRun(tmp_path / "run", photos, max_iterations=6, callbacks=[weights])
    assert run.module.untrained() == []
    run.fit()
    moved = [{name.split(".")[1] for name in names} for names in weights.moved()]  # iterations 1 to 5
    assert moved == [{"first"}, {"first", "second"}, {"first", "second"}, {"second"}, {"second"}]
    head, *rows = (line.split(",") for line in run.folder.metrics.read_text().splitlines())
    rates = [row[head.index("lr/second")] for row in rows]
    assert rates[:2] == ["", ""]
    assert [float(rate) for rate in rates[2:]] == pytest.approx([0.05] * 4)
    assert [bool(row[head.index("train/loss_first")]) for row in rows] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_generator_learns_from_what_another_paints_before_or_after_its_step(
    tmp_path, photos, simultaneous, accumulate
):
    weights, batches = Weights(), Batches()
    options = {"max_iterations": 3, "simultaneous": simultaneous, "accumulate": accumulate, "ema": {"decay": None}}
    run = TwoStagesRun(tmp_path / "run", photos, callbacks=[weights, batches], **options)
    run.fit()
    before, after = weights.after[1:]  # around iteration 2, in which both step
    moved = {name: value.clone().requires_grad_() for name, value in before.items()}
    steps = {"first": 0.1, "second": 0.05}
    gradients = {}
    for role, entry in (("first", "coarse"), ("second", "raw")):
        record = run.module.predict_with(moved, batches.seen[2])
        loss = (record[entry] - record["image"]).abs().mean()
        names = [f"network.{role}.{kind}" for kind in ("weight", "bias")]
        gradients |= dict(zip(names, torch.autograd.grad(loss, [moved[name] for name in names]), strict=True))
        if role == "first" and not simultaneous:
            for name in names:
                moved[name] = (moved[name] - steps[role] * gradients[name]).detach().requires_grad_()
    for name, gradient in gradients.items():
        expected = before[name] - steps[name.split(".")[1]] * gradient
        torch.testing.assert_close(after[name], expected, rtol=0, atol=1e-6, msg=name)


# freeze=[...] ---------------------------------------------------------------------------------------------------------


def states(module, role):
    return {name: value.clone() for name, value in module.roles()[role].state_dict().items()}


@pytest.mark.parametrize("part", ["discriminator", "generator.conv1"])
def test_what_the_option_freezes_stays_and_the_rest_learns(part, tiny_run):
    run = tiny_run(max_iterations=2, freeze=[part])
    role, _, path = part.partition(".")
    before = {name: states(run.module, name) for name in ("generator", "discriminator")}
    run.fit()
    after = {name: states(run.module, name) for name in before}
    for name, values in before.items():
        for key, value in values.items():
            if name == role and (not path or key.startswith(f"{path}.")):
                assert value.equal(after[name][key]), key
    moved = [key for key, value in before["generator"].items() if not value.equal(after["generator"][key])]
    assert moved


def test_a_run_may_go_on_with_other_parts_frozen(tiny_run):
    first = tiny_run("run", max_iterations=3, freeze=["discriminator"])
    first.fit()
    second = tiny_run("run", max_iterations=4, resume=first.folder.last)
    before = states(first.module, "discriminator")
    second.fit()
    assert any(not value.equal(before[name]) for name, value in states(second.module, "discriminator").items())


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (["encoder"], r"freeze=\[encoder\]: unknown network 'encoder'; valid: discriminator, generator"),
        (["generator.convv1"], r"unknown part 'generator.convv1' \(did you mean 'generator.conv1'"),
        (["generator"], r"freeze=\[generator\] leaves no network to train that fills"),
    ],
)
def test_a_part_that_cannot_be_frozen_is_named(freeze, message, tiny_run):
    with pytest.raises(ConfigError, match=message):
        tiny_run(freeze=freeze)


def test_lazy_penalties_are_steps_of_the_discriminators_between_the_usual_ones(toy_run):
    losses = {**LOSSES, "adversary": {**LOSSES["adversary"], "r1": 1.0, "r1_every": 3}}
    run = toy_run(losses=losses, max_iterations=6, log_every=1)
    (phase,) = run.module.timeline
    assert [(each.optimizer, each.every) for each in phase.updates] == [
        ("discriminator", 1),
        ("discriminator", 3),
        ("generator", 1),
    ]
    run.fit()
    with (run.folder.path / "metrics.csv").open(newline="") as file:
        found = {row["iteration"]: row["train/adversary_r1"] for row in csv.DictReader(file) if row["train/loss_g"]}
    assert [number for number, value in found.items() if value] == ["3", "6"]
