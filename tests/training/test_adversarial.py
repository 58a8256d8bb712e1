import pytest
import torch
from torch.nn import functional as F

from inpaint.errors import ConfigError
from inpaint.losses import DiscriminatorOutput, parse_losses
from inpaint.training.adversarial import discriminator_losses, generator_losses, lazy_penalties
from toy import Critic

ADVERSARY = {"kind": "nsgan", "of": "raw", "weight": 1.0}
MATCHING = {"kind": "feature_matching", "of": "raw", "weight": 1.0}


@pytest.fixture
def critic():
    return Critic().double()


@pytest.fixture
def record():
    generator = torch.Generator().manual_seed(0)
    raw, image, other = torch.rand(3, 2, 3, 9, 11, generator=generator, dtype=torch.float64)
    mask = (torch.rand(2, 1, 9, 11, generator=generator) < 0.5).double()
    return {"raw": raw.requires_grad_(), "image": image, "other": other, "mask": mask, "hole_share": mask.mean()}


def discriminating(critic):
    return lambda role, image, record: critic(image)


def one_by_one(critic, images):
    """Logits and features of a batch, computed image by image."""
    outputs = [critic(image[None]) for image in images]
    return torch.cat([output.logits for output in outputs]), torch.cat([output.features[0] for output in outputs])


@pytest.mark.parametrize("together", [True, False])
def test_both_sides_are_those_of_images_one_by_one(critic, record, together):
    fake, fake_feature = one_by_one(critic, record["raw"])
    real, real_feature = one_by_one(critic, record["image"])
    losses = parse_losses({"adversary": ADVERSARY, "matching": MATCHING})
    values = generator_losses(losses, record, discriminating(critic), together=together)
    entropy = F.binary_cross_entropy_with_logits
    assert values["adversary"].item() == pytest.approx(entropy(fake, torch.ones_like(fake)).item(), rel=1e-10)
    assert values["matching"].item() == pytest.approx(F.l1_loss(fake_feature, real_feature).item(), rel=1e-10)
    total, logged = discriminator_losses(losses, record, discriminating(critic), together=together)
    expected = (entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))).item() / 2
    assert total.item() == logged["adversary_d"].item() == pytest.approx(expected, rel=1e-10)
    assert logged["d_real"].item() == pytest.approx(real.mean().item(), rel=1e-10)
    assert logged["d_fake"].item() == pytest.approx(fake.mean().item(), rel=1e-10)


@pytest.mark.parametrize(("together", "calls"), [(True, [2, 4, 4]), (False, [2, 2, 2, 2, 2])])
def test_a_discriminator_gets_each_image_once_however_many_terms_there_are(critic, record, together, calls):
    generator_losses(parse_losses({"adversary": ADVERSARY}), record, discriminating(critic), together=together)
    three = parse_losses({"adversary": ADVERSARY, "matching": MATCHING, "scores": {**MATCHING, "layers": "scores"}})
    generator_losses(three, record, discriminating(critic), together=together)
    discriminator_losses(three, record, discriminating(critic), together=together)
    assert critic.calls == calls


def test_drift_adds_the_mean_square_of_the_logits_of_real_images_to_the_discriminators_loss_alone(critic, record):
    drifting = parse_losses({"adversary": {**ADVERSARY, "drift": 0.25}})
    total, logged = discriminator_losses(drifting, record, discriminating(critic))
    plain, _ = discriminator_losses(parse_losses({"adversary": ADVERSARY}), record, discriminating(critic))
    real, _ = one_by_one(critic, record["image"])
    expected = (real.detach().numpy() ** 2).mean()
    assert logged["adversary_drift"].item() == pytest.approx(expected, rel=1e-12)
    assert (total - plain).item() == pytest.approx(0.25 * expected, rel=1e-10)
    values = generator_losses(drifting, record, discriminating(critic))
    assert list(values) == ["adversary"]


def test_the_discriminator_s_side_leaves_the_painter_alone(critic, record):
    total, _ = discriminator_losses(
        parse_losses({"adversary": {**ADVERSARY, "r1": 1.0}}), record, discriminating(critic)
    )
    total.backward()
    assert record["raw"].grad is None
    assert critic.first.weight.grad is not None


def test_conditions_are_doubled_with_the_images_and_keep_their_gradient(critic, record):
    seen = []

    def discriminate(role, image, conditions):
        seen.append((len(image), conditions["other"]))
        return DiscriminatorOutput(critic(image + conditions["other"]).logits, critic(image).features)

    condition = record["other"].requires_grad_()
    losses = parse_losses({"adversary": ADVERSARY, "matching": MATCHING})
    sum(generator_losses(losses, record, discriminate).values()).backward()
    (count, given), *_ = seen
    assert count == len(given) == 4
    assert condition.grad.abs().sum() > 0
    discriminator_losses(losses, record, discriminate)
    assert not seen[-1][1].requires_grad


def test_the_real_image_can_be_another_entry(critic, record):
    losses = parse_losses({"adversary": {**ADVERSARY, "real": "other"}})
    _, logged = discriminator_losses(losses, record, discriminating(critic))
    assert logged["d_real"].item() == pytest.approx(critic(record["other"]).logits.mean().item(), rel=1e-10)


def test_several_adversarial_losses_are_added_and_named(critic, record):
    critics = {"discriminator": critic, "second": Critic(seed=5).double()}

    def discriminate(role, image, conditions):
        return critics[role](image)

    squares = {"kind": "lsgan", "of": "raw", "weight": 0.0, "discriminator": "second"}
    losses = parse_losses({"adversary": ADVERSARY, "squares": squares})
    total, logged = discriminator_losses(losses, record, discriminate)
    assert total.item() == pytest.approx((logged["adversary_d"] + logged["squares_d"]).item(), rel=1e-12)
    assert logged.keys() == {
        f"{name}_{what}" for name in ("adversary", "squares") for what in ("d", "d_real", "d_fake")
    }


def test_penalties_are_weighted_in_the_sum_and_logged_as_they_are(critic, record):
    block = {"kind": "wgan_gp", "of": "raw", "weight": 1.0, "penalty": 7.0, "r1": 3.0, "region": "hole"}
    total, logged = discriminator_losses(parse_losses({"adversary": block}), record, discriminating(critic))
    expected = logged["adversary_d"] + 7 * logged["adversary_gp"] + 3 * logged["adversary_r1"]
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    assert all(logged[name].item() > 0 for name in ("adversary_gp", "adversary_r1"))


def test_penalties_are_computed_in_single_precision_inside_autocast(record):
    critic = Critic()
    single = {name: value.float() for name, value in record.items()}
    losses = parse_losses({"adversary": {**ADVERSARY, "r1": 1.0}})
    _, exact = discriminator_losses(losses, single, discriminating(critic))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, mixed = discriminator_losses(losses, single, discriminating(critic))
    assert mixed["adversary_r1"].item() == exact["adversary_r1"].item()
    assert mixed["adversary_d"].dtype == torch.float32
    total.backward()
    assert critic.first.weight.grad.isfinite().all()


def test_penalties_work_with_compiled_discriminators(critic, record):
    losses = parse_losses({"adversary": {**ADVERSARY, "r1": 1.0}})
    plain, _ = discriminator_losses(losses, record, discriminating(critic))
    critic.compile(backend="aot_eager")  # has no second gradient
    total, _ = discriminator_losses(losses, record, discriminating(critic))
    total.backward()
    assert total.item() == pytest.approx(plain.item(), rel=1e-12)


def test_penalties_work_with_fused_attention(record):
    def discriminate(role, image, conditions):
        rows = image.flatten(2).transpose(1, 2)[:, None]  # (B, 1, H W, 3)
        return DiscriminatorOutput(scale * F.scaled_dot_product_attention(rows, rows, rows))

    image = record["image"].float().requires_grad_()
    single = {**record, "raw": record["raw"].float(), "image": image}
    scale = torch.ones((), requires_grad=True)
    losses = parse_losses({"adversary": {**ADVERSARY, "r1": 1.0}})
    total, _ = discriminator_losses(losses, single, discriminate)
    total.backward()
    assert scale.grad.item() > 0


def test_features_that_a_discriminator_does_not_return_are_asked_for_in_vain(critic, record):
    def without_features(role, image, conditions):
        return DiscriminatorOutput(critic(image).logits)

    with pytest.raises(ConfigError, match="'discriminator' returns no features"):
        generator_losses(parse_losses({"matching": MATCHING}), record, without_features)


def test_a_lazy_penalty_weighs_as_often_as_it_is_left_out(critic, record):
    now, later = (parse_losses({"adversary": {**ADVERSARY, "r1": 0.3, "r1_every": every}}) for every in (1, 4))
    with_penalty, logged = discriminator_losses(now, record, discriminating(critic))
    without, less = discriminator_losses(later, record, discriminating(critic))
    assert "adversary_r1" not in less
    assert (with_penalty - without).item() == pytest.approx(0.3 * logged["adversary_r1"].item(), rel=1e-9)
    lazy, values = lazy_penalties(later, record, discriminating(critic), every=4)
    assert values["adversary_r1"].item() == pytest.approx(logged["adversary_r1"].item(), rel=1e-12)
    assert lazy.item() == pytest.approx(4 * 0.3 * logged["adversary_r1"].item(), rel=1e-9)
    assert lazy_penalties(later, record, discriminating(critic), every=16)[1] == {}
