import pytest

from inpaint.errors import ConfigError
from inpaint.losses import KINDS, parse_losses

# EdgeConnect's two stages in one block.
BLOCK = {
    "edge_game": {"kind": "nsgan", "of": "edges_raw", "real": "edges_true", "discriminator": "first", "weight": 1.0},
    "edge_match": {
        "kind": "feature_matching", "of": "edges_raw", "real": "edges_true", "discriminator": "first", "weight": 10.0,
    },
    "pixel": {"kind": "l1", "of": "raw", "normalize": "hole", "weight": 1.0},
    "game": {"kind": "nsgan", "of": "raw", "discriminator": "second", "weight": 0.0},
    "look": {"kind": "perceptual", "of": ["raw", "completed"], "layers": ["relu1_1"], "weight": 0.1},
}  # fmt: skip


def test_terms_are_sorted_by_what_they_need():
    losses = parse_losses(BLOCK)
    groups = (losses.adversarial, losses.matching, losses.pictures, losses.perceptions)
    assert [list(group) for group in groups] == [["edge_game", "game"], ["edge_match"], ["pixel"], ["look"]]
    assert losses.discriminators == {"first", "second"}


def test_a_stage_takes_the_terms_whose_entries_it_paints():
    losses = parse_losses(BLOCK)
    first = losses.where(lambda term: term.entries <= {"edges_raw", "edges_true", "image"})
    second = losses.where(lambda term: term.entries <= {"raw", "completed", "image"})
    assert list(first.terms) == ["edge_game", "edge_match"]
    assert list(second.terms) == ["pixel", "game", "look"]
    assert (first.discriminators, second.discriminators) == ({"first"}, {"second"})


def test_terms_without_weight_are_told_from_the_others():
    assert list(parse_losses(BLOCK).weighing().terms) == ["edge_game", "edge_match", "pixel", "look"]


def test_named_terms_keep_the_order_of_the_configuration():
    assert list(parse_losses(BLOCK).only("pixel", "edge_game").terms) == ["edge_game", "pixel"]


def test_a_name_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"unknown loss 'pixl' \(did you mean 'pixel'\?\)"):
        parse_losses(BLOCK).only("pixl")


def test_every_kind_is_called_what_it_is_listed_as():
    assert {name: kind.model_fields["kind"].default for name, kind in KINDS.items()} == {name: name for name in KINDS}
