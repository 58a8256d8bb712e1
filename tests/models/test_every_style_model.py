"""What every registered model that stylizes must do: each test runs on all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inpaint import config
from inpaint.losses import parse_losses
from inpaint.models.styling import NetworkStylizer
from inpaint.nn.inference import prepare_for_inference
from inpaint.registry import table as registry
from inpaint.training.plan import dry_run_step
from inpaint.types import LearnedStyle, StylePart

MODELS = list(registry.style_models())
CONTENT = np.random.default_rng(0).random((37, 50, 3), dtype=np.float32)
PICTURE = np.random.default_rng(1).random((40, 33, 3), dtype=np.float32)


def small(name, **fields):
    """The model's own small configuration."""
    found = registry.config_class(name)
    return found.model_validate({**found.SMALL, **fields})


@pytest.fixture
def make(lively):
    """`make(name)` builds a small network of that model with lively weights."""

    def build(name, **fields):
        return lively(registry.network_class(name)(small(name, **fields))).eval()

    return build


def stylizer_of(name, network, **options):
    return NetworkStylizer(network, small(name).StyleOptions(**options), name=name)


def part(name, **options):
    if registry.capabilities(name).styles is None:
        return StylePart(style=PICTURE, **options)
    return LearnedStyle(**options)


def test_every_model_says_in_its_small_configuration_and_its_capabilities_what_it_is():
    assert MODELS
    for name in MODELS:
        assert registry.config_class(name).SMALL
        can = registry.capabilities(name)
        assert can.stylizes
        assert can.trained
        assert not can.reads_hole


@pytest.mark.parametrize("name", MODELS)
def test_a_network_prepared_for_inference_in_channels_last_paints_the_same(make, name):
    network = make(name).double()
    expected = stylizer_of(name, network).stylize(CONTENT, [part(name)]).image
    prepare_for_inference(network)
    network.to(memory_format=torch.channels_last)
    found = stylizer_of(name, network).stylize(CONTENT, [part(name)]).image
    assert np.abs(found - expected).max() < 1e-6
    before = {key: value.clone() for key, value in network.state_dict().items()}
    stylizer_of(name, network).stylize(CONTENT, [part(name)])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", MODELS)
def test_results_depend_on_the_content_and_extreme_contents_give_finite_ones(make, name):
    stylizer = stylizer_of(name, make(name))
    one, other = (stylizer.stylize(content, [part(name)]).image for content in (CONTENT, CONTENT[:, ::-1].copy()))
    assert np.abs(one - other).mean() > 1e-3
    for value in (0, 1):
        assert np.isfinite(stylizer.stylize(np.full_like(CONTENT, value), [part(name)]).image).all()


@pytest.mark.parametrize("name", MODELS)
def test_two_equal_parts_are_as_good_as_one_wherever_they_go(make, name):
    stylizer = stylizer_of(name, make(name).double())
    left = np.zeros(CONTENT.shape[:2], np.float32)
    left[:, :25] = 1
    one = stylizer.stylize(CONTENT, [part(name)]).image
    mixed = stylizer.stylize(CONTENT, [part(name, weight=2), part(name, weight=1)]).image
    assert np.abs(mixed - one).max() < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_starting_weights_depend_on_their_seed_and_on_nothing_else(name):
    network, options = registry.network_class(name), small(name)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = network(options, seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(torch.equal(value, first[key]) for key, value in network(options, seed=3).state_dict().items())
    assert any(not torch.equal(value, first[key]) for key, value in network(options, seed=4).state_dict().items())


@pytest.mark.parametrize("name", MODELS)
def test_training_calls_every_network_that_learns_as_a_whole_so_that_the_compiler_reaches_it(name):
    any_loss = parse_losses({"it": {"kind": "l2", "of": "image", "weight": 1.0}})  # the record is what is looked at
    module = registry.training_class(name)(small(name), losses=any_loss, loop=config.load([f"model={name}"]).loop)
    called = set()
    for role, network in module.roles().items():
        network.register_forward_hook(lambda *ignored, role=role: called.add(role))
    dry_run_step(module, size_px=32)
    assert called >= {role for update in module.timeline[0].updates for role in update.networks}
    assert called
