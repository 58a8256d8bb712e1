"""What every registered model must do, through the same adapter: each test runs on all of them."""

import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.feedforward import FeedForward
from inpaint.models.sampling import Sampling
from inpaint.nn.inference import prepare_for_inference
from inpaint.registry import table as registry
from inpaint.registry.loading import load
from inpaint.training.ema import Average
from inpaint.training.phases import phase_at
from inpaint.training.plan import dry_run_step
from inpaint.weights.files import WeightsMetadata, save_weights

MODELS = list(registry.inpainters())
BLIND = [name for name in MODELS if registry.capabilities(name).blind]
READING = [name for name in MODELS if registry.capabilities(name).reads_hole]
# Of redrawn weights: signals fade in glcic's seventeen layers behind one another, without shortcuts, and grow in
# vcnet's residual blocks until every pixel is black or white.
GAINS = {"glcic": 3.0, "vcnet": 1.0}
WITHOUT_MASK = ("erasenet",)  # what they paint does not depend on where the hole is, as published
UNAVAILABLE = ("perceptual", "style", "id_mrf", "distillation")  # losses that need somebody else's weights


def small(name, **fields):
    """The model's own small configuration."""
    config = registry.config_class(name)
    return config.model_validate({**config.SMALL, **fields})


@pytest.fixture
def make(lively):
    """`make(name)` builds a small network of that model with lively weights."""

    def build(name, **fields):
        options = small(name, **fields)
        return lively(registry.network_class(name)(options), gain=GAINS.get(name, 2.4)).eval()

    return build


def adapter(name, network, chunk=None, **options):
    kind = Sampling if network.capabilities.stochastic else FeedForward
    return kind(network, name=name, options=kind.Options(chunk=chunk), **options)


def sample(height, width, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    # Large areas of one color with some noise, so that a mean over places does not make all images alike.
    areas = torch.rand(batch, 3, 2, 3, generator=generator)
    image = 0.9 * torch.nn.functional.interpolate(areas, (height, width))
    image += 0.1 * torch.rand(batch, 3, height, width, generator=generator)
    mask = torch.zeros(batch, 1, height, width)
    for number in range(batch):
        mask[
            number, :, height // 4 : height // 2, width // 5 * (number % 3) : width // 5 * (number % 3) + width // 3
        ] = 1
    mask[..., -1, -1] = 1  # mirrored by padding
    return image, mask


def test_every_model_has_a_small_configuration_here():
    assert all(registry.config_class(name).SMALL for name in MODELS)


@pytest.mark.parametrize("size", [(8, 8), (37, 91), (64, 40)])
@pytest.mark.parametrize("name", MODELS)
def test_any_size_is_filled_and_known_pixels_stay_bit_for_bit(make, name, size):
    image, mask = sample(*size)
    (fill,) = adapter(name, make(name)).fill(image, mask)
    known = mask.expand_as(image) == 0
    assert torch.equal(fill.completed[known], image[known])
    assert torch.equal(fill.completed[~known], fill.raw[~known].clamp(0, 1))
    assert fill.raw.shape == image.shape
    assert torch.isfinite(fill.raw).all()
    assert torch.equal(fill.mask, mask)
    assert all(value.dtype == torch.float32 and not value.is_inference() for value in (fill.raw, *fill.aux.values()))


@pytest.mark.parametrize("name", MODELS)
def test_fills_depend_on_what_is_known_and_where_the_hole_is(make, name):
    image, mask = sample(64, 64)
    fill = adapter(name, make(name)).fill
    (one,) = fill(image, mask)
    (other,) = fill(image.flip(-1), mask)
    (shifted,) = fill(image, mask.roll(8, -1))
    assert (one.raw - other.raw).abs().mean() > 1e-3
    assert (one.raw - shifted.raw).abs().mean() > 1e-4 or name in WITHOUT_MASK


@pytest.mark.parametrize("size", [(37, 70), (64, 64)])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in READING])
def test_what_the_hole_holds_is_never_looked_at(make, name, size):
    fill = adapter(name, make(name)).fill
    image, mask = sample(*size)
    (expected,) = fill(image, mask)
    (got,) = fill(image.masked_fill(mask > 0, torch.nan), mask)
    assert torch.equal(got.raw, expected.raw)


@pytest.mark.parametrize("size", [(37, 70), (64, 64)])
@pytest.mark.parametrize("name", BLIND)
def test_a_blind_model_finds_its_hole_and_reads_what_lies_in_it(make, name, size):
    fill = adapter(name, make(name)).fill
    image, mask = sample(*size)
    (found,) = fill(image, None)
    soft, known = found.aux["found"], found.mask.expand_as(image) == 0
    assert soft.shape == mask.shape
    assert 0 <= soft.min() < soft.max() <= 1
    assert torch.equal(found.mask, (soft > 0.5).float())
    assert torch.equal(found.completed[known], image[known])
    (one,), (other,) = fill(image, mask), fill(image.masked_fill(mask > 0, 0.0), mask)
    assert not torch.equal(one.raw, other.raw)


@pytest.mark.parametrize("chunk", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_the_answer_does_not_depend_on_how_the_batch_is_cut(make, name, chunk):
    network, (image, mask) = make(name), sample(40, 64, batch=3)
    (whole,) = adapter(name, network, dtype=torch.float64, chunk=3).fill(image, mask)
    (cut,) = adapter(name, network, dtype=torch.float64, chunk=chunk).fill(image, mask)
    assert torch.allclose(cut.raw, whole.raw, rtol=0, atol=1e-10)
    for key, plane in whole.aux.items():
        assert torch.allclose(cut.aux[key], plane, rtol=0, atol=1e-10), key


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_and_float64_paint_almost_the_same(make, name):
    image, mask = sample(64, 64)
    (expected,) = adapter(name, make(name)).fill(image, mask)
    (exact,) = adapter(name, make(name), dtype=torch.float64).fill(image, mask)
    (half,) = adapter(name, make(name), dtype=torch.bfloat16).fill(image, mask)
    assert exact.raw.dtype == torch.float64
    assert half.raw.dtype == torch.float32
    spread = expected.raw.std()
    assert (exact.raw - expected.raw).abs().max() < 2e-3 * spread
    assert 0 < (half.raw - expected.raw).abs().mean() < 0.2 * spread


@pytest.mark.parametrize("name", MODELS)
def test_extreme_inputs_give_finite_fills(make, name):
    image, mask = sample(64, 64)
    mask[0], mask[1] = 1, 0
    (fill,) = adapter(name, make(name)).fill(image, mask)
    assert torch.isfinite(fill.raw).all()
    assert torch.equal(fill.completed[1], image[1])


@pytest.mark.parametrize("name", MODELS)
def test_a_network_prepared_for_inference_in_channels_last_paints_the_same(make, name):
    network, (image, mask) = make(name), sample(64, 96)
    (expected,) = adapter(name, network, dtype=torch.float64).fill(image, mask)
    prepare_for_inference(network)
    network.to(memory_format=torch.channels_last)
    (got,) = adapter(name, network, dtype=torch.float64).fill(image, mask)
    assert torch.allclose(got.raw, expected.raw, rtol=0, atol=1e-9)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    adapter(name, network, dtype=torch.float64).fill(image, mask)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", MODELS)
def test_an_average_that_has_filled_for_validation_follows_the_training_further(make, name):
    network, (image, mask) = make(name), sample(64, 96, batch=1)
    average = Average(network, decay=None)
    adapter(name, average.network).fill(image, mask)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.1)
    average.update(network, 0)
    (got,), (expected,) = (adapter(name, each).fill(image, mask) for each in (average.network, network))
    assert torch.equal(got.raw, expected.raw)


@pytest.mark.parametrize("name", MODELS)
def test_starting_weights_depend_on_their_seed_and_on_nothing_else(name):
    network, options = registry.network_class(name), small(name)

    def states(seed):
        discriminators = network.discriminators(options, seed=seed)
        return [each.state_dict() for each in (network(options, seed=seed), *discriminators.values())]

    def equal(one, other):
        return [
            torch.equal(a, b)
            for x, y in zip(one, other, strict=True)
            for a, b in zip(x.values(), y.values(), strict=True)
        ]

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = states(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(equal(first, states(3)))
    assert not all(equal(first, states(4)))


@pytest.mark.parametrize("name", MODELS)
def test_training_calls_every_network_as_a_whole_so_that_the_compiler_reaches_it(name):
    values = config.load([f"model={name}", *(f"losses.{term}=null" for term in UNAVAILABLE)])
    options = small(name)
    module = registry.training_class(name)(options, losses=parse_losses(values.losses), loop=values.loop)
    called = set()
    for role, network in module.roles().items():
        network.register_forward_hook(lambda *ignored, role=role: called.add(role))
    dry_run_step(module, size_px=64)
    assert called == set(module.roles())


@pytest.mark.parametrize("name", MODELS)
def test_a_training_from_the_weights_of_a_generator_may_begin_with_new_discriminators_alone(name):
    last = registry.config_class(name).LAST_PHASE
    values = config.load([f"model={name}", *last, *(f"losses.{term}=null" for term in UNAVAILABLE)])
    start = {each: settings.model_copy(update={"start": 5}) for each, settings in values.loop.optimizers.items()}
    adversaries = [each for each in start if each.endswith("discriminator")]
    loop = values.loop.model_copy(
        update={"optimizers": {**start, **{each: values.loop.optimizers[each] for each in adversaries}}}
    )
    options = small(name, **{key: values.model[key] for key in (each[6:].partition("=")[0] for each in last)})
    module = registry.training_class(name)(options, losses=parse_losses(values.losses), loop=loop)
    alone, later = ({update.optimizer for update in phase_at(module.timeline, when).updates} for when in (0, 5))
    assert alone == set(adversaries)
    assert later == set(start)


@pytest.mark.parametrize("name", MODELS)
def test_weights_written_as_a_run_are_loaded_by_the_registry_with_their_discriminators(make, name, tmp_path):
    network = make(name)
    discriminators = network.discriminators(network.config)
    tensors = dict(network.state_dict())
    for role, discriminator in discriminators.items():
        tensors |= {f"{role}.{key}": value for key, value in discriminator.state_dict().items()}
    metadata = WeightsMetadata(
        model=name,
        config=network.config.model_dump(mode="json"),
        roles=(*(role for role, _ in network.named_children()), *discriminators),
    )
    save_weights(tmp_path / "model.safetensors", tensors, metadata)
    image, mask = sample(64, 64)
    (expected,) = adapter(name, network, dtype=torch.float64).fill(image, mask)
    loaded = load(tmp_path, device="cpu", dtype="float64")
    assert loaded.name == name
    (got,) = loaded.fill(image, mask)
    assert torch.allclose(got.raw, expected.raw, rtol=0, atol=1e-6 * expected.raw.std().item())
