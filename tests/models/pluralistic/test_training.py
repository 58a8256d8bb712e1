"""Pluralistic's two paths: what each loss is, and whose gradient reaches whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.pluralistic.config import Config
from inpaint.models.pluralistic.training import Training, fixed_sigma
from inpaint.registry.loading import load
from inpaint.training.config import LoopConfig
from inpaint.training.phases import only_trainable
from tiny_run import TinyRun

SMALL = {"width": 4, "latent": 8}
OPTIMIZERS = {name: {"lr": 1e-3, "betas": (0.0, 0.999)} for name in ("generator", "discriminator")}


def shipped_losses():
    return parse_losses(config.load(["model=pluralistic", "data.root=samples"]).losses)


def training(**fields):
    return Training(Config(**SMALL, **fields), losses=shipped_losses(), loop=LoopConfig(optimizers=OPTIMIZERS))


def batch(size=64, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.zeros(count, 1, size, size)
    mask[0, :, 8:40, 16:60] = 1
    mask[1:, :, 20:30, 20:30] = 1
    return {"image": torch.rand(count, 3, size, size, generator=generator), "mask": mask}


def record_of(module, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        planes = batch(**options)
        return module.record(planes)


@pytest.fixture(scope="module")
def two():
    return training()


# Values --------------------------------------------------------------------------------------------------------------


def divergence(a, b, c, d):
    return torch.distributions.kl_divergence(torch.distributions.Normal(a, b), torch.distributions.Normal(c, d))


def seen_at(plane, size):
    """Return a plane at another size: bilinear with aligned corners, as two products with NumPy's interpolation."""

    def weights(before):
        places = np.linspace(0, before - 1, size)
        return torch.from_numpy(np.stack([np.interp(places, range(before), row) for row in np.eye(before)], axis=1))

    return weights(plane.shape[-2]) @ plane.double() @ weights(plane.shape[-1]).T


def test_each_shipped_loss_times_its_weight_is_the_programs_on_its_own_scale(two):
    record = {name: plane.detach() for name, plane in record_of(two).items()}
    truth, known = 2 * record["image"] - 1, 1 - record["mask"]
    sigma = record["fixed_sigma"].expand_as(record["prior_mu"])
    fixed, posterior = (torch.zeros_like(sigma), sigma), (record["posterior_mu"], record["posterior_sigma"])
    expected = {
        "kl_rec": 80 * divergence(*fixed, *posterior).mean(),
        "kl_gen": 80 * divergence(*posterior, record["prior_mu"], record["prior_sigma"]).mean(),
        "app_rec": 0.0,
        "app_gen": 0.0,
    }
    for ending, size in (("_1_8", 8), ("_1_4", 16), ("_1_2", 32), ("", 64)):
        scaled, seen = seen_at(truth, size), seen_at(known, size)
        expected["app_rec"] += 20 * (2 * record[f"rec{ending}"] - 1 - scaled).abs().mean()
        expected["app_gen"] += 20 * (seen * (2 * record[f"gen{ending}"] - 1 - scaled)).abs().mean()
    gen, rec = two.discriminators["discriminator"].eval(), two.discriminators["discriminator_rec"].eval()
    expected["ad_gen"] = (gen(record["gen"]).logits - 1).square().mean()
    expected["match_rec"] = (rec(record["rec"]).logits - rec(record["image"]).logits).square().mean()
    total, values = two.generator_losses(record)
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        weighed = two.losses.terms[name].weight * values[name]
        assert weighed.item() == pytest.approx(value.item(), rel=1e-4), name
    assert total.item() == pytest.approx(sum(value.item() for value in expected.values()), rel=1e-4)
    expected = 0.5 * sum(
        (discriminator(record["image"]).logits - 1).square().mean() + discriminator(record[path]).logits.square().mean()
        for discriminator, path in ((gen, "gen"), (rec, "rec"))
    )
    assert two.discriminator_losses(record)[0].item() == pytest.approx(expected.item(), rel=1e-4)
    two.train()


@pytest.mark.parametrize(
    ("visible", "sigma"), [(0.0, 0.998), (0.5, 0.917), (0.75, 0.599), (0.8, 0.5), (0.9, 0.31), (1.0, 0.168)]
)
def test_the_fixed_prior_is_the_wider_the_larger_the_hole(visible, sigma):
    mask = torch.zeros(3, 1, 10, 20)
    mask[1].flatten()[round(200 * visible) :] = 1
    got = fixed_sigma(mask)
    assert got.shape == (3, 1, 1, 1)
    assert got[1].item() == pytest.approx(sigma, abs=6e-4)
    assert got[0].item() == pytest.approx(0.168, abs=6e-4)


def test_latents_are_drawn_from_posterior_and_prior_by_the_global_generator(two):
    first, again, other = record_of(two), record_of(two), record_of(two, seed=1)
    for path in ("rec", "gen"):
        assert torch.equal(first[path], again[path]) or torch.allclose(first[path], again[path], atol=1e-2)
        assert not torch.allclose(first[path], other[path], atol=1e-6)
    assert not torch.allclose(first["rec"], first["gen"], atol=1e-6)
    assert torch.equal(first["raw"], first["gen"])


def test_the_hole_reaches_the_posterior_and_nothing_else():
    module = training().eval()
    planes = batch()
    torch.manual_seed(0)
    expected = module.predict(planes)
    changed = {**planes, "image": torch.where(planes["mask"] > 0, 1 - planes["image"], planes["image"])}
    torch.manual_seed(0)
    got = module.predict(changed)
    for name in ("prior_mu", "prior_sigma", "gen", "gen_1_8"):
        assert torch.equal(got[name], expected[name]), name
    for name in ("posterior_mu", "posterior_sigma", "rec"):
        assert not torch.equal(got[name], expected[name]), name


# Gradients -----------------------------------------------------------------------------------------------------------

HEADS = {
    "prior": ("network.encoder.prior.", "network.encoder.infer_prior"),
    "posterior": ("network.encoder.posterior.",),
    "features": ("network.encoder.block0.", "network.encoder.encoder"),
    "generator": ("network.generator.",),
    "discriminator": ("discriminators.discriminator.",),
    "discriminator_rec": ("discriminators.discriminator_rec.",),
}


def reached(module, value):
    """Return the parts of the model that get a gradient from this value."""
    module.zero_grad()
    value.backward(retain_graph=True)
    return {
        part
        for part, prefixes in HEADS.items()
        for name, parameter in module.named_parameters()
        if name.startswith(prefixes) and parameter.grad is not None and parameter.grad.abs().sum() > 0
    }


GENERATIVE = {"prior", "features", "generator"}
RECONSTRUCTIVE = {"posterior", "features", "generator"}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("kl_rec", {"posterior", "features"}),
        ("kl_gen", {"prior", "features"}),
        ("app_rec", RECONSTRUCTIVE),
        ("app_gen", GENERATIVE),
        ("ad_gen", GENERATIVE),
        ("match_rec", RECONSTRUCTIVE),
    ],
)
def test_each_loss_moves_its_own_path_alone(two, name, parts):
    record = record_of(two)
    with only_trainable(two.roles(), ("encoder", "generator")):
        _, values = two.generator_losses(record)
        assert reached(two, values[name]) == parts


def test_the_divergence_to_the_posterior_teaches_the_posterior_nothing_even_through_the_features(two):
    # Both heads stand on one trunk, but the posterior's half of the batch gets no gradient from kl_gen.
    record = record_of(two)
    _, values = two.generator_losses(record)
    seen = torch.autograd.grad(values["kl_gen"], record["posterior_mu"], allow_unused=True, retain_graph=True)
    assert seen == (None,) or not seen[0].any()
    assert torch.autograd.grad(values["kl_gen"], record["prior_mu"], retain_graph=True)[0].any()


def test_each_discriminator_learns_from_its_own_path_and_the_painters_from_neither(two):
    record = {name: plane.detach() for name, plane in record_of(two).items()}
    _, values = two.discriminator_losses(record)
    assert reached(two, values["ad_gen_d"]) == {"discriminator"}
    assert reached(two, values["ad_rec_d"]) == {"discriminator_rec"}


def test_with_one_path_the_reconstructive_terms_go_and_the_hole_is_compared():
    module = training(train_paths="one")
    assert set(module.losses.terms) == {"kl_gen", "app_gen", "ad_gen"}
    assert set(module.discriminators) == {"discriminator"}
    record = record_of(module)
    assert not any(name.startswith("rec") for name in record)
    _, values = module.generator_losses(record)
    sigma = record["fixed_sigma"].expand_as(record["prior_mu"])
    pulled = divergence(torch.zeros_like(sigma), sigma, record["prior_mu"], record["prior_sigma"]).mean()
    assert values["kl_gen"].item() == pytest.approx(pulled.item(), rel=1e-5)
    truth = record["image"]
    expected = sum(
        (record[f"gen{ending}"] - seen_at(truth, size)).abs().mean().item()
        for ending, size in (("_1_8", 8), ("_1_4", 16), ("_1_2", 32), ("", 64))
    )
    assert values["app_gen"].item() == pytest.approx(expected, rel=1e-4)
    assert reached(module, values["kl_gen"]) == {"prior", "features"}


def test_the_divergences_may_be_turned_as_the_paper_writes_them(two):
    record = record_of(two)
    turned = parse_losses({"kl": {"kind": "kl", "of": "posterior", "against": "fixed", "first": "of", "weight": 80.0}})
    sigma = record["fixed_sigma"].expand_as(record["prior_mu"])
    expected = divergence(record["posterior_mu"], record["posterior_sigma"], torch.zeros_like(sigma), sigma).mean()
    assert turned.terms["kl"](record).item() == pytest.approx(expected.item(), rel=1e-5)


# Trainings -----------------------------------------------------------------------------------------------------------


class PluralisticRun(TinyRun):
    """Width 4 with the shipped losses."""

    def __init__(self, folder, photos, *, fields=None, **options):
        self.fields = {**SMALL, **(fields or {})}
        options.setdefault("optimizers", OPTIMIZERS)
        # Any adversarial loss tells the base class to keep the discriminator's optimizer.
        super().__init__(folder, photos, losses={"adversary": {"kind": "hinge", "of": "raw", "weight": 1.0}}, **options)

    def build(self, losses):
        return Training(Config(**self.fields), losses=shipped_losses(), loop=self.loop)


def test_discriminators_step_first_and_all_four_networks_learn_and_are_saved(tmp_path, photos):
    run = PluralisticRun(tmp_path / "run", photos, max_iterations=2)
    trained = dict(run.module.network.named_parameters(prefix="network"))
    trained |= dict(run.module.discriminators.named_parameters(prefix="discriminators"))
    before = {name: value.detach().clone() for name, value in trained.items() if name.endswith("original")}
    assert [update.networks for update in run.module.timeline[0].updates] == [
        ("discriminator", "discriminator_rec"),
        ("encoder", "generator"),
    ]
    run.fit()
    # At 32 pixels its output is a single place, which instance normalization makes constant.
    constant = "network.generator.decoder0.conv1.parametrizations.weight.original"
    assert [name for name, value in before.items() if torch.equal(trained[name], value)] == [constant]
    model = load(run.folder.path, device="cpu")
    planes = batch(40)
    fills = model.fill(planes["image"], planes["mask"], samples=2)
    assert all(torch.isfinite(fill.score).all() for fill in fills)
    assert model.discriminate("rec", planes["image"]).shape == (2, 1, 1, 1)


def test_an_interrupted_run_ends_as_one_that_ran_through(tmp_path, photos):
    whole = PluralisticRun(tmp_path / "whole", photos, max_iterations=4, save_every=2)
    whole.fit()
    half = PluralisticRun(tmp_path / "half", photos, max_iterations=2, save_every=2)
    half.fit()
    rest = PluralisticRun(tmp_path / "rest", photos, max_iterations=4, save_every=2, resume=half.folder.last)
    rest.fit()
    expected, got = whole.state(), rest.state()
    assert [name for name, value in expected.items() if not torch.equal(value, got[name])] == []


@pytest.mark.slow
def test_two_photos_are_learned_by_heart():
    torch.manual_seed(0)
    module = Training(
        Config(width=16, latent=32),
        losses=shipped_losses().only("app_rec", "kl_gen", "app_gen"),
        loop=LoopConfig(optimizers={"generator": OPTIMIZERS["generator"]}),
    )
    photos = [Image.fromarray(image[:400, :400]) for image in (data.astronaut(), data.coffee())]
    images = [np.asarray(photo.resize((64, 64), Image.Resampling.LANCZOS)) for photo in photos]
    image = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    planes = {"image": image, "mask": mask}
    hole = mask.expand_as(image) > 0

    def hole_l1():
        module.eval()
        with torch.no_grad():
            record = module.predict(planes)
        module.train()
        return (record["rec"] - image)[hole].abs().mean().item()

    # With the shorter memory of 0.99 the KL term, which divides by a variance, now and then threw the weights far off.
    optimizer = torch.optim.Adam(module.network.parameters(), lr=5e-4, betas=(0.0, 0.999))
    start = hole_l1()
    for _ in range(600):
        loss, _ = module.generator_losses(module.record(planes))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert hole_l1() < start / 5
