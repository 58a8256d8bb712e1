import pytest
import torch

from inpaint.errors import ConfigError
from inpaint.losses import KINDS, parse_losses

# EdgeConnect's two stages in one block.
BLOCK = {
    "edge_adversary": {"kind": "nsgan", "of": "edges_raw", "real": "edges_true", "discriminator": "first", "weight": 1},
    "edge_match": {
        "kind": "feature_matching",
        "of": "edges_raw",
        "real": "edges_true",
        "discriminator": "first",
        "weight": 10.0,
    },
    "pixel": {"kind": "l1", "of": "raw", "normalize": "hole", "weight": 1.0},
    "adversary": {"kind": "nsgan", "of": "raw", "discriminator": "second", "weight": 0.0},
    "features": {
        "kind": "perceptual",
        "of": ["raw", "completed"],
        "layers": ["relu1_1"],
        "weights": "random",
        "weight": 0.1,
    },
}


def test_terms_are_sorted_by_what_they_need():
    losses = parse_losses(BLOCK)
    assert [list(terms) for terms in (losses.adversarial, losses.matching)] == [
        ["edge_adversary", "adversary"],
        ["edge_match"],
    ]
    assert losses.discriminators == {"first", "second"}
    images = {name: torch.rand(1, 3, 8, 8) for name in ("image", "raw", "completed")}
    record = {**images, "mask": torch.ones(1, 1, 8, 8), "hole_share": torch.ones(())}
    assert list(losses.of_record(record)) == ["pixel", "features"]


def test_a_stage_takes_the_terms_whose_entries_it_paints():
    losses = parse_losses(BLOCK)
    first = losses.where(lambda term: term.entries <= {"edges_raw", "edges_true", "image"})
    second = losses.where(lambda term: term.entries <= {"raw", "completed", "image"})
    assert list(first.terms) == ["edge_adversary", "edge_match"]
    assert list(second.terms) == ["pixel", "adversary", "features"]
    assert (first.discriminators, second.discriminators) == ({"first"}, {"second"})


def test_terms_without_weight_are_told_from_the_others():
    assert list(parse_losses(BLOCK).weighted().terms) == ["edge_adversary", "edge_match", "pixel", "features"]


def test_named_terms_keep_the_order_of_the_configuration():
    assert list(parse_losses(BLOCK).only("pixel", "edge_adversary").terms) == ["edge_adversary", "pixel"]


def test_a_name_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"unknown loss 'pixl' \(did you mean 'pixel'\?\)"):
        parse_losses(BLOCK).only("pixl")


def test_every_kind_is_called_what_it_is_listed_as():
    assert {name: kind.model_fields["kind"].default for name, kind in KINDS.items()} == {name: name for name in KINDS}
