import pytest
import torch
from torch import nn

from inpaint.errors import InputError, UsageError, WeightsError
from inpaint.losses import DiscriminatorOutput
from inpaint.models.base import Encoding, SamplingNetwork
from inpaint.models.options import SamplingOptions
from inpaint.models.sampling import Sampling
from inpaint.options import ModelConfig, validated
from inpaint.types import Capabilities, Inpainter, StopFill


class PainterConfig(ModelConfig):
    """No options."""

    RANKED_BY = "discriminator"

    def capabilities(self):
        return Capabilities(trained=True, stochastic=True, multiple_px=8)


class Painter(SamplingNetwork):
    """Paints the mean of its latents into the hole; counts what it is asked for."""

    minimum_px = 8

    def __init__(self):
        super().__init__(PainterConfig())
        self.scale = nn.Parameter(torch.ones(()))
        self.encoded: list[int] = []
        self.decoded: list[int] = []

    def encode(self, image, mask):
        self.encoded.append(len(image))
        known = image.masked_fill(mask > 0, 0.0)
        mu = nn.functional.avg_pool2d(known, 8).repeat(1, 2, 1, 1)  # (B, 6, H/8, W/8)
        return Encoding(mu=mu, sigma=0.5 + mu, context={"known": known})

    def decode(self, encoding, z):
        self.decoded.append(len(z))
        raw = self.scale * encoding.context["known"] + nn.functional.interpolate(z[:, :3] + z[:, 3:], scale_factor=8)
        return {"raw": raw, "half": raw[..., ::2, ::2]}


class Brightness(nn.Module):
    """A discriminator that likes bright images; counts them."""

    def __init__(self):
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, image):
        self.seen.append(image)
        return DiscriminatorOutput(image.mean(1, keepdim=True)[..., ::4, ::4])


def sample(height=21, width=35, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator)
    mask = torch.zeros(batch, 1, height, width)
    mask[..., 4:15, 5:30] = 1
    return image, mask


class Stored:
    """Discriminators as a weights file holds them."""

    def __init__(self, held):
        self.held, self.critic = held, Brightness()

    def holds(self, name):
        return {"d": "discriminator"}.get(name, name) in self.held

    def named(self, name):
        assert self.holds(name)
        return self.critic


def ranked(painter=None, *, held=("discriminator",), **options):
    stored = Stored(held)
    made = Sampling(painter or Painter(), name="painter", discriminators=stored, options=SamplingOptions(**options))
    return made, stored.critic


def test_samples_differ_and_known_pixels_do_not():
    image, mask = sample()
    fills = Sampling(Painter(), name="painter").fill(image, mask, samples=3)
    assert len(fills) == 3
    known = mask.expand_as(image) == 0
    for fill in fills:
        assert torch.equal(fill.completed[known], image[known])
        assert torch.equal(fill.completed[~known], fill.raw[~known].clamp(0, 1))
        assert fill.raw.shape == image.shape
        assert not fill.raw.is_inference()
    assert not torch.equal(fills[0].raw, fills[1].raw)


def test_a_sample_is_drawn_from_mean_and_deviation_with_the_images_own_numbers():
    image, mask = sample(16, 24)
    fill = Sampling(Painter(), name="painter", dtype=torch.float64)
    mu, sigma = fill.encode(image, mask)
    many = torch.stack([each.raw for each in fill.fill(image, mask, samples=400, seed=3)])
    base = fill.decode(image, mask, z=mu).raw
    drawn = (many - base)[..., ::8, ::8] / (sigma[:, :3] + sigma[:, 3:]).square().sub(
        2 * sigma[:, :3] * sigma[:, 3:]
    ).sqrt()
    assert drawn.mean().abs() < 0.05
    assert drawn.std().item() == pytest.approx(1, abs=0.05)
    assert abs(torch.corrcoef(drawn[:, :, 0, 0, 0].T)[0, 1]) < 0.2  # images have numbers of their own


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100, None])
def test_the_answer_does_not_depend_on_chunks(chunk):
    image, mask = sample(batch=3)
    whole = ranked(chunk=15)[0].fill(image, mask, samples=5, seed=2)
    cut = ranked(chunk=chunk)[0].fill(image, mask, samples=5, seed=2)
    for one, other in zip(whole, cut, strict=True):
        assert torch.allclose(one.raw, other.raw, atol=1e-6)
        assert torch.allclose(one.score, other.score, atol=1e-6)
        assert torch.allclose(one.aux["half"], other.aux["half"], atol=1e-6)


def test_an_image_alone_with_its_seed_gets_the_fills_it_gets_in_a_batch():
    image, mask = sample(batch=3)
    fill = Sampling(Painter(), name="painter").fill
    together = fill(image, mask, samples=2, seed=[5, 6, 7])
    alone = fill(image[1:2], mask[1:2], samples=2, seed=[6])
    assert all(torch.equal(a.raw[1], b.raw[0]) for a, b in zip(together, alone, strict=True))
    first, integer = fill(image, mask, samples=2, seed=5), fill(image[:1], mask[:1], samples=2, seed=5)
    assert all(torch.equal(a.raw[0], b.raw[0]) for a, b in zip(first, integer, strict=True))


def test_more_samples_begin_with_the_same_ones_and_seeds_give_others():
    image, mask = sample()
    fill = Sampling(Painter(), name="painter").fill
    few, many, others = fill(image, mask, samples=2), fill(image, mask, samples=5), fill(image, mask, seed=1)
    assert all(torch.equal(a.raw, b.raw) for a, b in zip(few, many, strict=False))
    assert not torch.equal(few[0].raw, others[0].raw)
    assert not torch.equal(few[0].raw[0] - few[0].raw[0].mean(), few[0].raw[1] - few[0].raw[1].mean())


def test_global_randomness_is_neither_used_nor_changed():
    image, mask = sample()
    state = torch.get_rng_state()
    (one,) = Sampling(Painter(), name="painter").fill(image, mask)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(99)
    (other,) = Sampling(Painter(), name="painter").fill(image, mask)
    assert torch.equal(one.raw, other.raw)


def test_each_image_is_encoded_once_and_each_sample_decoded_and_scored_once():
    image, mask = sample(batch=3)
    fill, discriminator = ranked(chunk=2)
    fill.fill(image, mask, samples=4)
    assert sum(fill.network.encoded) == 3
    assert sum(fill.network.decoded) == 12
    assert sum(len(seen) for seen in discriminator.seen) == 12
    assert max(fill.network.decoded) <= 2


def test_scores_are_the_mean_of_the_discriminators_map_on_the_completed_image():
    image, mask = sample(16, 24)
    fill, discriminator = ranked()
    fills = fill.fill(image, mask, samples=3)
    for each in fills:
        assert torch.allclose(each.score, each.completed.mean(1)[..., ::4, ::4].mean((1, 2)), atol=1e-6)
    assert fills[0].score.shape == (2,)
    discriminator.seen.clear()
    assert fill.fill(image, mask)[0].score is None  # nothing to rank
    assert discriminator.seen == []


@pytest.mark.parametrize(("scores", "samples", "given"), [(True, 1, True), (False, 3, False), (None, 3, True)])
def test_scores_can_be_asked_for_and_declined(scores, samples, given):
    fills = ranked(scores=scores)[0].fill(*sample(), samples=samples)
    assert all((fill.score is not None) == given for fill in fills)


def test_without_the_discriminator_there_are_no_scores_and_asking_for_them_is_an_error():
    fill, _ = ranked(held=())
    assert not fill.capabilities.scored
    assert fill.fill(*sample(), samples=2)[0].score is None
    assert not Sampling(Painter(), name="painter").capabilities.scored
    with pytest.raises(WeightsError, match="painter cannot score its fills"):
        ranked(held=(), scores=True)


def test_the_mean_of_the_latents_gives_one_fill_for_every_seed():
    image, mask = sample()
    fill, _ = ranked(latent="mean")
    fills = fill.fill(image, mask, samples=3, seed=4)
    mu, _ = fill.encode(image, mask)
    assert len(fills) == 3
    assert not fill.capabilities.stochastic
    assert all(torch.equal(each.raw, fills[0].raw) for each in fills)
    assert torch.allclose(fills[0].raw, fill.decode(image, mask, z=mu).raw, atol=1e-6)
    assert sum(fill.network.decoded) == 4  # two images, once in each of the two calls
    with pytest.raises(UsageError, match=r"latent=\"zero\": must be one of drawn, mean"):
        validated(SamplingOptions, {"latent": "zero"})


def test_decoding_gives_a_whole_fill_for_given_latents():
    image, mask = sample()
    fill, _ = ranked(scores=True)
    mu, sigma = fill.encode(image, mask)
    assert mu.shape == sigma.shape == (2, 6, 3, 5)
    result = fill.decode(image, mask, z=mu + 0.1)
    assert result.raw.shape == image.shape
    assert torch.allclose(result.raw - fill.decode(image, mask, z=mu).raw, torch.tensor(0.2), atol=1e-5)
    assert torch.equal(result.completed[mask.expand_as(image) == 0], image[mask.expand_as(image) == 0])
    assert result.score.shape == (2,)
    with pytest.raises(InputError, match=r"z must have shape \(2, 6, 3, 5\) for this batch, got \(1, 6, 3, 5\)"):
        fill.decode(image, mask, z=mu[:1])


def test_progress_counts_painted_images():
    reports = []
    ranked(chunk=2)[0].fill(*sample(), samples=3, progress=reports.append)
    assert [(report.done, report.total) for report in reports] == [(2, 6), (4, 6), (6, 6)]


def test_stopping_leaves_the_mean_known_color_and_the_worst_score_where_nothing_was_painted():
    def stop(report):
        raise StopFill

    image, mask = sample()
    fills = ranked(chunk=2)[0].fill(image, mask, samples=3, progress=stop)
    (complete, *_) = ranked(chunk=2)[0].fill(image, mask, samples=3)
    assert torch.equal(fills[0].completed[0], complete.completed[0])
    assert torch.equal(fills[0].score[0], complete.score[0])
    for sample_number, image_number in ((2, 0), (0, 1), (1, 1), (2, 1)):
        known = image[image_number][:, mask[image_number, 0] == 0]
        painted = fills[sample_number].completed[image_number][:, mask[image_number, 0] > 0]
        assert torch.allclose(painted, known.mean(dim=1)[:, None], atol=1e-6)
        assert fills[sample_number].score[image_number] == -torch.inf
    assert all(fill.aux == {} for fill in fills)


def test_discriminators_are_asked_by_role_and_by_short_name():
    fill, discriminator = ranked()
    image = torch.rand(2, 3, 8, 8)
    assert torch.equal(fill.discriminate("discriminator", image), fill.discriminate("d", image))
    assert len(discriminator.seen) == 2
    with pytest.raises(UsageError, match="painter came without discriminators"):
        Sampling(Painter(), name="painter").discriminate("discriminator", image)


def test_scores_come_back_in_the_type_of_results():
    stored = Stored(("discriminator",))
    for dtype, expected in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        fill = Sampling(Painter(), name="painter", dtype=dtype, discriminators=stored)
        assert fill.discriminate("d", torch.rand(1, 3, 8, 8)).dtype == expected
        assert stored.critic.seen[-1].dtype == dtype


def test_it_is_an_inpainter():
    fill: Inpainter = Sampling(Painter(), name="painter", device="cpu")
    assert fill.capabilities.stochastic


def test_an_encoding_is_shown_in_one_line():
    image, mask = sample(16, 24)
    found = repr(Painter().encode(image, mask))
    assert found.startswith("Encoding(mu=float32 (2, 6, 2, 3), sigma=float32 (2, 6, 2, 3), context={known: float32")
    assert "\n" not in found


def test_latents_that_are_no_tensor_are_refused():
    model = Sampling(Painter(), name="painter")
    with pytest.raises(InputError, match="z must be a dense torch tensor"):
        model.decode(*sample(16, 24), z=[1.0])
