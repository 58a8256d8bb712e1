import numpy as np
import pytest
import torch

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses


def term(**options):
    return parse_losses({"it": {"of": "raw", "weight": 1.0, **options}}).pictures["it"]


@pytest.fixture
def record():
    rng = np.random.default_rng(0)
    raw, image = rng.random((2, 2, 3, 5, 7))
    mask = (rng.random((2, 1, 5, 7)) < 0.3).astype(np.float64)
    tensors = {"raw": raw, "image": image, "mask": mask, "hole_share": np.float64(mask.mean())}
    return {name: torch.as_tensor(value) for name, value in tensors.items()}


def selected(record, region):
    """The differences in a region, picked by boolean indexing."""
    difference = (record["raw"] - record["image"]).numpy()
    hole = np.broadcast_to(record["mask"].numpy() == 1, difference.shape)
    return {"all": difference.ravel(), "hole": difference[hole], "known": difference[~hole]}[region]


@pytest.mark.parametrize("region", ["all", "hole", "known"])
@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_region_normalization_averages_over_the_selected_pixels(record, kind, region):
    chosen = selected(record, region)
    expected = np.abs(chosen).mean() if kind == "l1" else np.square(chosen).mean()
    assert term(kind=kind, region=region, normalize="region")(record).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_whole_normalization_splits_the_loss_into_hole_and_known(record, kind):
    parts = [term(kind=kind, region=region)(record) for region in ("hole", "known")]
    assert sum(parts).item() == pytest.approx(term(kind=kind)(record).item(), rel=1e-12)


def test_region_normalization_of_halves_averages_to_that_of_the_whole_batch(record):
    loss = term(kind="l1", region="hole", normalize="region")
    halves = [
        loss({name: value if value.ndim == 0 else value[i : i + 1] for name, value in record.items()}) for i in (0, 1)
    ]
    assert (sum(halves) / 2).item() == pytest.approx(loss(record).item(), rel=1e-12)


def test_an_empty_hole_costs_nothing(record):
    empty = {**record, "mask": torch.zeros_like(record["mask"]), "hole_share": torch.tensor(0.0)}
    assert term(kind="l1", region="hole", normalize="region")(empty).item() == 0.0


def test_gradient_is_confined_to_the_region(record):
    raw = record["raw"].clone().requires_grad_()
    term(kind="l1", region="hole")({**record, "raw": raw}).backward()
    touched = raw.grad.abs().sum(dim=1, keepdim=True) > 0
    assert torch.equal(touched, record["mask"] == 1)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"a": {"kind": "l3", "of": "raw", "weight": 1}}, "losses.a.kind: unknown loss 'l3'"),
        ({"a": {"kind": "l1", "of": "raw", "weight": -1}}, "losses.a.weight=-1: must be"),
        ({"a": {"kind": "l1", "of": "raw", "weight": 1, "regoin": "all"}}, "did you mean 'region'"),
        ({"a": {"kind": "l1", "weight": 1}}, "losses.a.of is missing"),
        ({"a": 3}, "losses.a must be a mapping with a `kind`"),
    ],
)
def test_mistakes_in_the_losses_block_are_named(block, message):
    with pytest.raises(ConfigError, match=message):
        parse_losses(block)


def test_a_loss_set_to_null_is_left_out():
    assert parse_losses({"a": {"kind": "l1", "of": "raw", "weight": 1}, "b": None}).terms.keys() == {"a"}
