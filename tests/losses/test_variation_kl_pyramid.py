import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import binary_dilation
from torch.distributions import Normal, kl_divergence

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses


def term(**options):
    return parse_losses({"it": {"weight": 1.0, **options}}).pictures["it"]


@pytest.fixture
def record():
    rng = np.random.default_rng(4)
    arrays = {
        "completed": rng.random((2, 3, 6, 9)),
        "image": rng.random((2, 3, 6, 9)),
        "mask": (rng.random((2, 1, 6, 9)) < 0.15).astype(np.float64),
        "small": rng.random((2, 3, 3, 4)),
        "tiny": rng.random((2, 3, 2, 2)),
    }
    record = {name: torch.as_tensor(array) for name, array in arrays.items()}
    return {**record, "hole_share": record["mask"].mean()}


# Total variation ------------------------------------------------------------------------------------------------------


def pairs_by_hand(picture, inside):
    """The sum over neighbors of which both lie inside, pixel by pixel."""
    batch, _, height, width = picture.shape
    total = 0.0
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                for y2, x2 in ((y, x + 1), (y + 1, x)):
                    if y2 < height and x2 < width and inside[b, y, x] and inside[b, y2, x2]:
                        total += np.abs(picture[b, :, y, x] - picture[b, :, y2, x2]).sum()
    return total


@pytest.mark.parametrize("dilate", [0, 1, 2])
def test_variation_in_the_grown_hole_matches_a_count_by_hand(record, dilate):
    hole = record["mask"][:, 0].numpy() > 0.5
    square = np.ones((2 * dilate + 1, 2 * dilate + 1), dtype=bool)
    inside = np.stack([binary_dilation(one, structure=square) for one in hole])
    picture = record["completed"].numpy()
    expected = pairs_by_hand(picture, inside) / picture.size
    assert term(kind="tv", of="completed", dilate=dilate)(record).item() == pytest.approx(expected, rel=1e-12)


def test_variation_of_the_whole_picture_matches_numpy(record):
    picture = record["completed"].numpy()
    expected = (np.abs(np.diff(picture, axis=2)).sum() + np.abs(np.diff(picture, axis=3)).sum()) / picture.size
    assert term(kind="tv", of="completed", region="all")(record).item() == pytest.approx(expected, rel=1e-12)


def test_variation_reaches_one_pixel_beyond_the_hole_and_no_further(record):
    mask = torch.zeros(1, 1, 7, 8, dtype=torch.float64)
    mask[..., 3, 4] = 1
    picture = torch.rand(1, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    term(kind="tv", of="completed")({"completed": picture, "mask": mask}).backward()
    touched = picture.grad.abs().sum(dim=(0, 1)) > 0
    expected = torch.zeros(7, 8, dtype=torch.bool)
    expected[2:5, 3:6] = True
    assert torch.equal(touched | expected, expected)
    assert touched.sum() >= 8


# Divergence -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def gaussians():
    generator = torch.Generator().manual_seed(6)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return {
        "p_mu": draw(2, 4, 3, 3),
        "p_sigma": draw(2, 4, 3, 3).exp(),
        "q_mu": torch.zeros(2, 1, 1, 1, dtype=torch.float64),
        "q_sigma": draw(2, 1, 1, 1).exp(),
    }


def normal(record, name):
    return Normal(record[f"{name}_mu"], record[f"{name}_sigma"])


def test_the_divergence_is_that_of_torch_distributions_in_both_directions(gaussians):
    p, q = normal(gaussians, "p"), normal(gaussians, "q")
    last = term(kind="kl", of="p", against="q")(gaussians).item()
    first = term(kind="kl", of="p", against="q", first="of")(gaussians).item()
    assert last == pytest.approx(kl_divergence(q, p).mean().item(), rel=1e-12)
    assert first == pytest.approx(kl_divergence(p, q).mean().item(), rel=1e-12)
    assert first != pytest.approx(last, rel=0.01)


def test_without_another_the_divergence_is_from_the_standard_normal(gaussians):
    expected = kl_divergence(normal(gaussians, "p"), Normal(0.0, 1.0)).mean().item()
    assert term(kind="kl", of="p", first="of")(gaussians).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("detach", "moved"), [("none", "pq"), ("of", "q"), ("against", "p")])
def test_the_detached_side_gets_no_gradient(gaussians, detach, moved):
    leaves = {name: value.requires_grad_() for name, value in gaussians.items()}
    term(kind="kl", of="p", against="q", detach=detach)(leaves).backward()
    assert {name[0] for name, value in leaves.items() if value.grad is not None} == set(moved)


def test_the_divergence_is_computed_in_single_precision(gaussians):
    narrow = {name: value.to(torch.float16) for name, value in gaussians.items()}
    narrow["p_sigma"] = torch.full_like(narrow["p_sigma"], 1e-4)  # its square is 0 in half precision
    with torch.autocast("cpu", dtype=torch.float16):
        found = term(kind="kl", of="p", against="q")(narrow)
    assert found.dtype == torch.float32
    assert found.isfinite()


# Pyramid --------------------------------------------------------------------------------------------------------------


def aligned(picture, size):
    """Bilinear interpolation whose corner pixels are the corners of the picture, by scipy."""
    height, width = picture.shape[-2:]
    y, x = (np.linspace(0, n - 1, m) for n, m in zip((height, width), size, strict=True))
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    flat = picture.reshape(-1, height, width)
    grid = (np.arange(height), np.arange(width))
    return np.stack([RegularGridInterpolator(grid, one)(points) for one in flat]).reshape(*picture.shape[:2], *size)


@pytest.mark.parametrize("region", ["all", "known", "hole"])
def test_a_pyramid_adds_the_losses_of_its_levels_against_the_resized_truth(record, region):
    arrays = {name: value.numpy() for name, value in record.items()}
    expected = 0.0
    for entry in ("tiny", "small", "completed"):
        painted = arrays[entry]
        truth, mask = (aligned(arrays[name], painted.shape[-2:]) for name in ("image", "mask"))
        weight = {"all": 1.0, "known": 1 - mask, "hole": mask}[region]
        expected += (np.abs(painted - truth) * weight).mean()
    pyramid = term(kind="pyramid", of=["tiny", "small", "completed"], term={"kind": "l1", "region": region})
    assert pyramid(record).item() == pytest.approx(expected, rel=1e-10)


def test_a_picture_can_be_looked_at_in_several_reductions(record):
    arrays = {name: record[name].numpy() for name in ("completed", "image")}
    halves = {name: a.reshape(2, 3, 3, 2, 9, 1)[..., :8, :].reshape(2, 3, 3, 2, 4, 2) for name, a in arrays.items()}
    halves = {name: a.mean(axis=(3, 5)) for name, a in halves.items()}
    cropped = {"completed": record["completed"][..., :8], "image": record["image"][..., :8]}
    cropped |= {"mask": record["mask"][..., :8], "hole_share": record["hole_share"]}
    whole = np.abs(cropped["completed"].numpy() - cropped["image"].numpy()).mean()
    expected = whole + np.abs(halves["completed"] - halves["image"]).mean()
    found = term(kind="pyramid", of=["completed"], term={"kind": "l1"}, scales=[1, 2], resize="area")(cropped)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_a_constant_error_is_the_same_at_every_scale(record):
    shifted = {**record, "image": torch.full_like(record["image"], 0.25)}
    levels = {name: torch.full_like(record[name], 0.75) for name in ("tiny", "small", "completed")}
    for resize in ("aligned", "smooth", "area"):
        pyramid = term(kind="pyramid", of=list(levels), term={"kind": "l2"}, resize=resize)
        assert pyramid({**shifted, **levels}).item() == pytest.approx(3 * 0.25, rel=1e-6)


def test_entries_say_what_a_pyramid_looks_at():
    with_truth = term(kind="pyramid", of=["a", "b"], term={"kind": "l1"})
    alone = term(kind="pyramid", of=["a"], term={"kind": "tv"})
    assert (with_truth.entries, alone.entries) == ({"a", "b", "image"}, {"a"})


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ({"kind": "style"}, "losses.it: term.kind: unknown loss 'style'; valid: l1, l2, tv"),
        ({"kind": "l1", "of": "raw"}, "losses.it: term.of is given by the pyramid"),
        ({"kind": "l1", "regoin": "all"}, "losses.it: term: unknown key 'regoin' .did you mean 'region'"),
        ({"kind": "l1", "region": "left"}, "losses.it.*region"),
    ],
)
def test_mistakes_inside_a_pyramid_are_named(inner, message):
    with pytest.raises(ConfigError, match=message):
        term(kind="pyramid", of=["a"], term=inner)
