import pytest
import torch
from torch.nn import functional as F

from inpaint.errors import ConfigError
from inpaint.losses import Opinion, parse_losses
from inpaint.training.adversarial import discriminator_values, generator_values
from inpaint.training.measures import Means
from toy import Critic

GAME = {"kind": "nsgan", "of": "raw", "weight": 1.0}
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


def judging(critic):
    def judge(role, picture, record):
        scores, feature = critic(picture)
        return Opinion(scores, (feature,))

    return judge


def by_hand(critic, record):
    """The opinions one picture at a time."""
    said = {name: [critic(one[None]) for one in record[name]] for name in ("raw", "image")}
    return {name: [torch.cat(parts) for parts in zip(*both, strict=True)] for name, both in said.items()}


def test_both_sides_are_those_of_pictures_judged_one_by_one(critic, record):
    said = by_hand(critic, record)
    (fake, fake_feature), (real, real_feature) = said["raw"], said["image"]
    losses = parse_losses({"game": GAME, "matching": MATCHING})
    values = generator_values(losses, record, judging(critic))
    entropy = F.binary_cross_entropy_with_logits
    assert values["game"].item() == pytest.approx(entropy(fake, torch.ones_like(fake)).item(), rel=1e-10)
    assert values["matching"].item() == pytest.approx(F.l1_loss(fake_feature, real_feature).item(), rel=1e-10)
    total, logged = discriminator_values(losses, record, judging(critic))
    expected = (entropy(real, torch.ones_like(real)) + entropy(fake, torch.zeros_like(fake))).item() / 2
    assert total.item() == logged["game_d"].item() == pytest.approx(expected, rel=1e-10)
    assert logged["d_real"].item() == pytest.approx(real.mean().item(), rel=1e-10)
    assert logged["d_fake"].item() == pytest.approx(fake.mean().item(), rel=1e-10)


def test_a_discriminator_looks_once_however_many_terms_ask(critic, record):
    generator_values(parse_losses({"game": GAME}), record, judging(critic))
    three = parse_losses({"game": GAME, "matching": MATCHING, "scores": {**MATCHING, "layers": "scores"}})
    generator_values(three, record, judging(critic))
    discriminator_values(three, record, judging(critic))
    assert critic.calls == [2, 4, 4]


def test_the_discriminator_s_side_leaves_the_painter_alone(critic, record):
    total, _ = discriminator_values(parse_losses({"game": {**GAME, "r1": 1.0}}), record, judging(critic))
    total.backward()
    assert record["raw"].grad is None
    assert critic.first.weight.grad is not None


def test_conditions_are_doubled_with_the_pictures_and_keep_their_gradient(critic, record):
    seen = []

    def judge(role, picture, conditions):
        seen.append((len(picture), conditions["other"]))
        return Opinion(critic(picture + conditions["other"])[0], (critic(picture)[1],))

    condition = record["other"].requires_grad_()
    losses = parse_losses({"game": GAME, "matching": MATCHING})
    sum(generator_values(losses, record, judge).values()).backward()
    (count, given), *_ = seen
    assert count == len(given) == 4
    assert condition.grad.abs().sum() > 0
    discriminator_values(losses, record, judge)
    assert not seen[-1][1].requires_grad


def test_the_true_picture_can_be_another_entry(critic, record):
    losses = parse_losses({"game": {**GAME, "real": "other"}})
    _, logged = discriminator_values(losses, record, judging(critic))
    assert logged["d_real"].item() == pytest.approx(critic(record["other"])[0].mean().item(), rel=1e-10)


def test_several_games_are_added_and_named(critic, record):
    judges = {"discriminator": critic, "second": Critic(seed=5).double()}

    def judge(role, picture, conditions):
        return judges[role](picture)[0]

    squares = {"kind": "lsgan", "of": "raw", "weight": 0.0, "discriminator": "second"}
    losses = parse_losses({"game": GAME, "squares": squares})
    total, logged = discriminator_values(losses, record, judge)
    assert total.item() == pytest.approx((logged["game_d"] + logged["squares_d"]).item(), rel=1e-12)
    assert logged.keys() == {f"{name}_{what}" for name in ("game", "squares") for what in ("d", "d_real", "d_fake")}


def test_penalties_are_weighted_in_the_sum_and_logged_as_they_are(critic, record):
    block = {"kind": "wgan_gp", "of": "raw", "weight": 1.0, "penalty": 7.0, "r1": 3.0, "region": "hole"}
    total, logged = discriminator_values(parse_losses({"game": block}), record, judging(critic))
    expected = logged["game_d"] + 7 * logged["game_gp"] + 3 * logged["game_r1"]
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    assert all(logged[name].item() > 0 for name in ("game_gp", "game_r1"))


def test_penalties_are_computed_in_single_precision_inside_autocast(record):
    critic = Critic()
    single = {name: value.float() for name, value in record.items()}
    losses = parse_losses({"game": {**GAME, "r1": 1.0}})
    _, exact = discriminator_values(losses, single, judging(critic))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, mixed = discriminator_values(losses, single, judging(critic))
    assert mixed["game_r1"].item() == exact["game_r1"].item()
    assert mixed["game_d"].dtype == torch.float32
    total.backward()
    assert critic.first.weight.grad.isfinite().all()


def test_penalties_work_with_compiled_discriminators(critic, record):
    losses = parse_losses({"game": {**GAME, "r1": 1.0}})
    plain, _ = discriminator_values(losses, record, judging(critic))
    critic.compile(backend="aot_eager")  # has no second gradient
    total, _ = discriminator_values(losses, record, judging(critic))
    total.backward()
    assert total.item() == pytest.approx(plain.item(), rel=1e-12)


def test_penalties_work_with_fused_attention(record):
    def judge(role, picture, conditions):
        rows = picture.flatten(2).transpose(1, 2)[:, None]  # (B, 1, H W, 3)
        return F.scaled_dot_product_attention(rows, rows, rows)

    image = record["image"].float().requires_grad_()
    single = {**record, "raw": record["raw"].float(), "image": image}
    scale = torch.ones((), requires_grad=True)
    losses = parse_losses({"game": {**GAME, "r1": 1.0}})
    total, _ = discriminator_values(losses, single, lambda *given: scale * judge(*given))
    total.backward()
    assert scale.grad.item() > 0


def test_features_that_a_discriminator_does_not_show_are_asked_for_in_vain(critic, record):
    with pytest.raises(ConfigError, match="'discriminator' shows no features"):
        generator_values(parse_losses({"matching": MATCHING}), record, lambda role, picture, _: critic(picture)[0])


def test_means_weigh_pictures_the_same_in_any_batches():
    means = Means()
    means.add({"a": torch.tensor([1.0, float("nan"), 4.0]), "b": torch.tensor(1.0)}, pictures=3)
    means.add({"a": torch.tensor([7.0]), "b": torch.tensor(5.0)}, pictures=1)
    assert means.compute(lambda state: state) == {"a": 4.0, "b": 2.0}
    assert means.compute(lambda state: 2 * state) == {"a": 4.0, "b": 2.0}


def test_means_without_a_picture_know_their_names_only():
    means = Means()
    means.add({"a": torch.tensor([1.0])}, pictures=0)
    assert means.names == ["a"]
    assert means.compute(lambda state: state + torch.tensor([[6.0, 3.0]])) == {"a": 2.0}
