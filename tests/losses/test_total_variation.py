import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from inpaint.losses import parse_losses


def term(**options):
    return parse_losses({"it": {"weight": 1.0, **options}}).terms["it"]


@pytest.fixture
def record():
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
def test_variation_in_the_grown_hole_matches_a_count_by_hand(record, dilate):
    hole = record["mask"][:, 0].numpy() > 0.5
    square = np.ones((2 * dilate + 1, 2 * dilate + 1), dtype=bool)
    inside = np.stack([binary_dilation(one, structure=square) for one in hole])
    image = record["completed"].numpy()
    expected = pairs_by_hand(image, inside) / image.size
    assert term(kind="tv", of="completed", dilate=dilate)(record).item() == pytest.approx(expected, rel=1e-12)


def test_variation_of_the_whole_image_matches_numpy(record):
    image = record["completed"].numpy()
    expected = (np.abs(np.diff(image, axis=2)).sum() + np.abs(np.diff(image, axis=3)).sum()) / image.size
    assert term(kind="tv", of="completed", region="all")(record).item() == pytest.approx(expected, rel=1e-12)


def test_variation_reaches_one_pixel_beyond_the_hole_and_no_further(record):
    mask = torch.zeros(1, 1, 7, 8, dtype=torch.float64)
    mask[..., 3, 4] = 1
    image = torch.rand(1, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    term(kind="tv", of="completed")({"completed": image, "mask": mask}).backward()
    touched = image.grad.abs().sum(dim=(0, 1)) > 0
    expected = torch.zeros(7, 8, dtype=torch.bool)
    expected[2:5, 3:6] = True
    assert torch.equal(touched | expected, expected)
    assert touched.sum() >= 8
