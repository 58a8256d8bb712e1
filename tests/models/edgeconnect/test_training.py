"""EdgeConnect's four stages: what each loss moves, what the steps are, and how stages follow each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as samples

from inpaint import config
from inpaint.cli.main import run
from inpaint.errors import ConfigError, UsageError, WeightsError
from inpaint.losses import parse_losses
from inpaint.models.edgeconnect.config import Config
from inpaint.models.edgeconnect.training import Training
from inpaint.registry.loading import load
from inpaint.training.config import LoopConfig
from inpaint.training.phases import only_trainable
from inpaint.weights.files import load_weights, read_metadata

STAGES = ("edge", "inpaint", "edge_inpaint", "joint")
SMALL = {"width": 4, "blocks": 1, "discriminator": {"width": 4}}
GENERATORS = {"edge_generator", "inpaint_generator"}


def losses_of_the_yaml():
    block = config.load(["model=edgeconnect"]).losses
    return {name: {**term, "weights": "random"} if "network" in term else term for name, term in block.items()}


LOSSES = losses_of_the_yaml()
EDGE_TERMS = {"edge_adversary", "edge_matching"}


def training(stage, **options):
    loop = LoopConfig(optimizers={name: {"lr": 1e-3} for name in ("generator", "discriminator")})
    return Training(Config(stage=stage, **{**SMALL, **options}), losses=parse_losses(LOSSES), loop=loop)


def batch(size=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(2, 1, size, size)
    mask[0, :, 4:20, 6:28] = 1
    mask[1, :, 12:, 16:] = 1
    edges = (torch.rand(2, 1, size, size, generator=generator) < 0.15).float()
    planes = {"image": torch.rand(2, 3, size, size, generator=generator), "mask": mask}
    return {**planes, "edges_true": edges, "edges_known": edges.roll(1, dims=-1) * (1 - mask)}


def moved(module, loss):
    """Return the roles whose parameters get a gradient from a loss, and check that it is all of theirs or none."""
    module.zero_grad(set_to_none=True)
    if loss.requires_grad:
        loss.backward(retain_graph=True)
    found = set()
    for role, network in module.roles().items():
        # A bias in front of a normalization has no effect, so that only weights tell.
        weights = [p for p in network.parameters() if p.ndim > 1]
        reached = [p.grad is not None and bool(p.grad.any()) for p in weights]
        assert all(reached) or not any(p.grad is not None and p.grad.any() for p in network.parameters()), role
        if all(reached):
            found.add(role)
    return found


# What moves what -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "routes"),
    [
        ("edge", {"edge": {"edge_generator"}}),
        ("inpaint", {"color": {"inpaint_generator"}}),
        ("edge_inpaint", {"color": {"inpaint_generator"}}),
        ("joint", {"edge": {"edge_generator"}, "color": {"edge_generator", "inpaint_generator"}}),
    ],
)
def test_every_loss_moves_the_generators_of_its_stage_and_nothing_else(stage, routes):
    module = training(stage).train()
    (phase,) = module.timeline
    discriminators, generators = phase.updates
    assert set(generators.networks) == set(module.config.trained)
    assert set(discriminators.networks) == set(module.discriminators)
    assert set(phase.frozen) == set(module.untrained()) == set(module.config.generators) - set(module.config.trained)
    kinds = {name: "edge" if name in EDGE_TERMS else "color" for name in module.losses.terms}
    assert set(kinds.values()) == set(routes)
    with only_trainable(module.roles(), generators.networks):
        _, values = module.generator_losses(module.record(batch()))
        for name, kind in kinds.items():
            assert moved(module, values[name]) == routes[kind], name


@pytest.mark.parametrize("stage", STAGES)
def test_every_discriminator_learns_from_its_own_loss_alone(stage):
    module = training(stage).train()
    with only_trainable(module.roles(), module.discriminators):
        record = {name: plane.detach() for name, plane in module.record(batch()).items()}
        total, values = module.discriminator_losses(record)
        roles = {name: term.discriminator for name, term in module.losses.adversarial.items()}
        for name, role in roles.items():
            assert moved(module, values[f"{name}_d"]) == {role}
        assert moved(module, total) == set(roles.values()) == set(module.discriminators)


def test_a_stage_has_the_losses_and_discriminators_of_what_it_trains():
    colors = set(LOSSES) - EDGE_TERMS
    terms = {stage: set(training(stage).losses.terms) for stage in STAGES}
    assert terms == {"edge": EDGE_TERMS, "inpaint": colors, "edge_inpaint": colors, "joint": set(LOSSES)}
    roles = {stage: set(training(stage).discriminators) for stage in STAGES}
    assert roles["edge"] == {"edge_discriminator"}
    assert roles["inpaint"] == roles["edge_inpaint"] == {"inpaint_discriminator"}
    assert len(roles["joint"]) == 2


def test_the_yaml_has_the_weights_and_rates_of_the_paper():
    made = config.load(["model=edgeconnect"])
    weights = {name: term["weight"] for name, term in made.losses.items()}
    assert weights == {
        "edge_adversary": 1,
        "edge_matching": 10,
        "reconstruction": 1,
        "adversary": 0.1,
        "perceptual": 0.1,
        "style": 250,
    }
    rates = {name: (o.kind, o.lr, o.betas) for name, o in made.optimizers.items()}
    assert rates == {"generator": ("adam", 1e-4, (0.0, 0.9)), "discriminator": ("adam", 1e-5, (0.0, 0.9))}


# What is predicted ---------------------------------------------------------------------------------------------------


def test_edges_that_are_painted_along_in_every_stage():
    planes = batch()
    hole, true, known = planes["mask"] > 0, planes["edges_true"], planes["edges_known"]
    records = {stage: training(stage).train().predict(planes) for stage in STAGES}
    assert torch.equal(records["inpaint"]["edges"], true)
    for stage in ("edge", "edge_inpaint", "joint"):
        record = records[stage]
        assert torch.equal(record["edges"], torch.where(hole, record["edges_raw"], known))
    assert not records["edge_inpaint"]["edges"].requires_grad
    assert records["joint"]["edges"].requires_grad
    assert "raw" not in records["edge"]
    raw = records["joint"]["raw"]
    assert torch.equal(records["joint"]["completed"], torch.where(hole, raw, planes["image"]))


def names_of(module):
    return {plane.name for plane in module.planes}


def test_the_origins_way_cuts_the_true_edges_off_at_the_hole():
    planes = batch()
    del planes["edges_known"]
    module = training("edge", origin_canny=True)
    assert names_of(module) == {"edges_true"}
    assert names_of(training("edge")) == {"edges_true", "edges_known"}
    assert names_of(training("inpaint")) == {"edges_true"}
    assert torch.equal(module.predict(planes)["edges_known"], planes["edges_true"] * (1 - planes["mask"]))


def test_discriminators_get_the_gray_of_the_whole_image_with_edges_and_colors_alone():
    module, planes = training("joint").eval(), batch()
    record, seen = module.predict(planes), {}
    for role, network in module.discriminators.items():
        network.layers[0].register_forward_pre_hook(lambda layer, inputs, role=role: seen.update({role: inputs[0]}))
    module.discriminate("edge_discriminator", record["edges_raw"], record)
    module.discriminate("inpaint_discriminator", record["raw"], record)
    gray = planes["image"][:, 0] * 0.2125 + planes["image"][:, 1] * 0.7154 + planes["image"][:, 2] * 0.0721
    assert torch.allclose(seen["edge_discriminator"][:, 0], gray)
    assert torch.equal(seen["edge_discriminator"][:, 1:], record["edges_raw"])
    assert torch.equal(seen["inpaint_discriminator"], record["raw"])


def test_a_frozen_edge_generator_stays_as_it_is_bit_for_bit():
    module, planes = training("edge_inpaint").train(), batch()
    before = {name: value.clone() for name, value in module.network.edge_generator.state_dict().items()}
    first, second = module.predict(planes)["edges_raw"], module.predict(planes)["edges_raw"]
    assert torch.equal(first, second)  # no power iteration has run
    assert not module.network.edge_generator.training
    assert not any(parameter.requires_grad for parameter in module.network.edge_generator.parameters())
    assert module.network.inpaint_generator.training
    assert all(torch.equal(value, before[name]) for name, value in module.network.edge_generator.state_dict().items())


def test_a_share_of_the_samples_may_get_the_true_edges():
    planes = {name: plane.repeat(16, 1, 1, 1) for name, plane in batch().items()}
    torch.manual_seed(0)
    record = training("edge_inpaint", true_edge_prob=0.5).train().predict(planes)
    true = (record["edges"] == planes["edges_true"]).flatten(1).all(dim=1)
    assert 6 <= true.sum() <= 26
    mixed = torch.where(planes["mask"] > 0, record["edges_raw"], planes["edges_known"])
    assert (true | (record["edges"] == mixed).flatten(1).all(dim=1)).all()
    assert not (
        training("edge_inpaint", true_edge_prob=1.0).eval().predict(planes)["edges"] == planes["edges_true"]
    ).all()


def test_averaged_networks_paint_along_their_own_edges():
    module, planes = training("edge_inpaint", true_edge_prob=1.0).train(), batch()
    with module.averaging():
        record = module.predict(planes)
    assert torch.equal(record["edges"], torch.where(planes["mask"] > 0, record["edges_raw"], planes["edges_known"]))


# Losses against computations of our own ------------------------------------------------------------------------------


def test_edge_losses_are_those_of_the_fact_sheet():
    module, planes = training("edge").eval(), batch()
    record = module.record(planes)
    discriminator = module.discriminators["edge_discriminator"]
    with torch.no_grad():
        _, values = module.generator_losses(record)
        _, own = module.discriminator_losses(record)
        outputs = {
            name: discriminator(torch.cat((record["gray"], record[entry]), dim=1))
            for name, entry in (("real", "edges_true"), ("fake", "edges_raw"))
        }
    sigmoid = {name: 1 / (1 + np.exp(-output.logits.double().numpy())) for name, output in outputs.items()}
    assert values["edge_adversary"].item() == pytest.approx(-np.log(sigmoid["fake"]).mean(), rel=1e-5)
    expected = (-np.log(sigmoid["real"]).mean() - np.log(1 - sigmoid["fake"]).mean()) / 2
    assert own["edge_adversary_d"].item() == pytest.approx(expected, rel=1e-5)
    pairs = zip(outputs["fake"].features, outputs["real"].features, strict=True)
    matching = sum(np.abs(a.double().numpy() - b.double().numpy()).mean() for a, b in pairs)
    assert values["edge_matching"].item() == pytest.approx(matching, rel=1e-5)


def test_colors_are_compared_everywhere_and_divided_by_the_share_of_the_hole():
    module, planes = training("inpaint").eval(), batch()
    record = module.record(planes)
    with torch.no_grad():
        _, values = module.generator_losses(record)
    raw, image, mask = (record[name].detach().double().numpy() for name in ("raw", "image", "mask"))
    assert values["reconstruction"].item() == pytest.approx(np.abs(raw - image).mean() / mask.mean(), rel=1e-5)


# Whole runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return written(tmp_path_factory.mktemp("photos"), 48)


def written(folder, side):
    """Write photos for training, and the same mirrored for validation."""
    for part in ("train", "val"):
        (folder / part).mkdir()
        for number, photo in enumerate((samples.astronaut()[:200, 100:300], samples.chelsea()[:200, 100:300])):
            photo = photo[:, ::-1] if part == "val" else photo
            small = Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS)
            small.save(folder / part / f"{number}.png")
    return folder


def arguments(photos, **keys):
    fixed = {
        "data.root": photos / "train",
        "data.val": photos / "val",
        "data.size": 32,
        "data.workers": 0,
        "model.width": 4,
        "model.blocks": 1,
        "model.discriminator.width": 4,
        "losses.perceptual": "null",
        "losses.style": "null",
        "batch_size": 2,
        "max_iterations": 2,
        "validation.panel": 1,
        "trainer.accelerator": "cpu",
        "trainer.devices": 1,
    }
    return ["model=edgeconnect", *[f"{key}={value}" for key, value in {**fixed, **keys}.items()]]


@pytest.fixture(scope="module")
def runs(photos, tmp_path_factory):
    """The folders of all stages, each from those before it."""
    place = tmp_path_factory.mktemp("runs")
    inits = {
        "edge": {},
        "inpaint": {},
        "edge_inpaint": {"init.edge": place / "edge", "init.inpaint": place / "inpaint"},
        "joint": {"init": place / "edge_inpaint"},
    }
    for stage, init in inits.items():
        given = {"model.stage": stage, "run.folder": place / stage, **init}
        assert run(["train", *arguments(photos, **given)]) == 0
    return {stage: place / stage for stage in STAGES}


def test_every_stage_keeps_what_it_has_and_names_its_measures(runs):
    roles = {stage: set(read_metadata(folder / "model.safetensors").roles) for stage, folder in runs.items()}
    assert roles["edge"] == {"edge_generator", "edge_discriminator"}
    assert roles["inpaint"] == {"inpaint_generator", "inpaint_discriminator"}
    assert roles["edge_inpaint"] == GENERATORS | {"inpaint_discriminator"}
    assert roles["joint"] == GENERATORS | {"edge_discriminator", "inpaint_discriminator"}
    for stage, folder in runs.items():
        head = (folder / "metrics.csv").read_text().splitlines()[0].split(",")
        assert ("val/edge_recall_2px" in head) == (stage in ("edge", "joint"))
        assert ("val/l1_hole" in head) == (stage != "edge")
        assert list((folder / "panels").iterdir())


def test_a_stage_begins_with_the_weights_of_the_stages_before(runs, photos, tmp_path):
    stages = {stage: load_weights(folder / "model.safetensors")[0] for stage, folder in runs.items()}
    frozen = {name: value for name, value in stages["edge"].items() if name.startswith("edge_generator.")}
    assert all(torch.equal(stages["edge_inpaint"][name], value) for name, value in frozen.items())
    # A rate of almost nothing leaves what training began with.
    still = {"optimizers.generator.lr": 1e-12, "optimizers.discriminator.lr": 1e-12, "ema.decay": "null"}
    init = {"init.edge": runs["edge"], "init.inpaint": runs["inpaint"]}
    folder = tmp_path / "joint"
    assert run(["train", *arguments(photos, **{"model.stage": "joint", "run.folder": folder, **init, **still})]) == 0
    began = load_weights(folder / "model.safetensors")[0]
    for stage in ("edge", "inpaint"):
        for name, value in stages[stage].items():
            if not name.endswith(("_u", "_v")):
                assert torch.allclose(began[name], value, atol=1e-9), name


def test_the_first_stage_alone_loads_and_cannot_fill_the_others_can(runs, photos):
    image = torch.rand(1, 3, 40, 44, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 1, 40, 44)
    mask[..., 10:30, 8:36] = 1
    with pytest.raises(UsageError, match=r"edgeconnect cannot fill: .*'inpaint' is missing"):
        load(runs["edge"], device="cpu").fill(image, mask)
    for stage in STAGES[1:]:
        fill = load(runs[stage], device="cpu").fill(image, mask)[0]
        assert torch.equal(fill.completed * (1 - mask), image * (1 - mask))
        assert torch.isfinite(fill.raw).all()
    assert load(runs["joint"], device="cpu").discriminate("edge", image[:, :1], mask).shape == (1, 1, 3, 3)


def test_a_run_goes_on_as_if_it_had_not_stopped(photos, tmp_path):
    keys = {"model.stage": "joint", "save_every": 1, "max_iterations": 3}
    assert run(["train", *arguments(photos, **keys, **{"run.folder": tmp_path / "whole"})]) == 0
    first = {**keys, "max_iterations": 1, "run.folder": tmp_path / "parts"}
    assert run(["train", *arguments(photos, **first)]) == 0
    assert run(["train", *arguments(photos, **{**first, "max_iterations": 3}), "resume=auto"]) == 0
    whole, parts = (load_weights(tmp_path / name / "model.safetensors")[0] for name in ("whole", "parts"))
    assert all(torch.equal(parts[name], value) for name, value in whole.items())


@pytest.mark.parametrize(
    ("keys", "kind", "part"),
    [
        ({"model.stage": "edge_inpaint"}, ConfigError, r"give init\.edge=FOLDER"),
        ({"model.stage": "joint", "init": "EDGE"}, WeightsError, "but no inpaint_generator; init.edge=, init.inpaint="),
        ({"init.egde": "EDGE"}, ConfigError, r"init\.egde: unknown part 'egde' .did you mean 'edge'"),
        ({"init.edge": "EDGE", "model.width": 8}, ConfigError, r"init\.edge=.* model\.width=8 .the weights have 4"),
        ({"model.stage": "edges"}, ConfigError, "model.stage"),
        ({"model.sigma_range_px": "[4,1]"}, ConfigError, "model.sigma_range_px.*the smaller first"),
    ],
)
def test_a_chain_that_does_not_fit_is_refused_before_anything_is_written(keys, kind, part, runs, photos, tmp_path):
    keys = {key: runs["edge"] if value == "EDGE" else value for key, value in keys.items()}
    words = arguments(photos, **{**keys, "run.folder": tmp_path / "new"})
    from inpaint.cli.train import train

    with pytest.raises(kind, match=part):
        train(config.load(words))
    assert not (tmp_path / "new").exists()


def test_an_option_of_one_network_may_differ_from_what_the_other_run_said(runs, photos, tmp_path):
    keys = {"model.stage": "inpaint", "model.mask_channel": "true", "run.folder": tmp_path / "color"}
    assert run(["train", *arguments(photos, **keys)]) == 0
    for init in itertools.permutations({"init.edge": runs["edge"], "init.inpaint": tmp_path / "color"}.items()):
        made = config.load(["model=edgeconnect", *[f"{key}={value}" for key, value in init]])
        assert made.architecture().mask_channel is True
        assert made.architecture().width == 4
        assert made.architecture().stage == "joint"


# Learning ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_photos_are_learnt_by_heart(tmp_path):
    """Stage inpaint on the true edges: the hole's L1 falls to less than a fifth of its start."""
    photos = written(tmp_path, 64)
    keys = {
        "data.size": 64,
        "data.flip": 1,  # the validation photos are the mirrored ones
        "data.masks": "box",
        "model.stage": "inpaint",
        "model.width": 16,
        "model.blocks": 2,
        "max_iterations": 700,
        "optimizers.generator.lr": 1e-3,
        "ema.decay": 0.98,
        "validation.every": 700,
        "run.folder": tmp_path / "run",
    }
    start = hole_l1(
        arguments(photos, **{**keys, "max_iterations": 1, "run.folder": tmp_path / "start"}), tmp_path / "start"
    )
    assert hole_l1(arguments(photos, **keys), tmp_path / "run") < start / 5


def hole_l1(words, folder):
    assert run(["train", *words]) == 0
    head, *_, last = (line.split(",") for line in (folder / "metrics.csv").read_text().splitlines())
    return float(last[head.index("val/l1_hole")])
