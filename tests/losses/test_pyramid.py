import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from inpaint.errors import ConfigError
from inpaint.losses import parse_losses


def term(**options):
    return parse_losses({"it": {"weight": 1.0, **options}}).terms["it"]


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


def aligned(image, size):
    """Bilinear interpolation whose corner pixels are the corners of the image, by scipy."""
    height, width = image.shape[-2:]
    y, x = (np.linspace(0, n - 1, m) for n, m in zip((height, width), size, strict=True))
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    flat = image.reshape(-1, height, width)
    grid = (np.arange(height), np.arange(width))
    return np.stack([RegularGridInterpolator(grid, one)(points) for one in flat]).reshape(*image.shape[:2], *size)


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


def test_an_image_can_be_compared_in_several_reductions(record):
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


def test_entries_say_what_a_pyramid_reads():
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


def test_nearest_takes_one_pixel_of_several():
    image, mask = torch.arange(16.0).view(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    mask[..., 0, 0] = 1
    block = {"kind": "pyramid", "of": ["small"], "term": {"kind": "l1", "region": "hole"}, "resize": "nearest"}
    losses = parse_losses({"scale": {**block, "weight": 1.0}})
    small = torch.full((1, 1, 2, 2), 10.0)
    found = losses.of_record({"small": small, "image": image, "mask": mask, "hole_share": mask.mean()})["scale"]
    assert found.item() == 10 / 4  # of the pixels 0, 2, 8, 10 the first alone lies in the hole
