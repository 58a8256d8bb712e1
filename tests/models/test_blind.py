"""Networks that find their holes themselves, through the adapter: the tiny one, whose answers are known."""

import numpy as np
import pytest
import torch

from blind import soiled, tiny_blind
from inpaint.errors import MaskError
from inpaint.models.base import InpaintNetwork
from inpaint.models.feedforward import FeedForward
from inpaint.models.options import FeedForwardOptions
from inpaint.options import ModelConfig
from inpaint.registry import table
from tiny_blind.config import Config
from tiny_blind.network import Network


def small(model):
    config = table.config_class(model)
    return config.model_validate(config.SMALL)


@pytest.fixture
def batch(make_photo):
    """Images (2, 3, 37, 54), soiled at different places, and where, (2, 1, 37, 54)."""
    pairs = [soiled(make_photo(37, 54, seed), top=5 + seed, left=8 + 9 * seed) for seed in range(2)]
    image = torch.from_numpy(np.stack([photo for photo, _ in pairs])).permute(0, 3, 1, 2).float() / 255
    return image.contiguous(), torch.from_numpy(np.stack([hole for _, hole in pairs]))[:, None].float()


def test_what_is_contaminated_is_found_and_painted_and_nothing_else_changes(batch):
    image, hole = batch
    (fill,) = tiny_blind().fill(image, None)
    assert torch.equal(fill.mask, hole)
    assert fill.aux["found"].shape == hole.shape
    assert torch.equal(fill.aux["found"] > 0.5, hole == 1)
    known = hole.expand_as(image) == 0
    assert torch.equal(fill.completed[known], image[known])
    assert not torch.equal(fill.completed, image)


def test_it_paints_by_the_soft_map(batch):
    image = batch[0][..., :36, :52].clone()  # needs no padding
    image[..., :4, :] = torch.tensor([0.52, 0.0, 0.0])[:, None, None]  # which it is not sure of
    network = Network(Config())
    soft = network.find_mask(image)
    expected = network(image, soft)["raw"]
    assert not torch.allclose(expected, network(image, (soft > 0.5).float())["raw"], atol=1e-4)
    (fill,) = FeedForward(network, name="tiny").fill(image, None)
    assert torch.allclose(fill.raw, expected, atol=1e-6)
    assert torch.allclose(fill.aux["found"], soft, atol=1e-6)


@pytest.mark.parametrize(("model", "layer"), [("vcnet", "mask_network.down1"), ("erasenet", "generator.enter.0")])
def test_a_fill_runs_the_encoder_once_and_paints_what_finding_and_painting_do(batch, lively, model, layer):
    image = batch[0][..., :32, :32].clone()
    network = lively(table.network_class(model)(small(model)), gain=1.0).eval().requires_grad_(False)
    soft = network.find_mask(image)
    expected, calls = network(image, soft), []
    network.get_submodule(layer).register_forward_hook(lambda *_: calls.append(1))
    (fill,) = FeedForward(network, name=model).fill(image, None)
    assert len(calls) == 1
    assert torch.equal(fill.aux["found"], soft)
    assert torch.equal(fill.raw, expected["raw"])
    (cut,) = FeedForward(network, name=model, options=FeedForwardOptions(chunk=1)).fill(image, None)
    assert len(calls) == 1 + 2 * len(image)
    assert torch.allclose(cut.raw, fill.raw, atol=1e-5)


def test_a_mask_that_is_given_stands_above_what_would_be_found(batch):
    image, hole = batch
    other = torch.zeros_like(hole)
    other[..., 20:30, 3:9] = 1
    (fill,) = tiny_blind().fill(image, other)
    assert torch.equal(fill.mask, other)
    assert "found" not in fill.aux


def test_what_lies_in_the_hole_is_read(batch):
    image, hole = batch
    (red,) = tiny_blind().fill(image, hole)
    (black,) = tiny_blind().fill(image.masked_fill(hole == 1, 0.0), hole)
    assert not torch.equal(red.completed, black.completed)


@pytest.mark.parametrize("chunk", [1, 3])
def test_the_map_does_not_depend_on_how_the_batch_is_cut(batch, chunk):
    image = batch[0].repeat(2, 1, 1, 1)
    (whole,) = tiny_blind(dtype=torch.float64).fill(image, None)
    (cut,) = tiny_blind(dtype=torch.float64, options=FeedForwardOptions(chunk=chunk)).fill(image, None)
    assert torch.equal(whole.aux["found"], cut.aux["found"])
    assert torch.equal(whole.completed, cut.completed)
    assert not cut.aux["found"].is_inference()


def test_an_image_in_which_nothing_is_found_is_its_own_answer(batch):
    image, hole = batch
    clean = image.masked_fill(hole == 1, 0.25)
    (fill,) = tiny_blind().fill(clean, None)
    assert not fill.mask.any()
    assert torch.equal(fill.completed, clean)


def test_a_network_that_is_not_blind_finds_nothing(batch):
    class SeeingConfig(ModelConfig):
        pass

    class Seeing(InpaintNetwork):
        def __init__(self):
            super().__init__(SeeingConfig())
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, image, mask):
            return {"raw": image * self.weight}

    fill = FeedForward(Seeing(), name="seeing")
    with pytest.raises(MaskError, match="seeing needs a mask"):
        fill.fill(batch[0], None)
    with pytest.raises(NotImplementedError, match="Seeing finds no masks"):
        fill.network.find_mask(batch[0])
