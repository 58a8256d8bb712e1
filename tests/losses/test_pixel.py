import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, distance_transform_cdt

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses
from inpaint.losses.pixel import spatial_discount


def term(**options):
    return parse_losses({"it": {"of": "raw", "weight": 1.0, **options}}).terms["it"]


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


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_alpha_weighs_the_hole_against_the_known(record, kind):
    parts = {region: term(kind=kind, region=region)(record).item() for region in ("hole", "known")}
    assert term(kind=kind, alpha=6)(record).item() == pytest.approx(6 * parts["hole"] + parts["known"], rel=1e-12)


def test_hole_normalization_divides_the_whole_difference_by_the_share_of_the_hole(record):
    expected = np.abs(selected(record, "all")).mean() / record["mask"].numpy().mean()
    assert term(kind="l1", normalize="hole")(record).item() == pytest.approx(expected, rel=1e-12)


def test_hole_normalization_of_a_batch_without_holes_is_nothing_and_no_huge_number(record):
    raw = record["raw"].clone().requires_grad_()
    empty = {**record, "raw": raw, "mask": torch.zeros_like(record["mask"]), "hole_share": torch.tensor(0.0)}
    loss = term(kind="l1", normalize="hole")(empty)
    loss.backward()
    assert loss.item() == 0.0
    assert not raw.grad.any()


def test_another_entry_can_be_the_truth(record):
    other = {**record, "edges": record["raw"] + 0.25}
    assert term(kind="l1", target="edges")(other).item() == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(9, 7), (5, 16)])
def test_the_discount_falls_with_the_distance_that_scipy_finds(shape):
    masks = np.random.default_rng(2).random((3, 1, *shape)) < np.array([0.5, 0.9, 0.97]).reshape(3, 1, 1, 1)
    masks[:, :, -1, 0] = False  # something must be known
    expected = [0.9 ** distance_transform_cdt(mask, metric="taxicab") for mask in masks[:, 0]]
    found = spatial_discount(torch.as_tensor(masks, dtype=torch.float64), 0.9)
    np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=1e-12)


def test_the_discount_of_a_rectangle_is_that_of_the_paper():
    mask = torch.zeros(1, 1, 9, 11)
    mask[..., 2:7, 3:8] = 1
    depth = [[min(i, j, 6 - i, 6 - j) for j in range(1, 6)] for i in range(1, 6)]
    expected = 0.99 ** torch.tensor(depth, dtype=torch.float32)
    torch.testing.assert_close(spatial_discount(mask, 0.99)[0, 0, 2:7, 3:8], expected)


def test_a_discounted_loss_weighs_hole_pixels_and_leaves_known_ones(record):
    difference = np.abs((record["raw"] - record["image"]).numpy())
    weights = np.stack([0.8 ** distance_transform_cdt(mask[0], metric="taxicab") for mask in record["mask"].numpy()])
    expected = (difference * weights[:, None]).mean()
    assert term(kind="l1", discount=0.8)(record).item() == pytest.approx(expected, rel=1e-12)


def test_an_all_hole_image_is_discounted_and_finite():
    assert spatial_discount(torch.ones(1, 1, 4, 6), 0.9).max().item() == pytest.approx(0.9**10)


def test_half_precision_images_are_compared_in_single(record):
    half = {name: value.to(torch.bfloat16) for name, value in record.items()}
    assert term(kind="l1", region="hole", normalize="region")(half).dtype == torch.float32


def test_alpha_without_a_comparison_is_refused():
    with pytest.raises(ConfigError, match=r"alpha=6 compares hole and known pixels: it needs region=all"):
        term(kind="l1", region="hole", alpha=6)


def variation(**options):
    return parse_losses({"it": {"weight": 1.0, **options}}).terms["it"]


@pytest.fixture
def sparse_record():
    rng = np.random.default_rng(4)
    mask = (rng.random((2, 1, 6, 9)) < 0.15).astype(np.float64)
    return {"completed": torch.as_tensor(rng.random((2, 3, 6, 9))), "mask": torch.as_tensor(mask)}


def pairs_by_hand(image, inside):
    """The sum over neighbors of which both lie inside, pixel by pixel."""
    batch, _, height, width = image.shape
    total = 0.0
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                for y2, x2 in ((y, x + 1), (y + 1, x)):
                    if y2 < height and x2 < width and inside[b, y, x] and inside[b, y2, x2]:
                        total += np.abs(image[b, :, y, x] - image[b, :, y2, x2]).sum()
    return total


@pytest.mark.parametrize("dilate", [0, 1, 2])
def test_variation_in_the_grown_hole_matches_a_count_by_hand(sparse_record, dilate):
    hole = sparse_record["mask"][:, 0].numpy() > 0.5
    square = np.ones((2 * dilate + 1, 2 * dilate + 1), dtype=bool)
    inside = np.stack([binary_dilation(one, structure=square) for one in hole])
    image = sparse_record["completed"].numpy()
    expected = pairs_by_hand(image, inside) / image.size
    assert variation(kind="tv", of="completed", dilate=dilate)(sparse_record).item() == pytest.approx(
        expected, rel=1e-12
    )


def test_variation_of_the_whole_image_matches_numpy(sparse_record):
    image = sparse_record["completed"].numpy()
    expected = (np.abs(np.diff(image, axis=2)).sum() + np.abs(np.diff(image, axis=3)).sum()) / image.size
    assert variation(kind="tv", of="completed", region="all")(sparse_record).item() == pytest.approx(
        expected, rel=1e-12
    )


def test_variation_reaches_one_pixel_beyond_the_hole_and_no_further(sparse_record):
    mask = torch.zeros(1, 1, 7, 8, dtype=torch.float64)
    mask[..., 3, 4] = 1
    image = torch.rand(1, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    variation(kind="tv", of="completed")({"completed": image, "mask": mask}).backward()
    touched = image.grad.abs().sum(dim=(0, 1)) > 0
    expected = torch.zeros(7, 8, dtype=torch.bool)
    expected[2:5, 3:6] = True
    assert torch.equal(touched | expected, expected)
    assert touched.sum() >= 8
